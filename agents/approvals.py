"""How the approvals that tool calls waited for ended: kept when it was known, and shown on the step that asked.

A gateway does not say which call of which answer an approval is about. Tool, arguments, agent and person tell, and the
time: it is found once, when the approval ends or at the latest with its answer, and kept with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from accounts import bus
from accounts.models import User
from agents.models import Approval, Run
from agents.pieces import NO_APPROVALS, Approvals, fingerprint_of, state_of_call
from agents.transcript import Part, every
from confirmations.signals import tell_pages
from gateway import clock
from gateway.types import writable

CLOCKS = timedelta(seconds=5)  # by which the gateway's clock and ours may still differ
State = Approval.State
ENDED = "approval ended"  # as the bus calls it


@dataclass(frozen=True, slots=True)
class Ended:
    """What is known of a call that waited, once it waits no longer."""

    gateway: str
    confirmation_id: str
    tool: str
    arguments_hash: str
    agent_id: str  # empty: the gateway does not say which agent called
    end_user: str
    asked_at: datetime  # by the gateway's clock
    state: str
    at: datetime
    who: str = ""  # the gateway's id
    who_name: str = ""
    reason: str = ""
    note: str = ""  # what else is to be said of it, a sentence without its full stop


def keep(ended: Ended, *, is_first_hand: bool) -> None:
    """Keep it, once; whoever gave the answer knows more than whoever read of it. Then the open answer shows it."""
    user = User.objects.filter(gateway=ended.gateway, gateway_id=ended.end_user).first()
    if user is None:
        return  # nobody of Portico asked
    facts: dict[str, Any] = asdict(ended)
    facts |= {name: writable(value) for name, value in facts.items() if isinstance(value, str)}
    del facts["gateway"], facts["end_user"], facts["confirmation_id"]
    facts["asked_at"] -= clock.now(ended.gateway) - timezone.now()
    facts["is_own"] = ended.who == ended.end_user
    with transaction.atomic():
        row, is_new = Approval.objects.get_or_create(user=user, confirmation_id=ended.confirmation_id, defaults=facts)
        if not is_new and not is_first_hand and row.state != State.LOST:
            return
        for name, value in facts.items():
            setattr(row, name, value)
        if row.run_id is None:
            _find_step(row)
        row.save()
    transaction.on_commit(partial(_kept, row))


def _kept(row: Approval) -> None:
    """An answer that ended at the same moment has saved its calls by now, or looks for this once it has."""
    if row.run_id is None:
        _find_step(row)
        if row.run_id is not None:
            Approval.objects.filter(pk=row.pk, run=None).update(run=row.run_id, step=row.step)
    _tell(row)


def _tell(row: Approval) -> None:
    bus.tell(ENDED, _payload(row))
    if row.run is not None and not row.run.is_open:  # nobody follows it any more
        tell_pages(row.user_id, conversation=str(row.run.message.conversation_id))


def _find_step(row: Approval) -> None:
    runs = Run.objects.filter(message__conversation__user=row.user, created_at__lte=row.asked_at + CLOCKS)
    runs = runs.filter(Q(status__in=Run.OPEN) | Q(ended_at__gte=row.asked_at - CLOCKS))
    if row.agent_id:
        runs = runs.filter(message__conversation__agent_id=row.agent_id)
    asked_at = row.asked_at

    def is_doubtful(run: Run) -> bool:
        """Whether only clocks that differ would have it asked within this run."""
        return run.created_at > asked_at or (run.ended_at is not None and run.ended_at < asked_at)

    for run in sorted(runs.order_by("created_at"), key=is_doubtful):
        taken = set(Approval.objects.filter(run=run).values_list("step", flat=True))
        if step := step_of(row, run.parts, taken):
            row.run, row.step = run, step
            return


def step_of(approval: Approval, parts: Iterable[Part], taken: Collection[str]) -> str:
    """The id of the tool call that it was about; empty where there is none. One that told such an end comes first."""
    calls = [
        part
        for part in every(parts)
        if part["kind"] == "tool"
        and part["name"] == approval.tool
        and part["id"] not in taken
        and fingerprint_of(part["arguments"]) == approval.arguments_hash
    ]
    agreeing = (part for part in calls if part["result"] is not None and _agrees(part, approval))
    unanswered = (part for part in calls if part["result"] is None)
    first = next(agreeing, None) or next(unanswered, None) or next(iter(calls), None)
    return first["id"] if first else ""


def _agrees(part: Part, approval: Approval) -> bool:
    was_refused = state_of_call(part, {}, NO_APPROVALS, is_open=False) in ("rejected", "timed out")
    return was_refused == (approval.state in (State.REJECTED, State.TIMED_OUT, State.STOPPED))


def settle(run_id: UUID, parts: Sequence[Part], *, has_ended: bool = False) -> Approvals:
    """Those of a run that ends now, or has just ended, with those that ended before its call was told."""
    run = Run.objects.select_related("message__conversation").defer("parts").get(id=run_id)
    conversation = run.message.conversation
    mine = Q(agent_id="") | Q(agent_id=conversation.agent_id)
    left = Approval.objects.filter(mine, user=conversation.user_id, run=None, asked_at__gte=run.created_at - CLOCKS)
    taken = set(Approval.objects.filter(run=run).values_list("step", flat=True))
    for row in left.order_by("asked_at"):
        if step := step_of(row, parts, taken):
            taken.add(step)
            Approval.objects.filter(pk=row.pk, run=None).update(run=run, step=step)
            if has_ended:
                tell_pages(conversation.user_id, conversation=str(conversation.id))
    return of_runs([run_id]).get(run_id, NO_APPROVALS)


def of_runs(run_ids: Collection[UUID]) -> Mapping[UUID, Approvals]:
    """By run, and by the id of the tool call; one query, however many runs."""
    found: dict[UUID, dict[str, Approval]] = {}
    for row in Approval.objects.filter(run__in=run_ids):
        assert row.run_id is not None
        found.setdefault(row.run_id, {})[row.step] = row
    return found


def _payload(row: Approval) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in Approval.FACTS}
    times = {name: getattr(row, name).isoformat() for name in ("asked_at", "at")}
    return {**facts, **times, "user_id": row.user_id, "run_id": str(row.run_id) if row.run_id else None}


def of_payload(payload: Mapping[str, Any]) -> Approval:
    """As another process told of it; not to be saved."""
    times = {name: datetime.fromisoformat(payload[name]) for name in ("asked_at", "at")}
    return Approval(**{**payload, **times, "run_id": UUID(payload["run_id"]) if payload["run_id"] else None})


def as_json(approvals: Approvals) -> list[dict[str, Any]]:
    """For an export."""
    return [
        {
            "call": step,
            "confirmation": one.confirmation_id,
            "page": reverse("confirmations:detail", args=[one.confirmation_id]),
            "state": one.state,
            "by": {"id": one.who, "name": one.who_name} if one.who else None,
            "reason": one.reason,
            "note": one.note,
            "at": one.at.isoformat(),
        }
        for step, one in approvals.items()
    ]
