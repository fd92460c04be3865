"""`/api/v1/credentials`: one's own vault."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import vault
from embedded.auth import Caller
from embedded.clock import iso, moment_in
from embedded.permissions import require_scope
from embedded.replies import read_json, sentence
from embedded.routes import flexible_route
from embedded.state import Credential, CredentialProvider, Gateway


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of credential that can be stored, with what the refusals call it."""

    auth_type: str
    field: str
    missing: str
    spelled: str


TOKEN = Kind("jwt", "token", "Token is required", "JWT")
API_KEY = Kind("api_key", "apiKey", "API key is required", "API key")


def routes() -> list[Route]:
    base = "/api/v1/credentials"
    return [
        flexible_route("GET", base, list_credentials),
        flexible_route("POST", f"{base}/jwt", store_token),
        flexible_route("POST", f"{base}/apikey", store_api_key),
        flexible_route("POST", f"{base}/resolve", resolve),
        flexible_route("GET", f"{base}/check/{{service}}", check),
        flexible_route("DELETE", f"{base}/{{credential_id}}", delete),
        flexible_route("GET", f"{base}/oauth/{{service}}/auth", oauth_start),
        flexible_route("GET", f"{base}/oauth/{{service}}/callback", oauth_callback),
    ]


async def list_credentials(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    own = [credential for credential in gateway.credentials.values() if credential.person_id == caller.id]
    return JSONResponse({"credentials": [listed(gateway, credential) for credential in own]})


async def store_token(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    return await store(gateway, request, caller, TOKEN)


async def store_api_key(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    return await store(gateway, request, caller, API_KEY)


async def store(gateway: Gateway, request: Request, caller: Caller, kind: Kind) -> JSONResponse:
    body = await read_json(request)
    body = body if isinstance(body, dict) else {}
    named = body.get(gateway.dialect.stores_by)
    if not isinstance(named, str) or not named:
        by_id = gateway.dialect.stores_by == "providerId"
        raise sentence(400, "Provider ID is required" if by_id else "Service type is required")
    secret = body.get(kind.field)
    if not isinstance(secret, str) or not secret:
        raise sentence(400, kind.missing)
    provider = named_provider(gateway, named, caller)
    if provider.auth_type != kind.auth_type:
        message = f"Service '{provider.service_type}' does not use {kind.spelled} authentication"
        raise sentence(400, message)
    credential = vault.store(gateway, caller.id, provider, secret, expires_at=read_expiry(body))
    return JSONResponse({"success": True, "credential": summary(gateway, credential, created=True)}, 201)


def named_provider(gateway: Gateway, named: str, caller: Caller) -> CredentialProvider:
    if gateway.dialect.stores_by == "serviceType":
        return configured(gateway, named, caller)
    provider = gateway.credential_providers.get(named)
    if provider is None or not provider.is_active or provider.tenant_id not in (None, caller.tenant_id):
        raise sentence(404, "Credential provider not found")
    return provider


def read_expiry(body: dict[str, Any]) -> datetime | None:
    if not body.get("expiresAt"):
        return None
    try:
        return moment_in(str(body["expiresAt"]))
    except ValueError as exc:
        raise sentence(500, "Failed to store credential") from exc


async def resolve(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require_scope(caller, "credentials:resolve")
    body = await read_json(request)
    wanted = body.get("serviceTypes") if isinstance(body, dict) else None
    if not isinstance(wanted, list) or not wanted:
        raise sentence(400, "Service types array is required")
    resolved = vault.resolve(gateway, caller, [str(service) for service in wanted])
    return JSONResponse({"credentials": resolved.secrets, "missing": resolved.missing, "authUrls": resolved.auth_urls})


async def check(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require_scope(caller, "credentials:resolve")
    provider = vault.provider_for(gateway, request.path_params["service"], caller.tenant_id)
    if provider is None:
        return JSONResponse({"hasCredential": False, "authUrl": None, "provider": None})
    credential = vault.stored(gateway, caller.id, provider)
    if credential:
        found = summary(gateway, credential) | {"isExpired": credential.is_expired}
        return JSONResponse({"hasCredential": True, "credential": found})
    return JSONResponse(
        {
            "hasCredential": False,
            "authUrl": vault.check_url(gateway, caller.id, provider),
            "provider": {"name": provider.name, "authType": provider.auth_type},
        }
    )


async def delete(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    credential = gateway.credentials.get(request.path_params["credential_id"])
    if credential is None:
        raise sentence(404, "Credential not found")
    if credential.person_id != caller.id:
        raise sentence(403, "Unauthorized")
    del gateway.credentials[credential.id]
    return JSONResponse({"success": True, "message": "Credential deleted"})


async def oauth_start(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    provider = configured(gateway, request.path_params["service"], caller)
    if provider.auth_type != "oauth2":
        raise sentence(400, f"Service '{provider.service_type}' does not use OAuth authentication")
    oauth = (provider.config or {}).get("oauth2")
    if not oauth:
        raise sentence(500, "OAuth configuration not found for this provider")
    raise sentence(
        501,
        "OAuth flow not yet implemented",
        message="Please configure OAuth credentials manually or wait for OAuth support",
        provider={
            "serviceType": provider.service_type,
            "name": provider.name,
            "authorizationUrl": oauth.get("authorizationUrl"),
        },
    )


async def oauth_callback(_: Gateway, request: Request, __: Caller) -> JSONResponse:
    error = request.query_params.get("error")
    if error:
        raise sentence(400, f"OAuth error: {error}")
    params = {
        "serviceType": request.path_params["service"],
        "code": "***",
        "state": request.query_params.get("state"),
    }
    raise sentence(501, "OAuth callback not yet implemented", params=params)


def configured(gateway: Gateway, service: str, caller: Caller) -> CredentialProvider:
    provider = vault.provider_for(gateway, service, caller.tenant_id)
    if provider is None:
        raise sentence(404, f"No credential provider configured for service '{service}'")
    return provider


def summary(gateway: Gateway, credential: Credential, *, created: bool = False) -> dict[str, Any]:
    provider = gateway.credential_providers.get(credential.provider_id)
    doc: dict[str, Any] = {
        "id": credential.id,
        "serviceType": provider.service_type if provider else "unknown",
        "providerName": provider.name if provider else "Unknown",
    }
    if credential.expires_at:
        doc["expiresAt"] = iso(credential.expires_at)
    if created:
        doc["createdAt"] = iso(credential.created_at)
    return doc


def listed(gateway: Gateway, credential: Credential) -> dict[str, Any]:
    doc = summary(gateway, credential, created=True) | {"hasRefreshToken": False}
    if credential.updated_at:
        doc["updatedAt"] = iso(credential.updated_at)
    if credential.scopes:
        doc["scopes"] = list(credential.scopes)
    return doc
