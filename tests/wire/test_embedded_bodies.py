"""What one person sends the embedded gateway hides nothing from others: it is refused, or every list can tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from embedded import bodies, ids
from tests.embedded import Embedded

ANA, BO = "user@example.com", "admin@example.com"
BAD = {
    "half a surrogate pair": r'"\ud800"',
    "half of one in a key": r'{"\udfff": 1}',
    "not a number": "NaN",
    "infinity": "-Infinity",
    "no double": "1e999",
    "no whole double": "1" + "0" * 400,
    "too many digits": "9" * 5000,
    "deep lists": "[" * 900 + "]" * 900,
    "deeper lists": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 500 + "1" + "}" * 500,
}
SENT = [
    ("POST", "tool-gate/evaluate", '{"toolName": BAD, "providerId": "PROVIDER"}'),
    ("POST", "tool-gate/evaluate", '{"toolName": "delete_file", "providerId": "PROVIDER", "params": {"x": BAD}}'),
    ("POST", "tool-gate/evaluate", '{"toolName": "delete_file", "providerId": "PROVIDER", "agentId": BAD}'),
    ("POST", "tool-gate/audit", '{"toolName": "t", "providerId": "PROVIDER", "result": BAD}'),
    ("POST", "tool-gate/audit", '{"toolName": "t", "providerId": "PROVIDER", "durationMs": BAD}'),
    ("POST", "mcp-proxy/PROVIDER/mcp", '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": BAD}}'),
    (
        *("POST", "mcp-proxy/PROVIDER/mcp"),
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file","arguments":{"x": BAD}}}',
    ),
    ("POST", "mcp/mcp", '{"jsonrpc": "2.0", "id": BAD, "method": "tools/call", "params": {"name": "x"}}'),
    ("PUT", "auth/me", '{"name": BAD}'),
    ("POST", "credentials/apikey", '{"serviceType": "weather", "apiKey": "x", "expiresAt": BAD}'),
    ("POST", "agents/AGENT/invoke", '{"threadId": BAD}'),
    ("POST", "confirmation/nothing/reject", '{"reason": BAD}'),
    ("POST", "confirmation/nothing/respond", '{"confirmed": false, "reason": BAD}'),
]
LISTS = ("stream/pending", "confirmation/list", "confirmation/pending", "audit/logs", "audit/stats", "admin/users")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def tokens(gateway: Embedded) -> dict[str, str]:
    return {email: gateway.token(email) for email in (ANA, BO)}


def asks(gateway: Embedded, token: str, method: str, path: str, body: bytes = b"") -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return requests.request(method, f"{gateway.url}/api/v1/{path}", data=body, headers=headers, timeout=20)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_nobody_hides_what_waits_from_others(gateway: Embedded, tokens: dict[str, str], bad: str) -> None:
    for method, path, body in SENT:
        full = body.replace("BAD", bad).replace("PROVIDER", ids.FILES).encode()
        route = path.replace("PROVIDER", ids.FILES).replace("AGENT", ids.ECHO)
        answer = asks(gateway, tokens[ANA], method, route, full)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text)
    for path in LISTS:
        answer = asks(gateway, tokens[BO], "GET", path)
        assert answer.status_code == 200, (path, answer.text)
        answer.json()
    assert requests.get(f"{gateway.url}/_dials?requests", timeout=20).status_code == 200


@pytest.mark.parametrize("duration", [1e308, -1e308, 1e16, 10**300])
def test_a_sum_of_what_people_report_is_a_number(gateway: Embedded, tokens: dict[str, str], duration: float) -> None:
    body = {"toolName": "t", "providerId": ids.FILES, "durationMs": duration}
    headers = {"Authorization": f"Bearer {tokens[ANA]}"}
    for _ in range(3):
        requests.post(f"{gateway.url}/api/v1/tool-gate/audit", json=body, headers=headers, timeout=20)
    stats = asks(gateway, tokens[BO], "GET", "audit/stats")
    assert stats.status_code == 200 and abs(stats.json()["data"]["avgDuration"]) < 1e16


@pytest.mark.parametrize("agent", [["a"], {"a": 1}, 7, True])
def test_an_agent_is_named_by_a_text(gateway: Embedded, tokens: dict[str, str], agent: Any) -> None:
    body = {"toolName": "delete_file", "providerId": ids.FILES, "agentId": agent}
    headers = {"Authorization": f"Bearer {tokens[ANA]}"}
    answer = requests.post(f"{gateway.url}/api/v1/tool-gate/evaluate", json=body, headers=headers, timeout=20)
    assert answer.status_code == 400
    assert asks(gateway, tokens[BO], "GET", "stream/pending").status_code == 200


def test_a_body_that_is_too_large_is_refused(gateway: Embedded, tokens: dict[str, str]) -> None:
    large = b'{"x":"' + b"a" * bodies.LARGEST + b'"}'
    assert asks(gateway, tokens[ANA], "POST", "tool-gate/evaluate", large).status_code == 413

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(large), 1 << 20):
            yield large[start : start + (1 << 20)]

    headers = {"Authorization": f"Bearer {tokens[ANA]}"}
    answer = requests.put(f"{gateway.url}/api/v1/auth/me", data=pieces(), headers=headers, timeout=60)
    assert answer.status_code == 413


@pytest.mark.parametrize("good", ['"🙂"', r'"\ud83d\ude42"', "1e308", "[1, 2.5, null]", "[" * 199 + "]" * 199])
def test_what_can_be_written_is_read(good: str) -> None:
    bodies.read(good.encode())
