"""What a person has connected, what agents still need, and deleting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from accounts.requests import SignedInRequest, signed_in
from agents.api import known_agents
from credentials.forms import KINDS
from credentials.managing import may_read
from credentials.services import card, is_expired, needs
from gateway import Credential, Gateway, clock
from gateway.errors import GatewayError, NotAllowed, NotFound, SignedOut

EXPIRES_SOON = timedelta(days=3)

Expiry = Literal["", "soon", "expired", "unknown"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table Credentials."""

    id: str
    name: str
    kind: str  # for people; empty where the gateway does not tell this person
    connected_at: datetime | None
    expires_at: datetime | None
    expiry: Expiry


@signed_in
@require_GET
def vault(request: SignedInRequest) -> HttpResponse:
    try:
        stored = request.gateway.credentials()
        needed = needs(request.gateway, known_agents(request))
    except SignedOut:
        raise
    except GatewayError as problem:
        told = {"problem": problem.message, "sees_services": may_read(request.kept.roles)}
        return render(request, "credentials/vault.html", told, status=problem.status)
    kinds = _kinds(request.gateway) if stored else {}
    context = {
        "credentials": [_row(request.gateway, credential, kinds.get(credential.service, "")) for credential in stored],
        "missing": [
            card(
                request.gateway,
                need.missing,
                agent_id=need.agents[0].id,
                next_page=request.path,
                needed_by=[agent.name for agent in need.agents],
            )
            for need in needed
        ],
        "sees_services": may_read(request.kept.roles),
        "unreadable": unreadable_sentence(stored.unreadable),
        "unknown": unknown_sentence(needed.unknown),
    }
    return render(request, "credentials/vault.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def delete(request: SignedInRequest, credential_id: str) -> HttpResponse:
    own = {credential.id: credential for credential in request.gateway.credentials()}
    credential = own.get(credential_id)
    if request.method == "GET" and credential is not None:
        return render(request, "credentials/delete.html", {"credential": credential})
    if request.method == "GET":
        messages.warning(request, "There is no such credential among yours; it may be deleted already.")
        return redirect("credentials:vault")
    try:
        request.gateway.delete_credential(credential_id)
    except NotFound:
        messages.info(request, "That credential was gone already.")
    except NotAllowed:
        messages.error(request, "The gateway refused: that credential is not yours to delete.")
    else:
        messages.success(request, f"{credential.name if credential else 'The credential'} is deleted.")
    return redirect("credentials:vault")


def unreadable_sentence(number: int) -> str:
    """Empty where everything could be read."""
    if not number:
        return ""
    return ngettext("%(number)d credential could not be read.", "%(number)d credentials could not be read.", number) % {
        "number": number
    }


def unknown_sentence(number: int) -> str:
    """Empty where the gateway told what each agent needs."""
    if not number:
        return ""
    return ngettext(
        "What %(number)d agent still needs is not known right now.",
        "What %(number)d agents still need is not known right now.",
        number,
    ) % {"number": number}


def _kinds(gateway: Gateway) -> dict[str, str]:
    """{service type: kind for people}, empty for people who may not read it."""
    try:
        return {service.service: KINDS.get(service.kind, "") for service in gateway.services()}
    except SignedOut:
        raise
    except GatewayError:
        return {}


def _row(gateway: Gateway, credential: Credential, kind: str) -> Row:
    expiry: Expiry = "unknown" if credential.expires_unknown else ""
    if is_expired(gateway, credential):
        expiry = "expired"
    elif credential.expires_at and credential.expires_at - clock.now(gateway.url) <= EXPIRES_SOON:
        expiry = "soon"
    return Row(credential.id, credential.name, kind, credential.created_at, credential.expires_at, expiry)
