"""People's credentials: what is stored, what is missing, and where to get it."""

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from embedded.auth import Caller
from embedded.clock import now
from embedded.ids import new_id
from embedded.state import Credential, CredentialProvider, Gateway, Ticket

TICKET_LIFETIME = 600  # seconds


@dataclass(frozen=True, slots=True)
class Resolved:
    secrets: dict[str, str]  # by service type
    missing: list[str]
    auth_urls: dict[str, str]


def provider_for(gateway: Gateway, service_type: str, tenant_id: str | None) -> CredentialProvider | None:
    """The switched-on provider of a service that people of this tenant find."""
    return next(
        (
            provider
            for provider in gateway.credential_providers.values()
            if provider.service_type == service_type and provider.is_active and provider.tenant_id in (None, tenant_id)
        ),
        None,
    )


def stored(gateway: Gateway, person_id: str, provider: CredentialProvider) -> Credential | None:
    return next(
        (
            credential
            for credential in gateway.credentials.values()
            if credential.person_id == person_id and credential.provider_id == provider.id
        ),
        None,
    )


def store(
    gateway: Gateway,
    person_id: str,
    provider: CredentialProvider,
    secret: str,
    *,
    expires_at: datetime | None = None,
    scopes: tuple[str, ...] = (),
) -> Credential:
    """Storing again replaces the secret and keeps the id, and the old expiry when none is given."""
    credential = stored(gateway, person_id, provider)
    if credential is None:
        credential = Credential(new_id(), person_id, provider.id, secret, scopes, expires_at)
        gateway.credentials[credential.id] = credential
        return credential
    credential.secret = secret
    credential.updated_at = now()
    if expires_at:
        credential.expires_at = expires_at
    if scopes:
        credential.scopes = scopes
    return credential


def resolve(gateway: Gateway, caller: Caller, service_types: Iterable[str]) -> Resolved:
    resolved = Resolved({}, [], {})
    for service_type in service_types:
        provider = provider_for(gateway, service_type, caller.tenant_id)
        credential = stored(gateway, caller.id, provider) if provider else None
        if credential and not credential.is_expired:
            resolved.secrets[service_type] = credential.secret
            continue
        resolved.missing.append(service_type)
        if provider:
            resolved.auth_urls[service_type] = auth_url(gateway, caller.id, provider)
    return resolved


def auth_url(gateway: Gateway, person_id: str, provider: CredentialProvider) -> str:
    """Where a person gets this credential."""
    if gateway.dialect.sends_tickets:
        ticket = issue_ticket(gateway, person_id, provider.service_type)
        return f"{gateway.url}/auth/connect?service={provider.service_type}&ticket={ticket}"
    config = provider.config or {}
    if "connectUrl" in config:
        return str(config["connectUrl"])
    if provider.auth_type == "oauth2" and config.get("oauth2", {}).get("authorizationUrl"):
        return f"/api/v1/credentials/oauth/{provider.service_type}/auth"
    return f"/auth/connect?service={provider.service_type}"


def check_url(gateway: Gateway, person_id: str, provider: CredentialProvider) -> str:
    """The same in `check`, which does not know the OAuth routes."""
    if gateway.dialect.sends_tickets:
        return auth_url(gateway, person_id, provider)
    connect_url = (provider.config or {}).get("connectUrl")
    return str(connect_url or f"/auth/connect?service={provider.service_type}")


def issue_ticket(gateway: Gateway, person_id: str, service_type: str) -> str:
    clock = asyncio.get_running_loop().time()
    for old in [key for key, ticket in gateway.tickets.items() if ticket.expires_at <= clock]:
        del gateway.tickets[old]
    key = secrets.token_urlsafe(24)
    gateway.tickets[key] = Ticket(person_id, service_type, clock + TICKET_LIFETIME)
    return key


def redeem_ticket(gateway: Gateway, key: str, service_type: str) -> str | None:
    """The person of a ticket, once; None when it is unknown, used, too old, or for another service."""
    ticket = gateway.tickets.pop(key, None)
    if ticket is None or ticket.service_type != service_type:
        return None
    return ticket.person_id if ticket.expires_at > asyncio.get_running_loop().time() else None
