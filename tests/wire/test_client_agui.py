"""AG-UI 1.0: all its events, its shorthands, its deltas, and streams that do not keep to it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from ag_ui.core import Event, EventType

from gateway.answers import Decoder
from gateway.sse import ServerSentEvent
from gateway.state import LARGEST_STATE, Activity, BadPatch, Shared, patched

IDS = {"threadId": "t", "runId": "r"}
STARTED = {"type": "RUN_STARTED", **IDS}
FINISHED = {"type": "RUN_FINISHED", **IDS}
MESSAGE = {"messageId": "m"}
CALL = {"toolCallId": "c"}
SUBAGENT = {"subagentRunId": "s"}

ALL: list[dict[str, Any]] = [
    STARTED,
    {"type": "TEXT_MESSAGE_START", **MESSAGE, "role": "assistant"},
    {"type": "TEXT_MESSAGE_CONTENT", **MESSAGE, "delta": "Hi"},
    {"type": "TEXT_MESSAGE_END", **MESSAGE},
    {"type": "TEXT_MESSAGE_CHUNK", "messageId": "n", "delta": "Hi"},
    {"type": "TOOL_CALL_START", **CALL, "toolCallName": "look"},
    {"type": "TOOL_CALL_ARGS", **CALL, "delta": "{}"},
    {"type": "TOOL_CALL_END", **CALL},
    {"type": "TOOL_CALL_CHUNK", "toolCallId": "d", "toolCallName": "look", "delta": "{}"},
    {"type": "TOOL_CALL_RESULT", **MESSAGE, **CALL, "content": "seen"},
    {"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}},
    {"type": "STATE_DELTA", "delta": [{"op": "replace", "path": "/a", "value": 2}]},
    {"type": "MESSAGES_SNAPSHOT", "messages": [{"id": "1", "role": "user", "content": "Hi"}]},
    {"type": "ACTIVITY_SNAPSHOT", **MESSAGE, "activityType": "PLAN", "content": {"steps": []}},
    {"type": "ACTIVITY_DELTA", **MESSAGE, "activityType": "PLAN", "patch": []},
    {"type": "RAW", "event": {"anything": 1}},
    {"type": "CUSTOM", "name": "mood", "value": None},
    {"type": "STEP_STARTED", "stepName": "think"},
    {"type": "STEP_FINISHED", "stepName": "think"},
    {"type": "REASONING_START", **MESSAGE},
    {"type": "REASONING_MESSAGE_START", **MESSAGE, "role": "reasoning"},
    {"type": "REASONING_MESSAGE_CONTENT", **MESSAGE, "delta": "Hm"},
    {"type": "REASONING_MESSAGE_END", **MESSAGE},
    {"type": "REASONING_MESSAGE_CHUNK", "messageId": "o", "delta": "Hm"},
    {"type": "REASONING_END", **MESSAGE},
    {"type": "REASONING_ENCRYPTED_VALUE", "subtype": "message", "entityId": "m", "encryptedValue": "x"},
    {"type": "SUBAGENT_STARTED", **SUBAGENT, "name": "helper"},
    {"type": "SUBAGENT_FINISHED", **SUBAGENT, "outcome": {"type": "success"}},
    {"type": "SUBAGENT_ERROR", **SUBAGENT, "message": "no"},
    {"type": "RUN_ERROR", "message": "no"},
    FINISHED,
]
ENDS = {"RUN_ERROR", "RUN_FINISHED"}


def fed(decoder: Decoder, *data: object) -> list[Event]:
    return [
        event
        for one in data
        for event in decoder.feed(
            ServerSentEvent("message", one if isinstance(one, bytes) else json.dumps(one).encode())
        )
    ]


def told(events: list[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.model_dump_json(by_alias=True)) for event in events]


def types(events: list[Event]) -> list[str]:
    return [event.type.value for event in events]


# -- every event there is -----------------------------------------------------------------------------------------


def test_these_are_all_the_types() -> None:
    assert {one["type"] for one in ALL} == {kind.value for kind in EventType}
    assert len(ALL) == 31


@pytest.mark.parametrize("sent", ALL, ids=lambda one: str(one["type"]))
def test_an_event_passes_through_as_it_is(sent: dict[str, Any]) -> None:
    decoder = Decoder("t", "r")
    events = fed(decoder, STARTED, {**sent, "aNewField": {"x": 1}, "timestamp": 1})[1:]
    if sent["type"].endswith("_CHUNK"):
        assert types(events) == [sent["type"].replace("CHUNK", "START"), sent["type"].replace("CHUNK", last(sent))]
    else:
        assert told(events) == [{**sent, "aNewField": {"x": 1}, "timestamp": 1}]
    assert decoder.finished == (sent["type"] in ENDS)
    assert decoder.passed_over == 0


def last(chunk: dict[str, Any]) -> str:
    return "ARGS" if "TOOL" in chunk["type"] else "CONTENT"


# -- shorthands ---------------------------------------------------------------------------------------------------


def test_reasoning_chunks_are_start_content_and_end() -> None:
    events = fed(
        Decoder("t", "r"),
        STARTED,
        {"type": "REASONING_MESSAGE_CHUNK", "messageId": "o", "delta": "a"},
        {"type": "REASONING_MESSAGE_CHUNK", "delta": "b"},
        {"type": "REASONING_MESSAGE_CHUNK", "messageId": "p", "delta": "c"},
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "d", "name": "Ana", "role": "user"},
        FINISHED,
    )
    assert told(events)[1:-1] == [
        {"type": "REASONING_MESSAGE_START", "messageId": "o", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "o", "delta": "a"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "o", "delta": "b"},
        {"type": "REASONING_MESSAGE_END", "messageId": "o"},
        {"type": "REASONING_MESSAGE_START", "messageId": "p", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "p", "delta": "c"},
        {"type": "REASONING_MESSAGE_END", "messageId": "p"},
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "user", "name": "Ana"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "d"},
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
    ]


def test_subagents_do_not_end_what_others_say_in_chunks() -> None:
    events = fed(
        Decoder("t", "r"),
        STARTED,
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "a"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "c", "toolCallName": "look", "delta": "{", "subagentRunId": "s"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "b"},
        {"type": "TOOL_CALL_CHUNK", "delta": "}", "subagentRunId": "s"},
        {"type": "TOOL_CALL_RESULT", "messageId": "n", "toolCallId": "c", "content": "", "subagentRunId": "s"},
        FINISHED,
    )
    assert types(events) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TEXT_MESSAGE_CONTENT",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]


def call(delta: str, name: str | None = None, call_id: str | None = "c", **more: str) -> dict[str, Any]:
    return {"type": "TOOL_CALL_CHUNK", "toolCallId": call_id, "toolCallName": name, "delta": delta, **more}


@pytest.mark.parametrize(
    "chunks",
    [
        [call("{", "look"), call("}")],
        [call("{"), call("}", "look")],
        [call("{"), call("", "look", None), call("}", "look")],
        [call("{", "look"), call("}", "look")],
        [{"type": "TOOL_CALL_START", **CALL, "toolCallName": "look"}, call("{"), call("}")],
    ],
)
@pytest.mark.parametrize("who", [{}, SUBAGENT])
def test_a_chunk_may_come_back_to_what_was_begun_before(chunks: list[dict[str, Any]], who: dict[str, str]) -> None:
    between = {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "b", **who}
    *begun, last = [{**chunk, **who} for chunk in chunks]
    events = told(fed(Decoder("t", "r"), STARTED, *begun, between, last, between, FINISHED))
    assert "".join(event["delta"] for event in events if event["type"] == "TOOL_CALL_ARGS") == "{}"
    assert [event["toolCallName"] for event in events if event["type"] == "TOOL_CALL_START"][-1] == "look"
    assert len([event for event in events if event["type"] == "TEXT_MESSAGE_START"]) == 1
    names = [event.get("toolCallName") for event in events if event["type"] == "TOOL_CALL_START"]
    assert len(names) == len(set(names))


def test_what_is_told_beside_a_message_does_not_end_it() -> None:
    events = fed(
        Decoder("t", "r"),
        STARTED,
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "a"},
        {"type": "RAW", "event": 1},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": ""},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "other", "delta": "b"},
    )
    assert types(events)[3:] == ["RAW", "TEXT_MESSAGE_END", "TEXT_MESSAGE_CONTENT"]


# -- streams that do not keep to it -------------------------------------------------------------------------------


def test_what_is_not_valid_is_counted_and_told_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    decoder = Decoder("t", "the-run")
    events = fed(
        decoder,
        STARTED,
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": {"secret": "s3cret"}},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "s3cret, that goes on with nothing"},
        b"s3cret, and no JSON",
        b"[" * 100_000,
        b'{"no": "type", "s3cret": 1}',
        {"type": "OF_NEXT_YEAR"},
        FINISHED,
    )
    assert types(events) == ["RUN_STARTED", "RUN_FINISHED"]
    assert decoder.passed_over == 5
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert "the-run" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_stream_that_does_not_open_with_its_start_is_told_and_read(caplog: pytest.LogCaptureFixture) -> None:
    decoder = Decoder("t", "the-run")
    events = fed(decoder, {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "Hi"}, FINISHED)
    assert types(events) == ["RUN_STARTED", "TEXT_MESSAGE_CONTENT", "RUN_FINISHED"]
    assert told(events)[0] == {"type": "RUN_STARTED", "threadId": "t", "runId": "the-run"}
    assert decoder.lacks_start
    assert "RUN_STARTED" in caplog.text


def test_a_stream_that_opens_as_it_should_is_not_told_off(caplog: pytest.LogCaptureFixture) -> None:
    decoder = Decoder("t", "r")
    fed(decoder, *ALL)
    assert not decoder.lacks_start
    assert caplog.text == ""


# -- state and activities -----------------------------------------------------------------------------------------


def shared(*data: dict[str, Any]) -> Shared:
    state = Shared()
    state.take(fed(Decoder("t", "r"), STARTED, *data))
    return state


def delta(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"type": "STATE_DELTA", "delta": list(operations)}


def test_state_is_its_last_snapshot_and_every_delta_since() -> None:
    state = shared(
        {"type": "STATE_SNAPSHOT", "snapshot": {"lost": True}},
        {"type": "STATE_SNAPSHOT", "snapshot": {"list": [1, 2], "a/b": {"~": None}}},
        delta({"op": "add", "path": "/list/-", "value": 3}, {"op": "remove", "path": "/list/0"}),
        delta({"op": "copy", "from": "/list", "path": "/copy"}, {"op": "replace", "path": "/a~1b/~0", "value": None}),
        delta({"op": "move", "from": "/copy/0", "path": "/first"}, {"op": "test", "path": "/first", "value": 2}),
    )
    assert state.state == {"list": [2, 3], "a/b": {"~": None}, "copy": [3], "first": 2}
    assert state.refused == 0


def test_a_delta_that_does_not_fit_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state = shared(
        {"type": "STATE_SNAPSHOT", "snapshot": {"a": "s3cret"}},
        delta({"op": "replace", "path": "/a", "value": 1}, {"op": "test", "path": "/a", "value": "s3cret"}),
        delta({"op": "remove", "path": "/nothing"}),
        delta({"op": "copy", "from": "/nothing", "path": "/b"}),
        delta({"op": "add", "path": "/b", "value": 2}),
    )
    assert state.state == {"a": "s3cret", "b": 2}
    assert state.refused == 3
    assert "s3cret" not in caplog.text


def test_a_delta_before_any_snapshot_may_make_the_whole() -> None:
    assert shared(delta({"op": "replace", "path": "", "value": {"a": 1}})).state == {"a": 1}
    assert shared(delta({"op": "add", "path": "/a", "value": 1})).refused == 1


def test_a_patch_that_copies_cannot_fill_the_memory() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(64)]
    with pytest.raises(BadPatch):
        patched({"a": {"x": "x" * 1000}}, doubling)
    with pytest.raises(BadPatch):
        patched({}, [{"op": "add", "path": "/a", "value": "x" * LARGEST_STATE}])


def test_a_patch_leaves_the_document_it_is_given_alone() -> None:
    document = {"a": [1]}
    assert patched(document, [{"op": "add", "path": "/a/0", "value": 0}]) == {"a": [0, 1]}
    assert document == {"a": [1]}


def test_activities_are_put_together_by_message() -> None:
    def snapshot(message: str, **more: Any) -> dict[str, Any]:
        return {"type": "ACTIVITY_SNAPSHOT", "messageId": message, "activityType": "PLAN", **more}

    def change(message: str, *patch: dict[str, Any]) -> dict[str, Any]:
        return {"type": "ACTIVITY_DELTA", "messageId": message, "activityType": "PLAN", "patch": list(patch)}

    state = shared(
        snapshot("1", content={"steps": []}),
        change("1", {"op": "add", "path": "/steps/0", "value": "look"}),
        snapshot("1", content={"steps": ["other"]}, replace=False),
        snapshot("2", content={"old": True}),
        snapshot("2", content={"new": True}),
        snapshot("3", content={"first": True}, replace=False),
        change("4", {"op": "add", "path": "/begun", "value": "by a delta"}),
        change("1", {"op": "replace", "path": "", "value": "no object"}),
    )
    assert state.activities == {
        "1": Activity("PLAN", {"steps": ["look"]}),
        "2": Activity("PLAN", {"new": True}),
        "3": Activity("PLAN", {"first": True}),
        "4": Activity("PLAN", {"begun": "by a delta"}),
    }
    assert state.refused == 1
