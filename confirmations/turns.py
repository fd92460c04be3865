"""One answer to a confirmation at a time, and a trace of it should it break off while the gateway is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from confirmations.models import Answering
from confirmations.record import Evidence, Kind, record, storable
from gateway.errors import GatewayError

PATIENCE = 8.0  # seconds that a second answer waits for the first one
LOOK_AGAIN = 0.05  # seconds

NOT_KNOWN = "Portico broke off while it was sent: whether it arrived is not known"


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
def alone(gateway: str, confirmation_id: str) -> Iterator[int]:
    """The right to answer this confirmation, as the key of its row. Raises Busy when somebody keeps it for too long.

    A GatewayError says that nothing was sent. After anything else, such as a database that went away before it was
    told what the gateway said, what was noted stays for `bury_dead` to record.
    """
    deadline = time.monotonic() + PATIENCE
    while (turn := _take(gateway, confirmation_id)) is None:
        if time.monotonic() > deadline:
            raise Busy
        time.sleep(LOOK_AGAIN)
    mine = Answering.objects.filter(pk=turn)
    try:
        yield turn
    except Exception as exc:
        if not isinstance(exc, GatewayError):
            mine = mine.filter(user=None)
        raise
    finally:
        mine.delete()


def _take(gateway: str, confirmation_id: str) -> int | None:
    try:
        with transaction.atomic():
            row = Answering.objects.create(gateway=gateway, confirmation_id=confirmation_id, since=timezone.now())
    except IntegrityError:
        bury_dead()
        return None
    return row.pk


def note(turn: int, user: User, call: Evidence, *, approve: bool, reason: str, seen: str) -> None:
    """Say what is about to be sent. Raises Busy when the right to it was lost, since it was not used for too long."""
    facts = {name: storable(text) for name, text in asdict(call).items()}
    mine = Answering.objects.filter(pk=turn)
    if not mine.update(user=user, call=facts, approve=approve, reason=storable(reason), seen=seen):
        raise Busy


def forget(turn: int) -> None:
    """What was noted is recorded now."""
    Answering.objects.filter(pk=turn).update(user=None)


def bury_dead() -> None:
    """Free the calls whose answers broke off, as by the death of a process; record those that may have been sent."""
    limit = timedelta(seconds=settings.ANSWERING_LIMIT)
    for turn in Answering.objects.filter(since__lt=timezone.now() - limit).select_related("user"):
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
