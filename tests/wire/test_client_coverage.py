"""Every recorded exchange is read by the client, or stands here with the reason why not: at most a tenth of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mcp_types import jsonrpc_message_adapter

from gateway import AccessRule, Confirmation, Credential, Service, ToolProvider
from gateway.sse import Reader
from tests.wire import test_client_administration, test_client_recordings
from tests.wire.replay import RECORDINGS, Exchange, recorded

EVERYTHING = [exchange for path in sorted(RECORDINGS.glob("*.json")) for exchange in recorded(path.stem)]


def read_mcp(exchange: Exchange) -> None:
    """Through the library that the client uses, and its own reader of streams."""
    if exchange.is_stream:
        reader = Reader()
        for event in [*reader.feed(exchange.sent()), *reader.close()]:
            jsonrpc_message_adapter.validate_json(event.data)
    elif exchange.body is not None:
        jsonrpc_message_adapter.validate_python(exchange.body)


def rows(key: str, read: Callable[[Any], object]) -> Callable[[Exchange], None]:
    def each(exchange: Exchange) -> None:
        for row in exchange.body[key]:
            read(row)

    return each


def one(key: str, read: Callable[[Any], object]) -> Callable[[Exchange], None]:
    return lambda exchange: None if exchange.body.get(key) is None else (read(exchange.body[key]), None)[1]


VALUES: list[tuple[str, Callable[[Exchange], None]]] = [
    (r"(POST|GET|DELETE) /api/v1/mcp-proxy/[^/]+/mcp(\?.*)?", read_mcp),
    (r"GET /api/v1/confirmation/pending(\?.*)?", rows("data", Confirmation.from_one)),
    (r"GET /api/v1/confirmation/list(\?.*)?", rows("confirmations", Confirmation.from_row)),
    (r"GET /api/v1/credentials(\?.*)?", rows("credentials", Credential.from_doc)),
    (r"(POST|PUT|DELETE) /api/v1/admin/provider-access(/(?!evaluate)[^/]+)?", one("rule", AccessRule.from_doc)),
    (r"(GET|PUT) /api/v1/admin/provider-access/agent/[^/]+", rows("rules", AccessRule.from_doc)),
    (r"(POST|PUT|DELETE) /api/v1/admin/tool-providers(/[^/]+)?", one("provider", ToolProvider.from_doc)),
    (r"GET /api/v1/credential-providers/by-service/[^/]+", one("provider", Service.from_provider)),
]
"""Values that the client knows, told where it has no method for, or was recorded otherwise than it asks."""

UNREAD = {
    r"\w+ /api/v1/admin/api-keys.*": "keys are for servers; a front has people's tokens",
    r"POST /api/v1/credentials/resolve": "tells plain secrets, which must not come near a front",
    r"\w+ /api/v1/mcp/mcp.*": "tools are used a provider at a time",
    r"POST /api/v1/confirmation/[^/]+/confirm\?_token=.*": "a token travels in no URL",
    r"POST /api/v1/tool-gate/.*": "for agents, which ask before they act",
    r"\w+ /api/v1/notifications/devices.*": "for phones",
    r"POST /api/v1/admin/provider-access/evaluate": "writing rules is not a front's business yet, nor is trying them",
    r"GET /api/v1/admin/provider-access/by-provider/.*": "the same rules as the list's, in another order",
    r"OPTIONS .*": "a browser's question, and no browser speaks to a gateway here",
    r"(HEAD|GET) /api(/health)?": "health is read once; the others are the same without a body, or prose",
    r"GET /api/v1/mcp-server/health": "the gateway's own tools",
    r"POST /api/v1/auth/verify-credentials": "asked by the contract suite",
    r".* \(broken connection\)": "nothing was answered",
}
"""What is not read, with the reason."""


def line(exchange: Exchange) -> str:
    broken = " (broken connection)" if exchange.status is None else ""
    return f"{exchange.method} {exchange.path}{broken}"


def is_replayed(exchange: Exchange) -> bool:
    """By the tests of calls, of streams, or of refusals."""
    if exchange.status is not None and exchange.status >= 300:
        return True
    if re.fullmatch(r"/api/v1/(stream|agents/[^/]+/invoke)(\?.*)?", exchange.path):
        return True
    readings = [*test_client_recordings.READINGS, *test_client_administration.READINGS]
    return any(
        reading.method == exchange.method and re.fullmatch(f"/api/v1/{reading.path}", exchange.path)
        for reading in readings
    )


def test_values_are_read_wherever_they_are_told() -> None:
    for exchange in EVERYTHING:
        if exchange.status is not None and exchange.status < 300:
            for pattern, read in VALUES:
                if re.fullmatch(pattern, f"{exchange.method} {exchange.path}"):
                    read(exchange)


def test_at_most_a_tenth_is_not_read_and_all_of_it_has_a_reason() -> None:
    left = [
        line(exchange)
        for exchange in EVERYTHING
        if not is_replayed(exchange) and not any(re.fullmatch(pattern, line(exchange)) for pattern, _ in VALUES)
    ]
    unexplained = {text for text in left if not any(re.fullmatch(pattern, text) for pattern in UNREAD)}
    assert unexplained == set()
    assert len(left) <= len(EVERYTHING) / 10
    idle = {pattern for pattern in UNREAD if not any(re.fullmatch(pattern, text) for text in left)}
    assert idle == set()
