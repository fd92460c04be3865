"""What becomes of an answer whose agent tells the whole thread in the middle of it, or at its end."""

from __future__ import annotations

from typing import Any

import pytest
from ag_ui.core import AssistantMessage, Message, UserMessage

from agents import pieces
from agents.answer import Answer
from agents.transcript import Part
from tests.stories.browsing import Page, frames
from tests.stories.following import plain
from tests.stories.test_answer_parts import events

Sent = dict[str, Any]
QUESTION = UserMessage(id="question", content="How  many\nbridges?")
ASKED: Sent = {"id": "question", "role": "user", "content": "How many bridges?"}
LOOK = {"type": "function", "function": {"name": "look", "arguments": '{"at": "map"}'}}


def text(said: str, message_id: str = "m1", role: str = "assistant") -> list[Sent]:
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": role},
        more(said, message_id),
        {"type": "TEXT_MESSAGE_END", "messageId": message_id},
    ]


def begun(said: str, message_id: str = "m1") -> list[Sent]:
    return text(said, message_id)[:2]


def more(said: str, message_id: str = "m1") -> Sent:
    return {"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": said}


def call(call_id: str = "t1", result: str | None = "seven", **who: str) -> list[Sent]:
    told: list[Sent] = [
        {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": "look", **who},
        {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": '{"at": "map"}', **who},
        {"type": "TOOL_CALL_END", "toolCallId": call_id, **who},
    ]
    if result is not None:
        told.append({"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": call_id, "content": result, **who})
    return told


def thread(*messages: Sent) -> Sent:
    return {"type": "MESSAGES_SNAPSHOT", "messages": list(messages)}


def wrote(said: str, message_id: str = "a", *calls: str) -> Sent:
    told = {"id": message_id, "role": "assistant", "content": said}
    return told | ({"toolCalls": [{"id": one, **LOOK} for one in calls]} if calls else {})


def found(result: str = "seven", call_id: str = "t1") -> Sent:
    return {"id": f"of-{call_id}", "role": "tool", "toolCallId": call_id, "content": result}


def person(said: str, message_id: str = "u") -> Sent:
    return {"id": message_id, "role": "user", "content": said}


def thinks(said: str, message_id: str = "r1") -> list[Sent]:
    return [
        {"type": "REASONING_MESSAGE_START", "messageId": message_id, "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": message_id, "delta": said},
        {"type": "REASONING_MESSAGE_END", "messageId": message_id},
    ]


STEP = 'look {"at":"map"} Done Arguments {"at": "map"} Result seven'
THREE = [*text("Let me look.", "x1"), *call(), *text("There are seven.", "x2")]


def shown(stream: list[Sent], sent: list[Message], known: dict[str, Part] | None = None) -> str:
    """The words of the answer; whoever followed it, from the start or from somewhere on, sees the same."""
    told = events.validate_python(stream)
    for joins in range(len(told)):
        answer = Answer("agent", known, sent)
        for event in told[: joins + 1]:
            answer.feed([event])
        snapshot = answer.snapshot()
        start, later = Page(), Page("".join(snapshot.pieces), snapshot.tail)
        answer.feed(told[joins + 1 :])
        answer.break_off()
        for number, name, data in frames(answer.log.after(0)):
            start.hear(name, data)
            if number > snapshot.number:
                later.hear(name, data)
        reloaded = plain("".join(pieces.of_answer([part for part in answer.parts() if part["kind"] != "others"], "a")))
        assert without_others(plain(start.html)) == without_others(plain(later.html)) == reloaded
    return reloaded.replace('{ "at": "map" }', '{"at": "map"}')


def without_others(words: str) -> str:
    return words.partition(" Other events (")[0]


AFTER_QUESTION: dict[str, tuple[list[Sent], str]] = {
    "ids of its own": (
        [*THREE, thread(ASKED, wrote("Let me look.", "1", "t1"), found(), wrote("There are seven.", "2"))],
        f"Let me look. {STEP} There are seven.",
    ),
    "ids that stand for others in it": (
        [*THREE, thread(ASKED, wrote("Let me look.", "x2", "t1"), found(), wrote("There are seven.", "x1"))],
        f"Let me look. {STEP} There are seven.",
    ),
    "twice": (
        [
            *THREE,
            *2 * [thread(ASKED, wrote("Let me look.", "1", "t1"), found(), wrote("There are seven.", "2"))],
        ],
        f"Let me look. {STEP} There are seven.",
    ),
    "other blanks": (
        [*THREE, thread(ASKED, wrote(" Let me look.\n", "1", "t1"), found(), wrote("There  are seven.", "2"))],
        f"Let me look. {STEP} There are seven.",
    ),
    "texts with other words and ids": (
        [*THREE, thread(ASKED, wrote("I looked.", "1", "t1"), found(), wrote("Seven, in all.", "2"))],
        f"I looked. {STEP} Seven, in all.",
    ),
    "one text for both": (
        [*THREE, thread(ASKED, wrote("", "1", "t1"), found(), wrote("Let me look.There are seven.", "2"))],
        f"Let me look. {STEP} There are seven.",
    ),
    "one text for both, in other words": (
        [*THREE, thread(ASKED, wrote("", "1", "t1"), found(), wrote("Let me look. There were seven.", "2"))],
        f"{STEP} Let me look. There were seven.",
    ),
    "a call before the text of its message": (
        [*call(), *text("There are seven."), thread(ASKED, wrote("There are seven.", "1", "t1"), found())],
        f"{STEP} There are seven.",
    ),
    "a longer text": ([*text("Partial"), thread(ASKED, wrote("Partial, and more.", "m1"))], "Partial, and more."),
    "a corrected text": ([*text("Wrong"), thread(ASKED, wrote("Right", "m1"))], "Right"),
    "a corrected text that was cut": (
        [
            *begun("Wrong.\n\nAnd "),
            {"type": "STEP_STARTED", "stepName": "Beside"},
            more("so on."),
            thread(ASKED, wrote("Right.", "m1")),
        ],
        "Right. Not ended Beside",
    ),
    "a longer text with an id of its own": (
        [*text("Partial"), thread(ASKED, wrote("Partial, and more.", "1"))],
        "Partial, and more.",
    ),
    "a text that goes on": ([*begun("One "), thread(ASKED, wrote("One ", "m1")), more("two.")], "One two."),
    "a text that goes on otherwise": ([*begun("Won "), thread(ASKED, wrote("One ", "m1")), more("two.")], "One two."),
    "not the text in progress": (
        [*call(), *begun("One "), thread(ASKED, wrote("", "1", "t1"), found()), more("two.")],
        f"{STEP} One two.",
    ),
    "another text, and not the one in progress": (
        [*begun("One "), thread(ASKED, wrote("Something else was said before.", "1")), more("two.")],
        "One two. Something else was said before.",
    ),
    "a text in progress without its end, in other words": (
        [*begun("There are seven brigdes in all."), thread(ASKED, wrote("There are seven bridges in all.", "1"))],
        "There are seven bridges in all.",
    ),
    "what comes after it": (
        [*text("One."), thread(ASKED, wrote("First.", "1")), *text("Two.", "m2"), *call()],
        f"First. Two. {STEP}",
    ),
    "more of a text that only it told": (
        [thread(ASKED, wrote("One ", "m1")), more("two.")],
        "One two.",
    ),
    "a result that was not streamed": (
        [*call(result=None), thread(ASKED, wrote("", "1", "t1"), found())],
        STEP,
    ),
    "another result": ([*call(result="six"), thread(ASKED, wrote("", "1", "t1"), found())], STEP),
    "a call that was not streamed, in front": (
        [*text("There are seven."), thread(ASKED, wrote("", "1", "t1"), found(), wrote("There are seven.", "2"))],
        f"{STEP} There are seven.",
    ),
    "nothing of this answer": ([*THREE, thread(ASKED)], f"Let me look. {STEP} There are seven."),
    "less than was streamed": (
        [*THREE, thread(ASKED, wrote("Let me look.", "1"))],
        f"Let me look. {STEP} There are seven.",
    ),
    "another answer, without the call": ([*THREE, thread(ASKED, wrote("It is seven.", "1"))], f"It is seven. {STEP}"),
    "messages of every role after the person's": (
        [
            *THREE,
            thread(
                ASKED,
                wrote("Let me look.", "1", "t1"),
                found(),
                wrote("There are seven.", "2"),
                person("Thank you.", "3"),
                {"id": "4", "role": "system", "content": "Be kind."},
            ),
        ],
        f"Let me look. {STEP} There are seven. User Thank you. System Be kind.",
    ),
    "nothing but it, with a last message of a person's role": (
        [thread(ASKED, wrote("", "1", "t1"), found(), person("Thank you.", "2"))],
        f"{STEP} User Thank you.",
    ),
    "thoughts with ids of its own": (
        [
            *thinks("Hm."),
            *text("Seven."),
            thread(ASKED, {"id": "1", "role": "reasoning", "content": "Hm."}, wrote("Seven.", "2")),
        ],
        "Reasoning Hm. Seven.",
    ),
    "no thoughts": ([*thinks("Hm."), *text("Six."), thread(ASKED, wrote("Seven.", "m1"))], "Reasoning Hm. Seven."),
    "what a sub-agent did, as if the agent had": (
        [
            {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "Ann"},
            *call(subagentRunId="s"),
            {"type": "SUBAGENT_FINISHED", "subagentRunId": "s"},
            *text("Seven."),
            thread(ASKED, wrote("", "1", "t1"), found(), wrote("Seven.", "2")),
        ],
        f"Ann Sub-agent Done {STEP} Seven.",
    ),
    "what a sub-agent said": (
        [
            {"type": "SUBAGENT_STARTED", "subagentRunId": "s", "name": "Ann"},
            thread(ASKED, {**wrote("Within.", "1"), "subagentRunId": "s"}, wrote("Without.", "2")),
        ],
        "Ann Sub-agent Not ended Within. Without.",
    ),
}


@pytest.mark.parametrize("name", AFTER_QUESTION)
def test_a_snapshot_takes_the_place_of_what_was_streamed(name: str) -> None:
    stream, wanted = AFTER_QUESTION[name]
    assert shown(stream, [QUESTION]) == wanted


BEFORE: list[Message] = [
    UserMessage(id="q0", content="Hello"),
    AssistantMessage(id="a0", content="Hello! I count."),
    UserMessage(id="q1", content="How many bridges?"),
    AssistantMessage(id="a1", content="There are seven."),
]
HISTORY = [
    *(person("Hello", "1"), wrote("Hello! I count.", "2")),
    *(person("How many bridges?", "3"), wrote("There are seven.", "4")),
]


@pytest.mark.parametrize(
    "question", [person("How many bridges?", "5"), person("In other words, but with its id", "question")]
)
@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("since", "wanted"),
    [
        ([wrote("There are seven.", "6")], "There are seven."),
        ([wrote("Still seven.", "6"), person("How many bridges?", "7")], "Still seven. User How many bridges?"),
        ([wrote("", "6", "t9"), found(call_id="t9"), wrote("Seven.", "7")], f"{STEP} Seven."),
    ],
)
def test_what_was_said_before_stays_there(question: Sent, since: list[Sent], wanted: str, *, streamed: bool) -> None:
    stream = [event for event in text("There are seven.", "m1") if streamed]
    if "User" in wanted and question["id"] != "question":
        stream = [*call("t8", None), *text("Still seven.")]
        since = [wrote("", "5a", "t8"), *since]
        wanted = 'look {"at":"map"} No result Arguments {"at": "map"} ' + wanted
    assert shown([*stream, thread(*HISTORY, question, *since)], [*BEFORE, QUESTION]) == wanted


def test_a_snapshot_that_holds_nobodys_question_is_read_all_the_same() -> None:
    stream = [thread(wrote("There are seven.", "1"))]
    assert shown(stream, [*BEFORE, QUESTION]) == "There are seven."
    stream = [thread(wrote("Hello! I count.", "1"), wrote("There are seven.", "2"), wrote("Still seven.", "3"))]
    assert shown(stream, [*BEFORE, QUESTION]) == "Still seven."


def test_an_answer_that_goes_on_after_an_interrupt_repeats_nothing_of_the_one_before() -> None:
    before = Answer("agent", None, [QUESTION])
    before.feed(events.validate_python([*text("Let me look."), *call("t0"), *call("t1", None)]))
    before.break_off()
    known = {part["id"]: part for part in before.parts()}
    sent: list[Message] = [QUESTION, AssistantMessage(id="run-0", content="Let me look.")]
    whole = [ASKED, wrote("Let me look.", "1", "t0"), found(call_id="t0"), wrote("", "2", "t1"), found()]
    assert shown([thread(*whole, wrote("Seven.", "3"))], sent, known) == f"{STEP} Seven."
    result = call("t1")[-1:]
    assert shown([*result, *text("Seven."), thread(*whole, wrote("Seven.", "3"))], sent, known) == f"{STEP} Seven."
    assert shown([*call("t0")[-1:], *text("Seven.")], sent, known) == "Seven.", "the first call had ended before"
