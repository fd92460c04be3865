"""JSON that is nested deeper than recursion goes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from gateway import Gateway, deep
from gateway.canonical import canonical, fingerprint
from tests.embedded import Embedded

DEEP = 2000  # levels


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":[', '[{"":'])
def test_what_is_nested_deeply_is_read_and_written_like_anything_else(opening: str) -> None:
    closing = "".join({"[": "]", "{": "}"}[mark] for mark in reversed(opening) if mark in "[{")
    text = opening * DEEP + '"core"' + closing * DEEP
    assert deep.dumps(deep.loads(text)) == text
    assert deep.dumps(deep.loads(text.encode()), sort_keys=True) == text
    assert fingerprint(deep.loads(text)) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "core", ['{ "b" : [ ] ,\n"a":{} }', "[1 , 2.5,\t-3e2, true,false,null]", r'"a\"\\\u00e9"', "[[],[{}]]"]
)
def test_every_value_may_stand_at_the_bottom(core: str) -> None:
    value = deep.loads("[" * DEEP + core + "]" * DEEP)
    for _ in range(DEEP):
        (value,) = value
    assert value == json.loads(core)


@pytest.mark.parametrize("core", ["1,", ",1", "1 2", "{", "{1:2}", '{"a" 1}', '{"a":1,}', "]", '"', "{]", "[}", "nul"])
def test_what_is_no_json_is_refused_at_any_depth(core: str) -> None:
    with pytest.raises(ValueError):
        deep.loads("[" * DEEP + "[" + core + "]" + "]" * DEEP)
    with pytest.raises(ValueError):
        deep.loads("[" * DEEP + "]" * (DEEP + 1))


def test_numbers_are_written_as_javascript_does() -> None:
    assert canonical({"b": 2.0, "a": [1.5, True, None, 1e21]}) == '{"a":[1.5,true,null,1e+21],"b":2}'


def test_no_call_hides_the_others_by_how_deep_its_arguments_are(gateway: Embedded) -> None:
    nested: Any = "core"
    for _ in range(DEEP):
        nested = [nested]
    text = deep.dumps({"hold": {"email": "user@example.com", "tool": "burrow", "arguments": {"x": nested}}})
    call = gateway.dial_raw(text)["id"]
    asked = Gateway(gateway.url, gateway.token("user@example.com"))
    try:
        (told,) = [one for one in asked.pending() if one.id == call]
        assert deep.dumps(told.arguments) == deep.dumps({"x": nested})
        assert fingerprint(asked.confirmation(call).arguments) == fingerprint(told.arguments)
    finally:
        asked.answer(call, approve=False, reason="too deep")
