"""`/api/v1/audit`: the log of tool calls, and numbers about it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller
from embedded.clock import iso, iso_or_none, moment_in
from embedded.permissions import require_role
from embedded.replies import present, sentence
from embedded.routes import jwt_route
from embedded.state import AuditEntry, Gateway

PAGE = 100
COUNTED = 1000  # the latest entries, for the numbers
STATUSES = ["pending", "completed", "failed", "confirmed", "rejected"]


def routes() -> list[Route]:
    base = "/api/v1/audit"
    return [
        jwt_route("GET", f"{base}/logs", list_entries),
        jwt_route("GET", f"{base}/logs/{{entry_id}}", get),
        jwt_route("GET", f"{base}/stats", stats),
    ]


async def list_entries(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """Newest first. `total` is the size of this page."""
    asked = request.query_params
    is_admin = "admin" in caller.roles
    user_id = asked.get("user_id") if is_admin else caller.id
    tenant_id = asked.get("tenant_id") or (caller.tenant_id if is_admin else None)
    try:
        start, end = (moment_in(asked[name]) if asked.get(name) else None for name in ("start_date", "end_date"))
    except ValueError as exc:
        raise sentence(500, "Failed to query audit logs") from exc
    found = [
        entry
        for entry in reversed(gateway.audit.values())
        if user_id in (None, entry.user_id)
        and tenant_id in (None, entry.tenant_id)
        and asked.get("tool_name") in (None, entry.tool)
        and asked.get("status") in (None, entry.status)
        and (start is None or entry.created_at >= start)
        and (end is None or entry.created_at <= end)
    ]
    limit, offset = number_in(asked.get("limit", str(PAGE))), number_in(asked.get("offset", "0"))
    page = found[max(offset or 0, 0) :]
    page = page if limit is None or limit < 0 else page[:limit]
    return JSONResponse(
        {
            "data": [document(entry) for entry in page],
            "pagination": {"limit": limit, "offset": offset, "total": len(page)},
        }
    )


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """One's own; for admins any, of other tenants too."""
    entry = gateway.audit.get(request.path_params["entry_id"])
    if entry is None:
        raise sentence(404, "Audit log not found")
    if caller.id != entry.user_id and "admin" not in caller.roles:
        raise sentence(403, "Access denied")
    return JSONResponse({"data": document(entry)})


async def stats(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    require_role(caller, "admin")
    seen = [e for e in reversed(gateway.audit.values()) if caller.tenant_id in (None, e.tenant_id)][:COUNTED]
    by_status = {status: sum(entry.status == status for entry in seen) for status in STATUSES}
    spent = sum(entry.duration or 0 for entry in seen)
    average = spent / len(seen) if seen else 0
    return JSONResponse({"data": {"total": len(seen), "byStatus": by_status, "avgDuration": average}})


def number_in(text: str) -> int | None:
    """None when it is none: then there is no limit, and null stands in its place."""
    try:
        return int(text)
    except ValueError:
        return None


def document(entry: AuditEntry) -> dict[str, Any]:
    return present(
        id=entry.id,
        userId=entry.user_id,
        tenantId=entry.tenant_id,
        agentId=entry.agent_id,
        endUserId=entry.user_id,
        providerId=entry.provider_id,
        toolName=entry.tool,
        arguments=entry.arguments,
        result=entry.result,
        confirmationId=entry.confirmation_id,
        status=entry.status,
        duration=entry.duration,
        createdAt=iso(entry.created_at),
        completedAt=iso_or_none(entry.completed_at),
    )
