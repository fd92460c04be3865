"""Ids that lead elsewhere, or are none: nobody is asked about them, and the answer is that there is no such thing."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from gateway import Gateway
from gateway.errors import MalformedReply, NotFound
from gateway.segments import is_segment
from gateway.types import Agent, Confirmation, Credential
from tests.embedded import Embedded
from tests.portico import Visitor
from tests.stories.approving import words

DIALECTS_DIFFER = False

NO_IDS = [
    *(".", "..", "%2e", "%2e%2E", ".%2e", "%252e%252e", " .. ", "..%20", "%2e%2e%0a"),
    *("x\r\ny", "a\x00b", "\x1b[31m", "x\x7f", "\x85", "a%0d%0ab", "%00", " ", "%20", "a" * 501),
]


@pytest.mark.parametrize("text", [*NO_IDS, "", "\ud800"])
def test_what_leads_elsewhere_is_no_id(text: str) -> None:
    assert not is_segment(text)


@pytest.mark.parametrize("text", ["...", "a.b", ".a", "..a", "auth0|1", "ö", "a/b", "50%", "a b", "a?b#c", "%2f"])
def test_odd_ids_are_ids(text: str) -> None:
    assert is_segment(text)


CALLS: list[Callable[[Gateway, str], object]] = [
    Gateway.agent,
    Gateway.missing_services,
    Gateway.agent_record,
    Gateway.disable_agent,
    Gateway.delete_agent,
    Gateway.rotate_agent_token,
    Gateway.check_credential,
    Gateway.delete_credential,
    Gateway.service,
    Gateway.service_record,
    Gateway.delete_service,
    Gateway.confirmation,
    lambda gateway, some_id: gateway.answer(some_id, approve=True),
    Gateway.audit_entry,
    Gateway.person,
    Gateway.delete_person,
    Gateway.tool_provider,
    Gateway.tools_of,
    Gateway.access_rule,
    Gateway.use_tools,
]


@pytest.mark.parametrize("call", CALLS)
def test_no_call_reaches_another_route(gateway: Embedded, call: Callable[[Gateway, str], object]) -> None:
    before = len(gateway.received())
    asking = Gateway(gateway.url, gateway.token("admin@example.com"), gateway.dialect)
    for text in ("..", ".", "%2e%2e", "", "x\ny", "\ud800"):
        with pytest.raises(NotFound):
            call(asking, text)
    assert [one["path"] for one in gateway.received()[before:]] == ["/api/v1/auth/login"]


@pytest.mark.parametrize(
    "path",
    [
        *("/agents/{}/", "/confirmations/{}/", "/confirmations/{}/row/", "/confirmations/{}/compare/"),
        "/confirmations/{}/arguments.json",
    ],
)
def test_a_page_of_no_id_is_not_found(ana: Visitor, gateway: Embedded, path: str) -> None:
    for text in NO_IDS:
        before = len(gateway.received())
        answer = ana.gets(path.format(quote(text).replace(".", "%2e")))
        assert answer.status_code == 404, (text, answer.status_code)
        assert not is_asked_elsewhere(gateway, before)


@pytest.mark.parametrize(
    "path",
    [
        *("/agents/{}/", "/agents/{}/draft/", "/credentials/{}/delete/", "/credentials/connect/{}/"),
        *("/credentials/services/{}/", "/credentials/services/{}/switch/", "/credentials/services/{}/delete/"),
        *("/confirmations/{}/confirm/", "/confirmations/{}/reject/", "/confirmations/{}/claim/"),
        *("/confirmations/{}/cancel/", "/confirmations/{}/release/"),
    ],
)
def test_nothing_is_done_to_no_id(visitor: Callable[[str], Visitor], gateway: Embedded, path: str) -> None:
    bo = visitor("admin@example.com")
    for text in ("..", ".", "x\r\ny", "%2e%2e"):
        before = len(gateway.received())
        answer = bo.posts(path.format(quote(text).replace(".", "%2e")), page="/agents/", message="x", turn="on")
        assert answer.status_code < 500, (text, answer.status_code)
        assert not is_asked_elsewhere(gateway, before)


def is_asked_elsewhere(gateway: Embedded, before: int) -> bool:
    return any(
        one["path"].endswith("/") or ".." in one["path"] or one["path"] == "/api/v1/credentials-check"
        for one in gateway.received()[before:]
    )


@pytest.mark.parametrize("service", ["..", ".", "%2e%2e", "a/b", "x\ny", ""])
def test_a_link_to_no_service_leads_to_the_credentials(ana: Visitor, service: str) -> None:
    page = ana.gets(f"/auth/connect?service={quote(service)}")
    assert page.url == f"{ana.portico.url}/credentials/"
    assert "does not say which service" in words(page.text)


@pytest.mark.parametrize("text", ["..", "a/b", "", "x\ny", "%2e%2e", "\ud800"])
def test_what_a_gateway_calls_so_is_passed_over(text: str) -> None:
    at = "2026-01-01T00:00:00Z"
    with pytest.raises(MalformedReply):
        Agent.from_doc({"id": text, "name": "x"})
    with pytest.raises(MalformedReply):
        Confirmation.from_event({"id": text, "tool": {"name": "x"}, "risk": {"level": "low"}, "timestamp": at})
    with pytest.raises(MalformedReply):
        Credential.from_doc({"id": text, "serviceType": "x", "providerName": "X", "createdAt": at})


def test_one_row_without_an_id_hides_no_other(ana: Visitor, gateway: Embedded) -> None:
    rows = [
        {"id": "..", "serviceType": "bad", "providerName": "Bad", "createdAt": "2026-01-01T00:00:00Z"},
        {"id": "good", "serviceType": "github", "providerName": "The good one", "createdAt": "2026-01-01T00:00:00Z"},
    ]
    body = {"success": True, "credentials": rows, "count": 2}
    gateway.dial(fail={"path": "/api/v1/credentials", "method": "GET", "status": 200, "body": body, "times": 1})
    page = ana.reads("/credentials/")
    gateway.dial(fail=None)
    assert "The good one" in page
