"""`/api/v1/credential-providers`: the services for which people keep credentials."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import vault
from embedded.auth import Caller
from embedded.clock import iso, now
from embedded.ids import new_id
from embedded.permissions import require
from embedded.replies import read_fields, sentence, text_in
from embedded.routes import jwt_route
from embedded.state import CredentialProvider, Gateway

MASK = "********"
SECRETS = {"clientSecret"}  # members of a config that are never shown
KINDS = ["oauth2", "api_key", "jwt", "basic"]
SERVICE_TYPE = re.compile("[a-z][a-z0-9_]*")


def routes() -> list[Route]:
    base = "/api/v1/credential-providers"
    return [
        jwt_route("GET", base, list_providers),
        jwt_route("GET", f"{base}/by-service/{{service}}", by_service),
        jwt_route("POST", base, create),
        jwt_route("GET", f"{base}/{{provider_id}}", get),
        jwt_route("PUT", f"{base}/{{provider_id}}", update),
        jwt_route("DELETE", f"{base}/{{provider_id}}", delete),
    ]


async def list_providers(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    """Those that are switched on; the others are found by their id alone."""
    may_read(gateway, caller)
    tenants = (None, caller.tenant_id)
    visible = [p for p in gateway.credential_providers.values() if p.is_active and p.tenant_id in tenants]
    return JSONResponse({"providers": [document(provider) for provider in visible]})


async def by_service(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    may_read(gateway, caller)
    service = request.path_params["service"]
    tenant_id = caller.tenant_id or request.query_params.get("tenant_id")
    provider = vault.provider_for(gateway, service, tenant_id)
    if provider is None:
        raise sentence(404, f"Credential provider for service '{service}' not found")
    return JSONResponse({"provider": document(provider)})


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    may_read(gateway, caller)
    return JSONResponse({"provider": document(found(gateway, request, caller))})


async def create(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "provider:create")
    body = await read_fields(request)
    service_type, name, auth_type = body.get("serviceType"), text_in(body, "name"), body.get("authType")
    if not isinstance(service_type, str) or not service_type:
        raise sentence(400, "Service type is required")
    if not isinstance(name, str) or not name:
        raise sentence(400, "Provider name is required")
    refuse_unknown_kind(auth_type)
    if not SERVICE_TYPE.fullmatch(service_type):
        raise sentence(
            400,
            "Service type must start with a lowercase letter and contain only lowercase letters, "
            "numbers, and underscores",
        )
    tenant_id = caller.tenant_id
    for other in gateway.credential_providers.values():
        if other.service_type == service_type and other.tenant_id in (None, tenant_id):
            raise sentence(409, f"Credential provider with service type '{service_type}' already exists")
    provider = CredentialProvider(
        new_id(), service_type, name, text_in(body, "description"), str(auth_type), body.get("config"), tenant_id
    )
    gateway.credential_providers[provider.id] = provider
    doc = document(provider)
    if provider.description is None:
        del doc["description"]  # in this one answer
    return JSONResponse({"success": True, "provider": doc}, 201)


async def update(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """A secret that comes back masked is kept."""
    require(caller, "provider:update")
    body = await read_fields(request)
    provider = found(gateway, request, caller)
    if "authType" in body:
        refuse_unknown_kind(body["authType"])
        provider.auth_type = body["authType"]
    provider.name = text_in(body, "name") or provider.name
    provider.description = text_in(body, "description", provider.description)
    provider.is_active = bool(body.get("isActive", provider.is_active))
    if "config" in body:
        provider.config = unmasked(body["config"], provider.config)
    provider.updated_at = now()
    return JSONResponse({"success": True, "provider": document(provider)})


async def delete(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """What people have stored stays in their lists, as of a service `unknown`."""
    require(caller, "provider:delete")
    del gateway.credential_providers[found(gateway, request, caller).id]
    return JSONResponse({"success": True, "message": "Credential provider deleted"})


def found(gateway: Gateway, request: Request, caller: Caller) -> CredentialProvider:
    provider = gateway.credential_providers.get(request.path_params["provider_id"])
    if provider is None or provider.tenant_id not in (None, caller.tenant_id):
        raise sentence(404, "Credential provider not found")
    return provider


def refuse_unknown_kind(auth_type: Any) -> None:
    if auth_type not in KINDS:
        raise sentence(400, f"Auth type must be one of: {', '.join(KINDS)}")


def may_read(gateway: Gateway, caller: Caller) -> None:
    if not gateway.dialect.everyone_reads_providers:
        require(caller, "provider:read")


def document(provider: CredentialProvider) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "id": provider.id,
        "serviceType": provider.service_type,
        "name": provider.name,
        "description": provider.description,
        "authType": provider.auth_type,
        "isActive": provider.is_active,
        "createdAt": iso(provider.created_at),
    }
    if provider.tenant_id:
        doc["tenantId"] = provider.tenant_id
    if provider.config is not None:
        doc["config"] = masked(provider.config)
    if provider.updated_at:
        doc["updatedAt"] = iso(provider.updated_at)
    return doc


def masked(config: dict[str, Any]) -> dict[str, Any]:
    """A copy in which no secret can be read."""
    return {name: masked_member(name, value) for name, value in config.items()}


def masked_member(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return masked(value)
    return MASK if name in SECRETS and value else value


def unmasked(given: Any, kept: Any) -> Any:
    """The given config, with the kept secret wherever the mask came back."""
    if given == MASK:
        return kept
    if isinstance(given, dict):
        old = kept if isinstance(kept, dict) else {}
        return {name: unmasked(value, old.get(name)) for name, value in given.items()}
    return given
