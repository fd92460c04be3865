"""What an answer costs goes with what the agent says: four times as much costs four times, not sixteen times."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

import pytest
from ag_ui.core import Event
from django.db import DatabaseError, DataError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from accounts.models import User
from agents import increments, markdown, pieces, runs, saving
from agents.answer import Answer
from agents.increments import Kept, merged
from agents.models import Conversation, Increment, Message, Run, size_of_answers
from agents.purging import purge
from agents.syntax.tables import MOST_FILLED
from agents.transcript import Part, every
from gateway import Person
from gateway.answers import Decoder
from gateway.sse import ServerSentEvent
from gateway.state import LARGEST_STATE, MOST_COPIED, Shared
from tests.embedded import Embedded
from tests.portico import BOTH, Portico, Visitor
from tests.runs.asking import begin, source_of, told
from tests.stories.following import eventually
from tests.stories.test_same_live import Sent, streams

event: Callable[[object], Event] = TypeAdapter(Event).validate_python
TEXT = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m"}
GROWING = {
    "reasoning": [{"type": "REASONING_MESSAGE_CONTENT", "messageId": "m"}],
    "arguments": [
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "sum"},
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c"},
    ],
    "another role": [{"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "system"}, TEXT],
    "a sub-agent": [
        {"type": "SUBAGENT_STARTED", "subagentRunId": "a", "name": "Ann"},
        {**TEXT, "subagentRunId": "a"},
    ],
}
COUNT = 3000
DELTA = "x" * 1000


@pytest.mark.parametrize("told", GROWING.values(), ids=GROWING)
def test_four_times_the_deltas_cost_about_four_times(told: list[dict[str, str]]) -> None:
    some = min(seconds(told, COUNT) for _ in range(2))
    assert min(seconds(told, 4 * COUNT) for _ in range(2)) < 8 * some


def seconds(told: list[dict[str, str]], count: int) -> float:
    """Of this process's time, to take so many deltas, each of them in a batch of its own."""
    *begun, more = told
    delta = event({**more, "delta": DELTA})
    answer = Answer("agent")
    answer.feed(map(event, begun))
    started = time.process_time()
    for _ in range(count):
        answer.feed([delta])
    spent = time.process_time() - started
    answer.break_off()
    assert DELTA * count in str(answer.parts())
    return spent


MANY: dict[str, list[dict[str, Any]]] = {
    "tool calls": [
        {"type": "TOOL_CALL_START", "toolCallId": "c%d", "toolCallName": "sum"},
        {"type": "TOOL_CALL_END", "toolCallId": "c0"},
    ],
    "tool calls of a sub-agent": [
        {"type": "TOOL_CALL_START", "toolCallId": "c%d", "toolCallName": "sum", "subagentRunId": "a"}
    ],
    "sub-agents": [{"type": "SUBAGENT_STARTED", "subagentRunId": "a%d", "name": "Ann"}],
    "messages": [
        {**TEXT, "messageId": "m%d", "delta": "x"},
        {**TEXT, "messageId": "m0", "delta": "x"},
    ],
    "messages that are open at once": [
        {"type": "TEXT_MESSAGE_START", "messageId": "m%d", "role": "assistant"},
        {**TEXT, "messageId": "m%d", "delta": "x"},
        {**TEXT, "messageId": "m0", "delta": "x"},
    ],
    "messages that go on after their end": [
        {"type": "TEXT_MESSAGE_START", "messageId": "m%d", "role": "assistant"},
        {**TEXT, "messageId": "m%d", "delta": "x"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m%d"},
        {**TEXT, "messageId": "m%d", "delta": "x"},
    ],
    "thoughts in turns": [
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "r%d", "delta": "x"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "r0", "delta": "x"},
    ],
    "calls of one id": [
        {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "sum"},
        {"type": "TOOL_CALL_END", "toolCallId": "c"},
    ],
    "runs": [
        {**TEXT, "messageId": "m", "delta": "x"},
        {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"},
        {"type": "RUN_STARTED", "threadId": "t", "runId": "r"},
    ],
    "activities": [
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "a%d", "activityType": "PLAN", "content": {}},
    ],
    "steps": [
        {"type": "STEP_STARTED", "stepName": "s%d"},
        {"type": "STEP_FINISHED", "stepName": "s0"},
    ],
}


