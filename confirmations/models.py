"""Portico's own record: who decided what, and what the gateway made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from accounts.models import Process
from confirmations.items import ANSWERED_BEFORE, WITH_ITS_RUN, doubt_of, may_have_run, state_of
from confirmations.threads import READING, blocks
from gateway import Confirmation
from gateway.types import Status


class Decision(models.Model):
    """One answer that somebody gave to a confirmation through Portico, whatever became of it: a link of the chain.

    Written by `record.record`, and never again. It stands alone: who decided is kept as text too, since a person's row
    may go. What is changed past this class, as by a queryset's update, is found by `manage.py verify_decisions`.
    """

    class Kind(models.TextChoices):
        """What became of it, as far as the answer's own way tells."""

        APPROVED = "approved", "Approved"
        NOTHING_RAN = "nothing ran", "Approved, but nothing ran"
        REJECTED = "rejected", "Rejected"
        STOPPED = "stopped", "Stopped with the answer that asked for it"
        ALREADY = "already resolved", "Already resolved by somebody else"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled before it was sent"
        FIRST = "first approval", "First of two approvals"
        UNSURE = "unsure", "Cannot be sure"

    number = models.PositiveBigIntegerField(unique=True)  # 1, 2, 3 …
    gateway = models.CharField(max_length=300)
    confirmation_id = models.CharField(max_length=200)
    tool = models.TextField()
    arguments_hash = models.CharField(max_length=64, blank=True)  # gateway.canonical; empty: nested too deeply
    shown = models.CharField(max_length=64, blank=True)  # hash of the item as it was shown; empty: a program answered
    risk = models.CharField(max_length=20)
    agent_id = models.TextField(blank=True)
    agent_name = models.TextField(blank=True)
    end_user = models.TextField(blank=True)  # the gateway's id of whom the call was for
    end_user_name = models.TextField(blank=True)  # as it was known then, like the names below
    tenant = models.TextField(blank=True)
    provider_id = models.TextField(blank=True)
    provider_name = models.TextField(blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)  # not in the hash
    who = models.CharField(max_length=200)  # the gateway's id of whoever decided
    who_name = models.TextField()
    at = models.DateTimeField()
    approve = models.BooleanField()
    reason = models.TextField(blank=True)
    said = models.TextField(blank=True)  # the gateway's answer; empty: it was not asked, or said nothing
    kind = models.CharField(max_length=20, choices=Kind.choices)
    outcome = models.TextField()  # in words: "approved", "already resolved: …", "failed: …"
    ran = models.BooleanField(null=True)  # False: approved, but nobody was waiting any more
    before = models.CharField(max_length=64, blank=True)  # the hash of the decision before; empty: the first one
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["gateway", "confirmation_id"], name="decision_on"),
            models.Index(fields=["gateway", "end_user", "-number"], name="decision_for"),
            models.Index(fields=["gateway", "tenant", "-number"], name="decision_in"),
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.outcome}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A decision is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A decision is never deleted.")


class ChainHead(models.Model):
    """The last decision of the chain: one row, whose lock is the right to append."""

    number = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.number} {self.hash}"


class Answering(models.Model):
    """The right to answer one confirmation: one at a time, taken by an INSERT; and what is being sent by that right.

    Not a transaction, since the gateway is asked meanwhile and SQLite would let nobody else write.
    """

    gateway = models.CharField(max_length=300)
    confirmation_id = models.CharField(max_length=200)
    since = models.DateTimeField()
    process = models.ForeignKey(Process, on_delete=models.SET_NULL, null=True)  # that answers; none: from before
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True)  # none: nothing is, so far
    approve = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    seen = models.CharField(max_length=64, blank=True)  # hash of the item as it was shown
    call: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)  # what a record needs

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "confirmation_id"], name="one_answer_at_a_time")]

    def __str__(self) -> str:
        return self.confirmation_id


