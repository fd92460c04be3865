"""The client reads what a released gateway was recorded to say: every value, and every refusal as its own error."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from ag_ui.core import EventType, RunAgentInput

from gateway import Confirmation, Gateway, Service, streams
from gateway.errors import (
    AgentDisabled,
    AgentFailed,
    AgentNotFound,
    AgentUnreachable,
    AlreadyResolved,
    CredentialsRequired,
    GatewayError,
    GatewayUnavailable,
    NotAccepted,
    NotAllowed,
    NotFound,
    NotOffered,
    SignedOut,
    StreamBroken,
    TenantMismatch,
    WrongPassword,
)
from gateway.streams import Alive, Asked, Resolved
from tests.wire.replay import RECORDINGS, Exchange, recorded, replayed

API = "/api/v1/"
SCENARIOS = [
    "auth-login",
    "auth-tokens",
    "agents-admin",
    "agents-invoke-json",
    "credentials",
    "credential-providers",
    *sorted(path.stem for path in RECORDINGS.glob("confirmation-*.json")),
]
STREAMING = ["agents-invoke-json", "agents-invoke-stream", "agents-invoke-long-waits", *SCENARIOS[4:]]
TOKEN = "a.login.token"
RUN = RunAgentInput(thread_id="thread", run_id="run", state={}, messages=[], tools=[], context=[], forwarded_props={})


def wire_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def expected_error(exchange: Exchange) -> type[GatewayError]:
    """As the wire notes tell refusals apart: by code, by the shape of an unknown route, by status."""
    by_code: dict[str, type[GatewayError]] = {
        "MISSING_TOKEN": SignedOut,
        "INVALID_TOKEN": SignedOut,
        "TOKEN_EXPIRED": SignedOut,
        "AUTH_FAILED": SignedOut,
        "UNKNOWN_ISSUER": SignedOut,
        "INVALID_ART": SignedOut,
        "INSUFFICIENT_PERMISSIONS": NotAllowed,
        "CREDENTIALS_REQUIRED": CredentialsRequired,
        "RUNTIME_ERROR": AgentFailed,
        "INVOKE_FAILED": AgentUnreachable,
        "AGENT_NOT_FOUND": AgentNotFound,
        "AGENT_DISABLED": AgentDisabled,
        "TENANT_MISMATCH": TenantMismatch,
    }
    by_status: dict[int | None, type[GatewayError]] = {
        400: NotAccepted,
        401: WrongPassword,
        403: NotAllowed,
        404: NotFound,
        409: AlreadyResolved,
        500: GatewayUnavailable,
        501: GatewayUnavailable,
    }
    if code := exchange.body.get("code"):
        return by_code[code]
    if exchange.body.get("message", "").startswith("Route "):
        return NotOffered
    return by_status[exchange.status]


@dataclass(frozen=True, slots=True)
class Reading:
    """A plain call: the recorded requests it answers to, how the client makes it, what its value must say."""

    method: str
    path: str  # pattern below /api/v1/; what it captures goes to `ask`
    ask: Callable[..., object]
    check: Callable[[Any, Any], None]  # (value, recorded body)
    at: Callable[[str], str] = str  # where the client asks it, if elsewhere than recorded
    fits: Callable[[Any], bool] = lambda body: True  # whether it is what a recorded request with this body asks


def check_login(value: Any, body: Any) -> None:
    assert value.token == body["token"]
    assert (value.person.id, value.person.email) == (body["user"]["id"], body["user"]["email"])
    assert value.person.tenant == (body["user"]["tenantId"] or "")
    assert value.person.roles == tuple(sorted(body["user"]["roles"]))
    assert body["token"] not in repr(value)


def check_me(value: Any, body: Any) -> None:
    assert (value.id, value.name) == (body["user"]["id"], body["user"]["name"])
    assert value.tenant == (body["user"]["tenantId"] or "")
    assert value.is_active


def check_agents(value: Any, body: Any) -> None:
    assert [(agent.id, agent.name, agent.is_active) for agent in value] == [
        (row["id"], row["name"], row["isActive"]) for row in body["agents"]
    ]
    assert [agent.tenant for agent in value] == [row["tenantId"] or "" for row in body["agents"]]


def check_agent(value: Any, body: Any) -> None:
    assert (value.id, value.name, value.is_active) == (body["id"], body["name"], body["is_active"])
    assert (value.description, value.tenant) == (body["description"] or "", body["tenant_id"] or "")


def check_nothing_missing(value: Any, body: Any) -> None:
    assert (value, body) == ((), {"ok": True})


def check_credentials(value: Any, body: Any) -> None:
    assert [(one.id, one.service, one.name) for one in value] == [
        (row["id"], row["serviceType"], row["providerName"]) for row in body["credentials"]
    ]
    assert [one.created_at for one in value] == [wire_time(row["createdAt"]) for row in body["credentials"]]
    assert [one.expires_at for one in value] == [wire_time(row.get("expiresAt")) for row in body["credentials"]]


def check_check(value: Any, body: Any) -> None:
    assert (value.credential is not None) == body["hasCredential"]
    assert value.entry == (body.get("authUrl") or "")
    assert (value.service.name if value.service else None) == (body.get("provider") or {}).get("name")
    if value.credential:
        assert value.credential.expires_at == wire_time(body["credential"].get("expiresAt"))


def check_stored(value: Any, body: Any) -> None:
    stored = body["credential"]
    assert (value.id, value.service, value.name) == (stored["id"], stored["serviceType"], stored["providerName"])


def check_deleted(value: Any, body: Any) -> None:
    assert (value, body["success"]) == (None, True)


def check_services(value: Any, body: Any) -> None:
    kinds = {"oauth2": "oauth", "api_key": "key", "jwt": "token", "basic": "basic"}
    assert [(one.id, one.service, one.name, one.kind) for one in value] == [
        (row["id"], row["serviceType"], row["name"], kinds[row["authType"]]) for row in body["providers"]
    ]


def check_service(value: Any, body: Any) -> None:
    check_services([value], {"providers": [body["provider"]]})


def check_rows(value: Any, body: Any) -> None:
    assert [one.id for one in value] == [row["requestId"] for row in body["confirmations"]]
    for one, row in zip(value, body["confirmations"], strict=True):
        assert (one.tool, one.arguments, one.risk) == (row["toolName"], row["arguments"] or {}, row["risk"])
        assert (one.status, one.reason, one.answered_by) == (
            row["status"],
            row["reason"] or "",
            row["confirmedBy"] or "",
        )
        assert (one.end_user, one.agent_id) == (row["endUserId"], row["agentId"] or "")
        assert (one.asked_at, one.resolved_at) == (wire_time(row["createdAt"]), wire_time(row["resolvedAt"]))


def check_pending(value: Any, body: Any) -> None:
    assert [one.id for one in value] == [row["id"] for row in body["data"]]
    for one, row in zip(value, body["data"], strict=True):
        check_event(one, row)


def check_event(one: Confirmation, doc: Any) -> None:
    assert (one.id, one.tool, one.risk) == (doc["id"], doc["tool"]["name"], doc["risk"]["level"])
    assert (one.provider_id, one.provider_name) == (doc["tool"]["provider"]["id"], doc["tool"]["provider"]["name"])
    assert one.arguments == doc["arguments"]
    assert one.end_user == doc["user"]["endUserId"]
    assert (one.agent_id, one.agent_name) == (doc.get("agent", {}).get("id", ""), doc.get("agent", {}).get("name", ""))
    assert one.status == "pending"


def check_one(value: Any, body: Any) -> None:
    assert (value.id, value.tool, value.status) == (body["confirmation_id"], body["tool"], body["status"])
    assert value.arguments == (body.get("arguments") or {})
    assert value.end_user == body["end_user_id"]
    assert (value.reason, value.answered_by) == (body.get("reason") or "", body.get("confirmed_by") or "")
    assert value.resolved_at == wire_time(body.get("resolved_at"))


def check_answer(value: Any, body: Any) -> None:
    assert value.approved == ("confirmed" in body["message"])
    assert value.ran == (None if not value.approved else "confirmation_token" not in body)


def released(url: str) -> Gateway:
    return Gateway(url, TOKEN, "released")


READINGS = [
    Reading("POST", "auth/login", lambda url: released(url).sign_in("ana@example.com", "pw"), check_login),
    Reading("GET", "auth/me", lambda url: released(url).me(), check_me),
    Reading("GET", "admin/agents", lambda url: released(url).agents(), check_agents),
    Reading("GET", "agents/([^/]+)", lambda url, agent: released(url).agent(agent), check_agent),
    Reading(
        "GET",
        "agents/([^/]+)/credentials-check",
        lambda url, agent: released(url).missing_services(agent),
        check_nothing_missing,
    ),
    Reading("GET", "credentials", lambda url: released(url).credentials(), check_credentials),
    Reading("GET", "credentials/check/(.+)", lambda url, name: released(url).check_credential(name), check_check),
    Reading(
        "POST",
        "credentials/apikey",
        lambda url: released(url).store_key(Service("slack", "Slack"), "a key"),
        check_stored,
    ),
    Reading(
        "POST",
        "credentials/jwt",
        lambda url: released(url).store_token(Service("github", "GitHub"), "a token"),
        check_stored,
    ),
    Reading("DELETE", "credentials/([^/]+)", lambda url, one: released(url).delete_credential(one), check_deleted),
    Reading("GET", "credential-providers", lambda url: released(url).services(), check_services),
    Reading(
        "GET",
        r"confirmation/list(?:\?status=(\w+))?",
        lambda url, status: released(url).confirmations(status or ""),
        check_rows,
    ),
    Reading("GET", "stream/pending", lambda url: released(url).pending(), check_pending),
    Reading(
        "GET",
        "confirmation/(?!list|pending)([^/]+)",
        lambda url, one: released(url).confirmation(one),
        check_one,
    ),
    Reading(
        "POST",
        "confirmation/([^/]+)/respond",
        lambda url, one: released(url).answer(one, approve=True),
        check_answer,
        fits=lambda body: not (isinstance(body, dict) and body.get("confirmed") is False),
    ),
    Reading(
        "POST",
        "confirmation/([^/]+)/respond",
        lambda url, one: released(url).answer(one, approve=False, reason="no"),
        check_answer,
        fits=lambda body: isinstance(body, dict) and body.get("confirmed") is False,
    ),
    # The released dialect answers by `respond` alone; these two routes are the guide's, under its plural path.
    Reading(
        "POST",
        "confirmation/([^/]+)/confirm",
        lambda url, one: Gateway(url, TOKEN, "guide").answer(one, approve=True),
        check_answer,
        at=lambda path: path.replace("confirmation/", "confirmations/"),
    ),
    Reading(
        "POST",
        "confirmation/([^/]+)/reject",
        lambda url, one: Gateway(url, TOKEN, "guide").answer(one, approve=False, reason="no"),
        check_answer,
        at=lambda path: path.replace("confirmation/", "confirmations/"),
    ),
]


def plain_calls() -> list[Any]:
    calls = []
    for scenario in SCENARIOS:
        for exchange in recorded(scenario):
            if (
                exchange.status is None
                or exchange.is_stream
                or not (exchange.bears_a_token or "login" in exchange.path)
            ):
                continue
            for reading in READINGS:
                found = re.fullmatch(API + reading.path, exchange.path)
                if found and reading.method == exchange.method and reading.fits(exchange.request_body):
                    name = f"{scenario} {exchange.number} {exchange.what}"
                    calls.append(pytest.param(reading, found.groups(), exchange, id=name))
    return calls


@pytest.mark.parametrize(("reading", "named", "exchange"), plain_calls())
def test_a_recorded_answer_is_its_value_or_its_error(
    reading: Reading, named: tuple[str, ...], exchange: Exchange
) -> None:
    with replayed(exchange, at=reading.at(exchange.path)) as replay:
        try:
            value = reading.ask(replay.url, *named)
        except GatewayError as problem:
            assert exchange.status is not None and exchange.status >= 300, repr(problem)
            assert type(problem) is expected_error(exchange)
            assert TOKEN not in f"{problem!r} {problem.message} {problem.detail}"
        else:
            if exchange.body.get("code") == "CREDENTIALS_REQUIRED":
                assert [(one.service, one.entry) for one in value] == [  # type: ignore[attr-defined]
                    (service, exchange.body["authUrls"].get(service, "")) for service in exchange.body["missing"]
                ]
            else:
                reading.check(value, exchange.body)
    [(_, _, headers, _)] = replay.asked
    assert headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: f"{reading.method} {reading.path}")
def test_every_call_has_been_recorded(reading: Reading) -> None:
    assert any(call.values[0] is reading for call in plain_calls())


# -- one service: the provider where one may read it, else what `check` tells -------------------------------------


def exchange_of(scenario: str, path: str, who: str, status: int = 200) -> Exchange:
    return next(
        exchange
        for exchange in recorded(scenario)
        if exchange.path == API + path and f":{who}>" in str(exchange.headers) and exchange.status == status
    )


def test_an_admin_reads_the_provider_of_a_service() -> None:
    told = exchange_of("credential-providers", "credential-providers/by-service/github", "acme_admin")
    with replayed(told) as replay:
        service = released(replay.url).service("github")
    check_service(service, told.body)


@pytest.mark.parametrize(
    ("service", "name", "kind"),
    [("github", "GitHub", "token"), ("slack", "Slack", "key"), ("google", "Google Workspace", "oauth")],
)
def test_an_end_user_learns_name_and_kind_of_a_service_from_its_check(service: str, name: str, kind: str) -> None:
    refused = exchange_of("credential-providers", "credential-providers/by-service/github", "alice", 403)
    told = exchange_of("credentials", f"credentials/check/{service}", "alice")
    with replayed(told) as replay:
        replay.expected.appendleft(("GET", f"{API}credential-providers/by-service/{service}", refused))
        known = released(replay.url).service(service)
    assert (known.service, known.name, known.kind) == (service, name, kind)


def test_of_a_stored_credential_an_end_user_learns_the_name_alone() -> None:
    refused = exchange_of("credential-providers", "credential-providers/by-service/github", "alice", 403)
    stored = next(one for one in recorded("credentials") if one.what == "check one that is stored")
    with replayed(refused, stored) as replay:
        known = released(replay.url).service("github")
    assert (known.name, known.kind) == ("GitHub", "")


def test_a_service_that_nobody_configured_is_not_found() -> None:
    refused = exchange_of("credential-providers", "credential-providers/by-service/nosuch", "alice", 403)
    unknown = exchange_of("credentials", "credentials/check/nosuch", "alice")
    with replayed(refused, unknown) as replay, pytest.raises(NotFound):
        released(replay.url).service("nosuch")


def test_where_an_entry_leads() -> None:
    gateway = released("https://gateway.example.com")
    told = next(one for one in recorded("credentials") if one.what.startswith("every kind of authUrls value"))
    with replayed(told) as replay:
        agent = told.path.split("/")[4]
        missing = {one.service: one.entry for one in released(replay.url).missing_services(agent)}
    assert {service: gateway.connect_address(entry) for service, entry in missing.items()} == {
        "google": "",  # its OAuth route answers 501
        "legacy_erp": "/auth/connect?service=legacy_erp",
        "bare_oauth": "/auth/connect?service=bare_oauth",
        "plain_key": "/auth/connect?service=plain_key",
        "oauth_conn": "https://gateway.example.com/my/own/page?x=1",
        "nosuch": "",
        "off_tool": "",
        "shared_tool": "/auth/connect?service=shared_tool",
    }


@pytest.mark.parametrize("entry", ["javascript:alert(1)", "data:text/html,x", "ftp://example.com/", "https://[", ""])
def test_an_entry_that_no_browser_should_follow_leads_nowhere(entry: str) -> None:
    assert released("https://gateway.example.com").connect_address(entry) == ""


# -- the dialect --------------------------------------------------------------------------------------------------


def test_auto_asks_once_and_learns_that_a_gateway_is_a_released_one() -> None:
    lifecycle = recorded("confirmation-lifecycle")
    unknown = next(one for one in lifecycle if one.path == f"{API}confirmations/list?status=pending")
    listed = next(one for one in lifecycle if one.path == f"{API}confirmation/list" and ":alice>" in str(one.headers))
    with replayed(unknown, listed, listed) as replay:
        gateway = Gateway(replay.url, TOKEN)
        assert gateway.confirmations() == gateway.confirmations() != []
    assert [path for _, path, _, _ in replay.asked] == [unknown.path, listed.path, listed.path]


# -- one confirmation, spelled in four ways -----------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["confirmation-lifecycle", "confirmation-by-agent"])
def test_four_spellings_of_a_confirmation_are_one_value(scenario: str) -> None:
    exchanges = [one for one in recorded(scenario) if ":alice>" in str(one.headers)]
    event = next(
        Confirmation.from_event(_json(frame["data"]))
        for one in exchanges
        for frame in one.frames
        if frame.get("event") == "CONFIRMATION_REQUIRED"
    )
    told = [
        event,
        next(
            Confirmation.from_row(row)
            for one in exchanges
            if one.path == f"{API}confirmation/list?status=pending"
            for row in one.body["confirmations"]
        ),
        next(
            Confirmation.from_one(row)
            for one in exchanges
            if one.path == f"{API}confirmation/pending"
            for row in one.body["data"]
        ),
        next(Confirmation.from_one(one.body) for one in exchanges if one.path == f"{API}confirmation/{event.id}"),
        next(
            Confirmation.from_event(row)
            for one in exchanges
            if one.path == f"{API}stream/pending"
            for row in one.body["data"]
        ),
    ]
    # The person it is for, never the agent that asks for them (Traps 7).
    assert {one.end_user for one in told} == {"RL73NilrB-_u3mHv7OPXm"}
    assert len({(one.id, one.tool, str(one.arguments), one.risk, one.status, one.agent_id) for one in told}) == 1
    assert max(abs((one.asked_at - event.asked_at).total_seconds()) for one in told) < 0.5


def test_a_late_answer_that_ran_nothing_says_so() -> None:
    late = next(one for one in recorded("confirmation-restart") if "confirmation_token" in str(one.body))
    one = late.path.split("/")[4]
    with replayed(late, at=f"{API}confirmations/{one}/confirm") as replay:
        assert Gateway(replay.url, TOKEN, "guide").answer(one, approve=True).ran is False


def test_a_second_answer_says_how_the_first_one_was() -> None:
    second = next(one for one in recorded("confirmation-timeout") if one.status == 409)
    one = second.path.split("/")[4]
    with replayed(second, at=f"{API}confirmation/{one}/respond") as replay, pytest.raises(AlreadyResolved) as refused:
        released(replay.url).answer(one, approve=True, reason="late")
    assert refused.value.status_was == "rejected"
    [(_, _, _, body)] = replay.asked
    assert body == {"confirmed": True, "reason": "late"}


# -- what streams -------------------------------------------------------------------------------------------------


@pytest.fixture
async def streaming() -> AsyncIterator[None]:
    yield
    await streams.close()


def streamed(kind: str) -> list[Any]:
    return [
        pytest.param(exchange, id=f"{scenario} {exchange.number} {exchange.what}")
        for scenario in dict.fromkeys(STREAMING)
        for exchange in recorded(scenario)
        if re.fullmatch(API + kind, exchange.path) and exchange.bears_a_token and exchange.status is not None
        if exchange.method == ("GET" if kind == "stream" else "POST")
    ]


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("exchange", streamed("stream"))
async def test_a_recorded_confirmation_stream_is_read_whole(exchange: Exchange) -> None:
    told: list[streams.ConfirmationEvent] = []
    with replayed(exchange) as replay:
        if exchange.status != 200:
            with pytest.raises(expected_error(exchange)):
                async with released(replay.url).confirmation_events():
                    pass
            return
        with pytest.raises(StreamBroken):  # such a stream has no end of its own
            async with released(replay.url).confirmation_events() as events:
                async for event in events:
                    told.append(event)
    assert len(told) == len(exchange.frames)
    for event, frame in zip(told, exchange.frames, strict=True):
        doc = _json(frame["data"])
        match event:
            case Asked(confirmation):
                assert frame["event"] == "CONFIRMATION_REQUIRED"
                check_event(confirmation, doc)
            case Resolved(id=resolved, approved=approved):
                assert frame["event"] == "CONFIRMATION_RESOLVED"
                assert (resolved, approved) == (doc["id"], doc["confirmed"])
            case Alive(at):
                assert frame["event"] in ("connected", "heartbeat")
                assert at == wire_time(doc["timestamp"])


@pytest.mark.usefixtures("streaming")
@pytest.mark.parametrize("exchange", streamed("agents/[^/]+/invoke"))
async def test_a_recorded_answer_of_an_agent_is_read_to_its_exact_end(exchange: Exchange) -> None:
    told = []
    broke = False
    agent = exchange.path.split("/")[4]
    with replayed(exchange) as replay:
        if exchange.status != 200:
            with pytest.raises(GatewayError) as refused:
                async with released(replay.url).run_agent(agent, RUN):
                    pass
            assert type(refused.value) is expected_error(exchange)
            if isinstance(refused.value, AgentFailed):
                assert (refused.value.agent_status, refused.value.detail) == (exchange.status, exchange.body["details"])
            return
        try:
            async with released(replay.url).run_agent(agent, RUN) as events:
                async for several in events:
                    told += several
        except StreamBroken:
            broke = True
    first = _json(exchange.frames[0]["data"]) if exchange.frames else None
    is_agui = isinstance(first, dict) and "type" in first
    # A recording that the client ended is a body without RUN_FINISHED; as text it would simply be shorter.
    cut = exchange.breaks or (is_agui and exchange.response.get("ended_by") == "client closed")
    assert broke == cut
    assert (told[-1].type == EventType.RUN_FINISHED or told[-1].type == EventType.RUN_ERROR) != cut
    assert told[0].type == EventType.RUN_STARTED
    if is_agui:
        frames = [_json(frame["data"]) for frame in exchange.frames]
        assert deltas_joined([event.model_dump(mode="json", by_alias=True) for event in told]) == deltas_joined(frames)


def deltas_joined(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(type, delta) of each; deltas of text that follow each other are one, since what came together may be."""
    joined: list[tuple[str, str]] = []
    for event in events:
        kind, delta = str(event["type"]), str(event.get("delta", ""))
        if joined and kind == joined[-1][0] == "TEXT_MESSAGE_CONTENT":
            delta = joined.pop()[1] + delta
        joined.append((kind, delta))
    return joined


