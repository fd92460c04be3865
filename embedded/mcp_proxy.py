"""The MCP proxy: calls of tool servers, under the access rules, held where a rule says so."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import aiohttp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded import audit, bodies, holding, tool_lists
from embedded.agents_api import bytes_of, patience
from embedded.auth import Caller, session_user
from embedded.ids import new_id
from embedded.policy import DEFAULT_RISK, rule_for_tool, rules_for
from embedded.replies import coded, forbidden, sentence
from embedded.routes import flexible_route
from embedded.state import Answer, AuditEntry, Confirmation, Gateway, Rule, ToolProvider
from embedded.streaming import Cut, Streamed, frame, while_connected

UNREACHED = {"error": "TypeError: fetch failed"}  # in the audit log


def routes() -> list[Route]:
    path = "/api/v1/mcp-proxy/{provider_id}/mcp"
    return [
        flexible_route("POST", path, post),
        flexible_route("GET", path, pass_through),
        flexible_route("DELETE", path, pass_through),
    ]


async def post(gateway: Gateway, request: Request, caller: Caller) -> ASGIApp:
    provider = open_provider(gateway, request, caller)
    end_user_id = end_user_of(gateway, request, caller)
    rules = rules_for(gateway, end_user_id, provider.id)
    body = await request.body()
    message = json_object(body)
    upstream = Upstream(gateway, provider, request, caller)
    if message.get("method") == "tools/call":
        return await call_tool(upstream, request, Call(message, body, caller, end_user_id), rules)
    return await while_connected(request.receive, upstream.relay("POST", body))


async def call_tool(upstream: "Upstream", request: Request, call: "Call", rules: list[Rule]) -> ASGIApp:
    """Under the rules: at once, after an answer, or not at all. The audit log hears of each."""
    gateway = upstream.gateway
    rule = rule_for_tool(rules, call.tool)
    if rule is None:
        audit.refused(call.noted(gateway, upstream.provider.id))
        return denied(call.message, call.tool)
    if rule.action == "require_confirmation":
        return await held_call(gateway, upstream, call, rule)
    entry = call.noted(gateway, upstream.provider.id)
    return await while_connected(request.receive, upstream.relay("POST", call.body, entry))


async def pass_through(gateway: Gateway, request: Request, caller: Caller) -> ASGIApp:
    provider = open_provider(gateway, request, caller)
    rules_for(gateway, end_user_of(gateway, request, caller), provider.id)
    upstream = Upstream(gateway, provider, request, caller)
    return await while_connected(request.receive, upstream.relay(request.method, None))


def open_provider(gateway: Gateway, request: Request, caller: Caller) -> ToolProvider:
    provider_id = request.path_params["provider_id"]
    provider = gateway.tool_providers.get(provider_id)
    if provider is None:
        raise coded(404, "Not Found", f"Tool provider '{provider_id}' not found", "PROVIDER_NOT_FOUND")
    if not provider.is_active:
        raise forbidden(f"Tool provider '{provider.name}' is disabled", "PROVIDER_DISABLED")
    if provider.tenant_id and caller.tenant_id and provider.tenant_id != caller.tenant_id:
        raise forbidden("Provider belongs to a different tenant", "TENANT_MISMATCH")
    return provider


def end_user_of(gateway: Gateway, request: Request, caller: Caller) -> str:
    """For whom the call is made. A person may name another one, and no proof is asked for."""
    if caller.agent:
        return session_user(gateway, request) or caller.id
    return request.headers.get("x-end-user-id") or caller.id


def denied(message: dict[str, Any], tool: str) -> JSONResponse:
    error = {"code": -32600, "message": f"Tool '{tool}' is denied by policy"}
    return JSONResponse({"jsonrpc": "2.0", "id": message.get("id"), "error": error}, 403)


def json_object(body: bytes) -> dict[str, Any]:
    """Empty when the body is something else. Raises `Refused` (400) for JSON that nobody could be shown."""
    try:
        message = bodies.read(body)
    except bodies.Unwritable as exc:
        raise sentence(400, "Invalid JSON body") from exc
    except ValueError:
        return {}  # the tool server says so
    return message if isinstance(message, dict) else {}


@dataclass(frozen=True, slots=True)
class Call:
    """A tools/call on its way to a tool server."""

    message: dict[str, Any]
    body: bytes  # the same, as it came
    caller: Caller
    end_user_id: str

    @property
    def params(self) -> dict[str, Any]:
        params = self.message.get("params")
        return params if isinstance(params, dict) else {}

    @property
    def tool(self) -> str:
        return str(self.params.get("name"))

    @property
    def arguments(self) -> dict[str, Any] | None:
        arguments = self.params.get("arguments")
        return arguments if isinstance(arguments, dict) else None

    def noted(self, gateway: Gateway, provider_id: str) -> AuditEntry:
        """A fresh entry of the audit log."""
        return audit.begin(
            gateway,
            self.caller,
            self.end_user_id,
            provider_id=provider_id,
            tool=self.tool,
            arguments=self.arguments,
        )


async def held_call(gateway: Gateway, upstream: "Upstream", call: Call, rule: Rule) -> Streamed:
    """Ask, and answer with a stream that stays open until somebody has answered."""
    caller = call.caller
    end_user = gateway.people.get(call.end_user_id)
    described = await tool_lists.described(gateway, upstream.provider, call.tool)
    entry = call.noted(gateway, upstream.provider.id)
    confirmation = holding.hold(
        gateway,
        caller_id=caller.id,
        end_user_id=call.end_user_id,
        tenant_id=caller.tenant_id or (end_user.tenant_id if end_user else None),
        agent_id=caller.agent.id if caller.agent else None,
        provider_id=upstream.provider.id,
        tool=call.tool,
        arguments=call.arguments,
        risk=rule.risk or DEFAULT_RISK,
        rule_id=rule.id,
        described=described,
    )
    entry.confirmation_id = confirmation.id
    work = asyncio.create_task(finish(confirmation, upstream, call, entry))
    gateway.held_calls[confirmation.id] = work  # goes on when the caller hangs up
    work.add_done_callback(lambda _: gateway.held_calls.pop(confirmation.id, None))
    answer = Streamed(until_done(gateway, work), closing=lambda: gateway.held_answers.discard(answer))
    gateway.held_answers.add(answer)
    return answer


async def finish(confirmation: Confirmation, upstream: "Upstream", call: Call, entry: AuditEntry) -> bytes:
    """What the held caller reads in the end: the tool's answer, or the rejection as a result."""
    assert confirmation.answered is not None
    answer = await confirmation.answered
    if answer.confirmed:
        return await upstream.as_events(call.message, call.body, entry)
    audit.rejected(entry, answer)
    result = rejection(confirmation, answer)
    return frame({"jsonrpc": "2.0", "id": call.message.get("id"), "result": result}, "message")


