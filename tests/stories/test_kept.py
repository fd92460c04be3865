"""What is kept how long: nothing only grows, but for what people and the record want to keep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import QueryDict
from django.utils import timezone

from accounts import drafts
from accounts.models import Draft, User
from agents import talking
from agents.models import Approval, Conversation, KnownAgent
from agents.purging import KEPT_DELETED, KEPT_UNPLACED, KEPT_UNSENT, KEPT_UNUSED, purge
from gateway import Agent

KEPT = {
    "accounts.User": "for good: a row a person",
    "accounts.Draft": "90 days, and the newest 500 of a person",
    "accounts.Process": "until it has died and left nothing behind",
    "agents.KnownAgent": "180 days after it was used last",
    "agents.Conversation": "until it is deleted, and 5 minutes",
    "agents.Message": "with its conversation",
    "agents.Run": "with its conversation",
    "agents.Increment": "until its run has ended, which keeps the answer whole",
    "agents.Approval": "with its run; a day where none was found",
    "agents.SearchText": "with its conversation",
    "confirmations.Decision": "for good: the record is a chain",
    "confirmations.ChainHead": "one row",
    "confirmations.Answering": "while somebody answers",
    "confirmations.Hold": "a day after it was sent, a month until somebody read that it was not",
    "confirmations.Claim": "two minutes",
    "confirmations.FirstApproval": "a day",
    "credentials.SwitchedOff": "until the service is switched on or gone: a row a service",
    "sessions.Session": "until it ends",
    "auth.Permission": "Django's own",
    "auth.Group": "Django's own",
    "contenttypes.ContentType": "Django's own",
}


def test_of_each_table_it_is_known_how_long_its_rows_stay() -> None:
    """A new one has to be thought of, and told in the README."""
    assert {f"{model._meta.app_label}.{model.__name__}" for model in apps.get_models()} == KEPT.keys()


@pytest.fixture
def ana() -> User:
    return User.objects.create(subject="ana", gateway="http://gateway", gateway_id="ana", email="ana@example.com")


@pytest.mark.django_db
def test_what_nobody_came_back_to_is_purged_and_the_rest_stays(ana: User) -> None:
    echo = Agent(id="echo", name="Echo", description="", is_active=True, tenant="")
    talked = talking.begin(ana, echo, "hello", None)
    gone = talking.begin(ana, Agent(id="old", name="Old", description="", is_active=True, tenant=""), "hello", None)
    drafts.keep_draft(ana, "/agents/echo/", QueryDict("message=fresh"))
    drafts.keep_draft(ana, "/agents/old/", QueryDict("message=old"))
    now = timezone.now()
    KnownAgent.objects.filter(agent_id="old").update(used_at=now - KEPT_UNUSED - timedelta(hours=1))
    Draft.objects.filter(page="/agents/old/").update(kept_at=now - KEPT_UNSENT - timedelta(hours=1))
    Conversation.objects.filter(id=gone.id).update(deleted_at=now - KEPT_DELETED - timedelta(seconds=1))
    facts = {"user": ana, "tool": "read_file", "arguments_hash": "0", "state": "approved", "asked_at": now}
    for name, at in (("late", now), ("never", now - KEPT_UNPLACED - timedelta(hours=1))):
        Approval.objects.create(confirmation_id=name, at=at, **facts)
    Session.objects.create(session_key="over", session_data="", expire_date=now - timedelta(seconds=1))
    purge()
    assert [one.agent_id for one in KnownAgent.objects.all()] == ["echo"]
    assert [one.text for one in Draft.objects.all()] == ["fresh"]
    assert list(Conversation.objects.all()) == [talked]
    assert [one.confirmation_id for one in Approval.objects.all()] == ["late"]
    assert not Session.objects.exists()


@pytest.mark.django_db
def test_an_agent_that_is_used_again_and_a_text_that_is_changed_count_anew(ana: User) -> None:
    echo = Agent(id="echo", name="Echo", description="", is_active=True, tenant="")
    long_ago = timezone.now() - KEPT_UNUSED - timedelta(days=1)
    for text in ("first", "again"):
        talking.begin(ana, echo, text, None)
        drafts.keep_draft(ana, "/agents/echo/", QueryDict(f"message={text}"))
        if text == "first":
            KnownAgent.objects.update(used_at=long_ago)
            Draft.objects.update(kept_at=long_ago)
    purge()
    assert KnownAgent.objects.count() == 1 and Draft.objects.get().text == "again"


@pytest.mark.django_db
def test_of_one_person_the_newest_texts_are_kept(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DRAFTS_KEPT", 3)
    for number in range(5):
        drafts.keep_draft(ana, f"/confirmations/{number}/", QueryDict(f"reason=because+{number}"))
    assert sorted(Draft.objects.values_list("text", flat=True)) == ["because 2", "because 3", "because 4"]


@pytest.mark.django_db
def test_what_was_sent_in_vain_is_kept_as_it_was_typed(ana: User) -> None:
    form = QueryDict(mutable=True)
    form["message"], form["reason"] = "    if True:\n        pass\n", " \n "
    drafts.keep_draft(ana, "/agents/echo/", form)
    assert [(one.field, one.text) for one in Draft.objects.all()] == [("message", "    if True:\n        pass\n")]
