"""What would only grow goes for good: what was deleted, what is over, what nobody came back to."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from accounts.models import Draft
from agents import drafts
from agents.models import Approval, Conversation, Increment, KnownAgent, Run

UNDO_SHOWN = timedelta(seconds=10)
KEPT_DELETED = timedelta(minutes=5)  # longer than Undo is shown: the page may have been slow, or read late
KEPT_UNSENT = timedelta(days=90)  # a text that nobody went on with
KEPT_UNUSED = timedelta(days=180)  # an agent with whom no conversation was begun; one that has any is known by it
KEPT_UNPLACED = timedelta(days=1)  # the end of an approval of which no answer asked; gateways hold a call for minutes


def purge() -> None:
    """What was deleted some minutes ago, with what was being written there; sessions that are over; what was left."""
    now = timezone.now()
    SessionStore.clear_expired()
    Draft.objects.filter(kept_at__lt=now - KEPT_UNSENT).delete()
    Approval.objects.filter(run=None, at__lt=now - KEPT_UNPLACED).delete()
    Increment.objects.exclude(run__status__in=Run.OPEN).delete()  # written while its run was ended by another process
    KnownAgent.objects.filter(used_at__lt=now - KEPT_UNUSED).delete()
    gone = Conversation.objects.filter(deleted_at__lt=now - KEPT_DELETED)
    for conversation in gone.select_related("user"):
        if gone.filter(id=conversation.id).delete()[0]:  # unless it was brought back just now
            drafts.forget_all(conversation.user, conversation.get_absolute_url())
