"""Answering a confirmation: one answer at a time, and whatever the gateway makes of it is the truth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from django.db import IntegrityError
from django.utils import timezone

from accounts.models import User
from confirmations.hub import RECORDED_WITHIN, decided
from confirmations.identity import Identity, NameBook
from confirmations.items import GONE, NOTHING_RAN, State, state_of, verdict_of
from confirmations.models import Answering
from confirmations.record import Evidence, Kind, record
from gateway import Answer, Confirmation, Gateway
from gateway.errors import (
    AlreadyResolved,
    GatewayError,
    GatewayUnavailable,
    MalformedReply,
    NotFound,
    SignedOut,
)

PATIENCE = 8.0  # seconds that a second answer waits for the first one
STALE = timedelta(seconds=60)  # a right to answer that nobody gave back: its process died
LOOK_AGAIN = 0.05  # seconds

Tone = Literal["success", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer: the call as it is now, and a sentence for whoever answered."""

    confirmation: Confirmation | None  # None: gone
    state: State  # "waiting": it is not known whether the answer arrived
    verdict: str  # for the item
    sentence: str  # for the person
    tone: Tone


class Busy(GatewayError):
    message = "Somebody else is answering this right now. Please look again in a moment."
    status = 409


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
    now = timezone.now()
    claim = Answering.objects.filter(gateway=gateway, confirmation_id=confirmation_id)
    if claim.filter(since__lt=now - STALE).update(since=now):
        return True
    if claim.exists():
        return False
    try:
        Answering.objects.create(gateway=gateway, confirmation_id=confirmation_id, since=now)
    except IntegrityError:
        return False
    return True


def decide(
    gateway: Gateway, user: User, identity: Identity, confirmation_id: str, *, approve: bool, reason: str
) -> Outcome:
    """Raises NotAllowed, SignedOut, Busy, and GatewayUnavailable when nothing was sent."""
    try:
        with alone(identity.gateway, confirmation_id):
            try:
                asked = gateway.confirmation(confirmation_id)
            except NotFound:
                return Outcome(None, "lost", GONE, f"{GONE}.", "warning")
            if state_of(asked) != "waiting":
                outcome = _already(identity, asked)
                _record(user, identity, asked, outcome, approve=approve, reason=reason, ran=None)
            else:
                outcome, ran = _send(gateway, identity, asked, approve=approve, reason=reason)
                _record(user, identity, asked, outcome, approve=approve, reason=reason, ran=ran)
                until_recorded(gateway, asked.id)
            return outcome
    finally:
        decided(identity.gateway, confirmation_id)


def until_recorded(gateway: Gateway, confirmation_id: str, patience: float = RECORDED_WITHIN) -> Confirmation | None:
    """The record once it says how the call ended, or as it is when patience runs out; None when it cannot be read.

    Gateways answer first and write it down after that: whoever read in between would take the call for one that
    still waits, or for a lost one, and could answer it once more.
    """
    deadline = time.monotonic() + patience  # seconds
    while True:
        try:
            record = gateway.confirmation(confirmation_id)
        except GatewayError:
            return None
        if state_of(record) != "waiting" or time.monotonic() > deadline:
            return record
        time.sleep(LOOK_AGAIN)


def _send(
    gateway: Gateway, identity: Identity, asked: Confirmation, *, approve: bool, reason: str
) -> tuple[Outcome, bool | None]:
    try:
        answer = gateway.answer(asked.id, approve=approve, reason=reason)
    except AlreadyResolved:
        return _already(identity, gateway.confirmation(asked.id)), None
    except NotFound:
        return Outcome(None, "lost", GONE, f"{GONE}.", "warning"), None
    except (GatewayUnavailable, MalformedReply):  # it may have arrived or not
        return _read_back(gateway, identity, asked, approve=approve), None
    return _accepted(identity, asked, answer, reason), answer.ran


def _accepted(identity: Identity, asked: Confirmation, answer: Answer, reason: str) -> Outcome:
    now = replace(
        asked, status="confirmed" if answer.approved else "rejected", answered_by=identity.person, reason=reason
    )
    verdict = _verdict(identity, now, answer.ran)
    if answer.ran is False:
        return Outcome(now, "approved", verdict, f"Approved, but {NOTHING_RAN}.", "warning")
    word = "Approved" if answer.approved else "Rejected"
    return Outcome(now, state_of(now), verdict, f"{word}: {asked.tool}", "success")


def _already(identity: Identity, record: Confirmation) -> Outcome:
    state = state_of(record)
    verdict = _verdict(identity, record)
    return Outcome(record, state, verdict, f"This was already resolved: {verdict[0].lower()}{verdict[1:]}", "info")


def _read_back(gateway: Gateway, identity: Identity, asked: Confirmation, *, approve: bool) -> Outcome:
    """The answer's own answer was lost: the record may tell what became of it."""
    unknown = "The gateway did not say whether your answer arrived. Please look again in a moment."
    try:
        record = gateway.confirmation(asked.id)
    except SignedOut:
        raise
    except GatewayError:
        return Outcome(asked, "waiting", "", unknown, "warning")
    state = state_of(record)
    if state == "waiting":
        return Outcome(record, "waiting", "", unknown, "warning")
    if record.answered_by == identity.person and state == ("approved" if approve else "rejected"):
        return Outcome(record, state, _verdict(identity, record), f"{state.capitalize()}: {record.tool}", "success")
    return _already(identity, record)


def _verdict(identity: Identity, record: Confirmation, ran: bool | None = None) -> str:
    book = NameBook(identity)
    book.learn(record)
    book.find_people([record])
    return verdict_of(record, book.names, identity.person, ran=ran)


def _record(
    user: User,
    identity: Identity,
    asked: Confirmation,
    outcome: Outcome,
    *,
    approve: bool,
    reason: str,
    ran: bool | None,
) -> None:
    record(
        user,
        Evidence.of(asked),
        approve=approve,
        reason=reason,
        kind=_kind(outcome, ran),
        outcome=_in_words(outcome),
        ran=ran,
    )


def _kind(outcome: Outcome, ran: bool | None) -> Kind:
    match outcome:
        case Outcome(tone="info"):
            return Kind.ALREADY
        case Outcome(state="approved"):
            return Kind.NOTHING_RAN if ran is False else Kind.APPROVED
        case Outcome(state="rejected"):
            return Kind.REJECTED
    return Kind.FAILED


def _in_words(outcome: Outcome) -> str:
    match outcome:
        case Outcome(tone="success" | "warning", state="approved" | "rejected" as word):
            return word
        case Outcome(tone="info"):
            return f"already resolved: {outcome.verdict}"
    return f"failed: {outcome.sentence}"
