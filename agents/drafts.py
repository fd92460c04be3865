"""What somebody is writing: kept for them on this page, from any device, until it is sent."""

from __future__ import annotations

import uuid

from accounts.models import Draft, User
from agents.models import Message

FIELD = "message"
LONGEST_PAGE = 300  # characters of a path, as `Draft` has them


def of_page(user: User, page: str) -> str:
    draft = Draft.objects.filter(user=user, page=page[:LONGEST_PAGE], field=FIELD).first()
    return draft.text if draft else ""


def keep(user: User, page: str, text: str, key: uuid.UUID | None) -> None:
    """The text as it stands. One that was sent meanwhile, which its key tells, is none any more."""
    if not text.strip():
        forget(user, page)
    elif not (key and Message.objects.filter(key=key, conversation__user=user).exists()):
        Draft.objects.update_or_create(user=user, page=page[:LONGEST_PAGE], field=FIELD, defaults={"text": text})


def forget(user: User, page: str) -> None:
    Draft.objects.filter(user=user, page=page[:LONGEST_PAGE], field=FIELD).delete()