class Hold(models.Model):
    """An approval that was given and that Portico keeps for a moment before the gateway hears of it.

    The process that took it sends it, late where the gateway is slow or the database was away.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"  # it can be taken back no more
        SENT = "sent"  # the gateway answered: see the decision
        CANCELLED = "cancelled"  # before the gateway heard of it: `why`

    OPEN: ClassVar = (State.WAITING, State.SENDING)

    gateway = models.CharField(max_length=300)
    confirmation_id = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    session = models.CharField(max_length=64)  # its name among processes, never its key
    process = models.ForeignKey(Process, on_delete=models.SET_NULL, null=True)  # that sends it; none: from before
    reason = models.TextField(blank=True)
    seen = models.CharField(max_length=64, blank=True)  # hash of the item as it was shown
    tool = models.CharField(max_length=300)
    call: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    """What the record of decisions needs to know of the call, should nobody be there to ask the gateway."""
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    why = models.CharField(max_length=300, blank=True)  # a sentence without its full stop
    is_told = models.BooleanField(default=False)  # whether the person has read that it was cancelled
    given_at = models.DateTimeField(db_default=Now())
    sends_at = models.DateTimeField()  # by the database's clock, like `given_at`
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "confirmation_id"],
                condition=models.Q(state__in=("waiting", "sending")),
                name="one_hold_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["gateway", "confirmation_id"], name="hold_on"),
            models.Index(fields=["state", "sends_at"], name="hold_until"),
        ]

    def __str__(self) -> str:
        return f"{self.tool}: {self.state}"


class Claim(models.Model):
    """Somebody looks into a confirmation: the others of Portico leave it to them for a while."""

    gateway = models.CharField(max_length=300)
    confirmation_id = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "confirmation_id"], name="one_claim_at_a_time")]

    def __str__(self) -> str:
        return self.confirmation_id


class FirstApproval(models.Model):
    """The first of the two approvals that a call of this risk needs. The gateway does not know of it."""

    gateway = models.CharField(max_length=300)
    confirmation_id = models.CharField(max_length=200)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    shown = models.CharField(max_length=64, blank=True)  # `items.hash_as_shown` of what was approved; none: from before
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "confirmation_id"], name="one_first_approval")]

    def __str__(self) -> str:
        return self.confirmation_id

    def is_of(self, call: str) -> bool:
        """Whether it counts for the call with this hash: not when the call changed after it was approved."""
        return self.shown in ("", call)


def did_run(gateway: str, confirmation_id: str) -> bool | None:
    """Whether an approval given through Portico found anybody waiting; None: nobody knows.

    For calls that the gateway has just shown to whoever asks.
    """
    decisions = Decision.objects.filter(gateway=gateway, confirmation_id=confirmation_id, approve=True)
    return decisions.exclude(ran=None).values_list("ran", flat=True).first()


def doubt_about(gateway: str, record: Confirmation, said: str) -> str:
    """A verdict for a call of which nobody can be sure how it ended, else an empty text.

    For calls that the gateway has just shown to whoever asks; `said` is what its record says, in words.
    """
    decisions = Decision.objects.filter(gateway=gateway, confirmation_id=record.id)
    unsure = decisions.filter(kind=Decision.Kind.UNSURE).values_list("outcome", flat=True).first()
    if unsure is not None:
        return unsure
    # The gateway may write another answer down later than it took ours.
    kinds = (Decision.Kind.APPROVED, Decision.Kind.REJECTED, Decision.Kind.STOPPED)
    taken = decisions.filter(kind__in=kinds).first()
    if taken is None or taken.approve == (state_of(record) == "approved"):
        return ""
    is_stop = taken.kind == Decision.Kind.STOPPED
    return doubt_of(taken.who_name, approve=taken.approve, said=said, is_stop=is_stop)


def with_its_reason(gateway: str, record: Confirmation) -> Confirmation:
    """The same with our own reason, where a gateway that keeps none tells of a call that went with its run."""
    if state_of(record) != "rejected" or record.reason or record.answered_by not in ("", record.end_user):
        return record
    stopped = Decision.objects.filter(
        gateway=gateway, confirmation_id=record.id, who=record.end_user, kind=Decision.Kind.STOPPED
    )
    return replace(record, reason=WITH_ITS_RUN) if stopped.exists() else record


TAKEN = (Decision.Kind.APPROVED, Decision.Kind.NOTHING_RAN, Decision.Kind.REJECTED, Decision.Kind.STOPPED)
"""The gateway took the answer."""
NEVER_ARRIVED = "not found"
"""What the gateway said to an answer that it had no use for."""
CAME_LATE = "already resolved"
"""What it said to an answer that came after another."""


@blocks(READING)
def with_our_end(gateway: str, record: Confirmation) -> Confirmation:
    """The same, ended by the answer that the gateway took, as Portico's own record has it; unchanged where it has none.

    For calls that the gateway holds no longer, with no end on its record: it may stop before it writes that down.
    """
    taken = Decision.objects.filter(gateway=gateway, confirmation_id=record.id, kind__in=TAKEN).first()
    if taken is None:
        return record
    status: Status = "confirmed" if taken.approve else "rejected"
    return replace(record, status=status, answered_by=taken.who, reason=taken.reason)


def doubt_about_lost(gateway: str, confirmation_id: str) -> str:
    """A verdict for such a call that has no end on either record, where an approval may have arrived; else empty."""
    decisions = Decision.objects.filter(gateway=gateway, confirmation_id=confirmation_id)
    if decisions.filter(said=CAME_LATE).exists():
        return ANSWERED_BEFORE
    sent = decisions.filter(kind=Decision.Kind.FAILED, approve=True).exclude(said=NEVER_ARRIVED)
    who = sent.values_list("who_name", flat=True).first()
    return may_have_run(who) if who else ""