@pytest.mark.parametrize("told", MANY.values(), ids=MANY)
def test_four_times_the_parts_cost_about_four_times(told: list[dict[str, Any]]) -> None:
    some = max(seconds_of_parts(told, 500) for _ in range(3))  # how often it is drawn meanwhile, the clock decides
    assert min(seconds_of_parts(told, 2000) for _ in range(2)) < 8 * some


def test_snapshots_of_a_thread_cost_what_they_say() -> None:
    """With each message the whole thread so far, in other words: sixteen times as much for four times as many."""

    def seconds_of(count: int) -> float:
        answer = Answer("agent")
        thread: list[dict[str, Any]] = [{"id": "u", "role": "user", "content": "x"}]
        events = []
        for number in range(count):
            message_id = f"m{number}"
            events.append(event({**TEXT, "messageId": message_id, "delta": "strem"}))
            thread.append({"id": f"{message_id}-kept", "role": "assistant", "content": f"stream {number}"})
            events.append(event({"type": "MESSAGES_SNAPSHOT", "messages": thread}))
        started = time.process_time()
        for one in events:
            answer.feed([one])
        spent = time.process_time() - started
        answer.break_off()
        assert [part["text"] for part in answer.parts() if part["kind"] == "text"][-1] == f"stream {count - 1}"
        return spent

    some = min(seconds_of(50) for _ in range(2))
    assert seconds_of(200) < 32 * some


LONG = f"Text %d{' of many words' * 60}"
THREADS: dict[str, tuple[Sent, str]] = {  # what was streamed, and how the snapshot has it
    "the same": ({"delta": LONG}, LONG),
    "in other words": ({"delta": LONG}, f"{LONG}, corrected"),
    "of sub-agents": ({"delta": "Text %d", "subagentRunId": "a%d"}, "Text %d"),
}


@pytest.mark.parametrize(("streamed", "kept"), THREADS.values(), ids=THREADS)
def test_a_snapshot_of_four_times_the_texts_costs_about_four_times(streamed: Sent, kept: str) -> None:
    def seconds_of(count: int) -> float:
        answer = Answer("agent")
        thread: list[Sent] = [{"id": "u", "role": "user", "content": "?"}]
        for number in range(count):
            said = {name: value % number for name, value in streamed.items()}
            answer.feed([event({**TEXT, "messageId": f"m{number}", **said})])
            thread.append({"id": f"{number}", "role": "assistant", "content": kept % number})
        snapshot = event({"type": "MESSAGES_SNAPSHOT", "messages": thread})
        started = time.process_time()
        answer.feed([snapshot])
        spent = time.process_time() - started
        assert thread[-1]["content"] in [part["text"] for part in every(answer.parts()) if part["kind"] == "text"]
        return spent

    some = min(seconds_of(500) for _ in range(2))
    assert min(seconds_of(2000) for _ in range(2)) < 8 * some


def test_a_snapshot_costs_about_the_same_however_many_messages_are_open() -> None:
    """That are none of those in the snapshot, so that each might be any of them."""

    def seconds_of(*, ends: bool) -> float:
        answer = Answer("agent")
        thread: list[Sent] = [{"id": "u", "role": "user", "content": "?"}]
        for number in range(500):
            words = [f"{number * one % 97}" for one in range(200)]
            said = {**TEXT, "messageId": f"m{number}"}
            answer.feed([event({**said, "type": "TEXT_MESSAGE_START", "role": "assistant"})])
            answer.feed([event({**said, "delta": " ".join(words)})])
            answer.feed([event({**said, "type": "TEXT_MESSAGE_END"})] if ends else [])
            thread.append({"id": f"{number}", "role": "assistant", "content": " ".join(reversed(words))})
        snapshot = event({"type": "MESSAGES_SNAPSHOT", "messages": thread})
        started = time.process_time()
        answer.feed([snapshot])
        return time.process_time() - started

    ended = min(seconds_of(ends=True) for _ in range(2))
    assert min(seconds_of(ends=False) for _ in range(2)) < 4 * ended


