"""Approvals that are kept for a moment, so that they can be taken back.

The process that took one sends it, however late its turn comes; when that process dies, it is never sent. No thread is
held while a gateway is waited for, so however many are sent at once, none costs another its turn.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import Context
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import Error, IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts import processes
from accounts.characters import shown
from accounts.models import User
from accounts.sessions import lasts, name_of, watch_end
from confirmations import standing
from confirmations.decisions import Answerer, Decided, Given, already, as_held, read_back, send
from confirmations.hub import decided, now_of
from confirmations.items import expires_at, state_of
from confirmations.models import FirstApproval, Hold
from confirmations.record import DECIDED_ON, Evidence, Kind, record, storable
from confirmations.standing import HOLD
from confirmations.threads import WRITING, in_thread
from confirmations.turns import GRACE, NOT_KNOWN, NotTaken, alone
from gateway import Confirmation, clock
from gateway.errors import GatewayError, GatewayUnavailable, SignedOut
from gateway.waiting import unblocked

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

LEAST_LEFT = 15.0  # seconds of a call's time: with less, an approval is sent at once
TOKEN_LEFT = 2.0  # seconds that a token has to last beyond the hold, else an approval is sent at once
LAST_WORD = 1.0  # seconds after that, to say that nobody knows whether it arrived
AGAIN = 1.0  # seconds until the database is tried again
KEPT_FOR = timedelta(days=1)  # gateways hold a call for minutes
UNREAD_FOR = timedelta(days=30)

SESSION_ENDED = "the session that it was given in ended"
NOT_LET_IN = "the gateway no longer lets in whoever gave it"
ROLES_CHANGED = "the roles of whoever gave it changed meanwhile"
PORTICO_STOPPED = "Portico was stopped"
GATEWAY_AWAY = "the gateway could not be reached"
CALL_CHANGED = "the call changed after it was approved"

OUTCOMES: dict[str, str] = {Hold.State.CANCELLED: " was cancelled before it was sent", Hold.State.SENT: ""}


@dataclass(slots=True)
class Progress:
    """How far the sending of an approval has come, should the process end meanwhile."""

    asking: asyncio.Task[Decided | str] | None = None
    is_stopped: bool = False
    may_have_arrived: bool = False
    decided: Decided | None = None  # what the gateway made of it

    def stop(self) -> None:
        self.is_stopped = True
        if self.asking is not None:
            self.asking.cancel()


_kept: set[asyncio.Task[None]] = set()  # those whose time has not come
_at_work: dict[asyncio.Task[None], Progress] = {}  # those that send


def seconds_for(asked: Confirmation, by: Answerer) -> float:
    """How long an approval of this call is kept; 0: not at all."""
    if by.session is None:
        return 0.0
    if by.kept.expires_at is not None:
        token_left = (by.kept.expires_at - datetime.now(UTC)).total_seconds()
        if token_left < settings.APPROVAL_HOLD + TOKEN_LEFT:
            return 0.0
    left = (expires_at(asked, settings.CONFIRMATION_LIMIT) - now_of(by.identity)).total_seconds()
    needed = max(LEAST_LEFT, 2 * settings.APPROVAL_HOLD)
    # Past its time, yet held: then the clock is wrong or the limit is, and neither takes the pause away.
    is_pressing = clock.is_known(by.identity.gateway) and 0 < left < needed
    return 0.0 if is_pressing else settings.APPROVAL_HOLD


def open_hold(gateway: str, confirmation_id: str) -> Hold | None:
    """The approval of this call that is kept, or being sent; not one whose process died before it sent it."""
    hold = _open(gateway, confirmation_id)
    is_left = hold is not None and hold.state == Hold.State.WAITING and standing.why_left(hold)
    return None if is_left else hold


def _open(gateway: str, confirmation_id: str) -> Hold | None:
    holds = Hold.objects.filter(gateway=gateway, confirmation_id=confirmation_id, state__in=Hold.OPEN)
    return holds.select_related("user", "process").first()


def keep(by: Answerer, asked: Confirmation, given: Given, seconds: float) -> None:
    """Keep an approval; this process sends it when its time comes. To be done `alone`."""
    before = _open(by.identity.gateway, asked.id)
    if before is not None and (why := standing.why_left(before)):
        bury(before, why)
    processes.take(HOLD, by.identity.gateway, asked.id)
    try:
        with transaction.atomic():
            hold = Hold.objects.create(
                gateway=by.identity.gateway,
                confirmation_id=asked.id,
                user=by.user,
                session=name_of(session_key(by)),
                process=processes.this_process(),
                reason=storable(given.reason),
                seen=given.seen,
                tool=storable(asked.tool)[:300],
                call={name: storable(text) for name, text in asdict(Evidence.of(asked)).items()},
                sends_at=Now() + timedelta(seconds=seconds),
            )
        async_to_sync(_start)(by, hold, given, seconds)
    except BaseException as exc:
        processes.let_go(HOLD, by.identity.gateway, asked.id)
        if isinstance(exc, IntegrityError):  # there is one: it will do
            return
        raise
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
    _kept.add(task)
    task.add_done_callback(partial(_forget, hold))


def _forget(hold: Hold, task: asyncio.Task[None]) -> None:
    _kept.discard(task)
    _at_work.pop(task, None)
    processes.let_go(HOLD, hold.gateway, hold.confirmation_id)


async def _see_through(by: Answerer, hold: Hold, given: Given, seconds: float) -> None:
    try:
        if why := await _why_cancelled(by, seconds):
            await _in_database(cancel, hold, why)
            return
        task = asyncio.current_task()
        assert task is not None
        _kept.discard(task)
        progress = _at_work[task] = Progress()
        if await _in_database(begin_sending, by, hold):
            await _in_database(_close, hold, await _ending(by, hold, given, progress))
    except Exception:
        logger.exception("the approval of %s could not be sent", hold.confirmation_id)


def session_key(by: Answerer) -> str:
    return (by.session.session_key if by.session else "") or ""


async def _why_cancelled(by: Answerer, seconds: float) -> str:
    """Empty when its time comes before anything else."""
    try:
        return SESSION_ENDED if await _session_ends(by, seconds) else ""
    except asyncio.CancelledError:  # the process ends
        return PORTICO_STOPPED


async def _session_ends(by: Answerer, seconds: float) -> bool:
    assert by.session is not None
    deadline = asyncio.get_running_loop().time() + seconds
    key = session_key(by)
    with watch_end(key, by.kept) as ended:
        # It may have ended between being read and being watched.
        if not await _in_database(lasts, key):
            return True
        try:
            async with asyncio.timeout_at(deadline):
                await ended.wait()
        except TimeoutError:
            return False
    return True


def begin_sending(by: Answerer, hold: Hold) -> bool:
    """Take the row first, in one step: nobody sends what was cancelled, or what was taken for dead.

    To be done again where the database did not say that it took it: nobody but its own task begins to send a hold.
    """
    if not lasts(session_key(by)):  # whoever ended it may not have been able to tell
        cancel(hold, SESSION_ENDED)
        return False
    if not Hold.objects.filter(pk=hold.pk, state__in=Hold.OPEN).update(state=Hold.State.SENDING):
        return False
    standing.tell(hold.gateway, hold.confirmation_id)
    return True


async def _ending(by: Answerer, hold: Hold, given: Given, progress: Progress) -> Decided | str | None:
    """What the gateway made of it; why nothing was sent; or None where nobody knows whether it arrived."""
    if not progress.is_stopped:
        asking = _persistently(partial(unblocked, _send, by, hold, given, progress))
        progress.asking = asyncio.create_task(asking)
        with suppress(asyncio.CancelledError):
            return await progress.asking
    return progress.decided if progress.may_have_arrived else PORTICO_STOPPED


def _send(by: Answerer, hold: Hold, given: Given, progress: Progress) -> Decided | str:
    """What the gateway made of it, or why nothing was sent. Raises django.db.Error when nothing was sent, either.

    To be done `unblocked`. Whoever else answers this call comes first, however long that takes: what the gateway then
    says is the truth.
    """
    ending: Decided | str = ""
    try:
        with alone(hold.gateway, hold.confirmation_id, patience=math.inf):
            try:
                ending = _why_not(by) or _ask(by, hold, given, progress)
            except SignedOut:
                ending = SESSION_ENDED
            except GatewayUnavailable:
                ending = GATEWAY_AWAY
            except GatewayError as exc:
                ending = exc.message
    except Error:
        if not ending:
            raise
    return ending


def _why_not(by: Answerer) -> str:
    """Why this person may not answer any more; empty when they may. Asked anew: a token outlives roles and accounts.

    Raises SignedOut, and GatewayUnavailable.
    """
    try:
        person = by.gateway.me()
    except SignedOut:
        return NOT_LET_IN
    except GatewayUnavailable:
        raise
    except GatewayError:  # it does not tell: it will say by itself what it does not take
        return ""
    if person.roles != tuple(sorted(by.kept.roles)) or person.tenant != by.kept.tenant:
        return ROLES_CHANGED
    return ""


def _ask(by: Answerer, hold: Hold, given: Given, progress: Progress) -> Decided:
    asked = by.reads(hold.confirmation_id)
    if state_of(asked) == "waiting":
        asked = as_held(by, asked, given)
    if state_of(asked) != "waiting":
        return already(by, asked, given)
    if _has_changed(hold, asked):
        raise NotTaken(CALL_CHANGED)
    progress.may_have_arrived = True
    progress.decided = send(by, asked, given)
    return read_back(progress.decided)


def _has_changed(hold: Hold, asked: Confirmation) -> bool:
    """Whether it is another call than the one that was approved."""
    now = Evidence.of(asked)
    return any(hold.call[name] != storable(getattr(now, name)) for name in DECIDED_ON)


def _close(hold: Hold, ending: Decided | str | None) -> None:
    """Record what became of it, once: whether it is recorded stands in the same transaction."""
    if ending is None:
        _end(hold, Hold.State.SENDING, Hold.State.SENT, NOT_KNOWN, f"failed: {NOT_KNOWN}")
    elif isinstance(ending, str):
        why = ending.rstrip(".")
        _end(hold, Hold.State.SENDING, Hold.State.CANCELLED, why, f"cancelled before it was sent: {why}")
    else:
        why = "" if ending.told.tone == "success" else ending.told.finding
        with transaction.atomic():
            row = Hold.objects.filter(pk=hold.pk, state=Hold.State.SENDING)
            if row.update(state=Hold.State.SENT, why=why[:300], ended_at=Now()):
                ending.write()
        standing.tell(hold.gateway, hold.confirmation_id)
    decided(hold.gateway, hold.confirmation_id)


async def finish_all() -> None:
    """The process ends: what was not sent is cancelled, what is being sent gets its time.

    Where the database does not take that in time, whoever looks next finds that this process is gone.
    """
    tasks = {*_kept, *_at_work}
    for task in _kept:
        task.cancel()
    for progress in _at_work.values():
        if not progress.may_have_arrived:
            progress.stop()
    if tasks and (late := (await asyncio.wait(tasks, timeout=GRACE))[1]):
        for progress in _at_work.values():
            progress.stop()
        await asyncio.wait(late, timeout=LAST_WORD)


async def _in_database(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await _persistently(partial(in_thread, WRITING, call, *args, **kwargs))


async def _persistently(call: Callable[[], Awaitable[T]]) -> T:
    """Again and again while the database is away or locked: nothing that was given is lost to that."""
    while True:
        try:
            return await call()
        except Error:
            logger.warning("the database is away: an approval waits for it", exc_info=True)
        await asyncio.sleep(AGAIN)


# -- any process -------------------------------------------------------------------------------------------------


def left() -> Iterator[tuple[Hold, str]]:
    """Holds that nobody sees to any more, and why."""
    for hold in Hold.objects.filter(state__in=Hold.OPEN).select_related("user", "process"):
        if why := standing.why_left(hold):
            yield hold, why


def bury(hold: Hold, why: str) -> None:
    if hold.state == Hold.State.WAITING:
        cancel(hold, why)
    else:
        _close(hold, None)


def purge() -> None:
    """Forget what nobody reads any more: an open call shows its last hold, and a person is told once."""
    over = Hold.objects.exclude(state__in=Hold.OPEN)
    over.filter(Q(why="") | Q(is_told=True), ended_at__lt=Now() - KEPT_FOR).delete()
    over.filter(ended_at__lt=Now() - UNREAD_FOR).delete()
    FirstApproval.objects.filter(at__lt=Now() - KEPT_FOR).delete()
