"""`/api/v1/admin/provider-access`: which person or agent may call which tools."""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller
from embedded.clock import iso, iso_or_none, now
from embedded.ids import new_id
from embedded.permissions import require
from embedded.policy import judged, rules_about
from embedded.replies import read_fields, sentence, text_in
from embedded.routes import jwt_route
from embedded.state import Gateway, Rule

SUBJECTS = ["user", "agent"]
ACTIONS = ["allow", "deny", "require_confirmation"]
RISKS = ["low", "medium", "high", "critical"]


def routes() -> list[Route]:
    base = "/api/v1/admin/provider-access"
    return [
        jwt_route("GET", base, list_rules),
        jwt_route("POST", base, create),
        jwt_route("POST", f"{base}/evaluate", evaluate),
        jwt_route("GET", f"{base}/by-provider/{{provider_id}}", by_provider),
        jwt_route("GET", f"{base}/agent/{{agent_id}}", of_agent),
        jwt_route("PUT", f"{base}/agent/{{agent_id}}", replace_of_agent),
        jwt_route("GET", f"{base}/{{rule_id}}", get),
        jwt_route("PUT", f"{base}/{{rule_id}}", update),
        jwt_route("DELETE", f"{base}/{{rule_id}}", delete),
    ]


async def list_rules(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:read")
    asked = request.query_params
    rules = [
        rule
        for rule in newest_first(gateway, caller)
        if asked.get("provider_id") in (None, rule.provider_id)
        and asked.get("subject_id") in (None, rule.subject_id)
        and asked.get("subject_type") in (None, rule.subject_type)
    ]
    return JSONResponse({"rules": [document(rule) for rule in rules]})


async def by_provider(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """Grouped by tools."""
    require(caller, "provider:read")
    provider_id = request.path_params["provider_id"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for rule in newest_first(gateway, caller):
        if rule.provider_id == provider_id:
            groups.setdefault(rule.tool_pattern, []).append(document(rule))
    listed = [{"toolPattern": pattern, "rules": rules} for pattern, rules in groups.items()]
    return JSONResponse({"providerId": provider_id, "groups": listed})


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:read")
    return JSONResponse({"rule": document(found(gateway, request, caller))})


async def create(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:update")
    body = await read_fields(request)
    if body.get("subjectType") not in SUBJECTS:
        raise sentence(400, f"subjectType must be one of: {', '.join(SUBJECTS)}")
    if not isinstance(body.get("subjectId"), str) or not body["subjectId"]:
        raise sentence(400, "subjectId is required")
    rule = wished(gateway, body, caller, (body["subjectType"], body["subjectId"]), now())
    gateway.rules.append(rule)
    return JSONResponse({"success": True, "rule": document(rule)}, 201)


async def update(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:update")
    body = await read_fields(request)
    rule = found(gateway, request, caller)
    refuse_unknown_words({"action": rule.action, **body})
    rule.action = body.get("action", rule.action)
    rule.tool_pattern = text_in(body, "toolPattern") or rule.tool_pattern
    rule.risk = body.get("riskLevel", rule.risk)
    rule.confirmation_mode = text_in(body, "confirmationMode", rule.confirmation_mode)
    rule.description = text_in(body, "description", rule.description)
    rule.updated_at = now()
    return JSONResponse({"success": True, "rule": document(rule)})


async def delete(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:update")
    gateway.rules.remove(found(gateway, request, caller))
    return JSONResponse({"success": True, "message": "Access rule deleted"})


async def of_agent(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:update")
    return JSONResponse(rules_of_agent(gateway, caller, request.path_params["agent_id"]))


async def replace_of_agent(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """All of an agent's rules at once."""
    require(caller, "provider:update")
    given = (await read_fields(request)).get("rules")
    if not isinstance(given, list):
        raise sentence(400, "rules must be an array")
    agent_id, moment = request.path_params["agent_id"], now()
    new = [wished(gateway, fields, caller, ("agent", agent_id), moment) for fields in given if isinstance(fields, dict)]
    gateway.rules = [rule for rule in gateway.rules if not is_of_agent(rule, caller, agent_id)] + new
    return JSONResponse(rules_of_agent(gateway, caller, agent_id))


async def evaluate(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """What would become of a call. Without any rule the built-in defaults answer; the proxy refuses."""
    require(caller, "provider:read")
    body = await read_fields(request)
    user_id, provider_id, tool = (body.get(name) for name in ("userId", "providerId", "toolName"))
    if not user_id or not provider_id or not tool:
        raise sentence(400, "userId, providerId, and toolName are required")
    verdict = judged(rules_about(gateway, str(user_id), str(provider_id)), str(tool))
    return JSONResponse(
        {
            "action": verdict.action,
            "risk": verdict.risk,
            "matchedRule": document(verdict.rule) if verdict.rule else None,
        }
    )


def wished(
    gateway: Gateway, fields: dict[str, Any], caller: Caller, subject: tuple[str, str], moment: datetime
) -> Rule:
    """The rule that the fields describe. Raises `Refused`."""
    refuse_unknown_words(fields)
    provider_id = fields.get("providerId")
    if not provider_id:
        raise sentence(400, "providerId is required")
    if provider_id != "*" and provider_id not in gateway.tool_providers:
        raise sentence(404, f"Tool provider '{provider_id}' not found")
    return Rule(
        new_id(),
        *subject,
        provider_id,
        fields["action"],
        text_in(fields, "toolPattern") or "*",
        fields.get("riskLevel"),
        caller.tenant_id,
        text_in(fields, "confirmationMode"),
        text_in(fields, "description"),
        moment,
    )


def refuse_unknown_words(fields: dict[str, Any]) -> None:
    if fields.get("action") not in ACTIONS:
        raise sentence(400, f"action must be one of: {', '.join(ACTIONS)}")
    if fields.get("riskLevel") not in (None, *RISKS):
        raise sentence(400, f"riskLevel must be one of: {', '.join(RISKS)}")
    if fields.get("confirmationMode") not in (None, "always", "never"):
        raise sentence(400, 'confirmationMode must be "always" or "never"')


def newest_first(gateway: Gateway, caller: Caller) -> list[Rule]:
    """Those of the caller's tenant; all for an admin without one."""
    sees_all = caller.tenant_id is None and "admin" in caller.roles
    own = [rule for rule in gateway.rules if sees_all or rule.tenant_id == caller.tenant_id]
    return sorted(own, key=lambda rule: rule.created_at, reverse=True)


def is_of_agent(rule: Rule, caller: Caller, agent_id: str) -> bool:
    return rule.tenant_id == caller.tenant_id and (rule.subject_type, rule.subject_id) == ("agent", agent_id)


def rules_of_agent(gateway: Gateway, caller: Caller, agent_id: str) -> dict[str, Any]:
    rules = [rule for rule in newest_first(gateway, caller) if is_of_agent(rule, caller, agent_id)]
    return {"agentId": agent_id, "rules": [document(rule) for rule in rules]}


def found(gateway: Gateway, request: Request, caller: Caller) -> Rule:
    for rule in newest_first(gateway, caller):
        if rule.id == request.path_params["rule_id"]:
            return rule
    raise sentence(404, "Access rule not found")


def document(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        **({"tenantId": rule.tenant_id} if rule.tenant_id else {}),
        "subjectType": rule.subject_type,
        "subjectId": rule.subject_id,
        "providerId": rule.provider_id,
        "action": rule.action,
        "toolPattern": rule.tool_pattern,
        "confirmationMode": rule.confirmation_mode,
        "riskLevel": rule.risk,
        "description": rule.description,
        "createdAt": iso(rule.created_at),
        "updatedAt": iso_or_none(rule.updated_at),
    }
