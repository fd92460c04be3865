"""What the chat pages show: conversations by day, and a conversation as entries."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from agents import pieces, runs
from agents.models import Conversation, Message, Run

LISTED = 100  # conversations beside a chat


def entries(conversation: Conversation) -> list[dict[str, Any]]:
    """The transcript: each message, then each run that answered it."""
    shown = []
    for message in conversation.messages.prefetch_related("runs"):
        shown += entry_with_answers(conversation, message)
    return shown


def entry_with_answers(conversation: Conversation, message: Message) -> list[dict[str, Any]]:
    attempts = [runs.seen_through(run) for run in message.runs.all()]
    return [
        {"is_mine": True, "text": message.text, "at": message.created_at},
        *(answer(conversation, run, is_last=run is attempts[-1]) for run in attempts),
    ]


def answer(conversation: Conversation, run: Run, *, is_last: bool = True) -> dict[str, Any]:
    """A run as `agents/_message.html` shows it: so far, where it is going on, with the number to follow it from."""
    if run.is_open and runs.live(run.id) is None:
        run.refresh_from_db()  # it may have ended just now
    entry = {
        "is_mine": False,
        "agent_name": conversation.agent_name,
        "at": run.created_at,
        "run": run,
        "is_open": run.is_open,
        "pieces": [],
        "tail": "",
        "after": 0,
        "end": mark_safe(""),
    }
    if run.is_open:
        whole = runs.whole_so_far(run.id)
        entry |= {"pieces": [mark_safe(whole.html)], "tail": whole.tail, "after": whole.number}  # noqa: S308
    else:
        entry["pieces"] = pieces.of_answer(run.parts, conversation.agent_id)
        entry["end"] = _end(run, is_last=is_last)
    return entry


def _end(run: Run, *, is_last: bool) -> SafeString:
    return pieces.end(run.id, run.status, run.problem, run.detail, may_retry=is_last)


def groups(user: User, current: uuid.UUID | None = None) -> list[dict[str, Any]]:
    """This person's conversations, newest first, by day."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for conversation in Conversation.objects.filter(user=user)[:LISTED]:
        grouped.setdefault(_day(conversation.updated_at), []).append(
            {
                "title": conversation.title,
                "url": conversation.get_absolute_url(),
                "is_current": conversation.id == current,
                "agent_name": conversation.agent_name,
            }
        )
    return [{"label": label, "items": items} for label, items in grouped.items()]


def _day(moment: datetime) -> str:
    today = timezone.localdate()
    day = timezone.localdate(moment)
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return "This week" if day > today - timedelta(days=7) else "Earlier"


def last_by_agent(user: User) -> dict[str, dict[str, Any]]:
    """The newest conversation of this person with each agent: `{agent_id: {title, url, at}}`."""
    newest: dict[str, dict[str, Any]] = {}
    for conversation in _newest_first(user):
        newest.setdefault(
            conversation.agent_id,
            {"title": conversation.title, "url": conversation.get_absolute_url(), "at": conversation.updated_at},
        )
    return newest


def _newest_first(user: User) -> Iterator[Conversation]:
    return Conversation.objects.filter(user=user)[:1000].iterator()
