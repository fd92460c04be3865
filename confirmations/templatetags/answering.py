"""What somebody can do about a call that waits, and what stands in the way: for `confirmations/_answer.html`."""

from __future__ import annotations

from dataclasses import dataclass, field

from django import template
from django.template import Context
from django.utils import timezone

from accounts.models import User
from confirmations.answering import needs_two
from confirmations.items import Item
from confirmations.record import is_first_approval_of
from confirmations.sending import sending
from confirmations.standing import Standing

register = template.Library()

BINDS = "This rule is Portico's own: the gateway takes one approval, also from elsewhere."


@dataclass(slots=True)
class May:
    """All of it allowed, unless something stands in the way: `notes`, a sentence each."""

    approve: bool = True
    reject: bool = True
    cancel: bool = False  # one's own approval, before it is sent
    is_first: bool = False  # that is the first of two
    claim: bool = True
    release: bool = False
    take_over: bool = False
    sends_in: float | None = None  # seconds
    sending: str = ""  # that it is being sent, a sentence
    notes: list[str] = field(default_factory=list)
    warning: str = ""


@register.simple_tag(takes_context=True)
def what_is_possible(context: Context, item: Item) -> May:
    user = context["user"]
    assert isinstance(user, User)
    me, standing, may = user.gateway_id, item.standing or Standing(), May()
    if standing.is_left:
        may.notes.append(
            "The run that asked for this is over: nobody waits for the answer, and approving it still runs it."
        )
    _hold(may, standing, me)
    if (claim := standing.claim) and claim.person == me:
        may.claim, may.release = False, True
        may.notes.append(f"You look into this until {claim.until:%H:%M:%S} UTC; others leave it to you until then.")
    elif claim:
        may.approve = may.claim = False
        may.reject = may.sends_in is not None  # a rejection by anyone stops an approval that is kept
        may.take_over = user.reviews_a_tenant
        may.notes.append(f"{claim.name} is looking into this until {claim.until:%H:%M:%S} UTC.")
    if needs_two(item.risk) and not (standing.hold and standing.hold.is_on_its_way):
        _two(may, item, standing, me)
    if item.time_left == "0:00":
        may.approve = may.reject = may.claim = False
    return may


@register.inclusion_tag("confirmations/_sending.html", takes_context=True)
def sending_bar(context: Context) -> dict[str, object]:
    user = context["user"]
    assert isinstance(user, User)
    return {"sending": sending(user)}


@register.simple_tag(takes_context=True)
def approval_in_vain(context: Context, item: Item) -> str:
    """What became of this person's own approval of a call that was decided otherwise; empty where there was none."""
    user = context["user"]
    assert isinstance(user, User)
    hold = item.standing.hold if item.standing else None
    if hold and hold.person == user.gateway_id:
        match hold.state:
            case "cancelled":
                return f"Your approval was cancelled before it was sent: {hold.why}."
            case "waiting" if item.state != "approved":
                return "Your approval had not been sent, and is not sent any more."
            case "unknown" if item.state != "approved":
                return f"What became of your approval: {hold.why}."
        return ""
    if item.state in ("rejected", "stopped") and is_first_approval_of(user, item.id):
        return "Your approval, the first of two, was not sent."
    return ""


def _hold(may: May, standing: Standing, me: str) -> None:
    hold = standing.hold
    if hold is None:
        return
    who = "You" if hold.person == me else hold.name
    if hold.state == "cancelled":
        whose = "Your" if hold.person == me else f"{hold.name}'s"
        may.warning = f"{whose} approval was cancelled before it was sent: {hold.why}."
        return
    if hold.state == "unknown":
        mine = f"Your approval may not have arrived. {hold.why}."
        may.warning = mine if hold.person == me else f"{who} approved this, and it is not known whether that arrived."
        return
    may.approve = may.claim = False
    may.cancel = hold.person == me and hold.state == "waiting"
    if hold.state == "sending":
        may.reject = False
        may.sending = f"{who} approved this; it is being sent."
        return
    may.sends_in = max(0.0, round((hold.sends_at - timezone.now()).total_seconds(), 1))
    may.notes.append(f"{who} approved this. Until it is sent, a rejection by anyone still stops it.")


def _two(may: May, item: Item, standing: Standing, me: str) -> None:
    first = standing.first
    if item.end_user == me:
        may.approve = False
        may.notes.append(f"Two people other than you, who asked for it, have to approve this. {BINDS}")
    elif first and first.person == me:
        may.approve = may.claim = False
        may.cancel = may.is_first = True
        may.notes.append(f"You approved this; it is sent when another person approves it, too. {BINDS}")
    elif first:
        may.notes.append(f"{first.name} approved this; your approval is the second one, and sends it. {BINDS}")
    else:
        may.notes.append(f"Two people have to approve this; yours would be the first approval. {BINDS}")
