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


@pytest.mark.parametrize(
    "items",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
        {"type": "object", "properties": {"inner": {"type": "array", "items": {"type": "string"}}}},
        {"type": "object", "properties": {"anything": True}},
        {"type": "string"},
    ],
)
def test_a_further_row_of_whatever_a_list_holds_is_found(items: dict[str, Any]) -> None:
    opened = kept({"type": "object", "properties": {"rows": {"type": "array", "items": items}}})
    typed = interrupts.typed_into(opened, {"0.rows.length": "1"}, "0.rows")
    place = interrupts.place_to_go_on(typed, [], "0.rows")
    assert f'id="field-{RUN}-{place}"' in interrupts.rendered(RUN, typed, [])


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon"])
def test_an_expiry_that_is_no_time_is_none(moment: str) -> None:
    opened = interrupts.opened([Interrupt(id="i", reason="question", expires_at=moment)])
    assert "Waiting for a decision" in interrupts.rendered(RUN, opened, [])
    [ask] = interrupts.asks(opened)
    assert ask.expires_at is None


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


@pytest.mark.parametrize(
    ("schema", "typed", "sentence"),
    [
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, {}, "This is needed."),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, {"0": "1"}, "At least 2 of these are needed."),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, {"0": "1", "1": "1"}, "only once"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 1}, {"0": "yes", "1": "yes"}, "At most 1"),
        ({"type": "string", "format": "uri"}, {"": "example"}, "Enter a whole address"),
        ({"type": "string", "format": "date-time"}, {"": "tomorrow"}, "Enter a date and a time"),
        ({"type": "string", "maxLength": 3}, {"": "four"}, "the most is 3 characters"),
        ({"type": "number", "exclusiveMinimum": 0}, {"": "0"}, "more than 0"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}]}}}, {}, ""),
        ({"$ref": "#"}, {"": "x"}, ""),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(schema: dict[str, Any], typed: dict[str, str], sentence: str) -> None:
    whole = {"type": "object", "properties": {"it": schema}, "required": ["it"], "$defs": schema.get("$defs", {})}
    opened = kept(whole)
    filled = {f"0.it.{name}".rstrip("."): value for name, value in typed.items()}
    taken, is_whole = interrupts.answered(opened, [], {"0.it.length": str(len(typed)), **filled})
    assert is_whole is False or not sentence
    assert sentence in interrupts.rendered(RUN, taken, [])


@pytest.mark.parametrize(
    ("schema", "typed", "value"),
    [
        ({"type": "string", "format": "date-time"}, "2027-01-31T14:30", "2027-01-31T14:30:00Z"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "", None),
        ({"oneOf": [{"const": 1, "title": "One"}, {"const": 2, "title": "Two"}]}, "2", 2),
        ({"type": "boolean"}, "yes", True),
        ({"type": "string", "maxLength": 500}, "one\r\ntwo", "one\ntwo"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}, "", []),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
    ],
)
def test_what_was_typed_becomes_what_the_schema_asks_for(schema: dict[str, Any], typed: str, value: object) -> None:
    opened = kept({"type": "object", "properties": {"it": schema}, "required": ["it"]})
    taken, is_whole = interrupts.answered(opened, [], {"0.it": typed})
    assert is_whole
    assert taken[0]["entry"]["payload"] == {"it": value}


def test_what_an_agent_asks_is_shown_as_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    one = Interrupt(
        id=bad,
        reason=bad,
        message=bad,
        response_schema={"properties": {bad: {"type": "string", "title": bad, "description": bad, "enum": [bad]}}},
    )
    assert "<img" not in interrupts.rendered(RUN, interrupts.opened([one]), [])
