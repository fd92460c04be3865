"""Stop: the upstream is closed at once, and what the run was waiting for does not go on without it."""

from __future__ import annotations

from asgiref.sync import async_to_sync

from accounts.models import User, cut
from accounts.sessions import GatewaySession
from agents import runs
from agents.left import unanswered
from agents.models import LONGEST_PROBLEM, Run
from confirmations.api import Call, let_go
from gateway.errors import GatewayError


def stop(user: User, kept: GatewaySession, run: Run) -> str:
    """Stop a run; gives a sentence about what became of its approvals, or may still go on, where there is one."""
    async_to_sync(runs.stop)(run.id)
    run.refresh_from_db()
    if run.is_open:
        return "It is not stopped yet: the process that works on it does not answer. What it does may still go on."
    if run.status != Run.Status.STOPPED:
        return ""  # it had ended by itself
    sentence = _sentence(user, kept, run)
    if sentence:
        Run.objects.filter(id=run.id).update(problem=cut(f"Stopped by you. {sentence}", LONGEST_PROBLEM))
    return sentence


def _sentence(user: User, kept: GatewaySession, run: Run) -> str:
    agent_id = run.message.conversation.agent_id
    calls = open_calls(run)
    others = Run.objects.filter(
        status__in=Run.OPEN, message__conversation__user=user, message__conversation__agent_id=agent_id
    ).exclude(id=run.id)
    try:
        left = let_go(user, kept, agent_id, calls, {call for other in others for call in open_calls(other)})
    except GatewayError:
        return "Whether an approval still waits for it cannot be said: the gateway did not answer." if calls else ""
    told = []
    if left.stopped:
        told.append(f"Stopped with it: {', '.join(left.stopped)}.")
    if left.approved:
        told.append(f"Approved before, and may have run: {', '.join(left.approved)}.")
    if left.may_go_on:
        told.append(f"May still wait for an approval, and run once it is given: {', '.join(left.may_go_on)}.")
    return " ".join(told)


def open_calls(run: Run) -> set[Call]:
    """The tool calls of a run that have no result."""
    return {Call(*call) for call in unanswered(run)}
