"""`/api/v1/tool-gate`: for agents that run tools themselves and only ask whether they may."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import audit, holding
from embedded.auth import Caller
from embedded.mcp_proxy import end_user_of
from embedded.policy import Verdict, judged, rules_about
from embedded.replies import read_json_as_it_comes, sentence, text_in
from embedded.routes import flexible_route
from embedded.state import Answer, AuditEntry, Gateway
from embedded.streaming import while_connected

LONGEST = 1e12  # milliseconds that a tool may have taken: thirty years


def routes() -> list[Route]:
    base = "/api/v1/tool-gate"
    return [
        flexible_route("POST", f"{base}/evaluate", evaluate),
        flexible_route("POST", f"{base}/audit", report),
    ]


async def evaluate(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """While a person is asked not a byte is sent, headers included."""
    body = await fields_of(request)
    tool, provider_id = required(body, "toolName"), required(body, "providerId")
    text_in(body, "agentId")
    end_user_id = end_user_of(gateway, request, caller)
    verdict = judged(rules_about(gateway, end_user_id, provider_id), tool)
    entry = audit.begin(gateway, caller, end_user_id, provider_id=provider_id, tool=tool, arguments=body.get("params"))
    if verdict.action == "require_confirmation":
        asking = ask(gateway, caller, entry, verdict, body)
        return await while_connected(request.receive, asking)
    if verdict.action == "deny":
        audit.refused(entry)
    decision = "denied" if verdict.action == "deny" else "allow"
    return JSONResponse({"decision": decision, "risk": verdict.risk, "auditId": entry.id})


async def ask(
    gateway: Gateway, caller: Caller, entry: AuditEntry, verdict: Verdict, body: dict[str, Any]
) -> JSONResponse:
    params = body.get("params")
    confirmation = holding.hold(
        gateway,
        caller_id=caller.id,
        end_user_id=entry.user_id,
        tenant_id=caller.tenant_id,
        agent_id=caller.agent.id if caller.agent else text_in(body, "agentId"),
        provider_id=entry.provider_id,
        tool=entry.tool,
        arguments=params if isinstance(params, dict) else None,
        risk=verdict.risk,
        rule_id=verdict.rule.id if verdict.rule else None,
    )
    entry.confirmation_id = confirmation.id
    assert confirmation.answered is not None
    waiting = asyncio.current_task()
    assert waiting is not None
    gateway.held_calls[confirmation.id] = waiting  # ends when the calls that are held are lost
    try:
        answer = await confirmation.answered
    finally:
        del gateway.held_calls[confirmation.id]
    if answer.confirmed:
        audit.ended(entry, is_done=True)
    else:
        audit.rejected(entry, answer)
    return JSONResponse(decided(answer) | {"auditId": entry.id})


def decided(answer: Answer) -> dict[str, Any]:
    if answer.confirmed:
        return {"decision": "confirmed", "confirmedBy": answer.by}
    reason = {"reason": answer.reason} if answer.reason else {}
    return {"decision": "rejected" if answer.by else "timeout", **reason}


async def report(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """What a tool has answered, for the log: for an entry of `evaluate`, or a new one."""
    body = await fields_of(request)
    duration = body.get("durationMs", 0)
    if not isinstance(duration, int | float) or abs(duration) > LONGEST:  # `audit/stats` adds them up
        raise sentence(400, "durationMs must be a number")
    entry = gateway.audit.get(str(body.get("auditId")))
    if entry is None:
        tool = required(body, "toolName", " (required when auditId is not provided)")
        provider_id = required(body, "providerId", " (required when auditId is not provided)")
        end_user_id = end_user_of(gateway, request, caller)
        entry = audit.begin(
            gateway, caller, end_user_id, provider_id=provider_id, tool=tool, arguments=body.get("params")
        )
    entry.status = "failed" if body.get("error") else "completed"
    entry.result = body.get("result")
    entry.duration = body.get("durationMs", entry.duration)
    return JSONResponse({"success": True, "auditId": entry.id})


async def fields_of(request: Request) -> dict[str, Any]:
    body = await read_json_as_it_comes(request)
    return body if isinstance(body, dict) else {}


def required(body: dict[str, Any], name: str, when: str = "") -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise sentence(400, f"Missing required field: {name}{when}")
    return value
