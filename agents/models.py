"""Conversations, the messages in them, and the runs that answer a message."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Cast, Coalesce, Length
from django.urls import reverse
from django.utils import timezone

from agents.increments import Broken, merged
from agents.json_field import WrittenJSONField

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from accounts.models import User

LONGEST_PROBLEM = 500  # characters
LOADED_AT_ONCE = 50  # messages
LOADED_SIZE = 4 * 1024 * 1024  # characters of answers that are loaded at once; at least those to one message are

logger = logging.getLogger(__name__)


class KnownAgent(models.Model):
    """An agent that somebody has used: for people who may not list agents."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    agent_id = models.CharField(max_length=200)
    used_at = models.DateTimeField(auto_now=True)  # when a conversation was begun last

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "agent_id"], name="one_row_a_known_agent")]

    def __str__(self) -> str:
        return self.agent_id


class Conversations(models.QuerySet["Conversation"]):
    def of(self, user: User) -> Self:
        """Those that this person may see: their own, without what they deleted; the pinned ones first."""
        pinned_first = F("pinned_at").desc(nulls_last=True)
        return self.filter(user=user, deleted_at=None).order_by(pinned_first, "-updated_at")


class Conversation(models.Model):
    """A thread with one agent. Only its owner may see it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    agent_id = models.CharField(max_length=200)
    agent_name = models.CharField(max_length=200)
    title = models.CharField(max_length=120)
    updated_at = models.DateTimeField(auto_now_add=True)
    pinned_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)  # kept a little longer, so that it can be undone

    objects = Conversations.as_manager()

    class Meta:
        ordering = ["-updated_at"]
        indexes = [models.Index(fields=["user", "-updated_at"])]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("agents:conversation", args=[self.id])


class Message(models.Model):
    """What the person wrote. `key` comes with the form: the same key twice is the same message."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    key = models.UUIDField(default=uuid.uuid4)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    replaced_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="earlier")
    """The edited message that took the place of this one and what followed: kept, but not told the agent."""

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["conversation", "key"], name="one_message_a_key")]

    def __str__(self) -> str:
        return self.text[:50]


class Run(models.Model):
    """One attempt of the agent to answer a message. Retry is a new run on the same message."""

    class Status(models.TextChoices):
        RUNNING = "running"
        WAITING = "waiting"  # for credentials
        ASKING = "asking"  # ended by the agent, which waits for a decision: `interrupts`
        FINISHED = "finished"
        STOPPED = "stopped"  # by the person
        FAILED = "failed"  # the agent or the gateway said so: `problem`
        INTERRUPTED = "interrupted"  # the answer broke off, or the process ended: `problem`

    OPEN: ClassVar = (Status.RUNNING, Status.WAITING)
    BROKEN_OFF: ClassVar = (Status.STOPPED, Status.FAILED, Status.INTERRUPTED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RUNNING)
    problem = models.CharField(max_length=LONGEST_PROBLEM, blank=True)  # a sentence for people
    detail = models.TextField(blank=True)  # what the agent wrote about it: untrusted
    parts: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = WrittenJSONField(default=list)
    """The answer so far, in order: see `agents.transcript`.

    While the run is open the column is empty, and the answer is in its increments: whoever loads it has it of those.
    """
    interrupts: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = WrittenJSONField(default=list)
    """What the agent waited for in the end, and how it was answered: see `agents.interrupts`."""
    resume: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = WrittenJSONField(default=list)
    """The answers to an earlier run's interrupts that this one goes on with."""
    events = models.PositiveIntegerField(default=0)  # numbered events that followers were sent
    process = models.CharField(max_length=32, blank=True)  # that works on it, see `accounts.processes`
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.id} ({self.status})"

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **more: Any) -> Self:
        run = super().from_db(db, field_names, values, **more)
        loaded = run.__dict__
        if "parts" in loaded and loaded.get("status", cls.Status.RUNNING) in cls.OPEN:
            parts = grown_parts(run.pk, cls.OPEN)
            if parts is None and not run.parts:  # nothing yet, or it has ended just now
                parts = cls.objects.filter(pk=run.pk).values_list("parts", flat=True).first()
            run.parts = run.parts if parts is None else parts
        return run

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN


class Increment(models.Model):
    """One save of the answer of an open run: what it has more than the save that it builds on.

    They go with the end of the run, which keeps the answer whole.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="increments", db_index=False)
    number = models.PositiveIntegerField()
    builds_on = models.PositiveIntegerField()  # the number of another one; 0: none
    changes: models.JSONField[list[Any], list[Any]] = WrittenJSONField()
    """See `agents.increments`."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_increment_a_number")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.number}"


def grown_parts(
    run_id: uuid.UUID, statuses: Collection[str] = (), saves: int | None = None
) -> list[dict[str, Any]] | None:
    """The answer of a run as it was saved while it grew; None where it was not, or where its status is another one.

    `saves`: so many of the first ones.
    """
    some = Increment.objects.filter(run=run_id).order_by("-number")
    if statuses:
        some = some.filter(run__status__in=statuses)
    if saves is not None:
        some = some.filter(number__in=Increment.objects.filter(run=run_id).order_by("number").values("number")[:saves])
    try:
        return merged(some.values_list("number", "builds_on", "changes").iterator(chunk_size=100))
    except Broken as exc:
        logger.error("what was saved of run %s cannot be read: %r", run_id, exc)
        return None


