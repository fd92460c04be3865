"""`/api/v1/credential-providers`, the side that is read."""

import copy
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded import vault
from embedded.auth import Caller
from embedded.clock import iso
from embedded.permissions import require
from embedded.replies import sentence
from embedded.routes import jwt_route
from embedded.state import CredentialProvider, Gateway

MASK = "********"


def routes() -> list[Route]:
    base = "/api/v1/credential-providers"
    return [
        jwt_route("GET", base, list_providers),
        jwt_route("GET", f"{base}/by-service/{{service}}", by_service),
        jwt_route("GET", f"{base}/{{provider_id}}", get),
    ]


async def list_providers(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    may_read(gateway, caller)
    visible = [p for p in gateway.credential_providers.values() if p.tenant_id in (None, caller.tenant_id)]
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
    provider = gateway.credential_providers.get(request.path_params["provider_id"])
    if provider is None or provider.tenant_id not in (None, caller.tenant_id):
        raise sentence(404, "Credential provider not found")
    return JSONResponse({"provider": document(provider)})


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
    return doc


def masked(config: dict[str, Any]) -> dict[str, Any]:
    config = copy.deepcopy(config)
    if "clientSecret" in config.get("oauth2", {}):
        config["oauth2"]["clientSecret"] = MASK
    return config
