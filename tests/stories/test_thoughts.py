"""What an agent thinks aloud between tags in its text: folded like reasoning, while it comes and ever after."""

from __future__ import annotations

import re

import pytest

from agents import pieces, readable
from agents.answer import Answer
from agents.models import Run
from agents.thoughts import Segment, split
from tests.stories.test_answer_parts import TEXT, events, followed, given, reloaded, says, sent

FOLDED = r'<details class="more reasoning"[^>]*>.*?</summary><p class="said">(.*?)</p>\s*</details>'


def folded(answer: Answer) -> list[str]:
    return re.findall(FOLDED, "".join(pieces.of_answer(answer.parts(), "agent")), re.S)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "thoughts", "wanted"),
    [
        ("<think>Hm, *2*.</think>\n\n# Four", ["Hm, *2*."], "Reasoning Hm, *2*. Four"),
        ("<thinking>\na\n\n- b\n</thinking>c", ["\na\n\n- b\n"], "Reasoning a - b c"),
        ("First.\n\n<THINK>a</Think>\nThen.", ["a"], "First. Reasoning a Then."),
        ("Well <think>a</think> done, <think>b</think>", ["a", "b"], "Well Reasoning a done, Reasoning b"),
        ("Well <think>\na\n</think>", ["\na\n"], "Well Reasoning a"),
        ("<think>without end\n\n# a", ["without end\n\n# a"], "Reasoning without end # a"),
        ("<think>a</thinking>b</think>c", ["a</thinking>b"], "Reasoning a</thinking>b c"),
        ("<think></think>Answer", [], "Answer"),
        ("The <think> tag is text.", [], "The <think> tag is text."),
        ("`<think>a</think>`", [], "<think>a</think>"),
        ("```\n<think>a</think>\n```", [], "<think>a</think> Copy code"),
        ("- a\n\n      <think>b</think>", [], "a <think>b</think> Copy code"),
        ("a </think> b", [], "a </think> b"),
        ("a < b <th", [], "a < b <th"),
    ],
)
def test_it_is_folded_where_it_is_no_code(text: str, thoughts: list[str], wanted: str, size: int) -> None:
    deltas = [text[start : start + size] for start in range(0, len(text), size)]
    answer = given([TEXT, *map(says, deltas)])
    assert folded(answer) == [thought.replace("<", "&lt;").replace(">", "&gt;") for thought in thoughts]
    assert followed(answer) == reloaded(answer) == wanted
    assert answer.parts()[0]["text"] == text  # as the agent wrote it


def test_it_is_folded_while_it_comes() -> None:
    answer = Answer("agent")
    answer.feed(events.validate_python([TEXT, says("First.\n\n<think>It may"), says(" be s")]))
    shown = [data["html"] for name, data in sent(answer) if name == "step"]
    assert re.search(FOLDED, shown[0], re.S)
    assert answer.snapshot().tail == ""
    assert not [data for name, data in sent(answer) if name == "text" and "may" in data["delta"]]
    answer.feed(events.validate_python([says("even.</think>Seven.")]))
    assert followed(answer) == "First. Reasoning It may be seven. Seven."


def test_what_happens_beside_a_thought_does_not_end_it() -> None:
    beside = [{"type": "STEP_STARTED", "stepName": "Beside"}, {"type": "STEP_FINISHED", "stepName": "Beside"}]
    answer = given([TEXT, says("<think>One "), *beside, says("two</think>Three"), *beside])
    assert followed(answer) == reloaded(answer) == "Reasoning One Done Beside Reasoning two Done Beside Three"


def test_sub_agents_and_speakers_think_aloud_too() -> None:
    answer = given(
        [
            {"type": "SUBAGENT_STARTED", "subagentRunId": "a", "name": "Ann"},
            says("<think>a</think>b", "1", subagentRunId="a"),
            {"type": "SUBAGENT_FINISHED", "subagentRunId": "a"},
            {"type": "TEXT_MESSAGE_START", "messageId": "r", "role": "system"},
            says("<think>c</think>d", "r"),
        ]
    )
    assert folded(answer) == ["a", "c"]
    assert followed(answer) == reloaded(answer) == "Ann Sub-agent Done Reasoning a b System Reasoning c d"


def test_it_is_a_quotation_in_a_file() -> None:
    parts = given([TEXT, says("<think>a\nb</think>\nc")]).parts()
    assert "".join(readable.answer(Run(status=Run.Status.FINISHED, parts=parts))) == "> a\n> b\n\n\nc\n\n"


def test_a_footnote_that_came_last_is_right_for_who_follows() -> None:
    text = "Fact.[^1] [Oak]\n\nNext.\n\n[^1]: Source\n\n[oak]: https://oak.example\n"
    for size in (1, 7, 1000):
        answer = given([TEXT, *(says(text[start : start + size]) for start in range(0, len(text), size))])
        assert followed(answer) == reloaded(answer)
        assert reloaded(answer).startswith("Fact. 1 Oak (oak.example) Next. 1 Source")


def test_one_line_may_speak_of_the_tags_as_often_as_it_likes() -> None:
    assert split("a <think> " * 10_000) == [Segment(False, "a <think> " * 10_000)]
