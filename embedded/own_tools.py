"""The gateway's own tool provider, on every list: the management tools, which no rule opens to anybody."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.replies import sentence
from embedded.routes import open_route
from embedded.state import Gateway, ToolProvider

MANAGEMENT = "__gateway_management__"
TOOLS = [
    "list_agents",
    "get_agent",
    "create_agent",
    "update_agent",
    "delete_agent",
    "toggle_agent",
    "list_tool_providers",
    "create_tool_provider",
    "update_tool_provider",
    "delete_tool_provider",
    "list_pending_confirmations",
    "confirm_request",
    "reject_request",
    "get_audit_logs",
    "get_audit_stats",
    "list_access_policies",
    "create_access_policy",
    "evaluate_tool_policy",
    "get_access_policy",
    "update_access_policy",
    "delete_access_policy",
]


def routes() -> list[Route]:
    base = "/api/v1/mcp-server"
    return [open_route("GET", f"{base}/health", health), open_route("POST", f"{base}/mcp", refuse)]


def add_own_tools(gateway: Gateway) -> None:
    gateway.tool_providers[MANAGEMENT] = ToolProvider(
        MANAGEMENT,
        "Gateway Management",
        "*",
        f"{gateway.url}/api/v1/mcp-server/mcp",
        "bearer",
        None,
        None,
        description="Built-in gateway management tools (agents, confirmations, audit, policies)",
    )


async def health(_: Gateway, __: Request) -> JSONResponse:
    return JSONResponse(
        {
            "status": "healthy",
            "server": "simplaix-gateway-mcp",
            "version": "0.1.0",
            "connected": False,
            "tools": TOOLS,
        }
    )


async def refuse(_: Gateway, __: Request) -> JSONResponse:
    """It takes a secret of the gateway's own, and no person's token."""
    raise sentence(401, "Unauthorized")
