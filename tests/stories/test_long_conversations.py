"""A conversation whose answers are long costs a page, and the next message, no more than a bound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.visitors import Visitor
from agents import approvals, export, pages, search, talking
from agents.consumers import FollowRun
from agents.models import Conversation, Message, Run
from agents.words import terms_of

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
        parts = [{"kind": "text", "key": "t", "id": "m", "text": "word " * (size // 5)}]
        Run.objects.create(message=messages[-1], parts=parts, status=Run.Status.FINISHED)
    return conversation, messages


@contextmanager
def most_in_memory(size: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size


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
    with most_in_memory(15 * MEGABYTE):
        question, left_out = talking._question(conversation, message, run)
    assert (len(question.messages), left_out) == (3, 29)


@pytest.mark.parametrize("form", export.FORMATS)
def test_neither_is_one_that_is_taken_away(ana: User, form: str) -> None:
    talked(ana, [MEGABYTE] * 40)
    conversations = Conversation.objects.of(ana)
    pieces = export._markdown(conversations) if form == "md" else export._json(conversations, as_list=True)
    with most_in_memory(20 * MEGABYTE):
        assert sum(piece.count("word ") for piece in pieces) == 40 * MEGABYTE // 5


def test_neither_is_what_is_searched_for_the_first_time(ana: User) -> None:
    conversation, messages = talked(ana, [10] * 60)
    Run.objects.update(parts=[{"kind": "tool", "key": "t", "id": "c", "result": "x" * MEGABYTE}])
    Message.objects.filter(id=messages[7].id).update(text="walnut " * 10_000)
    assert terms_of("walnut")  # what tells words apart is there from now on
    with most_in_memory(25 * MEGABYTE):
        hits, _ = search.find(ana, "walnut")
    assert [hit.message_id for hit in hits] == [messages[7].id]
    assert conversation.texts.count() == 121


@pytest.mark.parametrize("sizes", [[MEGABYTE] * 20, [10] * 30], ids=["long answers", "many"])
def test_a_page_that_lacks_more_than_a_page_is_told_to_load_anew(ana: User, sizes: list[int]) -> None:
    conversation, messages = talked(ana, sizes)
    with most_in_memory(30 * MEGABYTE):
        assert pages.since(conversation, messages[0].id).entries == []
        assert shown(pages.since(conversation, messages[-2].id)) == [len(sizes) - 2, len(sizes) - 1]


def test_a_page_that_shows_a_long_answer_is_brought_what_came_after_it(ana: User) -> None:
    conversation, messages = talked(ana, [6 * MEGABYTE, 10])
    assert shown(pages.since(conversation, messages[0].id)) == [0, 1]


def test_an_answer_is_loaded_where_it_is_shown_and_nowhere_else(ana: User) -> None:
    conversation, messages = talked(ana, [20 * MEGABYTE])
    run = messages[0].runs.defer("parts").get()
    follower = FollowRun()
    follower.visitor = Visitor(ana, "", None)  # type: ignore[arg-type]  # it is not asked for
    follower.asked = {"url_route": {"kwargs": {"run_id": run.id}}}
    with most_in_memory(MEGABYTE):
        assert async_to_sync(follower._run)() == run
        approvals.settle(run.id, [])
        for status in (Run.Status.ASKING, Run.Status.RUNNING):
            Run.objects.filter(id=run.id).update(status=status)
            assert (talking.open_run(conversation) == run) == (status == Run.Status.RUNNING)
            assert list(talking._asking(conversation)) == [run][: status == Run.Status.ASKING]


def test_one_of_short_answers_is_read_fifty_at_a_time(
    ana: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    conversation, messages = talked(ana, [10] * 120)
    run = Run.objects.get(message=messages[-1])
    with django_assert_max_num_queries(15):
        question, left_out = talking._question(conversation, messages[-1], run)
    assert (len(question.messages), left_out) == (239, 0)
    assert [one.content for one in question.messages][:238:2] == [f"question {number}" for number in range(119)]
