"""What Portico itself knows of calls that wait: an approval held back, who looks into it, a first approval."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from django.db.models.functions import Now
from django.utils import timezone

from accounts import bus, processes
from accounts.characters import shown
from accounts.models import User
from agents.api import left_behind
from confirmations.items import OWN_REQUEST, hash_as_shown
from confirmations.models import Claim, FirstApproval, Hold
from gateway import Confirmation

PROCESS_DIED = "the process of Portico that kept it died"
PROCESS_SILENT = "the process of Portico that kept it has not been heard of since"
PROCESS_FAILED = "Portico failed to send it"
FROM_BEFORE = timedelta(minutes=1)  # a hold that names no process, of a Portico that was replaced, is left by then
HOLD = "hold"


@dataclass(frozen=True, slots=True)
class By:
    person: str  # the gateway's id
    name: str  # with nothing hidden in it

    def named(self, me: str, asker: str = "") -> str:
        """ "you", or the name, marked where it is the asker's own; `me` is the id of whoever reads it."""
        if self.person == me:
            return "you"
        return f"{self.name}{OWN_REQUEST}" if self.person == asker else self.name


@dataclass(frozen=True, slots=True)
class Held(By):
    """An approval that the gateway is not known to have taken: not yet, or never."""

    state: Literal["waiting", "sending", "cancelled", "unknown"]
    given_at: datetime
    sends_at: datetime
    why: str  # it was cancelled, or is not known to have arrived: without a full stop

    @property
    def is_on_its_way(self) -> bool:
        return self.state in ("waiting", "sending")


@dataclass(frozen=True, slots=True)
class Claimed(By):
    until: datetime


@dataclass(frozen=True, slots=True)
class ApprovedFirst(By):
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    hold: Held | None = None
    claim: Claimed | None = None
    first: ApprovedFirst | None = None
    is_left: bool = False  # the run that asked for it broke off: known for Portico's own runs alone


def standings(gateway: str, calls: Collection[Confirmation]) -> dict[str, Standing]:
    """By id, of those among the calls that have any; a few queries, however many calls."""
    rows = {"gateway": gateway, "confirmation_id__in": [call.id for call in calls]}
    holds = Hold.objects.filter(**rows).select_related("user", "process").order_by("pk")
    last = {hold.confirmation_id: hold for hold in holds}  # one that was cancelled before is an old story
    found = {
        confirmation_id: Standing(hold=held(hold))
        for confirmation_id, hold in last.items()
        if hold.state != Hold.State.SENT or hold.why
    }
    for claim in Claim.objects.filter(**rows, until__gt=Now()).select_related("user"):
        now = found.get(claim.confirmation_id, Standing())
        found[claim.confirmation_id] = replace(now, claim=Claimed(*_by(claim.user), claim.until))
    by_id = {call.id: call for call in calls}
    for first in FirstApproval.objects.filter(**rows).select_related("user"):
        if not first.is_of(hash_as_shown(by_id[first.confirmation_id])):
            continue
        now = found.get(first.confirmation_id, Standing())
        found[first.confirmation_id] = replace(now, first=ApprovedFirst(*_by(first.user), first.at))
    for confirmation_id in left_behind(gateway, calls):
        found[confirmation_id] = replace(found.get(confirmation_id, Standing()), is_left=True)
    return found


def held(hold: Hold) -> Held:
    by = _by(hold.user)
    if hold.state == Hold.State.SENDING:
        return Held(*by, "sending", hold.given_at, hold.sends_at, "")
    why = shown(hold.why)
    if hold.state == Hold.State.SENT:
        return Held(*by, "unknown", hold.given_at, hold.sends_at, why)
    if hold.state == Hold.State.WAITING and not (why := why_left(hold)):
        return Held(*by, "waiting", hold.given_at, hold.sends_at, "")
    return Held(*by, "cancelled", hold.given_at, hold.sends_at, why)


def why_left(hold: Hold) -> str:
    """Why nobody sends this hold any more, though it is open; empty while its process sees to it."""
    process = hold.process
    if process is None:
        return PROCESS_DIED if hold.sends_at < timezone.now() - FROM_BEFORE else ""
    if process.pk == processes.my_id():
        return "" if processes.is_in_hand(HOLD, hold.gateway, hold.confirmation_id) else PROCESS_FAILED
    if processes.is_gone(process):
        return PROCESS_DIED
    return PROCESS_SILENT if processes.is_silent(process) else ""


def _by(user: User) -> tuple[str, str]:
    return user.gateway_id, shown(user.distinct_name)


def tell(gateway: str, confirmation_id: str) -> None:
    """Every hub that shows this call, in any process, shows it anew. From any thread."""
    bus.tell("standing", [gateway, confirmation_id])
