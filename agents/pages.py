"""What the chat pages show: conversations by day, and a conversation as entries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.safestring import mark_safe

from accounts.models import User
from agents import approvals, drafts, interrupts, pieces, runs
from agents.models import Conversation, Message, Run, fitting, size_of_answers
from agents.pieces import NO_APPROVALS, Approvals
from agents.search import Hit

LISTED = 100  # conversations beside a chat
SHOWN = 25  # messages of a transcript at once, each with its answers, unless these are too long for that


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a transcript: each message, then each run that answered it."""

    entries: list[dict[str, Any]]
    earlier: int | None  # what to ask for as `before` to see what comes before; None at the beginning
    is_end: bool

    @property
    def run(self) -> Run | None:
        """The one that is going on in it."""
        return next((entry["run"] for entry in self.entries if entry.get("is_open")), None)


def window(conversation: Conversation, *, before: int | None = None, version: int | None = None) -> Window:
    """The end of the transcript, or what comes before a message; `version`: of what that edited message replaced."""
    flow = conversation.messages.filter(replaced_by=version)
    newest_first = flow.order_by("-id").prefetch_related("runs")
    ids = list(
        (newest_first.filter(id__lt=before) if before else newest_first).values_list("id", flat=True)[: SHOWN + 1]
    )
    sizes = size_of_answers(ids)
    count = min(SHOWN, fitting(sizes[one] for one in ids))
    some = list(newest_first.filter(id__in=ids[:count]))
    is_end = before is None or not flow.filter(id__gte=before).exists()
    shown = some[::-1]
    edited = set(conversation.messages.filter(replaced_by__in=shown).values_list("replaced_by_id", flat=True))
    begun = drafts.edited(conversation.user, conversation.get_absolute_url())
    ended = _ended(shown)
    entries = []
    for message in shown:
        is_last = is_end and version is None and message is shown[-1]
        entries += entry_with_answers(
            conversation,
            message,
            is_last=is_last,
            is_edited=message.id in edited,
            may_edit=version is None,
            is_begun=message.id in begun,
            ended=ended,
        )
    return Window(entries, shown[0].id if len(ids) > count else None, is_end)


def since(conversation: Conversation, message_id: int) -> Window:
    """A message and all that was said after it; nothing when that message was replaced, or that is more than a page."""
    newer_ones = conversation.messages.filter(replaced_by=None, id__gte=message_id).order_by("id")
    ids = list(newer_ones.values_list("id", flat=True)[: SHOWN + 1])
    newer_ids = ids[1:]
    sizes = size_of_answers(newer_ids)
    if message_id not in ids or len(ids) > SHOWN or fitting(sizes[one] for one in newer_ids) < len(newer_ids):
        return Window([], None, is_end=True)
    newer = list(newer_ones.filter(id__in=ids).prefetch_related("runs"))
    edited = set(conversation.messages.filter(replaced_by__in=newer).values_list("replaced_by_id", flat=True))
    ended = _ended(newer)
    entries = []
    for message in newer:
        entries += entry_with_answers(
            conversation, message, is_last=message is newer[-1], is_edited=message.id in edited, ended=ended
        )
    return Window(entries, None, is_end=True)


def around(conversation: Conversation, message_id: int, version: int | None) -> int | None:
    """What to ask for as `before`, so that this message is shown with what follows it, as far as that fits."""
    following = conversation.messages.filter(replaced_by=version, id__gte=message_id).order_by("id")
    ids = list(following.values_list("id", flat=True)[: SHOWN // 2 + 1])
    sizes = size_of_answers(ids)
    count = min(SHOWN // 2, fitting(sizes[one] for one in ids))
    return ids[count] if len(ids) > count else None


def entry_with_answers(
    conversation: Conversation,
    message: Message,
    *,
    is_last: bool = True,
    is_edited: bool = False,
    may_edit: bool = True,
    is_begun: bool = False,
    ended: Mapping[uuid.UUID, Approvals] | None = None,
) -> list[dict[str, Any]]:
    """`ended`: how approvals in these answers ended, where that was read already."""
    attempts = [runs.seen_through(run) for run in message.runs.all()]
    found = _ended([message]) if ended is None else ended
    return [
        {
            "is_mine": True,
            "id": message.id,
            "text": message.text,
            "at": message.created_at,
            "conversation_id": conversation.id,
            "is_edited": is_edited,
            "may_edit": may_edit,
            "is_begun": is_begun,
        },
        *(
            answer(conversation, run, found.get(run.id, NO_APPROVALS), is_last=is_last and run is attempts[-1])
            for run in attempts
        ),
    ]


def _ended(messages: Iterable[Message]) -> Mapping[uuid.UUID, Approvals]:
    return approvals.of_runs([run.id for message in messages for run in message.runs.all()])


def answer(
    conversation: Conversation, run: Run, ended: Approvals = NO_APPROVALS, *, is_last: bool = True
) -> dict[str, Any]:
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
        "end": None,
    }
    if run.is_open:
        whole = runs.whole_so_far(run, ended)
        entry |= {"pieces": [mark_safe(whole.html)], "tail": whole.tail, "after": whole.number}  # noqa: S308
    else:
        entry["pieces"] = pieces.of_answer(run.parts, conversation.agent_id, interrupts.states(run.interrupts), ended)
        entry["end"] = pieces.ending(run.status, run.problem, run.detail, may_retry=is_last)
        entry["asked"] = interrupts.asked(run.interrupts, run.parts) if run.interrupts else None
    return entry


def groups(user: User, current: uuid.UUID | None = None) -> list[dict[str, Any]]:
    """This person's conversations: the pinned ones, then the newest, by day."""
    return grouped(Conversation.objects.of(user)[:LISTED], current)


def grouped(conversations: Iterable[Conversation], current: uuid.UUID | None = None) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for conversation in conversations:
        label = "Pinned" if conversation.pinned_at else _day(conversation.updated_at)
        found.setdefault(label, []).append(
            {
                "title": conversation.title,
                "url": conversation.get_absolute_url(),
                "is_current": conversation.id == current,
                "agent_name": conversation.agent_name,
                "at": conversation.updated_at,
            }
        )
    return [{"label": label, "items": items} for label, items in found.items()]


def hit(found: Hit) -> dict[str, Any]:
    """What was found, with a link to where it stands."""
    url = found.conversation.get_absolute_url()
    if found.message_id:
        query = f"version={found.version}&" if found.version else ""
        url += f"?{query}at={found.message_id}#message-{found.message_id}"
    return {
        "title": found.conversation.title,
        "agent_name": found.conversation.agent_name,
        "at": found.conversation.updated_at,
        "snippet": found.snippet,
        "url": url,
    }


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
    return Conversation.objects.of(user).order_by("-updated_at")[:1000].iterator()
