"""Forms from schemas that nobody vouches for."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from ag_ui.core import Interrupt

from agents import fields, interrupts

RUN = uuid.uuid4()


def kept(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return interrupts.opened([Interrupt(id="i", reason="form", response_schema=schema)])


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": []},
        {"properties": {"a": 7, "b": {"type": 3, "enum": {}}, "c": {"type": ["null", "string"], "title": {}}}},
        {"properties": {"a": {"type": "object", "properties": {"b": True}, "default": [1], "required": 3}}},
        {"properties": {"approved": {"type": "boolean"}, "x": {"enum": [[], {}, None, 1]}}, "required": "approved"},
        {"$ref": "http://127.0.0.1:1/schema"},
        {"type": "nothing known"},
        {"enum": []},
        {"properties": {str(number): {"type": "string"} for number in range(500)}},
    ],
)
def test_any_schema_is_shown_and_answered_without_an_error(schema: dict[str, Any]) -> None:
    opened = kept(schema)
    assert "Waiting for a decision" in interrupts.rendered(RUN, opened, [])
    [ask] = interrupts.asks(opened)
    assert len(ask.fields) <= fields.MOST_FIELDS
    taken, _ = interrupts.answered(opened, [], {field.name: "1" for field in ask.fields})
    assert interrupts.rendered(RUN, taken, [])


def test_a_pattern_that_takes_for_ever_is_not_run() -> None:
    opened = kept({"type": "string", "pattern": "^(a+)+$", "title": "Word"})
    _, is_whole = interrupts.answered(opened, [], {"0.answer": "a" * 60 + "!"})
    assert is_whole


@pytest.mark.parametrize("typed", ["nan", "inf", "1e999", "-", "0x10"])
def test_what_is_no_number_is_refused_and_kept(typed: str) -> None:
    opened = kept({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]})
    taken, is_whole = interrupts.answered(opened, [], {"0.n": typed})
    assert not is_whole
    assert taken[0]["typed"] == {"0.n": typed}
    assert taken[0]["problems"] == {"0.n": "Enter a number."}


def test_what_an_agent_asks_is_shown_as_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    one = Interrupt(
        id=bad,
        reason=bad,
        message=bad,
        response_schema={"properties": {bad: {"type": "string", "title": bad, "description": bad, "enum": [bad]}}},
    )
    assert "<img" not in interrupts.rendered(RUN, interrupts.opened([one]), [])
