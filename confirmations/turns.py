"""One answer to a confirmation at a time, and a trace of it should it break off while the gateway is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial

from django.db import Error, IntegrityError, transaction
from django.utils import timezone

from accounts import processes
from accounts.models import User
from confirmations.models import Answering
from confirmations.record import Evidence, Kind, record, storable
from confirmations.threads import WRITING, blocks
from gateway.errors import GatewayError
from gateway.waiting import sleep

PATIENCE = 8.0  # seconds that a second answer waits for the first one
LOOK_AGAIN, LONGEST_PAUSE = 0.05, 0.4  # seconds between two attempts: the first, and at most
FROM_BEFORE = timedelta(minutes=1)  # an answer that names no process, of a Portico that was replaced, is left by then
GRACE = 5.0  # seconds that an answer which is being given has when the process ends
TURN = "turn"

NOT_KNOWN = "Portico broke off while it was sent: whether it arrived is not known"

_unwritten: dict[int, Callable[[], object]] = {}  # by turn: what this process could not tell the database


class NotTaken(GatewayError):
    """Portico itself does not take this answer; the sentence says why."""

    status = 409

    def __init__(self, sentence: str, status: int = 409) -> None:
        self.message = sentence
        self.status = status
        super().__init__()


class Busy(NotTaken):
    def __init__(self) -> None:
        super().__init__("Somebody else is answering this right now. Please look again in a moment.")


@contextmanager
def alone(gateway: str, confirmation_id: str, patience: float = PATIENCE) -> Iterator[int]:
    """The right to answer this confirmation, as the key of its row. Raises Busy when somebody living keeps it for more
    seconds than `patience`.

    A GatewayError says that nothing was sent. After anything else what was noted stays: for `write_late`, where the
    database went away before it was told what the gateway said, else for `bury_dead`.
    """
    deadline = time.monotonic() + patience
    pause = LOOK_AGAIN
    while (turn := _begin(gateway, confirmation_id)) is None:
        bury_dead()
        if time.monotonic() > deadline:
            raise Busy
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    try:
        is_noted = False  # something that may have been sent
        try:
            yield turn
        except Exception as exc:
            is_noted = not isinstance(exc, GatewayError)
            raise
        finally:
            _leave(turn, is_noted=is_noted)
    finally:
        processes.let_go(TURN, gateway, confirmation_id)


def _begin(gateway: str, confirmation_id: str) -> int | None:
    """The key of a new row. Whoever only waits has nothing in hand: else what somebody left would never be freed."""
    processes.take(TURN, gateway, confirmation_id)
    turn = None
    try:
        turn = _take(gateway, confirmation_id)
    finally:
        if turn is None:
            processes.let_go(TURN, gateway, confirmation_id)
    return turn


@blocks(WRITING)
def _leave(turn: int, *, is_noted: bool) -> None:
    mine = Answering.objects.filter(pk=turn)
    if is_noted:
        mine = mine.filter(user=None)
    try:
        mine.delete()
    except Error:
        if not is_noted:
            _unwritten.setdefault(turn, mine.delete)
        raise


@blocks(WRITING)
def _take(gateway: str, confirmation_id: str) -> int | None:
    try:
        with transaction.atomic():
            process = processes.this_process()
            row = Answering.objects.create(
                gateway=gateway, confirmation_id=confirmation_id, since=timezone.now(), process=process
            )
    except IntegrityError:
        return None
    return row.pk


@blocks(WRITING)
def note(turn: int, user: User, call: Evidence, *, approve: bool, reason: str, seen: str) -> None:
    """Say what is about to be sent. Raises Busy when the right to it was lost to somebody who took this for dead."""
    facts = {name: storable(text) for name, text in asdict(call).items()}
    mine = Answering.objects.filter(pk=turn)
    if not mine.update(user=user, call=facts, approve=approve, reason=storable(reason), seen=seen):
        raise Busy


def write(turn: int, record_it: Callable[[], None]) -> None:
    """Record what was noted and sent. While the database is away this process keeps it, and `write_late` records it."""
    once = partial(_write_once, turn, record_it)
    try:
        once()
    except Error:
        _unwritten[turn] = once
        raise


@blocks(WRITING)
def _write_once(turn: int, record_it: Callable[[], None]) -> None:
    """Whether it is recorded stands in the same transaction: the answer of a commit may be lost."""
    with transaction.atomic():
        if Answering.objects.filter(pk=turn).exclude(user=None).update(user=None):
            record_it()


async def finish_all() -> None:
    """The process ends: answers that pages are giving get their time."""
    for _ in range(round(GRACE / LOOK_AGAIN)):
        if not processes.has_in_hand(TURN):
            return
        await asyncio.sleep(LOOK_AGAIN)


def write_late() -> None:
    """Record what could not be recorded at its time. Raises django.db.Error while the database is still away."""
    for turn, once in list(_unwritten.items()):
        once()
        Answering.objects.filter(pk=turn, user=None).delete()
        del _unwritten[turn]


@blocks(WRITING)
def bury_dead() -> None:
    """Free the calls whose answers broke off, as by the death of a process; record those that may have been sent."""
    for turn in Answering.objects.select_related("user", "process"):
        if not _is_left(turn):
            continue
        with transaction.atomic():
            is_first, _ = Answering.objects.filter(pk=turn.pk).delete()
            if is_first and turn.user is not None:
                record(
                    turn.user,
                    Evidence(**turn.call),
                    approve=turn.approve,
                    reason=turn.reason,
                    kind=Kind.FAILED,
                    outcome=NOT_KNOWN,
                    shown=turn.seen,
                )


def is_being_answered(gateway: str, confirmation_id: str) -> bool:
    """Whether somebody of Portico is answering it right now, or has and it is not recorded yet."""
    turns = Answering.objects.filter(gateway=gateway, confirmation_id=confirmation_id).select_related("process")
    return any(not _is_left(turn) for turn in turns)


def _is_left(turn: Answering) -> bool:
    """Whether nobody sees to this answer any more, however long it takes."""
    process = turn.process
    if process is None:
        return turn.since < timezone.now() - FROM_BEFORE
    if process.pk == processes.my_id():
        return turn.pk not in _unwritten and not processes.is_in_hand(TURN, turn.gateway, turn.confirmation_id)
    return processes.is_gone(process) or processes.is_silent(process)
