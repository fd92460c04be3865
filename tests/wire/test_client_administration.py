"""The client reads what a released gateway was recorded to tell those who run it; and every refusal there is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gateway import Gateway, ServiceRecord, ServiceSettings, errors
from gateway.refusals import refusal
from tests.wire.replay import RECORDINGS, Exchange, recorded, replayed
from tests.wire.test_client_recordings import API, TOKEN, Reading, released, wire_time

SCENARIOS = sorted(path.stem for path in RECORDINGS.glob("*.json"))
SERVICE = ServiceRecord("google", "Google", "oauth", "an id", "", settings=ServiceSettings(client_id="client-1"))


def guide(url: str) -> Gateway:
    return Gateway(url, TOKEN, "guide")


# -- what each answer must have become ----------------------------------------------------------------------------


def check_person(value: Any, body: Any) -> None:
    user = body["user"]
    assert (value.id, value.email, value.name) == (user["id"], user["email"], user["name"])
    assert (value.tenant, value.roles) == (user["tenantId"] or "", tuple(sorted(user["roles"])))
    assert (value.is_active, value.created_at) == (user.get("isActive", True), wire_time(user.get("createdAt")))


def check_people(value: Any, body: Any) -> None:
    assert len(value) == body["count"]
    for one, user in zip(value, body["users"], strict=True):
        check_person(one, {"user": user})


def check_roles(value: Any, body: Any) -> None:
    assert value == tuple(sorted(body["user"]["roles"]))


def check_done(value: Any, body: Any) -> None:
    assert (value, body["success"]) == (None, True)


def check_agent_record(value: Any, body: Any) -> None:
    agent = body["agent"]
    assert (value.id, value.name, value.address) == (agent["id"], agent["name"], agent["upstreamUrl"])
    assert (value.description, value.tenant) == (agent["description"] or "", agent["tenantId"] or "")
    assert (value.is_active, value.has_secret) == (agent["isActive"], agent["hasUpstreamSecret"])
    assert (value.owner, value.token_prefix) == (agent["ownerUserId"], agent["runtimeTokenPrefix"])
    required = agent["requiredCredentials"]
    rows = json.loads(required) if isinstance(required, str) else required or []
    assert [one.service for one in value.required] == [row["serviceType"] for row in rows]
    assert (value.created_at, value.updated_at) == (wire_time(agent["createdAt"]), wire_time(agent.get("updatedAt")))


def check_agent_records(value: Any, body: Any) -> None:
    for one, agent in zip(value, body["agents"], strict=True):
        check_agent_record(one, {"agent": agent})


def check_new_agent(value: Any, body: Any) -> None:
    check_agent_record(value.agent, body)
    assert value.runtime_token == body["runtime_token"]
    assert body["runtime_token"] not in repr(value)


def check_token(value: Any, body: Any) -> None:
    assert value == body["runtime_token"]


def check_service_record(value: Any, body: Any) -> None:
    provider = body["provider"]
    config = provider.get("config") or {}
    assert (value.id, value.service, value.name) == (provider["id"], provider["serviceType"], provider["name"])
    assert (value.tenant, value.is_active) == (provider.get("tenantId") or "", provider["isActive"])
    assert value.settings.client_secret == config.get("oauth2", {}).get("clientSecret", "")
    sent_back = value.settings.to_doc(value.kind)
    assert {key: given for key, given in sent_back.items() if given} == config | sent_back
    assert sent_back.keys() == config.keys()


def check_service_records(value: Any, body: Any) -> None:
    for one, provider in zip(value, body["providers"], strict=True):
        check_service_record(one, {"provider": provider})


def check_tool_provider(value: Any, body: Any) -> None:
    provider = body["provider"]
    assert (value.id, value.name, value.address) == (provider["id"], provider["name"], provider["endpoint"])
    assert (value.pattern, value.priority) == (provider["pattern"], provider["priority"])
    assert (value.is_active, value.tenant) == (provider["isActive"], provider.get("tenantId", ""))


def check_tool_providers(value: Any, body: Any) -> None:
    for one, provider in zip(value, body["providers"], strict=True):
        check_tool_provider(one, {"provider": provider})


def check_tools(value: Any, body: Any) -> None:
    assert [(one.name, one.description) for one in value] == [
        (row["name"], row["description"]) for row in body["tools"]
    ]


def check_rule(value: Any, body: Any) -> None:
    rule = body["rule"]
    assert (value.id, value.subject_kind, value.subject) == (rule["id"], rule["subjectType"], rule["subjectId"])
    assert (value.provider_id, value.action, value.tools) == (rule["providerId"], rule["action"], rule["toolPattern"])
    assert (value.risk, value.description) == (rule["riskLevel"], rule["description"] or "")


def check_rules(value: Any, body: Any) -> None:
    for one, rule in zip(value, body["rules"], strict=True):
        check_rule(one, {"rule": rule})


def check_entry(value: Any, body: Any) -> None:
    entry = body["data"]
    assert (value.id, value.tool, value.status) == (entry["id"], entry["toolName"], entry["status"])
    assert (value.user, value.end_user) == (entry["userId"], entry["endUserId"])
    assert (value.arguments, value.result) == (entry.get("arguments"), entry.get("result"))
    assert (value.confirmation_id, value.agent_id) == (entry.get("confirmationId", ""), entry.get("agentId", ""))
    assert value.duration == (entry["duration"] / 1000 if "duration" in entry else None)
    assert (value.created_at, value.completed_at) == (
        wire_time(entry["createdAt"]),
        wire_time(entry.get("completedAt")),
    )


def check_log(value: Any, body: Any) -> None:
    for one, entry in zip(value.entries, body["data"], strict=True):
        check_entry(one, {"data": entry})


def check_stats(value: Any, body: Any) -> None:
    assert (value.total, value.by_status) == (body["data"]["total"], body["data"]["byStatus"])
    assert value.average == body["data"]["avgDuration"] / 1000


def check_account(value: Any, body: Any) -> None:
    raise AssertionError("no released gateway has this")


def plain(_: str) -> str:
    """Where the client asks it: without the recorded filters, which are its own business."""
    return f"{API}audit/logs?limit=100"


READINGS = [
    Reading("POST", "auth/register", lambda url: guide(url).register("a@example.com", "password"), check_account),
    Reading("POST", "auth/refresh", lambda url: guide(url).renew(), check_account),
    Reading("PUT", "auth/me", lambda url: released(url).change_profile(name="Bob"), check_person),
    Reading("POST", "auth/change-password", lambda url: released(url).change_password("old", "new"), check_done),
    Reading("GET", "admin/users", lambda url: released(url).people(), check_people),
    Reading("POST", "admin/users", lambda url: released(url).create_person("a@example.com", "pw"), check_person),
    Reading("GET", "admin/users/([^/]+)", lambda url, one: released(url).person(one), check_person),
    Reading("PUT", "admin/users/([^/]+)", lambda url, one: released(url).change_person(one, name="T"), check_person),
    Reading("DELETE", "admin/users/([^/]+)", lambda url, one: released(url).delete_person(one), check_done),
    Reading("POST", "admin/users/([^/]+)/roles", lambda url, one: released(url).give_role(one, "admin"), check_roles),
    Reading(
        "DELETE",
        "admin/users/([^/]+)/roles/([^/]+)",
        lambda url, one, role: released(url).take_role(one, role),
        check_roles,
    ),
    Reading(
        "GET",
        r"admin/agents(?:\?tenant_id=(\w+))?",
        lambda url, tenant: released(url).agent_records(tenant or ""),
        check_agent_records,
    ),
    Reading(
        "POST",
        "admin/agents",
        lambda url: released(url).create_agent("Name", "http://agents.example.test/"),
        check_new_agent,
    ),
    Reading("GET", "admin/agents/([^/]+)", lambda url, one: released(url).agent_record(one), check_agent_record),
    Reading(
        "PUT",
        "admin/agents/([^/]+)",
        lambda url, one: released(url).change_agent(one, description=""),
        check_agent_record,
    ),
    Reading("DELETE", "admin/agents/([^/]+)", lambda url, one: released(url).delete_agent(one), check_done),
    Reading("POST", "admin/agents/([^/]+)/disable", lambda url, one: released(url).disable_agent(one), check_done),
    Reading("POST", "admin/agents/([^/]+)/enable", lambda url, one: released(url).enable_agent(one), check_done),
    Reading(
        "POST",
        "admin/agents/([^/]+)/regenerate-token",
        lambda url, one: released(url).rotate_agent_token(one),
        check_token,
    ),
    Reading("GET", "credential-providers", lambda url: released(url).service_records(), check_service_records),
    Reading(
        "POST",
        "credential-providers",
        lambda url: released(url).create_service("slack", "Slack", "key"),
        check_service_record,
    ),
    Reading(
        "GET",
        "credential-providers/([^/]+)",
        lambda url, one: released(url).service_record(one),
        check_service_record,
    ),
    Reading(
        "PUT",
        "credential-providers/([^/]+)",
        lambda url, _: released(url).change_service(SERVICE, settings=SERVICE.settings),
        check_service_record,
        at=lambda _: f"{API}credential-providers/an%20id",
    ),
    Reading("DELETE", "credential-providers/([^/]+)", lambda url, one: released(url).delete_service(one), check_done),
    Reading("GET", "admin/tool-providers", lambda url: released(url).tool_providers(), check_tool_providers),
    Reading(
        "GET",
        "admin/tool-providers/([^/]+)",
        lambda url, one: released(url).tool_provider(one),
        check_tool_provider,
    ),
    Reading("GET", "admin/tool-providers/([^/]+)/tools", lambda url, one: released(url).tools_of(one), check_tools),
    Reading(
        "GET",
        r"admin/provider-access(?:\?.*)?",
        lambda url: released(url).access_rules(),
        check_rules,
        at=lambda _: f"{API}admin/provider-access",
    ),
    Reading(
        "GET",
        "admin/provider-access/([^/]+)",
        lambda url, one: released(url).access_rule(one),
        check_rule,
    ),
    Reading("GET", r"audit/logs(?:\?.*)?", lambda url: released(url).audit_log(), check_log, at=plain),
    Reading("GET", "audit/logs/([^/]+)", lambda url, one: released(url).audit_entry(one), check_entry),
    Reading("GET", "audit/stats", lambda url: released(url).audit_stats(), check_stats),
]


def readings() -> list[Any]:
    return [
        pytest.param(reading, found.groups(), exchange, id=f"{scenario} {exchange.number} {exchange.what}")
        for scenario in SCENARIOS
        for exchange in recorded(scenario)
        if exchange.status is not None and not exchange.is_stream
        for reading in READINGS
        if reading.method == exchange.method and (found := re.fullmatch(API + reading.path, exchange.path))
    ]


@pytest.mark.parametrize(("reading", "named", "exchange"), readings())
def test_a_recorded_answer_is_its_value_or_its_error(
    reading: Reading, named: tuple[str, ...], exchange: Exchange
) -> None:
    with replayed(exchange, at=reading.at(exchange.path)) as replay:
        try:
            value = reading.ask(replay.url, *named)
        except errors.GatewayError as problem:
            assert type(problem) is told(exchange)
            assert TOKEN not in f"{problem!r} {problem.message} {problem.detail}"
        else:
            assert exchange.status in (200, 201)
            reading.check(value, exchange.body)


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: f"{reading.method} {reading.path}")
def test_every_call_has_been_recorded(reading: Reading) -> None:
    assert any(one.values[0] is reading for one in readings())


# -- every refusal, wherever it was recorded ----------------------------------------------------------------------

BY_CODE = {
    "MISSING_TOKEN": errors.SignedOut,
    "INVALID_TOKEN": errors.SignedOut,
    "TOKEN_EXPIRED": errors.SignedOut,
    "AUTH_FAILED": errors.SignedOut,
    "UNKNOWN_ISSUER": errors.SignedOut,
    "INVALID_ART": errors.SignedOut,
    "CREDENTIALS_REQUIRED": errors.CredentialsRequired,
    "RUNTIME_ERROR": errors.AgentFailed,
    "INVOKE_FAILED": errors.AgentUnreachable,
    "AGENT_NOT_FOUND": errors.AgentNotFound,
    "AGENT_DISABLED": errors.AgentDisabled,
    "TENANT_MISMATCH": errors.TenantMismatch,
    "PROVIDER_NOT_FOUND": errors.NotFound,
}
BY_STATUS = {
    400: errors.NotAccepted,
    401: errors.WrongPassword,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
}


def told(exchange: Exchange) -> type[errors.GatewayError]:
    """As the wire notes tell refusals apart: by code, by shape, by status."""
    body = exchange.body if isinstance(exchange.body, dict) else {}
    assert exchange.status is not None
    if found := BY_CODE.get(str(body.get("code"))):
        return found
    if exchange.status == 404 and str(body.get("message", "")).startswith("Route "):
        return errors.NotOffered
    if exchange.status == 409 and "status" in body:
        return errors.AlreadyResolved
    if exchange.status >= 500:
        return errors.GatewayUnavailable
    return BY_STATUS.get(exchange.status, errors.GatewayError) if body else errors.MalformedReply


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_recorded_refusal_is_its_own_error(scenario: str) -> None:
    for exchange in recorded(scenario):
        if exchange.status is not None and exchange.status >= 300:
            problem = refusal(exchange.status, exchange.sent())
            assert type(problem) is told(exchange), f"{exchange.number} {exchange.what}: {problem!r}"


# -- health is told outside of /api/v1 ----------------------------------------------------------------------------


def test_the_gateway_says_how_it_is() -> None:
    healthy = next(one for one in recorded("http-general") if (one.method, one.path) == ("GET", "/api/health"))
    with replayed(healthy) as replay:
        health = Gateway(replay.url).health()
    assert (health.is_healthy, health.version) == (True, healthy.body["version"])
    assert (health.services, health.pending) == (
        healthy.body["services"],
        healthy.body["metrics"]["pendingConfirmations"],
    )
    assert health.at == wire_time(healthy.body["timestamp"])
