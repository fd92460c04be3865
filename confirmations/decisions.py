"""Sending an answer: one at a time, and whatever the gateway makes of it is the truth."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.db import Error, transaction
from django.utils import timezone

from accounts.models import User
from confirmations.endings import tell_answer
from confirmations.hub import RECORDED_WITHIN
from confirmations.identity import Identity, NameBook
from confirmations.items import (
    GONE,
    LOST,
    NOTHING_RAN,
    WITH_ITS_RUN,
    State,
    doubt_of,
    shape_of,
    state_of,
    verdict_of,
)
from confirmations.models import CAME_LATE, NEVER_ARRIVED, FirstApproval, with_our_end
from confirmations.record import Evidence, Kind, record
from confirmations.threads import WRITING, blocks
from confirmations.turns import LOOK_AGAIN, NotTaken, note, write
from gateway import Answer, Confirmation, Gateway
from gateway.errors import (
    AlreadyResolved,
    Conflict,
    GatewayError,
    NotAccepted,
    NotAllowed,
    NotFound,
    SignedOut,
    WrongPassword,
)
from gateway.types import is_status
from gateway.waiting import sleep

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

    from accounts.requests import SignedInRequest
    from accounts.sessions import GatewaySession

Tone = Literal["success", "warning", "info"]

ADVICE = " Please look again in a moment."


@dataclass(frozen=True, slots=True)
class Answerer:
    """Somebody who answers, and the session that they do it in; none where Portico answers in their stead."""

    user: User
    identity: Identity
    kept: GatewaySession
    session: SessionBase | None = field(default=None, repr=False)

    @classmethod
    def of(cls, request: SignedInRequest) -> Answerer:
        return cls(request.user, Identity.of(request.user, request.kept), request.kept, request.session)

    @property
    def gateway(self) -> Gateway:
        return self.kept.gateway

    def reads(self, confirmation_id: str) -> Confirmation:
        """The call as it is now, with the names that the gateway leaves out here and the record keeps."""
        asked = self.gateway.confirmation(confirmation_id)
        book = NameBook(self.identity)
        book.find_people([asked])
        book.ask(self.gateway, [asked])
        return replace(
            asked,
            agent_name=book.names.agents.get(asked.agent_id, ""),
            end_user_name=book.names.people.get(asked.end_user, ""),
            provider_name=book.names.providers.get(asked.provider_id, ""),
        )


class Sort(NamedTuple):
    """What calls that are answered at once have in common."""

    tool: str
    risk: str
    shape: str


def sort_of(call: Confirmation) -> Sort:
    return Sort(call.tool, call.risk, shape_of(call.arguments))


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as somebody gave it."""

    approve: bool
    reason: str = ""
    seen: str = ""  # hash of the item as it was shown; empty: a program answers
    tool_name: str = ""  # typed, to approve a critical call
    arguments_hash: str | None = None  # of one among several: as they were when it was chosen
    sort: Sort | None = None  # of all of them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer: the call as it is now, and a sentence for whoever answered."""

    confirmation: Confirmation | None  # None: gone
    state: State  # "waiting": not sent yet, or it is not known whether it arrived
    verdict: str  # for the item
    sentence: str  # for the person
    tone: Tone
    is_kept: bool = False  # an approval of this person that can be taken back

    @property
    def finding(self) -> str:
        """The sentence as it is right later, too: without advice, and without its full stop."""
        return self.sentence.removesuffix(ADVICE).rstrip(".")


def as_held(by: Answerer, asked: Confirmation, given: Given) -> Confirmation:
    """A call that waits, or its record where the gateway holds it no longer: it may have been answered just now.

    Raises NotTaken for the approval of a call that the gateway lost: it would say yes, and run nothing. To be done
    with the call `alone`.
    """
    held = by.gateway.pending()
    if any(one.id == asked.id for one in held):
        return asked
    written = until_recorded(by.gateway, asked.id) or asked
    if state_of(written) == "waiting" and held.is_whole and given.approve:
        written = with_our_end(by.identity.gateway, written)
        if state_of(written) == "waiting":
            raise NotTaken(f"{LOST}.")
    return written


def decide(by: Answerer, asked: Confirmation, given: Given, turn: int) -> Outcome:
    """Send it, unless the call has been resolved, and record what became of it; to be done `alone`.

    `turn` is where the answer is noted, should it break off while the gateway is asked.
    Raises NotAllowed, SignedOut, and others when nothing was sent.
    """
    if state_of(asked) != "waiting":
        found = already(by, asked, given)
        found.write()
        return found.told
    note(turn, by.user, Evidence.of(asked), approve=given.approve, reason=given.reason, seen=given.seen)
    decided = read_back(send(by, asked, given))
    write(turn, decided.write)
    return decided.told


def already(by: Answerer, asked: Confirmation, given: Given) -> Decided:
    """For a call that was resolved before anything was sent."""
    return Decided(by, asked, given, _already(by, asked))


