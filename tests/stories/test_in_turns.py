"""Messages, thoughts and calls that an agent tells in turns, and several runs in one body: each is whole, in order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents import pieces
from agents.answer import Answer
from gateway.answers import Decoder
from gateway.sse import ServerSentEvent
from tests.stories.browsing import Page, frames
from tests.stories.following import plain

Sent = dict[str, Any]
STARTED = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
FINISHED = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}


def start(message_id: str, **more: str) -> Sent:
    return {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant", **more}


def says(message_id: str, delta: str, kind: str = "CONTENT", **more: str) -> Sent:
    return {"type": f"TEXT_MESSAGE_{kind}", "messageId": message_id, "delta": delta, **more}


def end(message_id: str) -> Sent:
    return {"type": "TEXT_MESSAGE_END", "messageId": message_id}


def thinks(message_id: str, delta: str, kind: str = "CONTENT") -> Sent:
    return {"type": f"REASONING_MESSAGE_{kind}", "messageId": message_id, "delta": delta}


def calls(call_id: str, delta: str, **more: str) -> Sent:
    return {"type": "TOOL_CALL_CHUNK", "toolCallId": call_id, "delta": delta, **more}


def step(kind: str, call_id: str, **more: str) -> Sent:
    return {"type": f"TOOL_CALL_{kind}", "toolCallId": call_id, **more}


def result(call_id: str, content: str = "seven") -> Sent:
    return step("RESULT", call_id, messageId="r", content=content)


TURNS: dict[str, tuple[list[Sent], list[str]]] = {
    "two messages": (
        [start("m"), says("m", "One "), start("n"), says("n", "Two "), says("m", "is one."), says("n", "is two.")],
        ["One is one.", "Two is two."],
    ),
    "three, which end in another order": (
        [
            *(start("m"), says("m", "a"), start("n"), says("n", "b"), start("o"), says("o", "c"), says("m", "a")),
            *(end("m"), says("n", "b"), end("n"), says("o", "c"), end("o")),
        ],
        ["aa", "bb", "cc"],
    ),
    "two with paragraphs": (
        [
            *(start("m"), says("m", "# A\n\none "), start("n"), says("n", "# B\n\n- two\n"), says("m", "is\n\nthis")),
            *(says("n", "- is that\n\nAnd"), says("m", "."), says("n", " more.")),
        ],
        ["A one is this.", "B two is that And more."],
    ),
    "two without starts": ([says("m", "a"), says("n", "b"), says("m", "c"), says("n", "d")], ["ac", "bd"]),
    "two in chunks": (
        [says(one, delta, "CHUNK") for one, delta in [("m", "a"), ("n", "b"), ("m", "c"), ("n", "d")]],
        ["ac", "bd"],
    ),
    "one of somebody else": (
        [start("m"), says("m", "a"), start("n", role="user"), says("n", "b"), says("m", "c"), says("n", "d")],
        ["ac User bd"],
    ),
    "started twice": ([start("m"), says("m", "a"), start("m"), says("m", "b")], ["ab"]),
    "ended twice": (
        [
            start("m"),
            says("m", "a"),
            start("n"),
            says("n", "b"),
            end("m"),
            end("m"),
            says("n", "c"),
            end("n"),
            end("n"),
        ],
        ["a bc"],
    ),
    "a footnote of the first": (
        [start("m"), says("m", "Fact.[^1]\n\nAnd\n\n"), start("n"), says("n", "b"), says("m", "so.\n\n[^1]: Source")],
        ["Fact. 1 And so. 1 Source b"],
    ),
    "thoughts within": (
        [
            start("m"),
            says("m", "<think>Hm, "),
            start("n"),
            says("n", "b"),
            says("m", "yes.</think>Seven"),
            says("n", "c"),
        ],
        ["Reasoning Hm, yes. Seven bc"],
    ),
    "the beginning of a thought": (
        [start("m"), says("m", "Well\n<thi"), start("n"), says("n", "b"), says("m", "nk>Hm.</think>Seven")],
        ["Well Reasoning Hm. Seven b"],
    ),
    "thoughts and a text": (
        [
            *(thinks("r", "", "START"), thinks("r", "Hm, "), start("m"), says("m", "One "), thinks("r", "yes.")),
            says("m", "is one."),
        ],
        ["Reasoning Hm, yes. One is one."],
    ),
    "two thoughts": (
        [thinks(one, delta) for one, delta in [("r", "a"), ("s", "b"), ("r", "c"), ("s", "d")]],
        ["Reasoning ac Reasoning bd"],
    ),
    "a call within a text": (
        [
            start("m"),
            says("m", "Let me lo"),
            step("START", "c", toolCallName="look"),
            says("m", "ok."),
            step("END", "c"),
        ],
        ["Let me look. look No result"],
    ),
    "a call in chunks, and a text": (
        [
            *(calls("c", '{"at": ', toolCallName="look"), says("m", "One", "CHUNK"), calls("c", '"map"}')),
            says("m", ".", "CHUNK"),
        ],
        ['look {"at":"map"} No result', "One."],
    ),
    "a call whose name comes later": (
        [calls("c", '{"at": '), calls("d", "{}", toolCallName="see"), calls("c", '"map"}', toolCallName="look")],
        ['look {"at":"map"} No result', "see No result"],
    ),
    "a call without its start": (
        [step("ARGS", "c", delta='{"at": '), says("m", "One."), step("ARGS", "c", delta='"map"}'), result("c")],
        ['c {"at":"map"} Done', "One."],
    ),
    "two calls under one id": (
        [
            *(step("START", "c", toolCallName="look"), step("END", "c"), result("c", "six")),
            *(step("START", "c", toolCallName="look"), step("END", "c"), result("c")),
        ],
        ["look Done Arguments None Result six look Done Arguments None Result seven"],
    ),
    "a text under its id again, after a call": (
        [says("m", "Let me look."), step("START", "c", toolCallName="look"), result("c"), says("m", "Seven.")],
        ["Let me look. look Done", "Result seven Seven."],
    ),
    "a text that ends again after a call": (
        [
            *(start("m"), says("m", "Let me look."), end("m"), step("START", "c", toolCallName="look"), result("c")),
            *(end("m"), says("n", "Seven."), end("n")),
        ],
        ["Let me look. look Done", "Result seven Seven."],
    ),
    "a text without its start that ends after a call": (
        [says("m", "Let me look."), step("START", "c", toolCallName="look"), result("c"), end("m")],
        ["Let me look. look Done"],
    ),
    "two runs": (
        [start("m"), says("m", "One."), FINISHED, STARTED, start("m"), says("m", "Two."), end("m")],
        ["One. Two."],
    ),
    "two runs that do not tell their ends": ([says("m", "One."), FINISHED, STARTED, says("m", "Two.")], ["One. Two."]),
    "an error, and another run": (
        [says("m", "One."), {"type": "RUN_ERROR", "message": "quota"}, STARTED, says("m", "Two.")],
        ["One. Two.", "Error of a run before quota"],
    ),
}


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("name", TURNS)
def test_each_is_whole_in_the_order_in_which_they_began(name: str, size: int) -> None:
    stream, wanted = TURNS[name]
    stream = [STARTED, *stream, FINISHED]
    answer, decoder = Answer("agent"), Decoder("t", "r")
    for at in range(0, len(stream), size):
        sent = [ServerSentEvent("message", json.dumps(one).encode()) for one in stream[at : at + size]]
        answer.feed(decoder.feed_all(sent))
    answer.break_off()
    page = Page()
    for _, event, data in frames(answer.log.after(0)):
        page.hear(event, data)
    reloaded = plain("".join(pieces.of_answer(answer.parts(), "agent")))
    assert plain(page.html) == reloaded
    at = 0
    for words in wanted:
        assert words in reloaded[at:], reloaded
        at = reloaded.index(words, at) + len(words)
    assert answer.is_finished and not answer.error
    said = " ".join(one for part in answer.parts() if part["kind"] in ("text", "reasoning") for one in [part["text"]])
    for one in stream:
        if one["type"].startswith(("TEXT", "REASONING")) and one.get("delta"):
            assert one["delta"] in said


@pytest.mark.parametrize("size", [1, 100])
def test_both_are_seen_while_they_are_written(size: int) -> None:
    answer, decoder = Answer("agent"), Decoder("t", "r")
    stream = [STARTED, start("m"), says("m", "One "), start("n"), says("n", "Two "), says("m", "is one. ")]
    data = [ServerSentEvent("message", json.dumps(one).encode()) for one in stream]
    for at in range(0, len(data), size):
        answer.feed(decoder.feed_all(data[at : at + size]))
    answer.parts()
    page = Page()
    for _, event, told in frames(answer.log.after(0)):
        page.hear(event, told)
    assert plain(page.html).startswith("One ")
    assert plain(page.html).endswith("Two")
    assert page.tail == "Two ", "the newest is written where it ends"
