"""A conversation whose answers are long costs a page, and the next message, no more than a bound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from agents import pages, talking
from agents.models import Conversation, Message, Run

MEGABYTE = 1_000_000


@pytest.fixture
def ana(db: None) -> User:
    return User.objects.create(gateway="https://gateway", gateway_id="ana", subject="https://gateway ana")


def talked(user: User, sizes: Sequence[int]) -> tuple[Conversation, list[Message]]:
    """A conversation whose answers have these sizes, in characters."""
    conversation = Conversation.objects.create(user=user, agent_id="agent", agent_name="Agent", title="Long")
    messages = []
    for number, size in enumerate(sizes):
        messages.append(Message.objects.create(conversation=conversation, text=f"question {number}"))
        parts = [{"kind": "text", "key": "t", "id": "m", "text": "x" * size}]
        Run.objects.create(message=messages[-1], parts=parts, status=Run.Status.FINISHED)
    return conversation, messages


def shown(window: pages.Window) -> list[int]:
    return [int(entry["text"].split()[1]) for entry in window.entries if entry["is_mine"]]


def test_a_page_shows_as_many_messages_as_fit_and_leads_to_those_before(ana: User) -> None:
    conversation, messages = talked(ana, [10] * 3 + [3 * MEGABYTE] * 3 + [10] * 2)
    end = pages.window(conversation)
    assert (shown(end), end.earlier) == ([5, 6, 7], messages[5].id)
    before = pages.window(conversation, before=end.earlier)
    assert (shown(before), before.earlier) == ([4], messages[4].id)
    first = pages.window(conversation, before=messages[3].id)
    assert (shown(first), first.earlier) == ([0, 1, 2], None)


def test_a_single_answer_is_shown_however_long_it_is(ana: User) -> None:
    conversation, _ = talked(ana, [10, 6 * MEGABYTE])
    assert shown(pages.window(conversation)) == [1]


@pytest.mark.parametrize("wanted", range(6))
def test_what_was_found_is_on_the_page_that_its_link_leads_to(ana: User, wanted: int) -> None:
    conversation, messages = talked(ana, [10, 3 * MEGABYTE, 10, 3 * MEGABYTE, 3 * MEGABYTE, 10])
    window = pages.window(conversation, before=pages.around(conversation, messages[wanted].id, None))
    assert wanted in shown(window)


def test_a_conversation_of_long_answers_is_never_in_memory_as_a_whole(ana: User, settings: Any) -> None:
    settings.CONVERSATION_LIMIT = 2 * MEGABYTE
    conversation, _ = talked(ana, [MEGABYTE] * 30)
    message = Message.objects.create(conversation=conversation, text="and now?")
    run = Run.objects.create(message=message)
    tracemalloc.start()
    question, left_out = talking._question(conversation, message, run)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(question.messages), left_out) == (3, 29)
    assert peak < 15 * MEGABYTE


def test_one_of_short_answers_is_read_fifty_at_a_time(
    ana: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    conversation, messages = talked(ana, [10] * 120)
    run = Run.objects.get(message=messages[-1])
    with django_assert_max_num_queries(15):
        question, left_out = talking._question(conversation, messages[-1], run)
    assert (len(question.messages), left_out) == (239, 0)
    assert [one.content for one in question.messages][:238:2] == [f"question {number}" for number in range(119)]
