"""`/api/v1/admin/tool-providers`: the tool servers behind the MCP proxy."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import tool_lists
from embedded.auth import Caller
from embedded.clock import iso, iso_or_none, now
from embedded.ids import new_id
from embedded.permissions import require
from embedded.replies import present, read_fields, sentence, text_in
from embedded.routes import jwt_route
from embedded.state import Gateway, ToolProvider

KINDS = ["bearer", "api_key", "none"]


def routes() -> list[Route]:
    base = "/api/v1/admin/tool-providers"
    return [
        jwt_route("GET", base, list_providers),
        jwt_route("POST", base, create),
        jwt_route("GET", f"{base}/{{provider_id}}", get),
        jwt_route("GET", f"{base}/{{provider_id}}/tools", list_tools),
        jwt_route("PUT", f"{base}/{{provider_id}}", update),
        jwt_route("DELETE", f"{base}/{{provider_id}}", delete),
    ]


async def list_providers(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    """For everybody, endpoints included."""
    found = [provider for provider in gateway.tool_providers.values() if is_visible(provider, caller)]
    return JSONResponse({"providers": [document(provider) for provider in found]})


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    return JSONResponse({"provider": document(found(gateway, request, caller))})


async def list_tools(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """Asked of the tool server now. Raises `Refused` (502)."""
    provider = found(gateway, request, caller)
    try:
        await tool_lists.read(gateway, provider)
    except tool_lists.Unreadable as exc:
        raise sentence(502, f"Failed to fetch tools from provider: {exc}") from exc
    tools = [present(name=tool["name"], description=tool.get("description")) for tool in provider.tools]
    return JSONResponse({"providerId": provider.id, "tools": tools})


async def create(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:create")
    body = await read_fields(request)
    for name, title in [("name", "Provider name"), ("pattern", "Pattern"), ("endpoint", "Endpoint")]:
        if not isinstance(body.get(name), str) or not body[name]:
            raise sentence(400, f"{title} is required")
    auth_type = body.get("authType", "none")
    refuse_unknown_kind(auth_type)
    provider = ToolProvider(
        id=new_id(),
        name=body["name"],
        pattern=body["pattern"],
        endpoint=body["endpoint"],
        auth_type=auth_type,
        upstream_secret=text_in(body, "authSecret"),
        tenant_id=caller.tenant_id,
        priority=body.get("priority", 0),
        description=text_in(body, "description"),
    )
    gateway.tool_providers[provider.id] = provider
    return JSONResponse({"success": True, "provider": document(provider)}, 201)


async def update(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:update")
    body = await read_fields(request)
    provider = found(gateway, request, caller)
    refuse_unknown_kind(body.get("authType", provider.auth_type))
    provider.name = text_in(body, "name") or provider.name
    provider.pattern = text_in(body, "pattern") or provider.pattern
    provider.endpoint = text_in(body, "endpoint") or provider.endpoint
    provider.auth_type = body.get("authType", provider.auth_type)
    provider.upstream_secret = text_in(body, "authSecret", provider.upstream_secret)
    provider.priority = body.get("priority", provider.priority)
    provider.description = text_in(body, "description", provider.description)
    provider.is_active = bool(body.get("isActive", provider.is_active))
    provider.updated_at = now()
    tool_lists.forget(provider)
    return JSONResponse({"success": True, "provider": document(provider)})


async def delete(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:delete")
    del gateway.tool_providers[found(gateway, request, caller).id]
    return JSONResponse({"success": True, "message": "Tool provider deleted"})


def is_visible(provider: ToolProvider, caller: Caller) -> bool:
    """Providers without a tenant are everybody's; an admin without a tenant sees all."""
    sees_all = caller.tenant_id is None and "admin" in caller.roles
    return sees_all or provider.tenant_id in (None, caller.tenant_id)


def found(gateway: Gateway, request: Request, caller: Caller) -> ToolProvider:
    provider = gateway.tool_providers.get(request.path_params["provider_id"])
    if provider is None or not is_visible(provider, caller):
        raise sentence(404, "Tool provider not found")
    return provider


def refuse_unknown_kind(auth_type: Any) -> None:
    if auth_type not in KINDS:
        raise sentence(400, f"Auth type must be one of: {', '.join(KINDS)}")


def document(provider: ToolProvider) -> dict[str, Any]:
    return present(
        id=provider.id,
        tenantId=provider.tenant_id,
        name=provider.name,
        pattern=provider.pattern,
        endpoint=provider.endpoint,
        authType=provider.auth_type,
        isActive=provider.is_active,
        priority=provider.priority,
        description=provider.description,
        createdAt=iso(provider.created_at),
        updatedAt=iso_or_none(provider.updated_at),
    )
