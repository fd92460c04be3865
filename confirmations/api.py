"""What other rooms may ask of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from accounts.models import User
from accounts.sessions import GatewaySession
from confirmations.answering import answer
from confirmations.decisions import Answerer, Given
from confirmations.identity import Identity
from confirmations.items import WITH_ITS_RUN, hash_of
from gateway import Confirmation
from gateway.errors import GatewayError


class Call(NamedTuple):
    """A tool call as an agent announced it: its tool, and the fingerprint of its arguments."""

    tool: str
    arguments: str


class Left(NamedTuple):
    """What became of the approvals that a stopped run may have waited for: names of tools."""

    stopped: list[str]
    may_go_on: list[str]


def let_go(
    user: User, kept: GatewaySession, agent_id: str, calls: Collection[Call], of_others: Collection[Call]
) -> Left:
    """Let go of what waits for these calls of a stopped run alone; name what may be its own, or another run's as well.

    Raises GatewayError when the gateway does not say what waits.
    """
    by = Answerer(user, Identity.of(user, kept), kept)
    left = Left([], [])
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
                is_over = outcome.state not in ("waiting", "approved")
                (left.stopped if is_over else left.may_go_on).append(one.tool)
            except GatewayError:
                left.may_go_on.append(one.tool)
    return left


def _may_be_of(confirmation: Confirmation, user: User, agent_id: str) -> bool:
    return confirmation.end_user == user.gateway_id and confirmation.agent_id in ("", agent_id)
