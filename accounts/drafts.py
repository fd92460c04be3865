"""What somebody had typed when their session ended: kept for them, shown to nobody else."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.http import QueryDict

from accounts.addresses import split
from accounts.models import Draft, User
from gateway.types import writable

KEPT_FIELDS = ("message", "reason")
LONGEST_PAGE = 300  # characters of a path, as `Draft` has them


def page_key(page: str) -> str:
    """A path as `Draft` keeps it: two long ones that begin alike are still two."""
    if len(page) <= LONGEST_PAGE:
        return page
    mark = hashlib.sha256(page.encode()).hexdigest()
    return page[: LONGEST_PAGE - len(mark)] + mark


def keep_draft(user: User, page: str, form: QueryDict) -> None:
    """What was sent in vain. Of one person the newest DRAFTS_KEPT are kept."""
    for field in KEPT_FIELDS:
        if (text := form.get(field, "")).strip():
            key = page_key(split(page).path)
            Draft.objects.update_or_create(user=user, page=key, field=field, defaults={"text": writable(text)})
    oldest = Draft.objects.filter(user=user).order_by("-kept_at").values_list("pk", flat=True)[settings.DRAFTS_KEPT :]
    if beyond := list(oldest):
        Draft.objects.filter(pk__in=beyond).delete()


def take_draft(user: User, page: str, field: str) -> str:
    """The text that this person left on this page, which is then theirs to send: it is kept no longer."""
    draft = Draft.objects.filter(user=user, page=page_key(page), field=field).first()
    if draft is None:
        return ""
    draft.delete()
    return draft.text
