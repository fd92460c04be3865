"""What somebody is writing: kept for them on this page, from any device, until it is sent."""

from __future__ import annotations

import re
import uuid

from django.conf import settings

from accounts.drafts import page_key
from accounts.models import Draft, User
from agents.models import Message
from gateway.types import writable

FIELD = "message"


def editing(page: str, message_id: int | None) -> str:
    """The page on which a message is edited; that of the conversation itself for none."""
    return f"{page}?edit={message_id}" if message_id else page


def edited(user: User, page: str) -> set[int]:
    """The messages of a conversation whose editing was begun and not sent."""
    pages = Draft.objects.filter(user=user, page__startswith=f"{page}?edit=", field=FIELD).values_list(
        "page", flat=True
    )
    return {int(found[1]) for one in pages if (found := re.search(r"=(\d+)$", one))}


def of_page(user: User, page: str) -> str:
    draft = Draft.objects.filter(user=user, page=page_key(page), field=FIELD).first()
    return draft.text if draft else ""


def keep(user: User, page: str, text: str, key: uuid.UUID | None) -> None:
    """The text as it stands. One that was sent meanwhile, which its key tells, is none any more."""
    if not text.strip():
        forget(user, page)
    elif not (key and Message.objects.filter(key=key, conversation__user=user).exists()):
        Draft.objects.update_or_create(user=user, page=page_key(page), field=FIELD, defaults={"text": writable(text)})


def has_room(user: User, page: str) -> bool:
    """Whether a text on this page can be kept: of one person DRAFTS_KEPT are."""
    own = Draft.objects.filter(user=user)
    return own.filter(page=page_key(page), field=FIELD).exists() or own.count() < settings.DRAFTS_KEPT


def forget(user: User, page: str) -> None:
    Draft.objects.filter(user=user, page=page_key(page), field=FIELD).delete()


def forget_all(user: User, page: str) -> None:
    """That of a conversation, and those of the messages in it."""
    Draft.objects.filter(user=user, page__startswith=page, field=FIELD).delete()