class Reply(NamedTuple):
    """What the gateway itself said to an answer."""

    said: str = ""  # nothing: it was not asked
    ran: bool | None = None


NOT_ASKED = Reply()


@dataclass(frozen=True, slots=True)
class Decided:
    """What the gateway made of an answer, not recorded yet."""

    by: Answerer
    asked: Confirmation
    given: Given
    outcome: Outcome
    reply: Reply = NOT_ASKED
    doubt: Outcome | None = None  # of the outcome, where the gateway's record tells of another answer:
    other: str = ""
    at: datetime = field(default_factory=timezone.now)

    @property
    def told(self) -> Outcome:
        """What whoever answered reads of it."""
        return self.doubt or self.outcome

    @blocks(WRITING)
    def write(self) -> None:
        """Record it; to be done in one transaction with what says that it was."""
        _record(self)
        if self.doubt is not None:
            record(
                self.by.user,
                Evidence.of(self.asked),
                approve=self.given.approve,
                reason=self.given.reason,
                kind=Kind.UNSURE,
                outcome=self.doubt.verdict,
                said=self.other,
                shown=self.given.seen,
                at=self.at,
            )
        gateway = self.by.identity.gateway
        if self.outcome.tone != "info":  # else somebody else decided: the gateway's record tells
            transaction.on_commit(partial(self._tell, gateway), robust=True)
        if self.outcome.state != "waiting":
            FirstApproval.objects.filter(gateway=gateway, confirmation_id=self.asked.id).delete()

    def _tell(self, gateway: str) -> None:
        tell_answer(
            gateway,
            self.asked,
            self.outcome.state,
            self.at,
            who=self.by.identity.person,
            who_name=self.by.user.distinct_name,
            reason=self.given.reason,
            ran=self.reply.ran,
            doubt=self.doubt.verdict if self.doubt else "",
        )


def read_back(decided: Decided) -> Decided:
    """The same, and what the gateway's own record tells of it. Needs no database."""
    by, asked, given = decided.by, decided.asked, decided.given
    if decided.outcome.tone == "info" or decided.outcome.state in ("waiting", "lost"):  # it took no answer
        return decided
    written = until_recorded(by.gateway, asked.id)
    if written is None or _is_ours(by, written, given):
        return decided
    if state_of(written) == "waiting":
        return replace(decided, outcome=_unconfirmed(written, given), reply=Reply(decided.reply.said))
    other = _verdict(by, written, me="")
    return replace(decided, doubt=_doubt(by, asked, given, written, other), other=other)


def gone() -> Outcome:
    return Outcome(None, "lost", GONE, f"{GONE}.", "warning")


def until_recorded(gateway: Gateway, confirmation_id: str, patience: float = RECORDED_WITHIN) -> Confirmation | None:
    """The record once it says how the call ended, or as it is after so many seconds; None when it cannot be read.

    Gateways answer first and write it down after that: whoever read in between would take the call for one that
    still waits, or for a lost one, and could answer it once more.
    """
    deadline = time.monotonic() + patience  # seconds
    while True:
        asked_at = time.monotonic()  # what a slow gateway answers late may be as old as the question
        try:
            written = gateway.confirmation(confirmation_id)
        except GatewayError:
            return None
        if state_of(written) != "waiting" or asked_at > deadline:
            return written
        sleep(LOOK_AGAIN)


def send(by: Answerer, asked: Confirmation, given: Given) -> Decided:
    """Send it: to be done once. Needs no database: once sent, it is known what to record.

    Raises what the gateway refuses with before it looks at the call: SignedOut, NotAllowed, NotAccepted.
    """
    decided = partial(Decided, by, asked, given)
    try:
        answer = by.gateway.answer(asked.id, approve=given.approve, reason=given.reason)
    except AlreadyResolved as exc:
        return decided(_resolved_before(by, asked, exc.status_was), Reply(CAME_LATE))
    except Conflict:  # the same, and it does not say how
        return decided(_resolved_before(by, asked, ""), Reply(CAME_LATE))
    except NotFound:
        return decided(_unknown(by, asked), Reply(NEVER_ARRIVED))
    except (SignedOut, WrongPassword, NotAllowed, NotAccepted):
        raise
    except GatewayError:  # whatever else it says, the answer may have arrived or not
        return decided(_read_back(by, asked, given), Reply("no answer"))
    said = "confirmed" if answer.approved else "rejected"
    if answer.ran is False:
        said += ", and nobody was waiting"
    return decided(_accepted(by, asked, answer, given.reason), Reply(said, answer.ran))


def _accepted(by: Answerer, asked: Confirmation, answer: Answer, reason: str) -> Outcome:
    now = replace(
        asked, status="confirmed" if answer.approved else "rejected", answered_by=by.identity.person, reason=reason
    )
    verdict = _verdict(by, now, answer.ran)
    if answer.ran is False:
        return Outcome(now, "approved", verdict, f"Approved, but {NOTHING_RAN}.", "warning")
    word = {"approved": "Approved", "stopped": "Stopped"}.get(state_of(now), "Rejected")
    return Outcome(now, state_of(now), verdict, f"{word}: {asked.tool}", "success")


