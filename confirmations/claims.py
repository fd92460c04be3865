"""Claims: somebody looks into a call, and the others of Portico leave it to them for two minutes."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.characters import shown
from confirmations import standing
from confirmations.decisions import Answerer
from confirmations.items import state_of
from confirmations.models import Claim
from confirmations.turns import NotTaken
from gateway import Confirmation

LASTS = timedelta(minutes=2)


def claim(by: Answerer, confirmation_id: str, *, take_over: bool = False) -> str:
    """A sentence for whoever claims. Raises NotTaken, and what the gateway says to those who may not see the call."""
    asked = by.gateway.confirmation(confirmation_id)
    if state_of(asked) != "waiting":
        raise NotTaken("This was already resolved, so there is nothing left to look into.")
    there = Claim.objects.filter(gateway=by.identity.gateway, confirmation_id=confirmation_id)
    until = timezone.now() + LASTS
    free = there if take_over and by.identity.reviews else there.filter(Q(user=by.user) | Q(until__lte=Now()))
    if not free.update(user=by.user, until=until):
        try:
            with transaction.atomic():
                Claim.objects.create(
                    gateway=by.identity.gateway, confirmation_id=confirmation_id, user=by.user, until=until
                )
        except IntegrityError:
            refuse(by, asked)
    standing.tell(by.identity.gateway, confirmation_id)
    return "This is yours for two minutes. Others can see that you look into it."


def release(by: Answerer, confirmation_id: str) -> str:
    Claim.objects.filter(gateway=by.identity.gateway, confirmation_id=confirmation_id, user=by.user).delete()
    standing.tell(by.identity.gateway, confirmation_id)
    return "Released: anybody may answer this."


def refuse(by: Answerer, asked: Confirmation) -> None:
    """Raises NotTaken while somebody else has claimed this call."""
    others = Claim.objects.filter(gateway=by.identity.gateway, confirmation_id=asked.id, until__gt=Now())
    found = others.exclude(user=by.user).select_related("user").first()
    if found is not None:
        advice = " You can take it over." if by.identity.reviews else ""
        raise NotTaken(
            f"{shown(found.user.distinct_name)} is looking into this until {found.until:%H:%M:%S} UTC.{advice}"
        )


def end_those_over() -> None:
    """Claims end by themselves; whoever shows them is told."""
    for over in Claim.objects.filter(until__lte=Now()):
        if Claim.objects.filter(pk=over.pk, until__lte=Now()).delete()[0]:
            standing.tell(over.gateway, over.confirmation_id)