def rejection(confirmation: Confirmation, answer: Answer) -> dict[str, Any]:
    why = f": {answer.reason}" if answer.reason else "."
    return {"content": [{"type": "text", "text": f'Tool "{confirmation.tool}" was rejected{why}'}]}


async def until_done(gateway: Gateway, work: asyncio.Task[bytes]) -> AsyncGenerator[bytes, None]:
    while True:
        done, _ = await asyncio.wait({work}, timeout=gateway.dials.held_heartbeat)
        if done:
            break
        yield b": heartbeat\n\n"
    if work.cancelled():
        raise Cut
    yield work.result()


class Upstream:
    """One tool server, as called for one request."""

    def __init__(self, gateway: Gateway, provider: ToolProvider, request: Request, caller: Caller) -> None:
        self.gateway = gateway
        self.provider = provider
        self.headers = headers_for_tools(provider, request, caller)

    async def relay(self, method: str, body: bytes | None, entry: AuditEntry | None = None) -> ASGIApp:
        """The tool server's status, type and body; an event stream as it comes."""
        try:
            answer = await self.gateway.client.request(
                method, self.provider.endpoint, data=body, headers=self.headers, timeout=patience(self.gateway)
            )
        except (aiohttp.ClientError, TimeoutError):
            audit.ended(entry, is_done=False, result=UNREACHED)
            return JSONResponse({"jsonrpc": "2.0", "error": unreachable()}, 502)
        headers = {"content-type": answer.headers.get("Content-Type", "text/plain; charset=UTF-8")}
        if "Mcp-Session-Id" in answer.headers:
            headers["mcp-session-id"] = answer.headers["Mcp-Session-Id"]
        if answer.content_type == "text/event-stream":
            headers["cache-control"] = "no-cache"
            audit.ended(entry, is_done=answer.ok)  # what the events say is not kept
            return Streamed(bytes_of(answer), headers=headers, status=answer.status, closing=answer.close)
        content = await answer.read()
        tool_lists.remember(self.provider, content)
        audit.ended(entry, is_done=answer.ok, result=tool_lists.outcome_in(content))
        return Response(content, answer.status, headers)

    async def as_events(self, message: dict[str, Any], body: bytes, entry: AuditEntry) -> bytes:
        """The tool server's answer to a call that was held, refusals included, as events."""
        try:
            async with self.gateway.client.post(
                self.provider.endpoint, data=body, headers=self.headers, timeout=patience(self.gateway)
            ) as answer:
                content = await answer.read()
                is_stream = answer.content_type == "text/event-stream"
                result = None if is_stream else tool_lists.outcome_in(content)
                audit.ended(entry, is_done=answer.ok, result=result)
        except (aiohttp.ClientError, TimeoutError):
            audit.ended(entry, is_done=False, result=UNREACHED)
            return frame({"jsonrpc": "2.0", "id": message.get("id"), "error": unreachable()}, "message")
        return content if is_stream else b"event: message\ndata: " + content.strip() + b"\n\n"


def unreachable() -> dict[str, Any]:
    return {"code": -32603, "message": "Upstream MCP server error: fetch failed"}


def headers_for_tools(provider: ToolProvider, request: Request, caller: Caller) -> dict[str, str]:
    """What a tool server learns. Of the client's own headers only the transport's are passed on."""
    headers = {
        "Accept": request.headers.get("accept", "*/*"),
        "Content-Type": request.headers.get("content-type", "application/json"),
        **tool_lists.authorization(provider),
        "X-User-ID": caller.id,
        "X-Gateway-Request-ID": new_id(),
    }
    if "mcp-session-id" in request.headers:
        headers["Mcp-Session-Id"] = request.headers["mcp-session-id"]
    if caller.tenant_id:
        headers["X-Tenant-ID"] = caller.tenant_id
    if caller.email:
        headers["X-User-Email"] = caller.email
    if caller.roles:
        headers["X-User-Roles"] = ",".join(caller.roles)
    if caller.agent:
        headers["X-Gateway-Agent-ID"] = caller.agent.id
        headers["X-Gateway-Agent-Name"] = caller.agent.name
    return headers
