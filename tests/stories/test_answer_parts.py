"""What followers are sent and what a reload shows: the same, for everything that an AG-UI agent can do."""

from __future__ import annotations

import json
import re
from collections.abc import Coroutine, Iterable

import pytest
from ag_ui.core import Event, TextMessageContentEvent
from pydantic import TypeAdapter

from agents import pieces
from agents.answer import Answer
from agents.transcript import FOOT, every
from embedded.agents import showcase
from embedded.agents.base import asked
from gateway.state import LARGEST_STATE
from tests.stories.following import eventually, plain

events: TypeAdapter[list[Event]] = TypeAdapter(list[Event])
TEXT = {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}


def says(text: str, message_id: str = "m", **more: str) -> dict[str, object]:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": text, **more}


def sent(answer: Answer) -> list[tuple[str, dict[str, str]]]:
    frames = answer.log.after(0).decode().strip().split("\n\n")
    found = [re.match(r"id: \d+\nevent: (\w+)\ndata: (.*)", frame, re.S) for frame in frames]
    return [(frame[1], json.loads(frame[2])) for frame in found if frame]


def followed(answer: Answer) -> str:
    """What a page shows that follows from the first event on, as static/agents/follow.js puts it together."""
    shown: dict[str, str] = {}
    tail = ""
    for number, (name, data) in enumerate(sent(answer)):
        match name:
            case "text":
                tail += data["delta"]
            case "block":
                shown[f"block-{number}"], tail = data["html"], data["tail"]
            case "step":
                shown[data["key"]] = data["html"]
            case "snapshot":
                shown, tail = {"all": data["html"]}, data["tail"]
    below = [shown.pop(kind) for kind in FOOT if kind in shown]
    return plain("".join([*shown.values(), tail, *below]))


def reloaded(answer: Answer) -> str:
    kept = json.loads(json.dumps(answer.parts()))
    return plain("".join(pieces.of_answer(kept, "agent")))


def given(stream: Iterable[object], *, at_once: bool = False) -> Answer:
    """An answer after the events, which came one by one or all at once."""
    answer = Answer("agent")
    told = events.validate_python(list(stream))
    for batch in [told] if at_once else [[event] for event in told]:
        answer.feed(batch)
    answer.break_off()
    return answer


async def showing(words: str) -> list[Event]:
    """What the showcase answers."""
    body = {"messages": [{"id": "u", "role": "user", "content": words}]}
    show = next(show for pattern, show in showcase.SHOWS if re.search(pattern, words))
    return [event async for event in show(asked(body, {}))]  # type: ignore[arg-type, misc]


def at_rest(showing: Coroutine[None, None, list[Event]]) -> list[Event]:
    """What a coroutine returns that waits for nothing: without a loop, since a browser may have one in this thread."""
    try:
        showing.send(None)
    except StopIteration as ended:
        told: list[Event] = ended.value
        return told
    raise AssertionError("it waited")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("think aloud", ["Reasoning", "seven of them", "It cannot be done"]),
        ("use a tool", ["look_up", "Königsberg", '"bridges": 7', "Done"]),
        ("use steps", ["Done Look it up", "Done Compare", "Done Write it down"]),
        (
            "ask a sub-agent",
            ["Librarian", "third shelf", "find_book", "Shelf 3", "Clerk", "The stamp is lost", "books"],
        ),
        ("show state", ["State", "cheese", '"total": 9']),
        ("plan", ["PLAN", "Pack · done", "Go · done"]),
        ("custom", ["Other events (2)", "mood", "sunny", "Raw event from provider"]),
        ("speak in roles", ["Developer", "System", "User", "This is said as assistant."]),
        ("snapshot", ["This was never streamed", "Other events (1)"]),
        ("usage", ["1,200 tokens in", "34 out", "showcase-1"]),
    ],
)
def test_a_follower_and_a_reload_see_the_same(words: str, shown: list[str], *, at_once: bool) -> None:
    answer = given([event.model_dump(by_alias=True) for event in at_rest(showing(words))], at_once=at_once)
    assert followed(answer) == reloaded(answer)
    for text in shown:
        assert text in reloaded(answer), text


