"""What a person sees when the gateway or an agent fails: a row each of the README's table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor, free_port
from tests.stories.following import eventually, plain, run_of, transcript, watched

AWAY = "The gateway cannot be reached right now."
UNREADABLE = "The gateway sent an answer that we could not read."
FORBIDDEN = "The gateway does not allow you to do this."


@pytest.fixture(scope="module")
def failing() -> Iterator[Embedded]:
    with Embedded.start() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def front(failing: Embedded) -> Iterator[Portico]:
    server = Portico(failing.url).start()
    yield server
    server.close()


@pytest.fixture
def bo(front: Portico, failing: Embedded) -> Iterator[Visitor]:
    """An admin, so that the catalogue is one question to the gateway."""
    visitor = Visitor(front)
    visitor.signs_in("admin@example.com")
    visitor.reads("/profile/")
    yield visitor
    failing.dial(fail=None)
    visitor.session.close()


def answer(status: int, body: Any, content_type: str = "application/json") -> dict[str, Any]:
    return {"path": "/api/v1/admin/agents", "status": status, "body": body, "content_type": content_type}


PAGES = {
    "400": (answer(400, {"error": "Bad input"}), 400, "The gateway did not accept this."),
    "401 without a code": (answer(401, {"error": "no"}), 401, "do not match"),
    "403 with a code": (answer(403, {"error": "Forbidden", "code": "INSUFFICIENT_SCOPE"}), 200, "Agents"),
    "409": (answer(409, {"error": "taken"}), 409, "already taken"),
    "429": (answer(429, {"error": "slow down"}), 503, AWAY),
    "500 in the gateway's words": (answer(500, {"error": "Internal Server Error", "message": "boom <b>"}), 503, AWAY),
    "502 of a proxy, in HTML": (answer(502, "<html><h1>Bad Gateway</h1>", "text/html"), 503, AWAY),
    "503 without a body": (answer(503, ""), 503, AWAY),
    "404 of a proxy, in HTML": (answer(404, "<html>lost", "text/html"), 502, UNREADABLE),
    "a redirect": (answer(302, ""), 502, UNREADABLE),
    "malformed JSON": (answer(200, '{"agents": ['), 502, UNREADABLE),
    "nested without end": (answer(200, "[" * 100_000), 502, UNREADABLE),
    "HTML instead of JSON": (answer(200, "<html>Welcome", "text/html"), 502, UNREADABLE),
    "a 200 that is an error": (answer(200, {"error": "Something broke"}), 502, UNREADABLE),
    "wrong types": (answer(200, {"agents": {"id": 1}}), 502, UNREADABLE),
    "missing fields": (answer(200, {"agents": [{"name": "nobody"}]}), 502, UNREADABLE),
    "not an object at all": (answer(200, None), 502, UNREADABLE),
}


@pytest.mark.parametrize(("failure", "status", "sentence"), PAGES.values(), ids=PAGES)
def test_a_refusal_is_told_in_a_sentence_and_the_next_look_is_right(
    bo: Visitor, failing: Embedded, failure: dict[str, Any], status: int, sentence: str
) -> None:
    failing.dial(fail=failure)
    page = bo.gets("/agents/")
    assert page.status_code == status
    assert sentence in plain(page.text)
    assert "boom" not in page.text
    assert "Traceback" not in page.text
    assert "Storyteller" in plain(bo.reads("/agents/"))


@pytest.mark.parametrize("code", ["TOKEN_EXPIRED", "INVALID_TOKEN", "AUTH_FAILED", "UNKNOWN_ISSUER", "MISSING_TOKEN"])
def test_every_401_about_the_token_leads_to_sign_in_and_back(bo: Visitor, failing: Embedded, code: str) -> None:
    failing.dial(fail=answer(401, {"error": "Unauthorized", "message": "no", "code": code}))
    page = bo.gets("/agents/")
    assert page.url.endswith("/login/?next=%2Fagents%2F")
    assert "Your session ended." in plain(page.text)


RUNS = {
    "AGENT_NOT_FOUND": (404, {"error": "Not Found", "code": "AGENT_NOT_FOUND"}, "failed", "does not exist any more"),
    "AGENT_DISABLED": (403, {"error": "Forbidden", "code": "AGENT_DISABLED"}, "failed", "switched off"),
    "TENANT_MISMATCH": (403, {"error": "Forbidden", "code": "TENANT_MISMATCH"}, "failed", "another organisation"),
    "RUNTIME_ERROR": (503, {"code": "RUNTIME_ERROR", "details": "<i>busy</i>"}, "failed", "answered with an error"),
    "RUNTIME_ERROR 401": (401, {"code": "RUNTIME_ERROR", "details": "no"}, "failed", "answered with an error"),
    "INVOKE_FAILED": (502, {"code": "INVOKE_FAILED", "message": "fetch failed"}, "failed", "no usable answer"),
    "500": (500, {"error": "Internal Server Error"}, "failed", AWAY),
    "TOKEN_EXPIRED": (401, {"error": "Unauthorized", "code": "TOKEN_EXPIRED"}, "interrupted", "session ended"),
    "not JSON": (200, "nothing of use", "failed", UNREADABLE),
    "HTML": (200, "<html>", "failed", UNREADABLE),
}


@pytest.mark.parametrize(("status", "body", "ended", "sentence"), RUNS.values(), ids=RUNS)
def test_a_run_that_fails_says_why_and_offers_retry(
    bo: Visitor, failing: Embedded, status: int, body: Any, ended: str, sentence: str
) -> None:
    kind = "text/html" if body == "<html>" else "application/json"
    path = f"/api/v1/agents/{ids.ECHO}/invoke"
    failing.dial(fail={"path": path, "status": status, "body": body, "content_type": kind})
    page = bo.posts(f"/agents/{ids.ECHO}/", message="hello there")
    text, how = watched(bo, run_of(page.text))
    assert how == ended
    assert sentence in text
    shown = bo.reads(page.url.removeprefix(bo.portico.url))
    assert sentence in transcript(shown)
    assert "Retry" in transcript(shown)
    assert "<i>busy" not in shown
    again = bo.posts(f"/runs/{run_of(shown)}/retry/", page=page.url.removeprefix(bo.portico.url))
    assert watched(bo, run_of(again.text))[1] == "finished"


GONE = "This agent does not exist any more."
FOREIGN = "This agent belongs to another organisation."
OFF = "This agent is switched off."
AGENTS = {  # what the gateway says of an agent: (its page's status, what it says, whether one may still write)
    "deleted": (404, {"error": "Agent not found"}, 404, GONE, False),
    "another tenant's": (403, {"error": "Agent belongs to a different tenant"}, 403, FOREIGN, False),
    "forbidden": (403, {"error": "Forbidden"}, 403, "The gateway does not allow you to do this.", True),
    "no such route": (404, {"message": "Route GET /x not found"}, 404, "This gateway does not offer that.", True),
    "away": (500, {"error": "boom"}, 503, AWAY, True),
}


@pytest.mark.parametrize(("status", "body", "shown", "sentence", "goes_on"), AGENTS.values(), ids=AGENTS)
def test_a_page_says_what_is_so_of_its_agent(
    bo: Visitor, failing: Embedded, status: int, body: Any, shown: int, sentence: str, goes_on: bool
) -> None:
    begun = bo.posts(f"/agents/{ids.ECHO}/", message="hello")
    watched(bo, run_of(begun.text))
    failing.dial(fail={"path": f"/api/v1/agents/{ids.ECHO}", "status": status, "body": body, "times": 3})
    page = bo.gets(f"/agents/{ids.ECHO}/")
    assert (page.status_code, sentence in plain(page.text)) == (shown, True)
    talk = bo.reads(begun.url)
    assert sentence in plain(talk) and OFF not in plain(talk)
    assert ('name="message"' in talk, "You can read the conversation" in talk) == (goes_on, not goes_on)
    assert "hello" in transcript(talk)


def test_the_page_of_an_agent_that_is_off_asks_nobody_to_write(bo: Visitor) -> None:
    page = plain(bo.reads(f"/agents/{ids.RETIRED_HELPER}/"))
    assert OFF in page and "What you ask above" not in page


def test_what_an_agent_needs_is_said_to_be_unknown_where_it_is(bo: Visitor, failing: Embedded) -> None:
    check = f"/api/v1/agents/{ids.WEATHER_DESK}/credentials-check"
    unknown = "still needs is not known right now."
    pages = {"/agents/": f"What it {unknown}", f"/agents/{ids.WEATHER_DESK}/": f"What this agent {unknown}"}
    pages["/credentials/"] = f"What 1 agent {unknown}"
    for path, sentence in pages.items():
        for status, body in ((500, {"error": "boom"}), (200, {"ok": "perhaps"}), (429, {"error": "slow down"})):
            failing.dial(fail={"path": check, "status": status, "body": body})
            assert plain(bo.reads(path)).count(sentence) == 1, (path, status)
        assert unknown not in plain(bo.reads(path))
        failing.dial(fail={"path": check, "status": 404, "body": {"message": "Route GET /x not found"}})
        assert unknown not in plain(bo.reads(path))  # it never tells


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:{closed}", "http://gateway.invalid", "https://127.0.0.1:{plain}"],
    ids=["refused", "DNS", "TLS"],
)
def test_a_gateway_that_cannot_be_reached_is_told_at_sign_in(failing: Embedded, address: str) -> None:
    server = Portico(address.format(closed=free_port(), plain=failing.port)).start()
    stranger = Visitor(server)
    page = stranger.signs_in("user@example.com")
    assert page.status_code == 503
    assert AWAY in plain(page.text)
    assert 'value="user@example.com"' in page.text
    stranger.session.close()
    server.close()


@pytest.mark.soak
def test_a_gateway_that_does_not_answer_in_time_is_not_waited_for(bo: Visitor, failing: Embedded) -> None:
    failing.dial(fail={"path": "/api/v1/admin/agents", "delay": 25})
    page = bo.gets("/agents/")
    assert page.status_code == 503
    assert AWAY in plain(page.text)


def test_a_connection_that_is_reset_is_told(own_gateway: Embedded, own_portico: Portico) -> None:
    bo = Visitor(own_portico)
    bo.signs_in("admin@example.com")
    own_gateway.dial(fail={"path": "/api/v1/admin/agents", "delay": 10, "times": 2})
    port = own_gateway.port
    asked = len(own_gateway.received())

    def kill() -> None:
        eventually(lambda: any("admin/agents" in one["path"] for one in own_gateway.received()[asked:]))
        own_gateway.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    page = bo.gets("/agents/")
    killing.join()
    assert page.status_code == 503
    assert AWAY in plain(page.text)
    own_gateway.launch(port)
    assert "Storyteller" in plain(bo.reads("/agents/"))
    bo.session.close()


def test_one_approval_that_cannot_be_read_does_not_hide_the_others(bo: Visitor, failing: Embedded) -> None:
    call = failing.dial(hold={"email": "user@example.com", "tool": "tidy_up", "arguments": {}, "risk": "low"})["id"]
    good = {
        "id": call,
        "tool": {"name": "tidy_up"},
        "arguments": {},
        "risk": {"level": "low"},
        "user": {"id": ids.ANA, "endUserId": ids.ANA},
        "tenantId": "acme",
        "timestamp": "2099-01-01T00:00:00.000Z",
    }
    rows = {"data": [{"id": 1, "tool": None}, good]}
    failing.dial(fail={"path": "/api/v1/stream/pending", "status": 200, "body": rows})
    assert "tidy_up" in plain(bo.reads("/confirmations/"))


def test_names_of_the_gateways_own_routes_are_no_approvals(bo: Visitor) -> None:
    for name in ("list", "pending"):
        assert bo.gets(f"/confirmations/{name}/").status_code == 404
