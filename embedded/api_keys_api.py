"""`/api/v1/admin/api-keys`: keys with which servers call for people."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller
from embedded.clock import iso, iso_or_none, moment_in
from embedded.ids import new_id
from embedded.permissions import require_role
from embedded.replies import read_fields, sentence
from embedded.routes import jwt_route
from embedded.state import ApiKey, Gateway

SCOPES = ["credentials:resolve", "credentials:read", "credentials:write"]
SCOPES_UNSAID = ["credentials:resolve"]
MESSAGE = "API key created. Store this key securely — it will not be shown again!"


def routes() -> list[Route]:
    base = "/api/v1/admin/api-keys"
    return [
        jwt_route("POST", base, create),
        jwt_route("GET", base, list_keys),
        jwt_route("DELETE", f"{base}/{{key_id}}", revoke),
    ]


async def create(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """The key is shown this once."""
    require_role(caller, "admin", "tenant_admin")
    body = await read_fields(request)
    name, scopes = body.get("name"), body.get("scopes") or SCOPES_UNSAID
    if not isinstance(name, str) or not name:
        raise sentence(400, "API key name is required")
    for scope in scopes:
        if scope not in SCOPES:
            raise sentence(400, f"Invalid scope: {scope}. Valid scopes: {', '.join(SCOPES)}")
    try:
        expires_at = moment_in(str(body["expiresAt"])) if body.get("expiresAt") else None
    except ValueError as exc:
        raise sentence(400, "Invalid expiresAt") from exc
    secret = f"gk_{secrets.token_urlsafe(24)}"
    key = ApiKey(new_id(), secret, name, tuple(scopes), caller.id, caller.tenant_id, expires_at)
    gateway.api_keys[key.id] = key
    return JSONResponse({"success": True, "message": MESSAGE, "key": secret, "keyRecord": document(key)}, 201)


async def list_keys(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    """Those of every tenant, whoever asks."""
    require_role(caller, "admin", "tenant_admin")
    keys = [document(key) | {"lastUsedAt": iso_or_none(key.last_used_at)} for key in gateway.api_keys.values()]
    return JSONResponse({"keys": keys, "count": len(keys)})


async def revoke(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """It stays on the list. A second time is no error."""
    require_role(caller, "admin", "tenant_admin")
    key = gateway.api_keys.get(request.path_params["key_id"])
    if key is None:
        raise sentence(404, "API key not found")
    key.is_active = False
    return JSONResponse({"success": True, "message": "API key revoked"})


def document(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "keyPrefix": key.key[:7],
        "name": key.name,
        "scopes": list(key.scopes),
        "createdBy": key.created_by,
        "tenantId": key.tenant_id,
        "isActive": key.is_active,
        "createdAt": iso(key.created_at),
        "expiresAt": iso_or_none(key.expires_at),
    }