def _resolved_before(by: Answerer, asked: Confirmation, status_was: str) -> Outcome:
    """The gateway refused the answer, since there was one: as its record has it, else as the refusal itself says."""
    record = until_recorded(by.gateway, asked.id) or asked
    if state_of(record) == "waiting" and is_status(status_was):
        record = replace(record, status=status_was)
    if state_of(record) != "waiting":
        return _already(by, record)
    sentence = f"The gateway says that this call was already resolved, and does not say how.{ADVICE}"
    return Outcome(record, "waiting", "", sentence, "warning")


def _unknown(by: Answerer, asked: Confirmation) -> Outcome:
    """The gateway did not know the call that it was told the answer to; its record may know it all the same."""
    record = until_recorded(by.gateway, asked.id)
    if record is None:
        return gone()
    if state_of(record) != "waiting":
        return _already(by, record)
    sentence = (
        "The gateway did not take your answer, since it says that it does not know this call, but its record says "
        f"that the call still waits.{ADVICE}"
    )
    return Outcome(record, "waiting", "", sentence, "warning")


def _already(by: Answerer, record: Confirmation) -> Outcome:
    state = state_of(record)
    verdict = _verdict(by, record)
    return Outcome(record, state, verdict, f"This was already resolved: {verdict[0].lower()}{verdict[1:]}", "info")


def _read_back(by: Answerer, asked: Confirmation, given: Given) -> Outcome:
    """The answer's own answer was lost: the record may tell what became of it."""
    record = until_recorded(by.gateway, asked.id)
    state = state_of(record) if record else "waiting"
    if record is None or state == "waiting":
        unknown = f"The gateway did not say whether your answer arrived.{ADVICE}"
        return Outcome(record or asked, "waiting", "", unknown, "warning")
    if _is_ours(by, record, given):
        return Outcome(record, state, _verdict(by, record), f"{state.capitalize()}: {record.tool}", "success")
    return _already(by, record)


def _unconfirmed(record: Confirmation, given: Given) -> Outcome:
    mine = "approval" if given.approve else "rejection"
    sentence = (
        f"The gateway said that it took your {mine}, but its record still says that nobody answered: whether your "
        f"answer arrived is not known.{ADVICE}"
    )
    return Outcome(record, "waiting", "", sentence, "warning")


def _is_ours(by: Answerer, record: Confirmation, given: Given) -> bool:
    mine = ("approved",) if given.approve else ("rejected", "stopped")
    return record.answered_by == by.identity.person and state_of(record) in mine


def _doubt(by: Answerer, asked: Confirmation, given: Given, written: Confirmation, other: str) -> Outcome:
    """The gateway took this answer, and its record tells of another: of two at one moment it may take both.

    Which one decided then cannot be known: the record need not be what happened.
    """
    mine = "approval" if given.approve else "rejection"
    is_stop = given.reason == WITH_ITS_RUN
    verdict = doubt_of(by.user.distinct_name, approve=given.approve, said=other, is_stop=is_stop)
    sentence = (
        f"The gateway took your {mine} of {asked.tool}, and another answer that came from outside Portico. "
        f"Which one it acted on cannot be said for sure. Its record says: {other}."
    )
    return Outcome(written, state_of(written), verdict, sentence, "warning")


def _verdict(by: Answerer, record: Confirmation, ran: bool | None = None, me: str | None = None) -> str:
    book = NameBook(by.identity)
    book.learn(record)
    with suppress(Error):  # the id will do: what became of the answer has to be recorded all the same
        book.find_people([record])
    if record.answered_by != by.identity.person:
        with suppress(SignedOut):  # the same
            book.ask(by.gateway, [record])
    return verdict_of(record, book.names, by.identity.person if me is None else me, ran=ran)


def _record(decided: Decided) -> None:
    record(
        decided.by.user,
        Evidence.of(decided.asked),
        approve=decided.given.approve,
        reason=decided.given.reason,
        kind=_kind(decided.outcome, decided.reply.ran),
        outcome=_in_words(decided.outcome),
        said=decided.reply.said,
        shown=decided.given.seen,
        ran=decided.reply.ran,
        at=decided.at,
    )


def _kind(outcome: Outcome, ran: bool | None) -> Kind:
    match outcome:
        case Outcome(tone="info"):
            return Kind.ALREADY
        case Outcome(state="approved"):
            return Kind.NOTHING_RAN if ran is False else Kind.APPROVED
        case Outcome(state="rejected"):
            return Kind.REJECTED
        case Outcome(state="stopped"):
            return Kind.STOPPED
    return Kind.FAILED


def _in_words(outcome: Outcome) -> str:
    match outcome:
        case Outcome(tone="success" | "warning", state="approved" | "rejected" | "stopped" as word):
            return word
        case Outcome(tone="info"):
            return f"already resolved: {outcome.verdict}"
    return f"failed: {outcome.finding}"
