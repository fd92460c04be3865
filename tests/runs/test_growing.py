"""What an answer costs goes with what the agent says: four times as much costs four times, not sixteen times."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from ag_ui.core import Event
from pydantic import TypeAdapter

from agents import markdown, pieces
from agents.answer import Answer
from agents.syntax.tables import MOST_FILLED
from agents.transcript import every
from gateway.state import LARGEST_STATE, MOST_COPIED, Shared

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
    some = min(seconds_of_parts(told, 500) for _ in range(2))
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
