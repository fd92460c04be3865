"""Tool calls that a run left unanswered: what it waited for when it ended, or waits for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from django.utils import timezone

from agents.approvals import CLOCKS
from agents.models import Run
from agents.pieces import fingerprint_of
from agents.transcript import every
from gateway import Confirmation, clock
from gateway.canonical import fingerprint


def unanswered(run: Run) -> set[tuple[str, str]]:
    """Tool and fingerprint of the arguments of each call that has no result."""
    return {
        (part["name"], fingerprint_of(part["arguments"]))
        for part in every(run.parts)
        if part["kind"] == "tool" and part["result"] is None
    }


def left_behind(gateway: str, waiting: Collection[Confirmation]) -> set[str]:
    """Ids of those calls whose run broke off, so that nobody waits for them: as far as runs of Portico tell.

    Not those that an open run may have made as well, such as one that retries.
    """
    ahead = clock.now(gateway) - timezone.now()
    asked = [replace(one, asked_at=one.asked_at - ahead) for one in waiting if one.agent_id]
    if not asked:
        return set()
    runs = Run.objects.filter(
        message__conversation__user__gateway=gateway,
        message__conversation__user__gateway_id__in={one.end_user for one in asked},
        message__conversation__agent_id__in={one.agent_id for one in asked},
    ).select_related("message__conversation__user")
    over = runs.filter(status__in=Run.BROKEN_OFF, ended_at__gt=min(one.asked_at for one in asked) - CLOCKS)
    left = [(_caller(run), unanswered(run), run.ended_at) for run in over]
    if not any(calls for _, calls, _ in left):
        return set()
    going_on = [(_caller(run), unanswered(run)) for run in runs.filter(status__in=Run.OPEN)]
    found = set()
    for one in asked:
        who, call = (one.end_user, one.agent_id), (one.tool, _fingerprint(one))
        broke_off = any(
            who == caller and call in calls and ended and ended > one.asked_at - CLOCKS for caller, calls, ended in left
        )
        if broke_off and not any(who == caller and call in calls for caller, calls in going_on):
            found.add(one.id)
    return found


def _fingerprint(call: Confirmation) -> str:
    try:
        return fingerprint(call.arguments)
    except RecursionError:
        return ""


def _caller(run: Run) -> tuple[str, str]:
    conversation = run.message.conversation
    return conversation.user.gateway_id, conversation.agent_id
