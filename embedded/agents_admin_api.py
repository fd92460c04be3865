"""`/api/v1/admin/agents`: the operators' side of the agents."""

import secrets
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller
from embedded.clock import iso, now
from embedded.ids import new_id
from embedded.permissions import OPERATORS, require
from embedded.replies import Refused, read_json, sentence
from embedded.routes import jwt_route
from embedded.state import Agent, Gateway, Required
from embedded.streaming import compact

KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}


def routes() -> list[Route]:
    base = "/api/v1/admin/agents"
    return [
        jwt_route("GET", base, list_agents),
        jwt_route("POST", base, create),
        jwt_route("GET", f"{base}/{{agent_id}}", get),
        jwt_route("PUT", f"{base}/{{agent_id}}", update),
        jwt_route("DELETE", f"{base}/{{agent_id}}", delete),
        jwt_route("POST", f"{base}/{{agent_id}}/disable", disable),
        jwt_route("POST", f"{base}/{{agent_id}}/enable", enable),
        jwt_route("POST", f"{base}/{{agent_id}}/regenerate-token", regenerate_token),
    ]


async def list_agents(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """Those of one tenant: an admin may name it, others see their own.

    Agents without a tenant are on no tenant's list. The demonstration's own ones are on every list:
    otherwise its operators could not find the shared ones.
    """
    require(caller, "agent:read")
    tenant_id = caller.tenant_id
    if "admin" in caller.roles:
        tenant_id = request.query_params.get("tenant_id") or tenant_id
    found = [agent for agent in gateway.agents.values() if tenant_id is None or agent.tenant_id == tenant_id]
    shared = [agent for agent in gateway.agents.values() if agent.is_on_every_list and agent not in found]
    return JSONResponse({"agents": [document(agent) for agent in found + shared]})


async def create(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """The runtime token is shown this once. Here alone `requiredCredentials` is a JSON string."""
    require(caller, "agent:create")
    given = wished(await read_json(request), is_new=True)
    agent = Agent(
        id=new_id(),
        name=given["name"],
        description=given.get("description"),
        upstream_url=given["upstreamUrl"],
        upstream_secret=given.get("upstreamSecret"),
        runtime_token=new_runtime_token(),
        tenant_id=(given.get("tenantId") if "admin" in caller.roles else None) or caller.tenant_id,
        owner_id=given.get("ownerUserId") or caller.id,
        required=read_required(given.get("requiredCredentials")),
        requires_confirmation=given.get("requireConfirmation", False),
    )
    gateway.agents[agent.id] = agent
    doc = document(agent)
    if doc["requiredCredentials"] is not None:
        doc["requiredCredentials"] = compact(doc["requiredCredentials"])
    return JSONResponse({"success": True, "agent": doc, "runtime_token": agent.runtime_token}, 201)


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "agent:read")
    agent = found(gateway, request)
    is_foreign = bool(agent.tenant_id and caller.tenant_id and agent.tenant_id != caller.tenant_id)
    if is_foreign and "admin" not in caller.roles:
        raise sentence(404, "Agent not found")
    return JSONResponse({"agent": document(agent)})


async def update(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "agent:update")
    agent = changeable(gateway, request, caller, "update this agent")
    given = wished(await read_json(request), is_new=False)
    agent.name = given.get("name", agent.name)
    agent.description = given.get("description", agent.description)
    agent.upstream_url = given.get("upstreamUrl", agent.upstream_url)
    agent.upstream_secret = given.get("upstreamSecret", agent.upstream_secret)
    agent.requires_confirmation = given.get("requireConfirmation", agent.requires_confirmation)
    agent.is_active = given.get("isActive", agent.is_active)
    if "requiredCredentials" in given:
        agent.required = read_required(given["requiredCredentials"])
    agent.updated_at = now()
    return JSONResponse({"success": True, "agent": document(agent)})


async def delete(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "agent:delete")
    agent = changeable(gateway, request, caller, "delete this agent")
    del gateway.agents[agent.id]
    return JSONResponse({"success": True, "message": "Agent deleted"})


async def disable(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    return switch(gateway, request, caller, is_active=False)


async def enable(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    return switch(gateway, request, caller, is_active=True)


def switch(gateway: Gateway, request: Request, caller: Caller, *, is_active: bool) -> JSONResponse:
    require(caller, "agent:update")
    verb = "enable" if is_active else "disable"
    agent = changeable(gateway, request, caller, f"{verb} this agent")
    agent.is_active = is_active
    agent.updated_at = now()
    return JSONResponse({"success": True, "message": f"Agent {verb}d"})


async def regenerate_token(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """The old token is refused at once."""
    require(caller, "agent:update")
    agent = changeable(gateway, request, caller, "regenerate token for this agent")
    agent.runtime_token = new_runtime_token()
    agent.updated_at = now()
    shown = {"id": agent.id, "name": agent.name, "runtimeTokenPrefix": agent.runtime_token[:8]}
    return JSONResponse({"success": True, "agent": shown, "runtime_token": agent.runtime_token})


def new_runtime_token() -> str:
    return f"art_{secrets.token_urlsafe(24)}"


def found(gateway: Gateway, request: Request) -> Agent:
    agent = gateway.agents.get(request.path_params["agent_id"])
    if agent is None:
        raise sentence(404, "Agent not found")
    return agent


def changeable(gateway: Gateway, request: Request, caller: Caller, deed: str) -> Agent:
    """One's own agent; for admins and tenant admins any. Raises `Refused`, here without a code."""
    agent = found(gateway, request)
    if agent.owner_id != caller.id and not OPERATORS.intersection(caller.roles):
        raise Refused(403, {"error": "Forbidden", "message": f"Insufficient permissions to {deed}"})
    return agent


def wished(body: Any, *, is_new: bool) -> dict[str, Any]:
    """The body, checked member by member; the first thing that is wrong is told. Raises `Refused` (400)."""
    given: dict[str, Any] = checked(body, dict)
    for name in ("name", "upstreamUrl"):
        if is_new or name in given:
            checked(given.get(name, MISSING), str)
    if given.get("name") == "":
        raise sentence(400, "Agent name is required")
    if "upstreamUrl" in given and not is_url(given["upstreamUrl"]):
        raise sentence(400, "Invalid upstream URL format")
    for name in ("upstreamSecret", "description", "tenantId", "ownerUserId"):
        if given.get(name) is not None:
            checked(given[name], str)
    for name in ("requireConfirmation", "isActive"):
        if name in given:
            checked(given[name], bool)
    if given.get("requiredCredentials") is not None:
        for need in checked(given["requiredCredentials"], list):
            checked(checked(need, dict).get("serviceType", MISSING), str)
    return given


MISSING = object()


def checked(value: Any, kind: type) -> Any:
    if value is MISSING:
        raise sentence(400, "Required")
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        received = "null" if value is None else KINDS[type(value)]
        raise sentence(400, f"Expected {KINDS[kind]}, received {received}")
    return value


def is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def read_required(needs: list[dict[str, Any]] | None) -> tuple[Required, ...]:
    return tuple(
        Required(need["serviceType"], str(need.get("description") or ""), tuple(need.get("scopes") or ()))
        for need in needs or ()
    )


def document(agent: Agent) -> dict[str, Any]:
    required = [
        {"serviceType": need.service_type}
        | ({"scopes": list(need.scopes)} if need.scopes else {})
        | {"description": need.description}
        for need in agent.required
    ]
    doc = {
        "id": agent.id,
        "name": agent.name,
        "upstreamUrl": agent.upstream_url,
        "hasUpstreamSecret": bool(agent.upstream_secret),
        "isActive": agent.is_active,
        "requireConfirmation": agent.requires_confirmation,
        "requiredCredentials": required or None,
        "tenantId": agent.tenant_id,
        "ownerUserId": agent.owner_id,
        "description": agent.description,
        "runtimeTokenPrefix": agent.runtime_token[:8],
        "createdAt": iso(agent.created_at),
    }
    return doc | ({"updatedAt": iso(agent.updated_at)} if agent.updated_at else {})
