"""What somebody had typed when their session ended: kept for them, shown to nobody else."""

from __future__ import annotations

from django.http import QueryDict

from accounts.addresses import split
from accounts.models import Draft, User

KEPT_FIELDS = ("message", "reason")


def keep_draft(user: User, page: str, form: QueryDict) -> None:
    for field in KEPT_FIELDS:
        if text := form.get(field, "").strip():
            Draft.objects.update_or_create(user=user, page=split(page).path[:300], field=field, defaults={"text": text})


def take_draft(user: User, page: str, field: str) -> str:
    """The text that this person left on this page, which is then theirs to send: it is kept no longer."""
    draft = Draft.objects.filter(user=user, page=page, field=field).first()
    if draft is None:
        return ""
    draft.delete()
    return draft.text
