"""The gateway's own server: every route in its dialect."""

import logging

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded import (
    agents_admin_api,
    agents_api,
    api_keys_api,
    audit_api,
    auth_api,
    confirmations_api,
    connect,
    credentials_api,
    devices_api,
    dials,
    holding,
    mcp_proxy,
    mcp_unified,
    own_tools,
    providers_api,
    rules_api,
    stream_api,
    tool_gate_api,
    tools_api,
    users_api,
)
from embedded.auth import flexible_caller, jwt_caller
from embedded.clock import iso, now
from embedded.front import Bounded, CrossOrigin, Watched
from embedded.replies import Refused, no_such_route
from embedded.routes import Door, gateway_of, open_route
from embedded.state import Gateway
from embedded.streaming import Cut

logger = logging.getLogger(__name__)

# Below these even an unknown route asks for a token first.
DOORS: dict[str, Door] = {
    "/api/v1/agents/": flexible_caller,
    "/api/v1/credentials/": flexible_caller,
    "/api/v1/mcp-proxy/": flexible_caller,
    "/api/v1/mcp/": flexible_caller,
    "/api/v1/tool-gate/": flexible_caller,
    "/api/v1/notifications/": flexible_caller,
    "/api/v1/stream/": jwt_caller,
    "/api/v1/audit/": jwt_caller,
    "/api/v1/credential-providers/": jwt_caller,
    "/api/v1/admin/": jwt_caller,
}


def gateway_app(gateway: Gateway, *, has_dials: bool) -> ASGIApp:
    dialect = gateway.dialect
    routes: list[Route] = [
        open_route("GET", "/api/health", health),
        open_route("GET", "/api", describe),
        *auth_api.routes(dialect),
        *agents_api.routes(),
        *credentials_api.routes(),
        *providers_api.routes(),
        *confirmations_api.routes(dialect),
        *stream_api.routes(dialect),
        *mcp_proxy.routes(),
        *mcp_unified.routes(),
        *tool_gate_api.routes(),
        *own_tools.routes(),
        *users_api.routes(),
        *agents_admin_api.routes(),
        *tools_api.routes(),
        *rules_api.routes(),
        *api_keys_api.routes(),
        *audit_api.routes(),
        *devices_api.routes(),
        *connect.routes(dialect),
    ]
    if has_dials:
        routes += dials.routes()
    app = Starlette(
        routes=routes,
        exception_handlers={404: unknown_route, 405: unknown_route, Exception: broken},
    )
    app.router.redirect_slashes = False
    app.state.gateway = gateway
    return CrossOrigin(Bounded(Watched(app, gateway) if has_dials else app))


async def health(gateway: Gateway, _: Request) -> JSONResponse:
    waiting = len(holding.held(gateway))
    return JSONResponse(
        {
            "status": "healthy",
            "timestamp": iso(now()),
            "version": "0.1.0",
            "services": {"gateway": "healthy", "mcp": "healthy"},
            "metrics": {"pendingConfirmations": waiting, "mcpLatency": 1},
        }
    )


async def describe(gateway: Gateway, _: Request) -> JSONResponse:
    return JSONResponse(
        {
            "name": "Simplaix Gateway",
            "version": "0.2.0",
            "description": f"Embedded stand-in of Portico, {gateway.dialect.name} dialect, state in memory",
            "authentication": {
                "jwt": "Authorization: Bearer <jwt>",
                "apiKey": "X-Api-Key: gk_xxx + X-User-Id or JWT",
            },
            "endpoints": {"health": "/api/health", "auth": "/api/v1/auth", "agents": "/api/v1/agents"},
        }
    )


async def unknown_route(request: Request, _: Exception) -> JSONResponse:
    for prefix, door in DOORS.items():
        if request.scope["path"].startswith(prefix):
            try:
                door(gateway_of(request), request)
            except Refused as refusal:
                return JSONResponse(refusal.body, refusal.status)
    return no_such_route(request)


async def broken(_: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, Cut):  # an answer that was broken off on purpose, and has begun already
        logger.error("unexpected", exc_info=exc)
    return JSONResponse({"error": "Internal Server Error", "message": str(exc)}, 500)
