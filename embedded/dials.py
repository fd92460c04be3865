"""`/_dials`, only with `--dials`: how a test makes trouble, and sees what the gateway received."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import holding, tool_lists, vault
from embedded.clock import seconds
from embedded.ids import FILES
from embedded.installation import first_installation
from embedded.people import Person
from embedded.replies import sentence
from embedded.routes import open_route
from embedded.state import Dials, Failure, Gateway

LOOPBACK = {"127.0.0.1", "::1"}
WRITTEN_TIME = 0.001  # seconds: how finely the gateway writes times
SETTINGS = {
    "token_lifetime",
    "hold_limit",
    "record_lag",
    "heartbeat",
    "held_heartbeat",
    "agent_silence",
    "mute_streams",
    "refuse_streams",
    "race",
}


def routes() -> list[Route]:
    return [open_route("GET", "/_dials", report), open_route("POST", "/_dials", turn)]


async def report(gateway: Gateway, request: Request) -> JSONResponse:
    """What it holds, or with `?requests` what it was asked."""
    refuse_strangers(request)
    dials = gateway.dials
    if "requests" in request.query_params:
        return JSONResponse(dials.requests)
    return JSONResponse(
        {
            "open_streams": len(gateway.streams),
            "open_runs": len(gateway.runs),
            "agent_connections": gateway.agent_connections,
            "held": [confirmation.id for confirmation in holding.held(gateway)],
            "answers": dials.answers,
            "reasons": dials.reasons,
            "ran": dials.ran,
            "files": {p.email: gateway.files.within(p.id, "/") for p in gateway.people.values()},
            "runtime_tokens": {agent.name: agent.runtime_token for agent in gateway.agents.values()},
        }
    )


async def turn(gateway: Gateway, request: Request) -> JSONResponse:
    """Turn every dial that the body names. Answers what the dial gives, if anything."""
    refuse_strangers(request)
    try:
        wanted: dict[str, Any] = json.loads(await request.body())  # tests ask for what nobody could send
    except ValueError as exc:
        raise sentence(400, "Invalid JSON body") from exc
    unknown = wanted.keys() - SETTINGS - ACTIONS.keys()
    if unknown:
        raise sentence(400, f"No such dial: {', '.join(sorted(unknown))}")
    given: dict[str, Any] = {}
    for name, value in wanted.items():
        if name in SETTINGS:
            setattr(gateway.dials, name, value)
        else:
            answer = ACTIONS[name](gateway, value)
            given |= (await answer if inspect.isawaitable(answer) else answer) or {}
    for listener in gateway.listeners:
        listener.wake()
    return JSONResponse(given)


def refuse_strangers(request: Request) -> None:
    if request.client is None or request.client.host not in LOOPBACK:
        raise sentence(403, "The dials are for this machine only")


def expire_tokens(gateway: Gateway, _: Any) -> None:
    gateway.dials.expired_before = seconds()


def drop_streams(gateway: Gateway, _: Any) -> None:
    for stream in list(gateway.streams):
        stream.cut()


def drop_runs(gateway: Gateway, _: Any) -> None:
    for run in list(gateway.runs):
        run.cut()


def forget_holds(gateway: Gateway, _: Any) -> None:
    holding.forget(gateway)


def forget_tools(gateway: Gateway, _: Any) -> None:
    """As when a minute has passed: no event describes a tool until its provider's list is read again."""
    for provider in gateway.tool_providers.values():
        tool_lists.forget(provider)


def reset(gateway: Gateway, _: Any) -> None:
    """As freshly started, but that tokens stay good: for tests that share one gateway."""
    for breaking in (forget_holds, drop_streams, drop_runs):
        breaking(gateway, None)
    gateway.confirmations.clear()
    gateway.credentials.clear()
    gateway.tickets.clear()
    gateway.attempts.clear()
    gateway.api_keys.clear()
    gateway.audit.clear()
    gateway.devices.clear()
    gateway.files.by_person.clear()
    assert gateway.first_things is not None
    gateway.take(gateway.first_things)
    forget_tools(gateway, None)
    gateway.dials = Dials()


def empty(gateway: Gateway, _: Any) -> None:
    """As freshly installed: an admin without a tenant, the gateway's own services, and nothing else."""
    reset(gateway, None)
    gateway.take(first_installation(gateway))


