"""Saying something to an agent: the message is kept first, then a run answers it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from ag_ui.core import Message as AgUiMessage
from ag_ui.core import ResumeEntry, RunAgentInput, UserMessage
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import limits, processes
from accounts.models import User, cut
from agents import interrupts, runs
from agents.models import Conversation, KnownAgent, Message, Run, with_answers
from agents.transcript import as_messages, every
from confirmations.signals import tell_pages
from gateway import Agent, Gateway, MissingService
from gateway.errors import GatewayError, SignedOut

TITLE_LENGTH = 60  # characters
AGENT_NAME_LENGTH = 200  # characters


class CannotBegin(Exception):
    """No run begins: `message` says why."""

    message = ""


class StillAnswering(CannotBegin):
    """The conversation has an open run: one answer at a time."""

    message = "The agent is still answering. Wait for the end, or stop it; your message was not sent."


class TooFast(CannotBegin):
    """This person has begun as many runs as they may in a minute."""

    message = "You ask faster than Portico can follow. Wait a minute, then try again; your message was not sent."


def own_key(user: User, key: uuid.UUID | None, text: str) -> uuid.UUID | None:
    """The key, or where another text was sent with it, one that is this text's own each time.

    Who goes back in their browser finds the form as it was, with the key of what they have sent.
    """
    if key and Message.objects.filter(key=key, conversation__user=user).exclude(text=text).exists():
        return uuid.uuid5(key, text)
    return key


def begin(user: User, agent: Agent, text: str, key: uuid.UUID | None) -> Conversation:
    """A new conversation, named after its first message, which has yet to be said; the same key gives the same one."""
    if key and (said := Message.objects.filter(key=key, conversation__user=user).first()):
        return said.conversation
    _keep_pace(user.pk)
    KnownAgent.objects.update_or_create(user=user, agent_id=agent.id)
    line = " ".join(text.split())
    title = line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
    named = {"user": user, "agent_id": agent.id, "agent_name": cut(agent.name, AGENT_NAME_LENGTH), "title": title}
    same = uuid.uuid5(uuid.NAMESPACE_OID, f"{user.pk} {key}") if key else uuid.uuid4()  # also for two at one moment
    return Conversation.objects.get_or_create(id=same, defaults=named)[0]


class Deleted(CannotBegin):
    """The conversation was deleted meanwhile, perhaps in another tab."""

    message = "This conversation was deleted. Undo that to go on in it; your message was not sent."


class NotTheLast(CannotBegin):
    """Only the last message can be answered once more: what came later was said knowing the old answer."""

    message = "Only the last message can be answered again. You can edit an earlier one instead."


def say(
    gateway: Gateway, conversation: Conversation, text: str, key: uuid.UUID | None, replaced: Message | None = None
) -> Run:
    """Keep the message, then start its run; the same key again gives the run that there is.

    The message may be an edited one: what it replaces, and all that was said since, is kept but told no more.

    Raises StillAnswering, Deleted; and SignedOut, with nothing kept: the agent would refuse the token, too.
    """
    message = Message(conversation=conversation, text=text, key=key or uuid.uuid4())
    run = Run(message=message)
    with runs.starting(run.id):
        try:
            with transaction.atomic():
                _one_at_a_time(conversation)
                if said := conversation.messages.filter(key=message.key).first():
                    return last_run(said)
                if open_run(conversation):
                    raise StillAnswering
                if conversation.messages.exists():  # else it has just begun, and was counted then
                    _keep_pace(conversation.user_id)
                asking = list(_asking(conversation))
                run.resume = _leave_open_questions(conversation)
                message.save()
                if replaced is not None:
                    since = conversation.messages.filter(id__gte=replaced.id, id__lt=message.id, replaced_by=None)
                    since.update(replaced_by=message)
                run.process = processes.this_process().pk
                run.save()
                Conversation.objects.filter(id=conversation.id).update(updated_at=timezone.now())
        except IntegrityError:  # the same key at the same moment: the other request has it
            return last_run(conversation.messages.get(key=message.key))
        try:
            missing = _missing(gateway, conversation)
        except SignedOut:  # what was typed becomes a draft, and what it would have replaced stays
            with transaction.atomic():
                message.delete()
                Conversation.objects.filter(id=conversation.id, messages=None).delete()
                for one in asking:
                    Run.objects.filter(id=one.id).update(status=Run.Status.ASKING, interrupts=one.interrupts)
            raise
        _start(gateway, conversation, message, run, missing)
    return run


def retry(gateway: Gateway, run: Run) -> Run:
    """A new run on the same message, the last one; the same attempt again gives the run that there is.

    Raises CannotBegin, SignedOut.
    """
    conversation = run.message.conversation
    if run.message != conversation.messages.filter(replaced_by=None).last():
        raise NotTheLast
    missing = _missing(gateway, conversation)
    again = Run(message=run.message)
    with runs.starting(again.id):
        with transaction.atomic():
            _one_at_a_time(conversation)
            if (latest := last_run(run.message)) != run:
                return latest
            if open_run(conversation):
                raise StillAnswering
            _keep_pace(conversation.user_id)
            again.resume = _leave_open_questions(conversation) or run.resume
            again.process = processes.this_process().pk
            again.save()
        _start(gateway, conversation, run.message, again, missing)
    return again


def resume(gateway: Gateway, run: Run, answered: list[dict[str, Any]]) -> None:
    """Go on with the answers to all that a run asked; nothing when it has been answered already.

    Raises CannotBegin, SignedOut.
    """
    conversation = run.message.conversation
    missing = _missing(gateway, conversation)
    again = Run(message=run.message, resume=interrupts.entries(answered))
    with runs.starting(again.id):
        with transaction.atomic():
            _one_at_a_time(conversation)
            if open_run(conversation):
                raise StillAnswering
            _keep_pace(conversation.user_id)
            asking = Run.objects.filter(id=run.id, status=Run.Status.ASKING)
            if not asking.update(status=Run.Status.FINISHED, interrupts=answered):
                return
            again.process = processes.this_process().pk
            again.save()
        _start(gateway, conversation, run.message, again, missing)


def _keep_pace(person: int) -> None:
    if not limits.runs.allows(person):
        raise TooFast


def _leave_open_questions(conversation: Conversation) -> list[dict[str, Any]]:
    """Whoever writes something else leaves what was asked unanswered: the agent is told so."""
    told: list[dict[str, Any]] = []
    for run in _asking(conversation):
        left = interrupts.left(run.interrupts)
        told += interrupts.entries(left)
        Run.objects.filter(id=run.id).update(status=Run.Status.FINISHED, interrupts=left)
    return told


def _asking(conversation: Conversation) -> QuerySet[Run]:
    return Run.objects.filter(message__conversation=conversation, status=Run.Status.ASKING).defer("parts")


def _one_at_a_time(conversation: Conversation) -> None:
    """Until the transaction ends, nobody else begins a run here, or deletes the conversation. (SQLite has one
    transaction at a time anyhow.) Raises Deleted.
    """
    locked = Conversation.objects.select_for_update().filter(id=conversation.id).first()
    if locked is None or locked.deleted_at is not None:
        raise Deleted


def delete(conversation: Conversation) -> None:
    """Gone from every page at once, and no run begins in it any more; one that goes on is stopped."""
    with transaction.atomic():
        Conversation.objects.select_for_update().filter(id=conversation.id).first()
        Conversation.objects.filter(id=conversation.id).update(deleted_at=timezone.now())
    if run := open_run(conversation):
        async_to_sync(runs.stop)(run.id)


def open_run(conversation: Conversation) -> Run | None:
    """The run that is going on, if there is one."""
    candidates = Run.objects.filter(message__conversation=conversation, status__in=Run.OPEN).defer("parts")
    return next((run for run in candidates if runs.seen_through(run).is_open), None)


def last_run(message: Message) -> Run:
    return message.runs.latest("created_at")


def _missing(gateway: Gateway, conversation: Conversation) -> tuple[MissingService, ...]:
    """What has to be connected first; where the gateway cannot say, the run itself will find out."""
    try:
        return gateway.missing_services(conversation.agent_id)
    except SignedOut:
        raise
    except GatewayError:
        return ()


def _start(
    gateway: Gateway, conversation: Conversation, message: Message, run: Run, missing: tuple[MissingService, ...]
) -> None:
    question, left_out = _question(conversation, message, run)
    live = runs.LiveRun(
        id=run.id,
        user_id=conversation.user_id,
        agent_id=conversation.agent_id,
        conversation_path=conversation.get_absolute_url(),
        gateway=gateway,
        question=question,
        left_out=left_out,
        missing=missing,
        known={
            part["id"]: part
            for old in _resumed_by(run, list(message.runs.all()))
            for part in every(old.parts)
            if "id" in part
        },
    )
    async_to_sync(runs.start)(live)
    if Conversation.objects.filter(id=conversation.id, deleted_at__isnull=False).exists():
        async_to_sync(runs.stop)(run.id)  # it was deleted before the run could be stopped
    tell_pages(conversation.user_id, conversation=str(conversation.id))


def _resumed_by(run: Run, attempts: Sequence[Run]) -> list[Run]:
    """The runs on the same message whose interrupts led to this one, oldest first."""
    chain: list[Run] = []
    entries = run.resume
    for earlier in sorted(attempts, key=lambda one: one.created_at, reverse=True):
        if entries and {one["id"] for one in asked_in(earlier)} & {entry["interruptId"] for entry in entries}:
            chain.insert(0, earlier)
            entries = earlier.resume
    return chain


def asked_in(run: Run) -> list[dict[str, Any]]:
    return [one["interrupt"] for one in run.interrupts]


def _exchanges(conversation: Conversation, message: Message) -> Iterator[list[AgUiMessage]]:
    """What was said and answered before this message, the newest first; none of a message without an answer."""
    before = conversation.messages.filter(replaced_by=None, id__lt=message.id)
    some_at_once = with_answers(before, settings.CONVERSATION_LIMIT, newest_first=True)
    for old, answers in chain.from_iterable(some_at_once):
        said: list[AgUiMessage] = []
        finished = [answer for answer in answers if answer.status == Run.Status.FINISHED]
        if finished:
            said.append(UserMessage(id=str(old.key), content=old.text))
            for answer in [*_resumed_by(finished[-1], finished), finished[-1]]:
                said += as_messages(str(answer.id), answer.parts)
        yield said


def _question(conversation: Conversation, message: Message, run: Run) -> tuple[RunAgentInput, int]:
    """What the agent is asked: the finished exchanges before, and the new message; and how many messages before had to
    be left out, the oldest, since the conversation is longer than `CONVERSATION_LIMIT`.
    """
    exchanges: list[list[AgUiMessage]] = []
    room = settings.CONVERSATION_LIMIT
    for exchange in _exchanges(conversation, message):
        room -= sum(len(one.model_dump_json().encode()) for one in exchange)
        if room < 0:
            break
        exchanges.append(exchange)
    before = conversation.messages.filter(id__lt=message.id, replaced_by=None).count()
    said = [one for exchange in reversed(exchanges) for one in exchange]
    said.append(UserMessage(id=str(message.key), content=message.text))
    chain = _resumed_by(run, list(message.runs.all()))
    ended = {part["id"] for answer in chain for part in answer.parts if part.get("result") is not None and "id" in part}
    for answer in chain:
        pending = {str(one.get("toolCallId")) for one in asked_in(answer)} - ended
        said += as_messages(str(answer.id), answer.parts, pending)
    question = RunAgentInput(
        thread_id=str(conversation.id),
        run_id=str(run.id),
        state={},
        messages=said,
        tools=[],
        context=[],
        forwarded_props={},
        resume=[ResumeEntry.model_validate(entry) for entry in run.resume] or None,
    )
    return question, before - len(exchanges)
