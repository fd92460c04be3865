"""What other rooms may ask of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from accounts.models import User
from accounts.sessions import GatewaySession
from confirmations.answering import answer
from confirmations.decisions import Answerer, Given
from confirmations.endings import tell_record
from confirmations.identity import Identity, NameBook
from confirmations.items import WITH_ITS_RUN, hash_of, state_of, verdict_of
from confirmations.models import doubt_about, with_its_reason
from confirmations.turns import is_being_answered
from gateway import Confirmation, clock
from gateway.errors import GatewayError


class Call(NamedTuple):
    """A tool call as an agent announced it: its tool, and the fingerprint of its arguments."""

    tool: str
    arguments: str


class Left(NamedTuple):
    """What became of the approvals that a stopped run may have waited for: names of tools."""

    stopped: list[str]
    approved: list[str]  # before they could be stopped
    may_go_on: list[str]


def let_go(
    user: User, kept: GatewaySession, agent_id: str, calls: Collection[Call], of_others: Collection[Call]
) -> Left:
    """Let go of what waits for these calls of a stopped run alone; name what may be its own, or another run's as well.

    Raises GatewayError when the gateway does not say what waits.
    """
    by = Answerer(user, Identity.of(user, kept), kept)
    left = Left([], [], [])
    waiting = [
        (one, Call(one.tool, hash_of(one.arguments)))
        for one in kept.gateway.pending()
        if _may_be_of(one, user, agent_id)
    ]
    times = Counter(call for _, call in waiting)
    for one, call in waiting:
        if call not in calls:
            if not calls and call not in of_others:
                left.may_go_on.append(one.tool)
        elif call in of_others or times[call] > 1 or not one.agent_id:
            left.may_go_on.append(one.tool)
        else:
            try:
                outcome = answer(by, one.id, Given(approve=False, reason=WITH_ITS_RUN))
                fate = {"waiting": left.may_go_on, "approved": left.approved}.get(outcome.state, left.stopped)
                fate.append(one.tool)
            except GatewayError:
                left.may_go_on.append(one.tool)
    return left


def tell_ended(user_id: int, agent_id: str, since: datetime, listed: Collection[Confirmation]) -> bool:
    """Tell how those calls of this agent ended that were asked for since then, by our clock, as the gateway lists it.

    False while some of them may still wait, or are being answered.
    """
    user = User.objects.get(pk=user_id)
    book = NameBook(Identity(user.gateway, user.gateway_id, user.tenant, tuple(user.roles)))
    since += clock.now(user.gateway) - timezone.now()
    calls = [one for one in listed if _may_be_of(one, user, agent_id) and one.asked_at >= since]
    book.find_people(calls)
    is_whole = True
    for call in calls:
        record = with_its_reason(user.gateway, call)
        state = state_of(record)
        if state == "waiting" or is_being_answered(user.gateway, call.id):
            is_whole = False
            continue
        doubt = doubt_about(user.gateway, record, verdict_of(record, book.names, me=""))
        tell_record(user.gateway, call, record, state, book.names, doubt)
    return is_whole


def _may_be_of(confirmation: Confirmation, user: User, agent_id: str) -> bool:
    return confirmation.end_user == user.gateway_id and confirmation.agent_id in ("", agent_id)
