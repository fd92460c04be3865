"""What one sees live is what one sees after a reload, whatever an agent streams and in whatever order."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import Any

from ag_ui.core import UserMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import pieces
from agents.answer import Answer
from agents.transcript import Part, as_messages, every
from gateway.answers import Decoder
from gateway.sse import ServerSentEvent
from tests.stories.browsing import Page, frames
from tests.stories.following import plain
from tests.wire.replay import recorded

Sent = dict[str, Any]
QUESTION = UserMessage(id="question", content="What now?")

words = st.integers(0, 99).map("word{}".format)
deltas = st.one_of(
    words.map("{} ".format),
    words.map("{}.\n\n".format),
    words.map("- {}\n".format),
    words.map("{}[^1]\n\n".format),
    st.sampled_from(["<think>", "</think>\n", "\n\n", " ", "```\n", "[^1]: A note\n\n", "&lt;", "<b", "**"]),
)
texts, thoughts, calls = (st.sampled_from([f"{kind}{number}" for number in "123"]) for kind in "mrt")
agents = st.sampled_from([*8 * [{}], {"subagentRunId": "a"}, {"subagentRunId": "b"}])


def sent(kind: str, **fields: Any) -> st.SearchStrategy[Sent]:
    given_fields = {
        name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in fields.items()
    }
    return st.fixed_dictionaries({"type": st.just(kind), **given_fields})


def weighed(*some: tuple[int, st.SearchStrategy[Sent]]) -> st.SearchStrategy[Sent]:
    """One of them, as often as its number says: `one_of` gives each of their own alternatives the same chance."""
    return st.sampled_from([one for often, one in some for _ in range(often)]).flatmap(lambda one: one)


def of_an_agent(events: st.SearchStrategy[Sent]) -> st.SearchStrategy[Sent]:
    return st.builds(lambda event, who: event | who, events, agents)


roles = st.sampled_from([*6 * ["assistant"], "user", "system"])
said = of_an_agent(
    weighed(
        (2, sent("TEXT_MESSAGE_START", messageId=texts, role=roles)),
        (5, sent("TEXT_MESSAGE_CONTENT", messageId=texts, delta=deltas)),
        (1, sent("TEXT_MESSAGE_END", messageId=texts)),
        (2, sent("TEXT_MESSAGE_CHUNK", messageId=texts, delta=deltas)),
        (1, sent("TEXT_MESSAGE_CHUNK", delta=deltas)),
    )
)
thought = of_an_agent(
    st.one_of(
        sent("REASONING_MESSAGE_START", messageId=thoughts, role="reasoning"),
        sent("REASONING_MESSAGE_CONTENT", messageId=thoughts, delta=deltas),
        sent("REASONING_MESSAGE_END", messageId=thoughts),
        sent("REASONING_MESSAGE_CHUNK", messageId=thoughts, delta=deltas),
    )
)
called = of_an_agent(
    st.one_of(
        sent("TOOL_CALL_START", toolCallId=calls, toolCallName="look"),
        sent("TOOL_CALL_ARGS", toolCallId=calls, delta=deltas),
        sent("TOOL_CALL_END", toolCallId=calls),
        sent("TOOL_CALL_CHUNK", toolCallId=calls, delta=deltas),
        sent("TOOL_CALL_CHUNK", toolCallId=calls, toolCallName="look", delta=deltas),
        sent("TOOL_CALL_RESULT", toolCallId=calls, messageId="result", content=words),
    )
)
plans = st.sampled_from(["p1", "m1"])
beside = of_an_agent(
    st.one_of(
        sent("STEP_STARTED", stepName=st.sampled_from(["One", "Two"])),
        sent("STEP_FINISHED", stepName=st.sampled_from(["One", "Two"])),
        sent("ACTIVITY_SNAPSHOT", messageId=plans, activityType="PLAN", content=words.map(lambda word: {"a": word})),
        sent(
            "ACTIVITY_DELTA",
            messageId=plans,
            activityType="PLAN",
            patch=words.map(lambda word: [{"op": "add", "path": "/b", "value": word}]),
        ),
    )
)
other = st.one_of(
    sent("CUSTOM", name="mood", value=words),
    sent("STATE_SNAPSHOT", snapshot=words),
    sent("RAW", event=words),
    sent("SUBAGENT_STARTED", subagentRunId=st.sampled_from("ab"), name="Ann"),
    sent("SUBAGENT_FINISHED", subagentRunId=st.sampled_from("ab")),
    sent("SUBAGENT_ERROR", subagentRunId="b", message=words),
)
runs = st.one_of(
    sent("RUN_STARTED", threadId="t", runId="r"),
    sent("RUN_FINISHED", threadId="t", runId="r"),
    sent("RUN_ERROR", message=words),
)
contents = st.lists(deltas, min_size=1, max_size=3).map("".join)
message = st.one_of(
    st.fixed_dictionaries({"id": st.one_of(texts, words), "role": roles, "content": contents}),
    st.builds(
        lambda number, call, content: {
            "id": number,
            "role": "assistant",
            "content": content,
            "toolCalls": [{"id": call, "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        words,
        calls,
        st.one_of(st.none(), contents),
    ),
    st.fixed_dictionaries({"id": words, "role": st.just("tool"), "toolCallId": calls, "content": words}),
    st.fixed_dictionaries({"id": st.one_of(thoughts, words), "role": st.just("reasoning"), "content": contents}),
    st.fixed_dictionaries(
        {
            "id": plans,
            "role": st.just("activity"),
            "activityType": st.just("PLAN"),
            "content": words.map(lambda word: {"a": word}),
        }
    ),
)
question = {"id": "question", "role": "user", "content": "What now?"}
snapshot = sent(
    "MESSAGES_SNAPSHOT",
    messages=st.builds(
        lambda before, since: [*before, question, *since],
        st.lists(message, max_size=2),
        st.lists(of_an_agent(message), max_size=5),
    ),
)
mixed = weighed((9, said), (5, called), (3, thought), (2, beside), (2, other), (2, snapshot), (1, runs))
streams = st.integers(1, 50).flatmap(lambda size: st.lists(mixed, min_size=size, max_size=size))


class Watched:
    """An answer that is streamed in batches, a page that follows it from the start, and one that joins later."""

    def __init__(self, stream: list[Sent], sizes: list[int], joins_after: int) -> None:
        self.answer = Answer("agent", sent=[QUESTION])
        self.decoder = Decoder("t", "r")
        self.later: tuple[int, Page] | None = None
        stream = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}, *stream]
        number = 0
        while stream:
            size = sizes[number % len(sizes)]
            batch, stream = stream[:size], stream[size:]
            data = [ServerSentEvent("message", json.dumps(event).encode()) for event in batch]
            self.answer.feed(self.decoder.feed_all(data))
            number += 1
            if number == joins_after:
                self.join()
        self.answer.break_off()

    def join(self) -> None:
        told = self.answer.snapshot()
        self.later = told.number, Page("".join(told.pieces), told.tail)
        if not self.answer.is_behind:
            assert self.live() == plain(self.later[1].html)

    def live(self, after: int = 0, page: Page | None = None) -> str:
        page = page or Page()
        for number, name, data in frames(self.answer.log.after(0)):
            if number > after:
                page.hear(name, data)
        return plain(page.html)

    def is_seen_the_same(self) -> None:
        assert self.live() == self.reloaded
        if self.later:
            assert self.live(*self.later) == self.reloaded

    @property
    def parts(self) -> list[Part]:
        kept: list[Part] = json.loads(json.dumps(self.answer.parts()))
        return kept

    @property
    def reloaded(self) -> str:
        return plain("".join(pieces.of_answer(self.parts, "agent")))


@settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(streams, st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 30))
def test_whatever_comes_looks_the_same_live_and_after_a_reload(
    stream: list[Sent], sizes: list[int], joins_after: int
) -> None:
    check(stream, sizes, joins_after)


@settings(
    max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(streams, st.integers(1, 6))
def test_nothing_is_lost_and_nothing_stands_twice(stream: list[Sent], size: int) -> None:
    """What comes after a snapshot is there once, and so is every call, whatever the snapshot holds."""
    stream = with_words_of_their_own(stream)
    last = max((number for number, event in enumerate(stream) if event["type"] == "MESSAGES_SNAPSHOT"), default=-1)
    watched = Watched(stream, [size], 0)
    shown = plain("".join(pieces.of_answer([part for part in watched.parts if part["kind"] != "others"], "agent")))
    for event in taken(stream):
        for word in re.findall("word[0-9]+x", event.get("delta", "")):
            assert shown.count(word) <= 1 or event["type"].startswith("TOOL"), "its arguments stand in its line, too"
    for event in taken(stream, last):
        for word in re.findall("word[0-9]+x", event.get("delta", "")):
            assert word in shown
    here = {part["id"] for part in every(watched.parts) if part["kind"] == "tool"}
    assert {event["toolCallId"] for event in taken(stream) if event["type"] in CALLS} <= here


CALLS = ("TOOL_CALL_START", "TOOL_CALL_CHUNK")


def with_words_of_their_own(stream: list[Sent]) -> list[Sent]:
    number = count()
    return [
        event | {"delta": re.sub("word[0-9]+", lambda _: f"word{next(number)}x", event["delta"])}
        if isinstance(event.get("delta"), str)
        else event
        for event in stream
    ]


def taken(stream: list[Sent], after: int = -1) -> list[Sent]:
    """The events that belong to a run and say of what they are more."""
    found: list[Sent] = []
    is_over = False
    for number, event in enumerate(stream):
        is_over = event["type"] != "RUN_STARTED" and (is_over or event["type"] in ("RUN_FINISHED", "RUN_ERROR"))
        if not is_over and number > after and (event.get("messageId") or event.get("toolCallId")):
            found.append(event)
    return found


def check(stream: list[Sent], sizes: list[int], joins_after: int) -> None:
    watched = Watched(stream, sizes, joins_after)
    watched.is_seen_the_same()
    keys = [part["key"] for part in every(watched.parts)]
    assert len(keys) == len(set(keys))


def test_recorded_streams_look_the_same_live_and_after_a_reload() -> None:
    streams = [
        [json.loads(frame["data"]) for frame in exchange.frames if frame.get("data", "").startswith('{"type"')]
        for exchange in recorded("agents-invoke-stream")
        if exchange.is_stream
    ]
    whole = [stream for stream in streams if stream and stream[-1]["type"] == "RUN_FINISHED"]
    assert whole
    for stream in whole:
        before = Watched(stream[:-1], [1], 3)
        kept = {"type": "MESSAGES_SNAPSHOT", "messages": [question, *messages_of(before.parts)]}
        watched = Watched([*stream[:-1], kept, stream[-1]], [2], 2)
        for one in (before, watched):
            one.is_seen_the_same()
        assert [part | {"key": ""} for part in watched.parts if part["kind"] != "others"] == [
            part | {"key": ""} for part in before.parts
        ]


def messages_of(parts: list[Part]) -> list[Sent]:
    """The thread as an agent keeps it, with ids of its own."""
    return [message.model_dump(by_alias=True, exclude_none=True) for message in as_messages("kept", parts)]
