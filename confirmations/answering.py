"""What Portico asks of an answer before the gateway hears of it."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.characters import shown
from confirmations import claims, holds, standing
from confirmations.decisions import Answerer, Given, Outcome, as_held, decide, gone, sort_of
from confirmations.hub import decided
from confirmations.items import hash_as_shown, hash_of, state_of
from confirmations.models import FirstApproval, Hold
from confirmations.record import Evidence, Kind, record
from confirmations.threads import WRITING, blocks
from confirmations.turns import NotTaken, alone
from gateway import Confirmation
from gateway.errors import NotFound

CHANGED = "This call changed since it was shown to you. Please look again."


class Changed(NotTaken):
    def __init__(self) -> None:
        super().__init__(CHANGED)


def answer(by: Answerer, confirmation_id: str, given: Given) -> Outcome:
    """Raises NotTaken, NotAllowed, SignedOut, and GatewayUnavailable when nothing was sent."""
    try:
        with alone(by.identity.gateway, confirmation_id) as turn:
            try:
                asked = by.reads(confirmation_id)
            except NotFound:
                return gone()
            if state_of(asked) == "waiting":
                asked = as_held(by, asked, given)
            if state_of(asked) == "waiting":
                check(by, asked, given)
                if not given.approve:
                    _take_back(by, asked)
                elif kept := _kept(by, asked, given):
                    return kept
            return decide(by, asked, given, turn)
    finally:
        decided(by.identity.gateway, confirmation_id)


@blocks(WRITING)
def check(by: Answerer, asked: Confirmation, given: Given) -> None:
    """Raises NotTaken. That a call changed holds back an approval alone: a rejection is safe, whatever it is of."""
    if given.approve and given.seen and given.seen != hash_as_shown(asked):
        raise Changed
    if given.approve and given.arguments_hash is not None and given.arguments_hash != hash_of(asked.arguments):
        raise Changed
    if given.sort is not None and given.sort != sort_of(asked):
        raise NotTaken("This call is not of one kind with the others. Please open it.")
    if given.approve or holds.open_hold(by.identity.gateway, asked.id) is None:
        claims.refuse(by, asked)  # but a rejection by anyone stops an approval that is kept
    if not given.approve:
        return
    if asked.risk == "critical":
        missing = []  # all of it is said at once: time runs
        if given.tool_name.strip() not in (asked.tool.strip(), shown(asked.tool)):
            missing.append(f"To approve a critical call, please type the name of its tool: {shown(asked.tool)}")
        if not given.reason:
            missing.append("Please say why: a reason is needed to approve a critical call.")
        if missing:
            raise NotTaken(" · ".join(missing), 400)


@blocks(WRITING)
def _kept(by: Answerer, asked: Confirmation, given: Given) -> Outcome | None:
    """What is said of an approval that is not sent yet; None when it is to be sent at once."""
    hold = holds.open_hold(by.identity.gateway, asked.id)
    if hold is not None:
        who = "You have" if hold.user_id == by.user.pk else f"{shown(hold.user.distinct_name)} has"
        sentence = f"{who} approved this already; it is about to be sent."
        return replace(_not_yet(asked, sentence, is_news=False), is_kept=hold.user_id == by.user.pk)
    if needs_two(asked.risk) and _is_first(by, asked, given):
        return _not_yet(asked, "Your approval is kept. It is sent when another person approves this call as well.")
    seconds = holds.seconds_for(asked, by)
    if not seconds:
        return None
    holds.keep(by, asked, given, seconds)
    sentence = f"Approved: {shown(asked.tool)}. It is sent in {seconds:g} seconds, unless you cancel it."
    return replace(_not_yet(asked, sentence), is_kept=True)


def _not_yet(asked: Confirmation, sentence: str, *, is_news: bool = True) -> Outcome:
    return Outcome(asked, "waiting", "", sentence, "success" if is_news else "info")


def needs_two(risk: str) -> bool:
    return risk in settings.APPROVAL_TWO_PEOPLE


def _is_first(by: Answerer, asked: Confirmation, given: Given) -> bool:
    """Whether this was the first of two approvals. Raises NotTaken when it may be neither of them."""
    if asked.end_user == by.identity.person:
        raise NotTaken("Two people have to approve this call, and neither can be the one who asked for it: you.")
    call = hash_as_shown(asked)
    there = FirstApproval.objects.filter(gateway=by.identity.gateway, confirmation_id=asked.id)
    try:
        with transaction.atomic():
            for first in there.select_related("user"):
                if not first.is_of(call):
                    _set_aside(first, asked)
            FirstApproval.objects.create(
                gateway=by.identity.gateway, confirmation_id=asked.id, user=by.user, shown=call
            )
            record(
                by.user,
                Evidence.of(asked),
                approve=True,
                reason=given.reason,
                kind=Kind.FIRST,
                outcome="first of two approvals",
                shown=given.seen,
            )
    except IntegrityError:  # there is one
        if there.filter(user=by.user).exists():
            raise NotTaken("You have approved this call; another person has to approve it as well.") from None
        return False
    standing.tell(by.identity.gateway, asked.id)
    return True


def _set_aside(first: FirstApproval, asked: Confirmation) -> None:
    """What was approved was another call: the next approval is the first one of this."""
    first.delete()
    record(
        first.user,
        Evidence.of(asked),
        approve=True,
        reason="",
        kind=Kind.CANCELLED,
        outcome=f"cancelled before it was sent: {holds.CALL_CHANGED}",
    )


@blocks(WRITING)
def _take_back(by: Answerer, asked: Confirmation) -> None:
    """A rejection by anyone undoes approvals that the gateway has not heard of, as does a stop of what asked."""
    hold = holds.open_hold(by.identity.gateway, asked.id)
    if hold is not None:
        did = "rejected the call" if by.session is not None else "stopped the answer that asked for it"
        holds.cancel(hold, f"{by.user.distinct_name} {did}")
    FirstApproval.objects.filter(gateway=by.identity.gateway, confirmation_id=asked.id).delete()


def cancel(by: Answerer, confirmation_id: str) -> str:
    """Take one's own approval back: a sentence. Raises NotTaken."""
    hold = holds.open_hold(by.identity.gateway, confirmation_id)
    if hold is None and (taken_back := _take_back_first(by, confirmation_id)):
        return taken_back
    if hold is None:
        raise NotTaken("There is no approval to cancel: it was sent or cancelled before.")
    if hold.user_id != by.user.pk:
        by.gateway.confirmation(confirmation_id)  # who may not see the call learns nothing of the hold
        raise NotTaken(
            f"Only {shown(hold.user.distinct_name)} can cancel this approval. You can reject the call instead.", 403
        )
    if not holds.cancel(hold, f"{by.user.distinct_name} took it back"):
        raise NotTaken("It is too late to cancel: the approval is being sent.")
    Hold.objects.filter(pk=hold.pk).update(is_told=True)
    return f"Cancelled: your approval of {shown(hold.tool)} was not sent."


def _take_back_first(by: Answerer, confirmation_id: str) -> str:
    """Take one's own first of two approvals back: a sentence; empty where there is none."""
    mine = FirstApproval.objects.filter(gateway=by.identity.gateway, confirmation_id=confirmation_id, user=by.user)
    if not mine.exists():
        return ""
    with alone(by.identity.gateway, confirmation_id):
        asked = by.reads(confirmation_id)
        with transaction.atomic():
            if not mine.delete()[0]:
                return ""
            record(
                by.user,
                Evidence.of(asked),
                approve=True,
                reason="",
                kind=Kind.CANCELLED,
                outcome=f"cancelled before it was sent: {by.user.distinct_name} took the first of two approvals back",
            )
    standing.tell(by.identity.gateway, confirmation_id)
    return f"Taken back: your approval of {shown(asked.tool)} counts no more."
