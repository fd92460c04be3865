"""Conversations to take away: as Markdown to read, or as JSON with everything that is kept of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from agents import approvals, readable
from agents.models import Conversation, Message, Run, with_answers
from agents.pieces import NO_APPROVALS, Approvals
from agents.readable import line

FORMATS = {"md": "text/markdown; charset=utf-8", "json": "application/json"}


async def written(conversations: QuerySet[Conversation], form: str, *, as_list: bool) -> AsyncIterator[str]:
    """The file, piece by piece; what a piece needs is read when its turn comes."""
    pieces = _markdown(conversations) if form == "md" else _json(conversations, as_list=as_list)
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[str]) -> str:
    """Empty when there is no more."""
    return next(pieces, "")


def _messages(conversation: Conversation) -> Iterator[tuple[Message, list[Run], Mapping[UUID, Approvals]]]:
    """In order, with the answers to each and how approvals in these ended.

    Those that were replaced by an edited one, too: they were said.
    """
    for some in with_answers(conversation.messages.all()):
        ended = approvals.of_runs([run.id for _, runs in some for run in runs])
        yield from ((message, runs, ended) for message, runs in some)


def _json(conversations: QuerySet[Conversation], *, as_list: bool) -> Iterator[str]:
    yield '{"conversations": [' if as_list else "\n"
    for number, conversation in enumerate(conversations.iterator()):
        head = {
            "id": str(conversation.id),
            "title": conversation.title,
            "agent": {"id": conversation.agent_id, "name": conversation.agent_name},
            "updated_at": conversation.updated_at.isoformat(),
            "is_pinned": conversation.pinned_at is not None,
        }
        yield (",\n" if number else "") + _text(head)[:-1] + ', "messages": ['
        for place, (message, runs, ended) in enumerate(_messages(conversation)):
            yield (",\n" if place else "\n") + _text(_message(message, runs, ended))
        yield "]}"
    yield "]}\n" if as_list else "\n"


def _message(message: Message, runs: Iterable[Run], ended: Mapping[UUID, Approvals]) -> dict[str, Any]:
    return {
        "id": str(message.key),
        "text": message.text,
        "sent_at": message.created_at.isoformat(),
        "is_replaced": message.replaced_by_id is not None,
        "answers": [
            {
                "run": str(run.id),
                "status": run.status,
                "problem": run.problem,
                "detail": run.detail,
                "started_at": run.created_at.isoformat(),
                "ended_at": run.ended_at.isoformat() if run.ended_at else None,
                "resume": run.resume,
                "parts": run.parts,
                "approvals": approvals.as_json(ended.get(run.id, NO_APPROVALS)),
                "interrupts": [{"interrupt": one["interrupt"], "answer": one.get("entry")} for one in run.interrupts],
            }
            for run in runs
        ],
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _markdown(conversations: QuerySet[Conversation]) -> Iterator[str]:
    for conversation in conversations.iterator():
        yield f"# {line(conversation.title)}\n\nA conversation with {line(conversation.agent_name)}.\n\n"
        for message, runs, ended in _messages(conversation):
            edited = ", replaced later" if message.replaced_by_id else ""
            yield f"## You, {_moment(message.created_at)}{edited}\n\n{message.text}\n\n"
            for run in runs:
                yield f"## {line(conversation.agent_name)}, {_moment(run.created_at)}\n\n"
                yield from filter(None, readable.answer(run, ended.get(run.id, NO_APPROVALS)))
    yield "\n"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
