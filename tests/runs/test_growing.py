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

from agents.answer import Answer

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
