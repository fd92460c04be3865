"""Agents: what an end user sees of one, and invoking it."""

import io
import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded import vault
from embedded.auth import Caller, session_token
from embedded.ids import new_id
from embedded.replies import Refused, coded, forbidden, read_json, sentence
from embedded.routes import flexible_route
from embedded.state import Agent, Gateway
from embedded.streaming import Cut, Streamed, compact, while_connected


def patience(gateway: Gateway) -> aiohttp.ClientTimeout:
    """The longest silence of an agent or a tool server, before and within its answer."""
    return aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=gateway.dials.agent_silence)


def routes() -> list[Route]:
    return [
        flexible_route("GET", "/api/v1/agents/{agent_id}", get),
        flexible_route("GET", "/api/v1/agents/{agent_id}/credentials-check", credentials_check),
        flexible_route("POST", "/api/v1/agents/{agent_id}/invoke", invoke),
    ]


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    agent = visible(gateway, request, caller)
    return JSONResponse(
        {
            "id": agent.id,
            "name": agent.name,
            "description": agent.description,
            "is_active": agent.is_active,
            "tenant_id": agent.tenant_id,
        }
    )


async def credentials_check(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    agent = visible(gateway, request, caller)
    required_secrets(gateway, agent, caller)
    return JSONResponse({"ok": True})


async def invoke(gateway: Gateway, request: Request, caller: Caller) -> ASGIApp:
    agent = gateway.agents.get(request.path_params["agent_id"])
    if agent is None:
        raise coded(404, "Not Found", "Agent not found", "AGENT_NOT_FOUND")
    if is_foreign(agent, caller):
        raise forbidden("Agent belongs to a different tenant", "TENANT_MISMATCH")
    if not agent.is_active:
        raise forbidden("Agent is disabled", "AGENT_DISABLED")
    secrets = required_secrets(gateway, agent, caller)
    body = await read_json(request)
    request_id = new_id()
    headers = headers_for_agent(gateway, agent, caller, secrets, request_id)
    return await while_connected(request.receive, ask(gateway, agent, body, headers, request_id))


async def ask(gateway: Gateway, agent: Agent, body: Any, headers: dict[str, str], request_id: str) -> ASGIApp:
    """Post to the agent, and turn what it says into what the caller gets. Raises `Refused`."""
    gateway.agent_connections += 1
    is_streaming = False
    answer: aiohttp.ClientResponse | None = None
    try:
        answer = await gateway.client.post(
            agent.upstream_url, data=io.BytesIO(compact(body).encode()), headers=headers, timeout=patience(gateway)
        )
        if is_success(answer) and answer.content_type == "text/event-stream":
            is_streaming = True
            return streamed(gateway, answer, request_id)
        text = await answer.text(errors="replace")
    except aiohttp.ClientPayloadError as exc:  # broken off within the body
        raise invoke_failed("terminated") from exc
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise invoke_failed("fetch failed") from exc
    finally:
        if not is_streaming:
            gateway.agent_connections -= 1
            if answer is not None:
                answer.close()  # of an answer read to its end the connection is kept
    if not is_success(answer):
        raise Refused(
            answer.status,
            {
                "error": "Runtime Error",
                "message": f"Agent runtime returned {answer.status}",
                "code": "RUNTIME_ERROR",
                "details": text,
            },
        )
    return JSONResponse({"success": True, "request_id": request_id, "data": parsed(text)})


def is_success(answer: aiohttp.ClientResponse) -> bool:
    return 200 <= answer.status < 300


def streamed(gateway: Gateway, answer: aiohttp.ClientResponse, request_id: str) -> Streamed:
    def close() -> None:
        answer.close()
        gateway.runs.discard(run)
        gateway.agent_connections -= 1

    headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-gateway-request-id": request_id,
    }
    run = Streamed(bytes_of(answer), headers=headers, closing=close)
    gateway.runs.add(run)
    return run


async def bytes_of(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    """The answer's bytes as they come, untouched. Raises `Cut` when they break off."""
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise Cut from exc


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        if not text.strip():
            raise invoke_failed("Unexpected end of JSON input") from exc
        message = f"Unexpected token '{text[0]}', \"{text[:10]}\"... is not valid JSON"
        raise invoke_failed(message) from exc


def invoke_failed(message: str) -> Refused:
    return coded(502, "Gateway Error", message, "INVOKE_FAILED")


def headers_for_agent(
    gateway: Gateway, agent: Agent, caller: Caller, secrets: dict[str, str], request_id: str
) -> dict[str, str]:
    """All that an agent learns of the request; nothing of the client's own headers."""
    headers = {
        "Content-Type": "application/json",
        "X-Gateway-Request-ID": request_id,
        "X-Gateway-Agent-ID": agent.id,
        "X-End-User-ID": caller.id,
        "X-User-Id": caller.id,
        "X-Gateway-Session-Token": session_token(gateway, caller, agent, request_id),
    }
    if agent.upstream_secret:
        headers["Authorization"] = f"Bearer {agent.upstream_secret}"
    if caller.tenant_id:
        headers["X-Tenant-ID"] = caller.tenant_id
    if caller.email:
        headers["X-End-User-Email"] = caller.email
    if caller.roles:
        headers["X-End-User-Roles"] = ",".join(caller.roles)
    for service_type, secret in secrets.items():
        headers[f"X-Credential-{service_type}"] = secret
    return headers


def visible(gateway: Gateway, request: Request, caller: Caller) -> Agent:
    agent = gateway.agents.get(request.path_params["agent_id"])
    if agent is None:
        raise sentence(404, "Agent not found")
    if is_foreign(agent, caller):
        raise sentence(403, "Agent belongs to a different tenant")
    return agent


def is_foreign(agent: Agent, caller: Caller) -> bool:
    """Tenants are compared only when both sides have one."""
    return bool(agent.tenant_id and caller.tenant_id and agent.tenant_id != caller.tenant_id)


def required_secrets(gateway: Gateway, agent: Agent, caller: Caller) -> dict[str, str]:
    """By service type. Raises `Refused` (401 CREDENTIALS_REQUIRED, a shape without `error`)."""
    resolved = vault.resolve(gateway, caller, [need.service_type for need in agent.required])
    if resolved.missing:
        raise Refused(
            401,
            {
                "code": "CREDENTIALS_REQUIRED",
                "missing": resolved.missing,
                "authUrls": resolved.auth_urls,
                "message": f"Authentication required for: {', '.join(resolved.missing)}",
            },
        )
    return resolved.secrets