def test_what_is_told_beside_a_text_does_not_cut_its_words() -> None:
    answer = given(
        [
            TEXT,
            says("# Title\n\nOne paragraph.\n\nAnd half of a "),
            {"type": "STEP_STARTED", "stepName": "Beside"},
            says("sentence."),
            {"type": "STEP_FINISHED", "stepName": "Beside"},
        ]
    )
    assert followed(answer) == reloaded(answer) == "Title Done Beside One paragraph. And half of a sentence."


def test_sub_agents_side_by_side_keep_their_words_apart() -> None:
    answer = given(
        [
            {"type": "SUBAGENT_STARTED", "subagentRunId": "a", "name": "Ann"},
            {"type": "SUBAGENT_STARTED", "subagentRunId": "b", "name": "Ben"},
            says("I am ", "1", subagentRunId="a"),
            says("I am ", "2", subagentRunId="b"),
            says("Ann.", "1", subagentRunId="a"),
            says("Ben.", "2", subagentRunId="b"),
            {"type": "SUBAGENT_FINISHED", "subagentRunId": "a"},
        ]
    )
    assert followed(answer) == reloaded(answer)
    assert reloaded(answer) == "Ann Sub-agent Done I am Ann. Ben Sub-agent Not ended I am Ben."


def test_arguments_that_stream_are_shown_a_few_times_a_second_and_whole_in_the_end() -> None:
    pieces_of_json = [f'"{number}", ' for number in range(2000)]
    stream: list[object] = [{"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "sum"}]
    stream += [
        {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": delta} for delta in ["[", *pieces_of_json, '"end"]']
    ]
    answer = given(stream)
    assert followed(answer) == reloaded(answer)
    assert '"1999"' in reloaded(answer)
    assert len(sent(answer)) < 40


def test_a_delta_that_was_not_shown_yet_is_shown_with_a_later_save() -> None:
    answer = Answer("agent")
    start, args = events.validate_python(
        [
            {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "sum"},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": '{"a": 1'},
        ]
    )
    answer.feed([start, args])
    assert '{"a": 1' not in followed(answer)

    def is_shown() -> bool:
        answer.parts()
        return '{"a": 1' in followed(answer)

    eventually(is_shown)


def test_a_state_delta_that_does_not_fit_changes_nothing() -> None:
    answer = given(
        [
            {"type": "STATE_SNAPSHOT", "snapshot": {"a": 1}},
            {"type": "STATE_DELTA", "delta": [{"op": "remove", "path": "/b"}]},
        ]
    )
    assert followed(answer) == reloaded(answer) == 'State { "a": 1 }'


def test_a_state_that_is_nested_ever_deeper_says_so_and_the_rest_goes_on() -> None:
    levels = 100
    nested = json.loads('{"a":' * levels + "{}" + "}" * levels)
    deeper = [{"op": "add", "path": "/a" * levels * number, "value": nested} for number in range(20)]
    answer = given([*({"type": "STATE_DELTA", "delta": [one]} for one in deeper), TEXT, says("And on.")])
    assert followed(answer) == reloaded(answer) == "And on. State This is nested too deeply to be kept."


def test_a_state_that_is_full_takes_what_makes_it_smaller() -> None:
    full = {"a": "x" * (LARGEST_STATE - 1000), "b": 1}
    answer = given(
        [
            {"type": "STATE_SNAPSHOT", "snapshot": full},
            {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/c", "value": "y" * 2000}]},
            {"type": "STATE_DELTA", "delta": [{"op": "replace", "path": "/a", "value": ""}]},
            {"type": "STATE_DELTA", "delta": [{"op": "add", "path": "/c", "value": "z"}]},
        ]
    )
    assert answer.parts()[0]["value"] == {"a": "", "b": 1, "c": "z"}


def test_a_value_too_long_to_show_says_so_and_is_kept() -> None:
    answer = given([{"type": "CUSTOM", "name": "long", "value": "x" * 50_000}])
    assert "30000 more characters are not shown here" in reloaded(answer)
    assert len(answer.parts()[0]["events"][0]["value"]) == 50_000


def test_a_flood_of_events_is_counted_and_bounded() -> None:
    answer = given([{"type": "CUSTOM", "name": "n", "value": number} for number in range(5000)])
    assert "Other events (5000)" in reloaded(answer)
    assert "The first 500 of 5000 were kept" in reloaded(answer)
    assert followed(answer) == reloaded(answer)


def test_a_snapshot_of_messages_tells_only_what_is_new_in_this_run() -> None:
    answer = given(
        [
            TEXT,
            says("streamed"),
            {"type": "TEXT_MESSAGE_END", "messageId": "m"},
            {
                "type": "MESSAGES_SNAPSHOT",
                "messages": [
                    {"id": "old", "role": "assistant", "content": "long ago"},
                    {"id": "u", "role": "user", "content": "now"},
                    {"id": "m", "role": "assistant", "content": "streamed"},
                    {"id": "s", "role": "system", "content": "be kind"},
                    {"id": "n", "role": "assistant", "content": "added"},
                ],
            },
        ]
    )
    assert [part["text"] for part in answer.parts() if part["kind"] == "text"] == ["streamed", "be kind", "added"]
    assert followed(answer) == reloaded(answer)


CALLED = {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "look"}
RESULT = {"type": "TOOL_CALL_RESULT", "toolCallId": "c", "messageId": "r", "content": "Found seven."}


@pytest.mark.parametrize(
    "stream",
    [
        [RESULT],
        [RESULT | {"subagentRunId": "a"}],
        [CALLED | {"subagentRunId": "a"}, RESULT],
        [CALLED, RESULT | {"subagentRunId": "a"}],
        [CALLED | {"subagentRunId": "a"}, RESULT | {"subagentRunId": "b"}],
    ],
)
def test_the_result_of_a_call_is_shown_whoever_tells_it_and_whoever_called(stream: list[object]) -> None:
    answer = given(stream)
    answer.break_off()
    calls = [part for part in every(answer.parts()) if part["kind"] == "tool"]
    assert [call["result"] for call in calls] == ["Found seven."]
    assert "Found seven." in reloaded(answer) == followed(answer)


def test_arguments_without_a_sub_agent_are_those_of_the_call_that_one_made() -> None:
    more = [{"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": "{}"}, {"type": "TOOL_CALL_END", "toolCallId": "c"}]
    answer = given([CALLED | {"subagentRunId": "a"}, *more])
    assert [part["arguments"] for part in every(answer.parts()) if part["kind"] == "tool"] == ["{}"]


def test_hostile_names_and_values_are_shown_as_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    answer = given(
        [
            {"type": "STEP_STARTED", "stepName": bad},
            {"type": "SUBAGENT_STARTED", "subagentRunId": bad, "name": bad, "description": bad},
            {"type": "ACTIVITY_SNAPSHOT", "messageId": bad, "activityType": bad, "content": {bad: bad}},
            {"type": "CUSTOM", "name": bad, "value": bad},
            {"type": "STATE_SNAPSHOT", "snapshot": {bad: bad}},
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": bad, "delta": bad},
            {"type": "TEXT_MESSAGE_START", "messageId": "r", "role": "user", "name": bad},
            says(bad, "r"),
        ]
    )
    assert "<img" not in "".join(pieces.of_answer(answer.parts(), "agent"))
    assert followed(answer) == reloaded(answer)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ('Tool "wipe" was rejected: too "broad"', "Rejected"),
        ('Tool "wipe" was rejected.', "Rejected"),
        ('Tool "wipe" was rejected: Request timed out', "Timed out"),
        ('I said: Tool "wipe" was rejected.', "Done"),
    ],
)
def test_a_call_that_was_not_let_through_is_not_said_to_be_done(result: str, shown: str) -> None:
    answer = given(
        [
            {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": "wipe"},
            {"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c", "content": result},
        ]
    )
    assert followed(answer) == reloaded(answer)
    assert re.match(f"wipe {shown} ", reloaded(answer))


def test_long_text_of_the_agent_still_costs_one_event_a_batch() -> None:
    answer = Answer("agent")
    answer.feed([TextMessageContentEvent(message_id="m", delta="word ") for _ in range(1000)])
    assert [name for name, _ in sent(answer)] == ["text"]


def test_a_page_that_is_made_while_the_answer_ends_has_yet_to_be_told_the_end() -> None:
    answer = given([TEXT, says("Done.")])
    answer.end({"status": "finished", "html": ""})
    assert sent(answer)[answer.snapshot().number :] == [("end", {"status": "finished", "html": ""})]
