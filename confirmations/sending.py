"""Approvals of one person that Portico keeps and has not sent yet: what the bar on the desk's pages shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.text import capfirst

from accounts.characters import shown
from accounts.models import User
from confirmations.answering import cancel
from confirmations.decisions import Answerer
from confirmations.models import Hold
from confirmations.standing import held
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Kept:
    confirmation_id: str
    tool: str
    sends_in: float  # seconds


@dataclass(frozen=True, slots=True)
class Sending:
    kept: list[Kept]  # can be cancelled; the first to be sent comes first
    under_way: int = 0  # are being sent
    sent: int = 0  # of those that were asked about: the gateway took them
    cancelled: int = 0  # of the same
    whys: tuple[str, ...] = ()  # why, a sentence each, unless this person took them back
    others: tuple[str, ...] = ()  # of those that came to something else, a sentence each kind
    of: tuple[str, ...] = ()  # ids of the calls that were asked about; none: all that is not sent yet

    @property
    def sends_in(self) -> float:
        """Seconds until the first one is sent."""
        return self.kept[0].sends_in if self.kept else 0.0

    @property
    def is_over(self) -> bool:
        return not self.kept and not self.under_way


def sending(user: User, of: Collection[str] = ()) -> Sending:
    """Of these calls the last approval each, by this person; else all their approvals that are on their way."""
    holds = Hold.objects.filter(gateway=user.gateway, user=user).select_related("user", "process")
    holds = holds.filter(confirmation_id__in=of) if of else holds.filter(state__in=Hold.OPEN)
    last = {hold.confirmation_id: hold for hold in holds.order_by("pk")}
    states = {id: _state(hold) for id, hold in last.items()}
    kept = [hold for id, hold in last.items() if states[id] == "waiting"]
    now = timezone.now()
    count = list(states.values()).count
    return Sending(
        kept=[
            Kept(hold.confirmation_id, shown(hold.tool), max(0.0, (hold.sends_at - now).total_seconds()))
            for hold in sorted(kept, key=lambda hold: hold.sends_at)
        ],
        under_way=count("sending"),
        sent=count("sent"),
        cancelled=count("cancelled") if of else 0,
        whys=_whys(user, [hold for id, hold in last.items() if states[id] == "cancelled"]) if of else (),
        others=_others([hold for id, hold in last.items() if states[id] == "other"]),
        of=tuple(of),
    )


def _state(hold: Hold) -> str:
    """ "other": its turn came, and the gateway had an answer already, or did not say whether it took this one."""
    if hold.state == Hold.State.SENT:
        return "other" if hold.why else "sent"
    return held(hold).state


def _whys(user: User, cancelled: Iterable[Hold]) -> tuple[str, ...]:
    found = dict.fromkeys(held(hold).why for hold in cancelled)
    return tuple(f"{capfirst(why)}." for why in found if why != shown(f"{user.distinct_name} took it back"))


def _others(holds: Iterable[Hold]) -> tuple[str, ...]:
    number = Counter(shown(hold.why) for hold in holds)
    return tuple(f"{count} other{'s' if count > 1 else ''}: {why}." for why, count in number.items())


def cancel_each(by: Answerer, ids: Collection[str]) -> tuple[int, int]:
    """Take these approvals back: how many were, and how many it was too late for."""
    late = 0
    for confirmation_id in ids:
        try:
            cancel(by, confirmation_id)
        except GatewayError:  # whatever is the matter with one, the others are about to be sent
            late += 1
    return len(ids) - late, late
