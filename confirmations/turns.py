"""One answer to a confirmation at a time, and a trace of it should its process die while the gateway is asked."""

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

NOT_KNOWN = "the process of Portico that sent it died: whether it arrived is not known"


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
def alone(gateway: str, confirmation_id: str) -> Iterator[None]:
    """The right to answer this confirmation. Raises Busy when somebody keeps it for too long."""
    deadline = time.monotonic() + PATIENCE
    while not _take(gateway, confirmation_id):
        if time.monotonic() > deadline:
            raise Busy
        time.sleep(LOOK_AGAIN)
    try:
        yield
    finally:
        Answering.objects.filter(gateway=gateway, confirmation_id=confirmation_id).delete()


def _take(gateway: str, confirmation_id: str) -> bool:
    try:
        with transaction.atomic():
            Answering.objects.create(gateway=gateway, confirmation_id=confirmation_id, since=timezone.now())
    except IntegrityError:
        bury_dead()
        return False
    return True


def note(user: User, call: Evidence, *, approve: bool, reason: str, seen: str) -> None:
    """Say what is about to be sent; to be done `alone`."""
    turn = Answering.objects.filter(gateway=user.gateway, confirmation_id=call.confirmation_id)
    facts = {name: storable(text) for name, text in asdict(call).items()}
    turn.update(user=user, call=facts, approve=approve, reason=storable(reason), seen=seen)


def forget(gateway: str, confirmation_id: str) -> None:
    """What was noted is recorded now."""
    Answering.objects.filter(gateway=gateway, confirmation_id=confirmation_id).update(user=None)


def bury_dead() -> None:
    """Free the calls that a process which died was answering; record the answers that it may have sent."""
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
