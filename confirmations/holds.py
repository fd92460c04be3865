"""Approvals that are kept for a moment, so that they can be taken back.

The process that took one sends it; when that process dies, it is never sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from dataclasses import asdict
from datetime import timedelta
from typing import TypeVar

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import User
from accounts.sessions import lasts, name_of, watch_end
from confirmations import standing
from confirmations.characters import shown
from confirmations.decisions import Answerer, Given, as_held, decide
from confirmations.hub import decided, now_of
from confirmations.items import expires_at, state_of
from confirmations.models import Hold
from confirmations.record import Evidence, Kind, record, storable
from confirmations.standing import LATE, PROCESS_DIED
from confirmations.turns import NOT_KNOWN, alone
from gateway import Confirmation
from gateway.errors import GatewayError

logger = logging.getLogger(__name__)
T = TypeVar("T")

LEAST_LEFT = 15.0  # seconds of a call's time: with less, an approval is sent at once
GRACE = 5.0  # seconds that what is being sent gets when the process ends

SESSION_ENDED = "the session that it was given in ended"
PORTICO_STOPPED = "Portico was stopped"

OUTCOMES: dict[str, str] = {Hold.State.CANCELLED: " was cancelled before it was sent", Hold.State.SENT: ""}

# Threads of our own: sending waits for the gateway, and must not keep pages waiting.
_sending = ThreadPoolExecutor(8, thread_name_prefix="confirmations-send")
_kept: dict[asyncio.Task[None], int] = {}  # the hold that each waits for
_at_work: set[asyncio.Task[None]] = set()  # those that send


def seconds_for(asked: Confirmation, by: Answerer) -> float:
    """How long an approval of this call is kept; 0: not at all."""
    if by.session is None:
        return 0.0
    left = expires_at(asked, settings.CONFIRMATION_LIMIT) - now_of(by.identity)
    needed = max(LEAST_LEFT, 2 * settings.APPROVAL_HOLD)
    return settings.APPROVAL_HOLD if left.total_seconds() >= needed else 0.0


def open_hold(gateway: str, confirmation_id: str) -> Hold | None:
    """The approval of this call that is kept, or being sent; not one whose process died."""
    holds = Hold.objects.filter(gateway=gateway, confirmation_id=confirmation_id, state__in=Hold.OPEN)
    return holds.exclude(sends_at__lt=Now() - LATE, state=Hold.State.WAITING).select_related("user").first()


def keep(by: Answerer, asked: Confirmation, given: Given, seconds: float) -> None:
    """Keep an approval; this process sends it when its time comes. To be done `alone`."""
    for dead in overdue().filter(gateway=by.identity.gateway, confirmation_id=asked.id):
        bury(dead)
    try:
        with transaction.atomic():
            hold = Hold.objects.create(
                gateway=by.identity.gateway,
                confirmation_id=asked.id,
                user=by.user,
                session=name_of(session_key(by)),
                reason=storable(given.reason),
                seen=given.seen,
                tool=storable(asked.tool)[:300],
                call={name: storable(text) for name, text in asdict(Evidence.of(asked)).items()},
                sends_at=Now() + timedelta(seconds=seconds),
            )
    except IntegrityError:  # there is one: it will do
        return
    async_to_sync(_start)(by, hold, given, seconds)
    standing.tell(hold.gateway, hold.confirmation_id)


def cancel(hold: Hold, why: str) -> bool:
    """False when it is too late: it is being sent, or was cancelled before. `why` has no full stop."""
    return _end(hold, Hold.State.WAITING, Hold.State.CANCELLED, why, f"cancelled before it was sent: {why}")


def _end(hold: Hold, was: Hold.State, state: Hold.State, why: str, outcome: str) -> bool:
    """Mark it, once, and record that; for holds that the gateway did not hear of, or perhaps did not."""
    with transaction.atomic():
        row = Hold.objects.filter(pk=hold.pk, state=was)
        if not row.update(state=state, why=why[:300], ended_at=Now()):
            return False
        record(
            hold.user,
            Evidence(**hold.call),
            approve=True,
            reason=hold.reason,
            kind=Kind.CANCELLED if state == Hold.State.CANCELLED else Kind.FAILED,
            outcome=outcome,
            shown=hold.seen,
        )
    standing.tell(hold.gateway, hold.confirmation_id)
    return True


def told_to(user: User) -> list[str]:
    """Sentences about approvals of this person that went wrong and that they have not read of; now they have."""
    holds = list(Hold.objects.filter(user=user, is_told=False).exclude(state__in=Hold.OPEN).exclude(why=""))
    if holds:
        Hold.objects.filter(pk__in=[hold.pk for hold in holds]).update(is_told=True)
    return [f"Your approval of {shown(hold.tool)}{OUTCOMES[hold.state]}: {shown(hold.why)}." for hold in holds]


# -- the process that took it ------------------------------------------------------------------------------------


async def _start(by: Answerer, hold: Hold, given: Given, seconds: float) -> None:
    """The task belongs to this process, and to no request: hence the empty context."""
    task = asyncio.create_task(_see_through(by, hold, given, seconds), context=Context())
    _kept[task] = hold.pk
    task.add_done_callback(_forget)


def _forget(task: asyncio.Task[None]) -> None:
    _kept.pop(task, None)
    _at_work.discard(task)


async def _see_through(by: Answerer, hold: Hold, given: Given, seconds: float) -> None:
    try:
        if await _session_ends(by, seconds):
            await _in_thread(cancel, hold, SESSION_ENDED)
            return
        task = asyncio.current_task()
        assert task is not None
        _kept.pop(task, None)
        _at_work.add(task)
        await _in_thread(_send, by, hold, given)
    except Exception:
        logger.exception("the approval of %s could not be sent", hold.confirmation_id)


def session_key(by: Answerer) -> str:
    return (by.session.session_key if by.session else "") or ""


async def _session_ends(by: Answerer, seconds: float) -> bool:
    assert by.session is not None
    key = session_key(by)
    with watch_end(key, by.kept) as ended:
        # It may have ended between being read and being watched.
        if not await _in_thread(lasts, key):
            return True
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            return False
    return True


def _send(by: Answerer, hold: Hold, given: Given) -> None:
    """The row is taken first, in one step: nobody sends what was cancelled, or what is taken for dead."""
    waits = Hold.objects.filter(pk=hold.pk, state=Hold.State.WAITING, sends_at__gt=Now() - LATE)
    if not waits.update(state=Hold.State.SENDING):
        return
    standing.tell(hold.gateway, hold.confirmation_id)
    try:
        with alone(hold.gateway, hold.confirmation_id):
            asked = by.reads(hold.confirmation_id)
            if state_of(asked) == "waiting":
                asked = as_held(by, asked, given)
            outcome = decide(by, asked, given, None)
            why = "" if outcome.tone == "success" else outcome.sentence.rstrip(".")
            Hold.objects.filter(pk=hold.pk).update(state=Hold.State.SENT, why=why[:300], ended_at=Now())
    except GatewayError as exc:  # nothing was sent
        why = exc.message.rstrip(".")
        _end(hold, Hold.State.SENDING, Hold.State.CANCELLED, why, f"cancelled before it was sent: {why}")
    finally:
        decided(hold.gateway, hold.confirmation_id)
        standing.tell(hold.gateway, hold.confirmation_id)


async def finish_all() -> None:
    """The process ends: what waits is cancelled, what is being sent gets its time."""
    waiting = dict(_kept)
    for task in waiting:
        task.cancel()
    for hold_id in waiting.values():
        await _in_thread(_cancel_by_id, hold_id)
    if tasks := {*waiting, *_at_work}:
        await asyncio.wait(tasks, timeout=GRACE)


def _cancel_by_id(hold_id: int) -> None:
    cancel(Hold.objects.select_related("user").get(pk=hold_id), PORTICO_STOPPED)


async def _in_thread(call: Callable[..., T], *arguments: object) -> T:
    return await database_sync_to_async(call, thread_sensitive=False, executor=_sending)(*arguments)


# -- any process -------------------------------------------------------------------------------------------------


def overdue() -> models.QuerySet[Hold]:
    """Holds whose process died, by the database's clock; that process would not send them any more."""
    waiting = Q(state=Hold.State.WAITING, sends_at__lt=Now() - LATE)
    limit = timedelta(seconds=settings.ANSWERING_LIMIT)
    sending = Q(state=Hold.State.SENDING, sends_at__lt=Now() - limit)
    return Hold.objects.filter(waiting | sending).select_related("user")


def bury(hold: Hold) -> None:
    if hold.state == Hold.State.WAITING:
        cancel(hold, PROCESS_DIED)
    else:
        _end(hold, Hold.State.SENDING, Hold.State.SENT, NOT_KNOWN, f"failed: {NOT_KNOWN}")