def said(exchange: Exchange) -> str:
    """The text of an answer that was recorded as frames of text."""
    return "".join(
        _json(frame["data"])["delta"] if frame["data"].startswith("{") else frame["data"] for frame in exchange.frames
    )


async def text_of_answer(exchange: Exchange) -> str:
    with replayed(exchange) as replay:
        async with released(replay.url).run_agent(exchange.path.split("/")[4], RUN) as events:
            return "".join([getattr(event, "delta", "") async for several in events for event in several])


@pytest.mark.usefixtures("streaming")
async def test_frames_of_any_shape_are_text_in_their_order() -> None:
    plain, untouched = (recorded("agents-invoke-stream")[number] for number in (0, 4))
    assert await text_of_answer(plain) == "Hello, wörldnot json at all"
    assert await text_of_answer(untouched) == "first line\nsecond lineno spacecut in twolast frame without a blank line"


@pytest.mark.usefixtures("streaming")
async def test_a_json_answer_is_its_text_or_shown_as_json() -> None:
    answers = recorded("agents-invoke-json")
    assert await text_of_answer(answers[0]) == answers[0].body["data"]["reply"]
    assert await text_of_answer(answers[7]) == '```json\n[\n  1,\n  "two",\n  null\n]\n```'


@pytest.mark.usefixtures("streaming")
async def test_a_401_of_the_agent_signs_nobody_out() -> None:
    answer = next(one for one in recorded("agents-invoke-json") if one.what.startswith("runtime answers 401"))
    with replayed(answer) as replay, pytest.raises(AgentFailed) as refused:
        async with released(replay.url).run_agent(answer.path.split("/")[4], RUN):
            pass
    assert not isinstance(refused.value, SignedOut)
    assert (refused.value.agent_status, refused.value.status) == (401, 502)


@pytest.mark.usefixtures("streaming")
async def test_an_invoke_without_credentials_names_what_is_missing() -> None:
    answer = next(one for one in recorded("credentials") if one.what == "invoke with both missing")
    with replayed(answer) as replay, pytest.raises(CredentialsRequired) as refused:
        async with released(replay.url).run_agent(answer.path.split("/")[4], RUN):
            pass
    assert [(one.service, one.entry) for one in refused.value.missing] == [
        ("github", "/auth/connect?service=github"),
        ("slack", "https://portal.example.test/connect/slack"),
    ]


def test_a_gateway_that_is_down_is_unavailable() -> None:
    with replayed() as replay:
        pass
    with pytest.raises(GatewayUnavailable):
        released(replay.url).me()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
