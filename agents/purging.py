"""Deleted conversations go for good when they can no longer be brought back, and sessions when they are over."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from agents import drafts
from agents.models import Conversation

UNDO_SHOWN = timedelta(seconds=10)
KEPT_DELETED = timedelta(minutes=5)  # longer than Undo is shown: the page may have been slow, or read late


def purge() -> None:
    """What was deleted some minutes ago, with what was being written there; sessions that are over."""
    SessionStore.clear_expired()
    gone = Conversation.objects.filter(deleted_at__lt=timezone.now() - KEPT_DELETED)
    for conversation in gone.select_related("user"):
        if gone.filter(id=conversation.id).delete()[0]:  # unless it was brought back just now
            drafts.forget_all(conversation.user, conversation.get_absolute_url())