def fail(gateway: Gateway, wanted: dict[str, Any] | None) -> None:
    """`{path, method?, status?, body?, content_type?, times?, delay?}`; null ends all failing.

    Without a status the request is only delayed (seconds) and then answered as ever.
    """
    if wanted is None:
        gateway.dials.failures.clear()
        return
    gateway.dials.failures.append(
        Failure(
            path=wanted["path"],
            method=wanted.get("method"),
            status=wanted.get("status"),
            body=wanted.get("body", {"error": "Internal Server Error", "message": "as the dials say"}),
            content_type=wanted.get("content_type", "application/json"),
            times=wanted.get("times", 1),
            delay=wanted.get("delay", 0.0),
        )
    )


def change_person(gateway: Gateway, wanted: dict[str, Any]) -> None:
    """`{email, isActive?, roles?, name?, tenantId?, password?}`; tokens go on saying the old things."""
    person = person_named(gateway, wanted)
    person.is_active = wanted.get("isActive", person.is_active)
    person.roles = wanted.get("roles", person.roles)
    person.name = wanted.get("name", person.name)
    person.tenant_id = wanted.get("tenantId", person.tenant_id)
    person.password = wanted.get("password", person.password)


def change_credential(gateway: Gateway, wanted: dict[str, Any]) -> dict[str, Any]:
    """`{email, service, expiresAt?, secret?}`: store a credential, or change the one there is."""
    person = person_named(gateway, wanted)
    provider = vault.provider_for(gateway, wanted["service"], person.tenant_id)
    if provider is None:
        raise sentence(400, f"No provider of {wanted['service']} for this person")
    old = vault.stored(gateway, person.id, provider)
    secret = wanted.get("secret") or (old.secret if old else "set-by-a-dial")
    expires_at = datetime.fromisoformat(wanted["expiresAt"]) if wanted.get("expiresAt") else None
    return {"id": vault.store(gateway, person.id, provider, secret, expires_at=expires_at).id}


async def hold(gateway: Gateway, wanted: dict[str, Any]) -> dict[str, Any]:
    """`{email, tool, arguments?, risk?, agent?}`: a held call as if that agent, or the person, had made it.

    Nobody waits for its answer, but it is answered, times out and is forgotten like any other.
    """
    person = person_named(gateway, wanted)
    agent = None
    if wanted.get("agent"):
        named = [agent for agent in gateway.agents.values() if wanted["agent"] in (agent.id, agent.name)]
        if not named:
            raise sentence(400, f"No such agent: {wanted['agent']}")
        agent = named[0]
    confirmation = holding.hold(
        gateway,
        caller_id=agent.id if agent else person.id,
        end_user_id=person.id,
        tenant_id=person.tenant_id,
        agent_id=agent.id if agent else None,
        provider_id=FILES,
        tool=wanted["tool"],
        arguments=wanted.get("arguments"),
        risk=wanted.get("risk", "medium"),
        described=await tool_lists.described(gateway, gateway.tool_providers[FILES], wanted["tool"]),
    )
    await asyncio.sleep(WRITTEN_TIME)  # no two that are asked one after the other bear the same time
    return {"id": confirmation.id}


def person_named(gateway: Gateway, wanted: dict[str, Any]) -> Person:
    person = gateway.person_by_email(wanted["email"])
    if person is None:
        raise sentence(400, f"No such person: {wanted['email']}")
    return person


Given = dict[str, Any] | None


def change_call(gateway: Gateway, wanted: dict[str, Any]) -> None:
    """`{id, tool?, arguments?, risk?}`: a call that waits becomes another one; nobody is told."""
    call = gateway.confirmations[wanted["id"]]
    call.tool = wanted.get("tool", call.tool)
    call.arguments = wanted.get("arguments", call.arguments)
    call.risk = wanted.get("risk", call.risk)


ACTIONS: dict[str, Callable[[Gateway, Any], Given | Awaitable[Given]]] = {
    "reset": reset,
    "expire_tokens": expire_tokens,
    "drop_streams": drop_streams,
    "drop_runs": drop_runs,
    "forget_holds": forget_holds,
    "forget_tools": forget_tools,
    "empty": empty,
    "fail": fail,
    "person": change_person,
    "credential": change_credential,
    "hold": hold,
    "call": change_call,
}
