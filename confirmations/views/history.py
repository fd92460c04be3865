"""What was decided through Portico."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.requests import SignedInRequest, signed_in
from confirmations.identity import Identity
from confirmations.items import shown
from confirmations.models import Decision

LATEST = 200  # decisions on the page


@signed_in
@require_GET
def history(request: SignedInRequest) -> HttpResponse:
    """One's own decisions; for an admin of a tenant, those of the tenant."""
    identity = Identity.of(request.user, request.kept)
    mine = Q(user=request.user)
    if identity.reviews:
        mine |= Q(tenant=identity.tenant)
    found = Decision.objects.filter(mine, gateway=identity.gateway).select_related("user")[:LATEST]
    decisions = [
        {
            "tool": shown(one.tool),
            "at": one.at,
            "who": "You" if one.user_id == request.user.pk else str(one.user),
            "decision": "approved" if one.approve else "rejected",
            "reason": shown(one.reason),
            "answer": _with_capital(one.outcome) + (", but nothing ran" if one.ran is False else ""),
            "id": one.confirmation_id,
        }
        for one in found
    ]
    context = {"decisions": decisions, "latest": LATEST if len(decisions) == LATEST else 0}
    return render(request, "confirmations/history.html", context)


def _with_capital(text: str) -> str:
    return text[:1].upper() + text[1:]
