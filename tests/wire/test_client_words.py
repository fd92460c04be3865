"""A change is made when the gateway says so in its own words; whatever else answers 200 does not count as that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway import Gateway, Service
from gateway.errors import MalformedReply, NotConfirmed
from tests.wire.replay import Exchange, replayed
from tests.wire.test_client_administration import SERVICE
from tests.wire.test_client_recordings import TOKEN, released

NO_WORDS: list[Any] = [
    {},
    {"ok": True},
    {"success": True},
    {"success": True, "message": "OK"},
    {"success": False, "message": "Request confirmed"},
    {"status": "confirmed"},
    {"message": "Request confirmed"},
    [],
    None,
    "confirmed",
]


def guide(url: str) -> Gateway:
    return Gateway(url, TOKEN, "guide")


CHANGES: dict[str, tuple[str, str, Callable[[str], object]]] = {
    "respond": ("POST", "confirmation/c1/respond", lambda url: released(url).answer("c1", approve=True)),
    "reject by respond": ("POST", "confirmation/c1/respond", lambda url: released(url).answer("c1", approve=False)),
    "confirm": ("POST", "confirmations/c1/confirm", lambda url: guide(url).answer("c1", approve=True)),
    "reject": ("POST", "confirmations/c1/reject", lambda url: guide(url).answer("c1", approve=False)),
    "password": ("POST", "auth/change-password", lambda url: released(url).change_password("old", "new password")),
    "profile": ("PUT", "auth/me", lambda url: released(url).change_profile(name="Ana")),
    "key": ("POST", "credentials/apikey", lambda url: released(url).store_key(Service("slack", "Slack"), "k")),
    "token": ("POST", "credentials/jwt", lambda url: released(url).store_token(Service("github", "GitHub"), "t")),
    "credential": ("DELETE", "credentials/x", lambda url: released(url).delete_credential("x")),
    "new service": (
        "POST",
        "credential-providers",
        lambda url: released(url).create_service("slack", "Slack", "key"),
    ),
    "service": ("PUT", "credential-providers/an%20id", lambda url: released(url).change_service(SERVICE, name="G")),
    "no service": ("DELETE", "credential-providers/x", lambda url: released(url).delete_service("x")),
    "new agent": ("POST", "admin/agents", lambda url: released(url).create_agent("A", "http://agent.example")),
    "agent": ("PUT", "admin/agents/x", lambda url: released(url).change_agent("x", name="B")),
    "agent off": ("POST", "admin/agents/x/disable", lambda url: released(url).disable_agent("x")),
    "agent on": ("POST", "admin/agents/x/enable", lambda url: released(url).enable_agent("x")),
    "no agent": ("DELETE", "admin/agents/x", lambda url: released(url).delete_agent("x")),
    "agent token": ("POST", "admin/agents/x/regenerate-token", lambda url: released(url).rotate_agent_token("x")),
    "new person": ("POST", "admin/users", lambda url: released(url).create_person("a@example.com", "password")),
    "person": ("PUT", "admin/users/x", lambda url: released(url).change_person("x", name="B")),
    "no person": ("DELETE", "admin/users/x", lambda url: released(url).delete_person("x")),
    "role": ("POST", "admin/users/x/roles", lambda url: released(url).give_role("x", "admin")),
    "no role": ("DELETE", "admin/users/x/roles/admin", lambda url: released(url).take_role("x", "admin")),
}


def said(method: str, path: str, body: Any) -> Exchange:
    response = {"body": body, "headers": {"content-type": "application/json"}}
    return Exchange("made up", 0, "", method, f"/api/v1/{path}", {}, 200, response)


@pytest.mark.parametrize("change", CHANGES)
def test_an_answer_without_the_gateways_own_words_is_no_success(change: str) -> None:
    method, path, ask = CHANGES[change]
    for body in NO_WORDS:
        with replayed(said(method, path, body)) as replay, pytest.raises(MalformedReply):
            ask(replay.url)


@pytest.mark.parametrize("approve", [True, False])
def test_the_words_for_the_other_answer_or_another_call_are_no_success(approve: bool) -> None:
    other = {"success": True, "message": "Request rejected" if approve else "Request confirmed"}
    mine = {"success": True, "message": "Request confirmed" if approve else "Request rejected"}
    for body in (other, {**mine, "confirmation_id": "c2"}):
        answer = said("POST", "confirmation/c1/respond", body)
        with replayed(answer) as replay, pytest.raises(NotConfirmed):
            released(replay.url).answer("c1", approve=approve)


@pytest.mark.parametrize("body", [{}, {"success": True}, {"ok": False}, {"missing": []}, [], None])
def test_a_check_that_does_not_say_ok_does_not_say_that_nothing_is_missing(body: Any) -> None:
    answer = said("GET", "agents/x/credentials-check", body)
    with replayed(answer) as replay, pytest.raises(MalformedReply):
        released(replay.url).missing_services("x")
