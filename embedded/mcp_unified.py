"""`/api/v1/mcp/mcp`: one MCP endpoint for the tools of every provider that the caller may use."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded import bodies, tool_lists
from embedded.auth import Caller
from embedded.mcp_proxy import Call, Upstream, call_tool, end_user_of
from embedded.own_tools import MANAGEMENT
from embedded.policy import matches, rule_for_tool, rules_for
from embedded.replies import Refused, sentence
from embedded.routes import flexible_route
from embedded.state import Gateway, ToolProvider

PROTOCOL = "2025-03-26"
BOTH_KINDS = "application/json, text/event-stream"


def routes() -> list[Route]:
    path = "/api/v1/mcp/mcp"
    return [
        flexible_route("POST", path, post),
        flexible_route("GET", path, listen),
        flexible_route("DELETE", path, end_session),
    ]


async def post(gateway: Gateway, request: Request, caller: Caller) -> ASGIApp:
    body = await request.body()
    try:
        document = bodies.read(body)
    except ValueError:
        return failed({}, 400, -32700, "Parse error")
    message = document if isinstance(document, dict) else {}
    match message.get("method"):
        case "initialize":
            return answered(message, greeting())
        case "ping" | "notifications/initialized":
            return answered(message, {})
        case "tools/list":
            return answered(message, {"tools": await usable_tools(gateway, request, caller)})
        case "tools/call":
            return await call(gateway, request, caller, message, body)
        case method:
            text = f"Method '{method or ''}' is not supported by the unified endpoint"
            return failed(message, 400, -32601, text)


def greeting() -> dict[str, Any]:
    return {
        "protocolVersion": PROTOCOL,
        "serverInfo": {"name": "simplaix-gateway", "version": "1.0.0"},
        "capabilities": {"tools": {"listChanged": False}},
    }


async def usable_tools(gateway: Gateway, request: Request, caller: Caller) -> list[dict[str, Any]]:
    """Those that a rule of the caller's names, each once. Providers that do not answer are left out."""
    end_user_id = end_user_of(gateway, request, caller)
    tools: dict[str, dict[str, Any]] = {}
    for provider in offered(gateway, request, caller):
        try:
            rules = rules_for(gateway, end_user_id, provider.id)
            known = await tool_lists.known(gateway, provider)
        except (Refused, tool_lists.Unreadable):
            continue
        for tool in known:
            if matches(provider.pattern, tool["name"]) and rule_for_tool(rules, tool["name"]):
                tools.setdefault(tool["name"], tool)
    return list(tools.values())


async def call(gateway: Gateway, request: Request, caller: Caller, message: dict[str, Any], body: bytes) -> ASGIApp:
    """As through the proxy of the provider whose pattern fits."""
    wanted = Call(message, body, caller, end_user_of(gateway, request, caller))
    provider = next((p for p in offered(gateway, request, caller) if matches(p.pattern, wanted.tool)), None)
    if provider is None:
        return failed(message, 404, -32601, f"No provider found for tool '{wanted.tool}'")
    try:
        rules = rules_for(gateway, wanted.end_user_id, provider.id)
    except Refused as refusal:
        return failed(message, 403, -32600, refusal.body["message"])
    upstream = Upstream(gateway, provider, request, caller)
    upstream.headers["Accept"] = BOTH_KINDS
    return await call_tool(upstream, request, wanted, rules)


def offered(gateway: Gateway, request: Request, caller: Caller) -> list[ToolProvider]:
    """The caller's active providers, of those that the query names if any; the gateway's own one last."""
    named = request.query_params.get("providers")
    wanted = {part.strip() for part in named.split(",")} if named else None
    found = [
        provider
        for provider in gateway.tool_providers.values()
        if provider.is_active
        and (wanted is None or provider.id in wanted)
        and (not provider.tenant_id or not caller.tenant_id or provider.tenant_id == caller.tenant_id)
    ]
    return sorted(found, key=lambda provider: (provider.id == MANAGEMENT, -provider.priority))


async def listen(_: Gateway, request: Request, __: Caller) -> ASGIApp:
    """There are no sessions here: each request stands for itself."""
    if "mcp-session-id" not in request.headers:
        raise sentence(400, "Bad Request", message="Mcp-Session-Id header required for GET")
    raise sentence(404, "Not Found", message="Session not found. Start a new session via POST.")


async def end_session(_: Gateway, request: Request, __: Caller) -> ASGIApp:
    if "mcp-session-id" not in request.headers:
        raise sentence(400, "Bad Request", message="Mcp-Session-Id header required for DELETE")
    return Response(status_code=204, media_type="text/plain")


def answered(message: dict[str, Any], result: dict[str, Any]) -> JSONResponse:
    return JSONResponse(with_id(message, {"result": result}))


def failed(message: dict[str, Any], status: int, code: int, text: str) -> JSONResponse:
    return JSONResponse(with_id(message, {"error": {"code": code, "message": text}}), status)


def with_id(message: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", **({"id": message["id"]} if "id" in message else {}), **rest}