def test_what_a_sub_agent_does_costs_about_as_much_as_what_its_agent_does() -> None:
    plain = seconds_of_parts(MANY["tool calls"], 1000)
    assert seconds_of_parts(MANY["tool calls of a sub-agent"], 1000) < 4 * plain


def seconds_of_parts(told: list[dict[str, Any]], count: int) -> float:
    events = [
        event({name: value % number if "%" in value else value for name, value in one.items()})
        for number in range(count)
        for one in told
    ]
    answer = Answer("agent")
    started = time.process_time()
    for one in events:
        answer.feed([one])
    spent = time.process_time() - started
    assert answer.count >= count
    return spent


def test_sub_agents_however_deep_they_call_each_other_are_all_kept() -> None:
    answer = Answer("agent")
    for number in range(2000):
        parent = {"parentSubagentRunId": f"a{number - 1}"} if number else {}
        answer.feed(
            [event({"type": "SUBAGENT_STARTED", "subagentRunId": f"a{number}", "name": f"Ann {number}", **parent})]
        )
    for who in ("b", "c") * 1000:  # those that begin anew inside each other
        parent = {"parentSubagentRunId": "c" if who == "b" else "b"}
        answer.feed([event({"type": "SUBAGENT_STARTED", "subagentRunId": who, "name": "Bob", **parent})])
    answer.feed([event({**TEXT, "subagentRunId": "a1999", "delta": "from within"})])
    answer.break_off()
    parts = answer.parts()
    assert [f"Ann {number}" for number in range(2000)] == [
        part["name"] for part in every(parts) if part["kind"] == "agent" and part["name"] != "Bob"
    ]
    assert "from within" in json.dumps(parts)
    assert "Ann 0" in "".join(pieces.of_answer(parts, "agent"))


def test_documents_that_copy_themselves_take_no_more_than_a_bound_together() -> None:
    state = Shared()
    doubling = [{"op": "copy", "from": "/0", "path": "/0/-"}]
    for number in range(50):
        document = {"messageId": f"m{number}", "activityType": "PLAN"}
        state.take([event({"type": "ACTIVITY_SNAPSHOT", **document, "content": {"0": [["x"] * 50]}})])
        for _ in range(20):
            state.take([event({"type": "ACTIVITY_DELTA", **document, "patch": doubling})])
    size = sum(len(json.dumps(one.content)) for one in state.activities.values())
    assert LARGEST_STATE < size < MOST_COPIED + LARGEST_STATE
    assert state.refused


def table(columns: int, rows: int) -> str:
    """A wide head, over rows that have a single cell."""
    return "|".join(["pear"] * columns) + "\n" + "|".join(["-"] * columns) + "\n" + "|cell\n" * rows + "\n"


@pytest.mark.parametrize("text", [table(300, 150), table(100, 400), table(40, 10) * 50], ids=["wide", "long", "many"])
def test_tables_that_would_be_far_larger_than_their_text_are_bounded_and_lose_no_word(text: str) -> None:
    html = markdown.render(text)
    assert len(html) < 20 * len(text) + 20 * MOST_FILLED
    assert (html.count("pear"), html.count("cell")) == (text.count("pear"), text.count("cell"))
    assert "<table>" in html


def test_an_ordinary_table_is_filled_up() -> None:
    assert markdown.render("a|b|c\n-|-|-\n|d\n|e|f\n").count("<td>") == 6


