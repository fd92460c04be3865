"""Confirmations over plain requests: lists, one, and the three ways to answer."""

import secrets
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import bodies, holding
from embedded.audience import may_answer
from embedded.auth import Caller
from embedded.clock import iso, now
from embedded.dialect import Dialect
from embedded.replies import Refused, read_json, sentence
from embedded.routes import flexible_route
from embedded.state import Confirmation, Gateway

STATUSES = {"pending", "confirmed", "rejected", "expired", "consumed"}
TOKEN_LIFETIME = 1800  # seconds


def routes(dialect: Dialect) -> list[Route]:
    base = dialect.confirmations
    return [
        flexible_route("GET", f"{base}/list", list_confirmations),
        flexible_route("GET", f"{base}/pending", pending),
        flexible_route("GET", f"{base}/{{confirmation_id}}", get),
        flexible_route("POST", f"{base}/{{confirmation_id}}/confirm", confirm),
        flexible_route("POST", f"{base}/{{confirmation_id}}/reject", reject),
        flexible_route("POST", f"{base}/{{confirmation_id}}/respond", respond),
    ]


async def list_confirmations(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    status = request.query_params.get("status")
    fitting = (
        record(confirmation)
        for confirmation in holding.recorded_for(gateway, caller)
        if status not in STATUSES or confirmation.status == status
    )
    found = list(islice(fitting, gateway.dialect.most_listed))
    return JSONResponse({"success": True, "confirmations": found, "count": len(found)})


async def pending(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    return JSONResponse({"data": [waiting(item) for item in holding.held_for(gateway, caller)]})


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    confirmation = find(gateway, request)
    if not may_answer(caller, confirmation):
        raise sentence(403, "Not authorized to view this confirmation request")
    return JSONResponse(held_view(confirmation) if confirmation.is_held else stored_view(confirmation))


async def confirm(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """The released gateway does not read the body: a reason given here is lost."""
    reason = await read_reason(request) if gateway.dialect.keeps_approval_reason else None
    confirmation = answerable(gateway, request, caller, "Not authorized")
    return JSONResponse(answer(gateway, confirmation, caller, confirmed=True, reason=reason))


async def reject(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    reason = await read_reason(request)
    confirmation = answerable(gateway, request, caller, "Not authorized")
    return JSONResponse(answer(gateway, confirmation, caller, confirmed=False, reason=reason))


async def respond(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    body = await read_json(request)
    confirmed = body.get("confirmed") if isinstance(body, dict) else None
    if not isinstance(confirmed, bool):
        raise sentence(400, "confirmed field is required and must be a boolean")
    refusal = "Not authorized to respond to this confirmation request"
    confirmation = answerable(gateway, request, caller, refusal)
    document = answer(gateway, confirmation, caller, confirmed=confirmed, reason=reason_in(body))
    more = {
        "confirmation_id": confirmation.id,
        "confirmed_by": caller.id,
        "timestamp": iso(confirmation.resolved_at or now()),
    }
    return JSONResponse(document | more)


def find(gateway: Gateway, request: Request) -> Confirmation:
    confirmation = gateway.confirmations.get(request.path_params["confirmation_id"])
    if confirmation is None:
        raise sentence(404, "Confirmation request not found")
    return confirmation


def answerable(gateway: Gateway, request: Request, caller: Caller, refusal: str) -> Confirmation:
    """Unknown, then already answered, then not allowed: in this order. Raises `Refused`."""
    confirmation = find(gateway, request)
    if confirmation.status != "pending" and not holding.crosses(gateway, confirmation):
        raise Refused(409, {"error": "Confirmation already resolved", "status": confirmation.status})
    if not may_answer(caller, confirmation):
        raise sentence(403, refusal)
    return confirmation


def answer(
    gateway: Gateway, confirmation: Confirmation, caller: Caller, *, confirmed: bool, reason: str | None
) -> dict[str, Any]:
    """A `confirmation_token` says that nobody was waiting any more: this answer runs nothing."""
    was_held = confirmation.is_held
    if confirmation.status != "pending":
        holding.cross(gateway, confirmation, confirmed=confirmed, by=caller.id, reason=reason)
    else:
        gateway.dials.answers[confirmation.id] = "confirm" if confirmed else "reject"
        gateway.dials.reasons[confirmation.id] = reason
        holding.settle(gateway, confirmation, confirmed=confirmed, by=caller.id, reason=reason)
    message = "Request confirmed" if confirmed else "Request rejected"
    document: dict[str, Any] = {"success": True, "message": message}
    if confirmed and not was_held:
        document |= {"confirmation_token": secrets.token_urlsafe(32), "expiresIn": TOKEN_LIFETIME}
    return document


async def read_reason(request: Request) -> str | None:
    """No body and a body that is no JSON are no reason."""
    try:
        return reason_in(bodies.read(await request.body()))
    except ValueError:
        return None


def reason_in(body: Any) -> str | None:
    reason = body.get("reason") if isinstance(body, dict) else None
    return reason if isinstance(reason, str) and reason else None


def record(confirmation: Confirmation) -> dict[str, Any]:
    """As the list shows it: flat, camelCase, absent values null."""
    return {
        "id": confirmation.record_id,
        "requestId": confirmation.id,
        "userId": confirmation.end_user_id,
        "tenantId": confirmation.tenant_id,
        "toolName": confirmation.tool,
        "arguments": confirmation.arguments,
        "risk": confirmation.risk,
        "status": confirmation.status,
        "confirmedBy": confirmation.confirmed_by,
        "reason": confirmation.reason,
        "providerId": confirmation.provider_id,
        "agentId": confirmation.agent_id,
        "endUserId": confirmation.end_user_id,
        "ruleId": confirmation.rule_id,
        "createdAt": iso(confirmation.created_at),
        "resolvedAt": iso(confirmation.resolved_at) if confirmation.resolved_at else None,
    }


def waiting(confirmation: Confirmation) -> dict[str, Any]:
    """As `pending` shows it: flat, snake_case, absent values absent; `user_id` may be the agent."""
    return {
        "id": confirmation.id,
        "tool": confirmation.tool,
        "arguments": confirmation.arguments or {},
        "risk": confirmation.risk,
        "user_id": confirmation.caller_id,
        "end_user_id": confirmation.end_user_id,
        "provider_id": confirmation.provider_id,
        **({"agent_id": confirmation.agent_id} if confirmation.agent_id else {}),
        "created_at": iso(confirmation.asked_at),
    }


def held_view(confirmation: Confirmation) -> dict[str, Any]:
    doc = waiting(confirmation)
    doc["confirmation_id"] = doc.pop("id")
    tenant = {"tenant_id": confirmation.tenant_id} if confirmation.tenant_id else {}
    return doc | {"status": "pending"} | tenant


def stored_view(confirmation: Confirmation) -> dict[str, Any]:
    """One that nobody waits on any more: `user_id` is the end user now, agent and rule may be null."""
    sometimes = {
        "arguments": confirmation.arguments,
        "resolved_at": iso(confirmation.resolved_at) if confirmation.resolved_at else None,
        "tenant_id": confirmation.tenant_id,
        "confirmed_by": confirmation.confirmed_by,
        "reason": confirmation.reason,
    }
    return {
        "confirmation_id": confirmation.id,
        "status": confirmation.status,
        "tool": confirmation.tool,
        "risk": confirmation.risk,
        "created_at": iso(confirmation.created_at),
        "user_id": confirmation.end_user_id,
        "end_user_id": confirmation.end_user_id,
        "provider_id": confirmation.provider_id,
        "agent_id": confirmation.agent_id,
        "rule_id": confirmation.rule_id,
        **{key: value for key, value in sometimes.items() if value is not None},
    }