class Approval(models.Model):
    """How the approval that a tool call waited for ended, as it was known then: its step shows it."""

    class State(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"
        STOPPED = "stopped"  # with the answer that asked for it
        TIMED_OUT = "timed_out"
        LOST = "lost"  # by the gateway
        UNSURE = "unsure"  # `note` says why

    FACTS: ClassVar = (
        *("confirmation_id", "step", "tool", "arguments_hash", "agent_id", "asked_at"),
        *("state", "at", "who", "who_name", "is_own", "reason", "note"),
    )

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)  # who asked
    confirmation_id = models.CharField(max_length=200)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, null=True, related_name="approvals")  # none: not found yet
    step = models.TextField(blank=True)  # id of the tool call
    tool = models.TextField()
    arguments_hash = models.CharField(max_length=64)
    agent_id = models.TextField(blank=True)
    asked_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices)
    at = models.DateTimeField()
    who = models.CharField(max_length=200, blank=True)  # the gateway's id; empty: nobody
    who_name = models.TextField(blank=True)
    is_own = models.BooleanField(default=False)  # whoever asked answered
    reason = models.TextField(blank=True)
    note = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "confirmation_id"], name="one_end_an_approval")]

    def __str__(self) -> str:
        return f"{self.tool}: {self.state}"

    @property
    def is_of_today(self) -> bool:
        return bool(timezone.localdate(self.at) == timezone.localdate())

    @property
    def sentence(self) -> tuple[str, str]:
        """What stands before the time, and after it."""
        why = self.reason
        match self.state:
            case self.State.APPROVED | self.State.REJECTED:
                who = "you" if self.is_own else self.who_name or self.who
                after = ": ".join(filter(None, (why, self.note)))
                return f"{self.State(self.state).label}{f' by {who}' if who else ''}", after
            case self.State.STOPPED:
                return "Stopped", "the answer that asked for it was stopped"
            case self.State.TIMED_OUT:
                return "Timed out", "nobody answered in time"
            case self.State.LOST:
                return "Lost by the gateway", "nothing can run"
        return "Not sure", self.note


ANSWER_SIZE = Length(Cast("parts", models.TextField()))  # of an answer that has ended, in characters, as it is kept


def size_of_answers(message_ids: Sequence[int]) -> dict[int, int]:
    """Characters of the answers to each of these messages, as they are kept: what it takes to load them."""
    growing = Increment.objects.filter(run=OuterRef("pk")).order_by().values("run")
    saved = growing.annotate(size=Sum(Length(Cast("changes", models.TextField())))).values("size")
    sizes = Run.objects.filter(message__in=message_ids).annotate(size=ANSWER_SIZE + Coalesce(Subquery(saved), 0))
    found: dict[int, int] = dict.fromkeys(message_ids, 0)
    for message_id, size in sizes.order_by().values_list("message_id", "size"):
        found[message_id] += size
    return found


def fitting(sizes: Iterable[int], room: int = LOADED_SIZE) -> int:
    """How many of the first ones fit together; at least one, however large."""
    count = 0
    for size in sizes:
        room -= size
        if count and room < 0:
            break
        count += 1
    return count


def with_answers(
    messages: models.QuerySet[Message], room: int = LOADED_SIZE, *, newest_first: bool = False
) -> Iterator[list[tuple[Message, list[Run]]]]:
    """These messages with their runs, in order: fifty at a time, unless their answers are too long for that.

    A message does not know its runs: rows that know each other stay in memory long after they are done with.
    """
    order, further = ("-id", "id__lt") if newest_first else ("id", "id__gt")
    left = messages.order_by(order)
    while ids := list(left.values_list("id", flat=True)[:LOADED_AT_ONCE]):
        left = left.filter(**{further: ids[-1]})
        sizes = size_of_answers(ids)
        while ids:
            count = fitting((sizes[one] for one in ids), room)
            runs: dict[int, list[Run]] = {one: [] for one in ids[:count]}
            for run in Run.objects.filter(message__in=runs):
                runs[run.message_id].append(run)
            yield [(one, runs[one.id]) for one in messages.filter(id__in=runs).order_by(order)]
            del ids[:count]


class SearchText(models.Model):
    """What full-text search looks at: a title, a message, or the text of an ended answer. See `agents.search`."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="texts")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, null=True)
    run = models.OneToOneField(Run, on_delete=models.CASCADE, null=True)
    text = models.TextField()
    words = models.TextField()
    """Those of the text, in order, with a space between: the database indexes them. See `agents.words`."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], condition=models.Q(message=None, run=None), name="one_title_a_conversation"
            )
        ]

    def __str__(self) -> str:
        return self.text[:50]