CHANGING = {
    "state": [
        {"type": "STATE_SNAPSHOT"},
        {"type": "STATE_DELTA", "delta": [{"op": "replace", "path": "/rows/1/name", "value": "new"}]},
    ],
    "an activity": [
        {"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "PLAN"},
        {
            **{"type": "ACTIVITY_DELTA", "messageId": "m", "activityType": "PLAN"},
            "patch": [{"op": "add", "path": "/rows/-", "value": {"name": "new"}}],
        },
    ],
}


@pytest.mark.parametrize("told", CHANGING.values(), ids=CHANGING)
def test_a_delta_costs_the_same_however_large_the_document_is(told: list[dict[str, Any]]) -> None:
    assert calls(told, 4000) < 2 * calls(told, 40)


def calls(told: list[dict[str, Any]], rows: int) -> int:
    """Of functions, to take a hundred deltas of a document with so many rows."""
    whole, delta = told
    name = "snapshot" if whole["type"] == "STATE_SNAPSHOT" else "content"
    answer = Answer("agent")
    answer.feed([event({**whole, name: {"rows": [{"name": "old", "tags": [1, 2]}] * rows}})])
    changes = [event(delta)] * 100
    count = 0

    def hear(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(hear)
    try:
        answer.feed(changes)
    finally:
        sys.setprofile(None)
    assert '"new"' in json.dumps(answer.parts())
    return count


def in_a_sub_agent(told: list[Sent]) -> list[Sent]:
    return [{**one, "subagentRunId": "a"} for one in told]


CALL: list[Sent] = [
    {"type": "TOOL_CALL_START", "toolCallId": "c%d", "toolCallName": "sum"},
    {"type": "TOOL_CALL_ARGS", "toolCallId": "c%d", "delta": "x" * 200},
    {"type": "TOOL_CALL_RESULT", "toolCallId": "c%d", "messageId": "r%d", "content": "x" * 200},
]
STATE: Sent = {"type": "STATE_SNAPSHOT", "snapshot": {"rows": []}}
KEPT: dict[str, tuple[list[Sent], list[Sent]]] = {  # once, and again and again
    "a text": ([], [{**TEXT, "delta": "x" * 500 + "\n\n"}]),
    "a text in turns with another": ([], [{**TEXT, "messageId": who, "delta": "x" * 200} for who in "mn"]),
    "a text with what stands beside it": (
        [],
        [{**TEXT, "delta": "x" * 400}, {"type": "STEP_STARTED", "stepName": "s%d"}],
    ),
    **{who: (begun, [{**more, "delta": "x" * 500}]) for who, (*begun, more) in GROWING.items()},
    "calls": ([STATE], CALL),
    "a sub-agent's calls": ([], in_a_sub_agent(CALL)),
    "a state": ([STATE], [{"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/rows/-", "value": "x" * 100}]}]),
    "an activity": (
        [{"type": "ACTIVITY_SNAPSHOT", "messageId": "m", "activityType": "PLAN", "content": {"rows": []}}],
        [
            {
                **{"type": "ACTIVITY_DELTA", "messageId": "m", "activityType": "PLAN"},
                "patch": [{"op": "add", "path": "/rows/-", "value": {"name": "x" * 100}}],
            }
        ],
    ),
    "other events": ([], [{"type": "CUSTOM", "name": "mood", "value": "x" * 300}]),
}


@pytest.fixture
def run(transactional_db: None) -> Run:
    user = User.objects.refresh("http://gateway.example", Person("u1", "bea@example.com", "Bea", "acme", ()))
    conversation = Conversation.objects.create(user=user, agent_id="a1", agent_name="A", title="t")
    return Run.objects.create(message=Message.objects.create(conversation=conversation, text="?"))


