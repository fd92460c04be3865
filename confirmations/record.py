"""Portico's record of decisions: the one way in, and what of it somebody may read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from confirmations.chain import FACTS, LATER_FACTS, sealed
from confirmations.identity import Identity
from confirmations.items import hash_of
from confirmations.models import ChainHead, Decision
from gateway import Confirmation
from gateway.types import REVIEWER

Kind = Decision.Kind
DECIDED_ON = ("tool", "arguments_hash", "risk", "agent_id", "end_user", "provider_id")
"""What of the evidence an approval is given to: where any of it is another, so is the call. Names alone are not."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the record keeps of the call that was decided on. All texts: `asdict` of it may be kept as JSON."""

    confirmation_id: str
    tool: str
    arguments_hash: str
    risk: str
    agent_id: str
    agent_name: str
    end_user: str
    tenant: str
    end_user_name: str = ""
    provider_id: str = ""
    provider_name: str = ""

    @classmethod
    def of(cls, call: Confirmation) -> Self:
        return cls(
            confirmation_id=call.id,
            tool=call.tool,
            arguments_hash=hash_of(call.arguments),
            risk=call.risk,
            agent_id=call.agent_id,
            agent_name=call.agent_name,
            end_user=call.end_user,
            tenant=call.tenant,
            end_user_name=call.end_user_name,
            provider_id=call.provider_id,
            provider_name=call.provider_name,
        )


def record(
    user: User,
    call: Evidence,
    *,
    approve: bool,
    reason: str,
    kind: Kind,
    outcome: str,
    said: str = "",
    shown: str = "",
    ran: bool | None = None,
    at: datetime | None = None,
) -> Decision:
    """Append a decision to the chain, for good.

    `outcome` says in words what became of it, `said` what the gateway answered; `shown` is the hash of the item as it
    was shown (`items.hash_as_shown`); `ran` is False where an approval found nobody waiting; `at` is when it was
    decided, where that is not now.
    """
    with transaction.atomic():
        # The lock of this row, or on SQLite the one that every transaction begins with: one writer at a time.
        head = ChainHead.objects.select_for_update().get()
        decision = Decision(
            number=head.number + 1,
            at=at or timezone.now(),
            gateway=user.gateway,
            user=user,
            who=user.gateway_id,
            who_name=storable(user.distinct_name),
            approve=approve,
            reason=storable(reason),
            confirmation_id=call.confirmation_id,
            tool=storable(call.tool),
            risk=call.risk,
            arguments_hash=call.arguments_hash,
            shown=shown,
            agent_id=storable(call.agent_id),
            agent_name=storable(call.agent_name),
            end_user=storable(call.end_user),
            end_user_name=storable(call.end_user_name),
            tenant=storable(call.tenant),
            provider_id=storable(call.provider_id),
            provider_name=storable(call.provider_name),
            kind=kind.value,
            outcome=storable(outcome),
            ran=ran,
            said=storable(said),
            before=head.hash,
        )
        decision.hash = sealed({name: getattr(decision, name) for name in (*FACTS, *LATER_FACTS)})
        decision.save(force_insert=True)
        head.number, head.hash = decision.number, decision.hash
        head.save()
    return decision


def storable(text: str) -> str:
    """Databases refuse half a character pair, and PostgreSQL a NUL: an agent may write both."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")


def is_first_approval_of(user: User, confirmation_id: str) -> bool:
    """Whether this person gave the first of two approvals, and did not take it back."""
    mine = Decision.objects.filter(gateway=user.gateway, confirmation_id=confirmation_id, user=user)
    last = mine.filter(kind__in=(Kind.FIRST, Kind.CANCELLED)).order_by("-number").first()
    return last is not None and last.kind == Kind.FIRST


def visible_to(identity: Identity) -> QuerySet[Decision]:
    """What the gateway would let them see: what they asked for, and for an admin the calls of exactly their tenant."""
    allowed = Q(end_user=identity.person)
    if REVIEWER in identity.roles:
        allowed |= Q(tenant=identity.tenant)  # none equals none
    return Decision.objects.filter(allowed, gateway=identity.gateway)