def written(run: Run, once: list[Sent], again: list[Sent], count: int) -> int:
    """Bytes that go to the database for an answer of so many events, of which a few come between two saves."""
    Increment.objects.filter(run=run).delete()
    size = 0

    def measure(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal size
        size += sum(len(param) for param in params if isinstance(param, str))
        return execute(sql, params, many, context)

    answer, kept = Answer("agent"), Kept()
    answer.feed(map(event, once))
    sent = (
        event({name: value % number if "%d" in value else value for name, value in one.items()})
        for number in range(count)
        for one in again
    )
    with connection.execute_wrapper(measure):
        while some := list(islice(sent, 4)):
            answer.feed(some)
            saving.save_all([(run.id, kept, answer.parts())])
    assert Run.objects.get(id=run.id).parts == as_stored(answer)
    assert size_of_answers([run.message_id])[run.message_id] > len(str(answer.parts())) / 2
    return size


def as_stored(answer: Answer) -> list[Part]:
    parts: list[Part] = json.loads(json.dumps(answer.parts()))
    return parts


@pytest.mark.parametrize(("once", "again"), KEPT.values(), ids=KEPT)
def test_keeping_four_times_as_much_writes_about_four_times_as_much(
    run: Run, once: list[Sent], again: list[Sent]
) -> None:
    assert written(run, once, again, 400) < 5 * written(run, once, again, 100)


def test_a_snapshot_that_corrects_is_kept_for_about_what_it_says(run: Run) -> None:
    """And not for all that was said before it in the same answer."""
    user = {"id": "u", "role": "user", "content": "?"}

    def bytes_of(before: int) -> int:
        answer, kept = Answer("agent"), Kept()
        answer.feed([event({**TEXT, "subagentRunId": "a", "delta": "x" * before})])
        answer.feed([event({**TEXT, "delta": "A strem of words. " * 50})])
        saving.save_all([(run.id, kept, answer.parts())])
        corrected = {"id": "m", "role": "assistant", "content": "A stream of words. " * 50}
        answer.feed([event({"type": "MESSAGES_SNAPSHOT", "messages": [user, corrected]})])
        save = kept.save(answer.parts())
        assert save
        assert "stream" in save.changes
        return len(save.changes)

    assert bytes_of(1_000_000) < 2 * bytes_of(1000) < 20_000


@settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    streams,
    st.lists(st.integers(1, 6), min_size=1, max_size=4),
    st.lists(st.sampled_from(["kept", "kept", "lost", "kept unheard"]), min_size=1, max_size=5),
    st.sampled_from([-increments.A_SAVE, 1000, increments.MOST_WASTE]),
)
def test_what_was_saved_is_the_answer_whatever_came_and_whichever_saves_failed(
    stream: list[Sent], sizes: list[int], fates: list[str], most_waste: int
) -> None:
    answer, kept, decoder = Answer("agent"), Kept(), Decoder("t", "r")
    rows: list[tuple[int, int, Any]] = []
    stream = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}, *stream]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(increments, "MOST_WASTE", most_waste)
        for number in range(2 * len(stream)):
            size = sizes[number % len(sizes)]
            batch, stream = stream[:size], stream[size:]
            answer.feed(decoder.feed_all([ServerSentEvent("message", json.dumps(one).encode()) for one in batch]))
            if not batch:
                answer.break_off()
            if save := kept.save(answer.parts()):
                fate = fates[number % len(fates)] if batch else "kept"
                rows = [row for row in rows if row[0] >= kept.stale_before]
                if fate != "lost":
                    rows.insert(0, (save.number, save.builds_on, json.loads(save.changes)))
                if fate == "kept":
                    kept.has(save)
                if fate != "lost":
                    assert merged(json.loads(json.dumps(rows))) == as_stored(answer)
            if not batch:
                break
    assert (merged(rows) or []) == as_stored(answer)


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-1, 1), st.sampled_from([0.0, -0.0, 1.0, "", "pear", "pea", "spear"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(st.lists(values, min_size=2, max_size=5), st.sampled_from([0, increments.DEEPEST]))
def test_a_value_that_changed_was_saved_to_the_letter(states: list[Any], levels: int) -> None:
    """With its keys in their order, and numbers that are the same to Python alone."""
    kept = Kept()
    rows: list[tuple[int, int, Any]] = []
    for value in states:
        for _ in range(levels):
            value = [value]  # noqa: PLW2901
        if save := kept.save([{"kind": "state", "key": "state", "value": value}]):
            kept.has(save)
            rows.insert(0, (save.number, save.builds_on, json.loads(save.changes)))
        [part] = merged(json.loads(json.dumps(rows))) or []
        assert json.dumps(part["value"]) == json.dumps(value)


def test_a_save_that_the_database_does_not_take_tears_nothing_that_comes_after_it(run: Run) -> None:
    answer, kept = Answer("agent"), Kept()

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "agents_increment" in sql:
            raise DatabaseError("it is away")
        return execute(sql, params, many, context)

    for number in range(6):
        answer.feed([event({**TEXT, "delta": f"word{number} "})])
        if number % 2:
            saving.save_all([(run.id, kept, answer.parts())])
        else:
            with connection.execute_wrapper(refuse):
                saving.save_all([(run.id, kept, answer.parts())])
    assert Run.objects.get(id=run.id).parts == as_stored(answer)
    assert Run.objects.defer("parts").get(id=run.id).parts == as_stored(answer)
    assert runs._mark_left(run.id, runs.PROCESS_ENDED)
    saving.save_all([(run.id, kept, [*answer.parts(), {"kind": "text", "key": "late", "id": "late", "text": "late"}])])
    assert Run.objects.get(id=run.id).parts == as_stored(answer)  # of one that has ended no more is taken
    assert not Increment.objects.exists()


def test_of_an_answer_that_the_database_does_not_take_whole_what_was_saved_first_is_kept(run: Run) -> None:
    answer, kept = Answer("agent"), Kept()

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and any("word3" in str(getattr(param, "obj", param)) for param in params):
            raise DataError("too large")
        return execute(sql, params, many, context)

    for number in range(6):
        answer.feed([event({**TEXT, "delta": f"word{number} "})])
        saving.save_all([(run.id, kept, answer.parts())])
    with connection.execute_wrapper(refuse):
        assert runs._mark_left(run.id, runs.PROCESS_ENDED)
    left = Run.objects.get(id=run.id)
    assert (left.status, [part["text"] for part in left.parts]) == ("interrupted", ["word0 word1 word2 "])
    assert not Increment.objects.exists()


def test_saves_that_came_after_the_end_are_purged(run: Run) -> None:
    Increment.objects.create(run=run, number=1, builds_on=0, changes=[["order", "", 0, []]])
    purge()
    assert Increment.objects.count() == 1
    Run.objects.filter(id=run.id).update(status=Run.Status.FINISHED)
    purge()
    assert not Increment.objects.exists()


LATE = {"rate": 40, "count": 8000, "story": "tides"}


@pytest.fixture
def ana_at_home(gateway: Embedded) -> Iterator[Visitor]:
    home = Portico(gateway.url).start()
    ana = Visitor(home)
    ana.signs_in("user@example.com")
    yield ana
    ana.session.close()
    home.close()


@pytest.mark.parametrize("pair", BOTH, indirect=True, scope="session")
def test_all_that_was_saved_is_there_after_the_process_was_killed(ana_at_home: Visitor) -> None:
    home = ana_at_home.portico
    _, answer = begin(ana_at_home, LATE)
    with closing(sqlite3.connect(f"{home.folder.name}/db.sqlite3")) as database:
        asked = "SELECT number, builds_on, changes FROM agents_increment ORDER BY number DESC"
        eventually(lambda: len(database.execute(asked).fetchall()) > 3)
        home.kill()
        rows = [(number, before, json.loads(changes)) for number, before, changes in database.execute(asked)]
        [part] = merged(rows) or []
        assert told(LATE).startswith(part["text"])
        home.start()
        assert source_of(ana_at_home, answer) == part["text"]
        eventually(lambda: not database.execute(asked).fetchall())
        [(parts,)] = database.execute("SELECT parts FROM agents_run")
        assert json.loads(parts) == [part]
        short = {"rate": 60, "count": 80, "story": "geese"}
        _, answer = begin(ana_at_home, short)
        eventually(lambda: bool(database.execute(asked).fetchall()))
        eventually(lambda: not database.execute(asked).fetchall())  # its end keeps it whole
        [(parts,)] = database.execute("SELECT parts FROM agents_run WHERE status = 'finished'")
        assert [part["text"] for part in json.loads(parts)] == [told(short)]
