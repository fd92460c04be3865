"""A confirmation as people read it: whole, with nothing hidden in it."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from confirmations.items import (
    Names,
    as_text,
    hash_as_shown,
    in_order,
    is_waiting,
    item_of,
    shape_of,
    state_of,
    verdict_of,
    visible,
)
from gateway import Confirmation

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def asked(**fields: Any) -> Confirmation:
    given: dict[str, Any] = {
        "id": "id",
        "tool": "delete_file",
        "arguments": {},
        "risk": "high",
        "asked_at": NOW - timedelta(seconds=28),
        "end_user": "ana",
        **fields,
    }
    return Confirmation(**given)


def item(**fields: Any) -> Any:
    return item_of(asked(**fields), Names({"ana": "Ana Lima"}, {"agt": "Files"}), limit=300, now=NOW)


@pytest.mark.parametrize(
    "character",
    [
        *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",  # bidirectional controls
        *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u3164\u115f\uffa0\u2800",  # show nothing
        *"\ufe0f\U000e0041\U000e0100\U000e0001",  # variation selectors and tags
        *"\x00\x07\x08\x1b\x7f\x85\r\x0b\x0c\u2028\u2029",  # controls and line separators
        *"\u00a0\u2003\u3000\ue000\uffff\U0010ffff\ud800",  # other spaces, private, no characters, a lone surrogate
    ],
)
def test_what_cannot_be_seen_is_written_out(character: str) -> None:
    text, count = visible(f"a{character}b")
    assert (text, count) == (f"a⟨U+{ord(character):04X}⟩b", 1)


def test_every_character_that_shows_nothing_is_known() -> None:
    quiet = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in quiet and character not in "\n\t ":
            assert visible(f"a{character}a")[1] == 1, hex(code)


@pytest.mark.parametrize(
    "text", ["plain", "two\nlines\tand a tab", "naïve 北京 שלום 🙂", "e\u0301", "<b>&amp;", "⟨ok⟩"]
)
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert visible(text) == (text, 0)


def test_spaces_at_the_ends_are_not_overlooked() -> None:
    assert visible(" a b  ") == ("⟨U+0020⟩a b⟨U+0020⟩⟨U+0020⟩", 3)
    assert visible("   ")[1] == 3


def test_text_stays_text_and_everything_else_is_json() -> None:
    assert as_text("null") == "null"
    assert as_text("") == '""'
    assert as_text(None) == "null"
    assert json.loads(as_text({"a": [1, 2.5, True, "ü"]})) == {"a": [1, 2.5, True, "ü"]}
    assert "ü" in as_text(["ü"])


def test_nothing_is_ever_cut() -> None:
    value = "x" * 1_000_000
    shown = item(arguments={"n" * 5000: value, "list": list(range(5000))})
    assert shown.arguments[0].text == value and shown.arguments[0].name == "n" * 5000
    assert "4999" in shown.arguments[1].text and value in shown.raw


def test_arguments_nested_beyond_reading_say_so_and_break_nothing() -> None:
    deep: Any = "core"
    for _ in range(700):
        deep = {"d": deep}
    assert json.loads(item(arguments={"x": deep}).arguments[0].text)
    for _ in range(5000):
        deep = [deep]
    shown = item(arguments={"x": deep})
    assert "too deeply" in shown.arguments[0].text and shown.fingerprint == ""


def test_names_are_shown_where_known_and_ids_elsewhere() -> None:
    assert (item(agent_id="agt").agent_name, item(agent_id="agt").asker) == ("Files", "Ana Lima")
    assert item(end_user="nobody-known").asker == "nobody-known"
    assert item(agent_name="\u202eevil").agent_name == "⟨U+202E⟩evil"


def test_time_left_is_by_the_gateways_clock() -> None:
    assert item().time_left == "4:32"
    assert item(asked_at=NOW - timedelta(hours=1)).time_left == "0:00"


@pytest.mark.parametrize(
    ("status", "by", "reason", "state", "sentence"),
    [
        ("confirmed", "ana", "", "approved", "Approved by you"),
        ("consumed", "bo", "", "approved", "Approved by Bo Adler"),
        ("confirmed", "agt", "", "approved", "Approved by Files, the agent itself"),
        ("rejected", "bo", "too broad", "rejected", "Rejected by Bo Adler: too broad"),
        ("rejected", "x", "a\u202eb", "rejected", "Rejected by x: a⟨U+202E⟩b"),
        ("rejected", "", "Request timed out", "timed_out", "Timed out: nobody answered in time"),
        ("rejected", "bo", "Request timed out", "rejected", "Rejected by Bo Adler: Request timed out"),
        ("expired", "", "", "timed_out", "Timed out: nobody answered in time"),
        ("rejected", "", "", "rejected", "Rejected"),
    ],
)
def test_how_it_ended_is_one_sentence(status: str, by: str, reason: str, state: str, sentence: str) -> None:
    names = Names({"ana": "Ana Lima", "bo": "Bo Adler"}, {"agt": "Files"})
    confirmation = asked(status=status, answered_by=by, reason=reason, agent_id="agt")
    assert state_of(confirmation) == state
    assert verdict_of(confirmation, names, "ana") == sentence


def test_an_approval_that_ran_nothing_says_so() -> None:
    record = asked(status="confirmed", answered_by="ana")
    assert verdict_of(record, Names(), "ana", ran=False) == "Approved by you (nobody was waiting any more: nothing ran)"


def test_the_gravest_is_first_and_then_the_one_with_the_least_time() -> None:
    older = asked(id="older", asked_at=NOW - timedelta(minutes=2))
    newer, critical = asked(id="newer"), asked(id="critical", risk="critical", asked_at=NOW)
    assert [one.id for one in in_order([newer, older, critical])] == ["critical", "older", "newer"]


def test_a_call_past_its_time_waits_no_longer_whatever_a_list_says() -> None:
    call = asked(asked_at=NOW - timedelta(seconds=299))
    assert is_waiting(call, limit=300, now=NOW)
    assert not is_waiting(call, limit=300, now=NOW + timedelta(seconds=7))
    assert not is_waiting(replace(call, status="rejected"), limit=300, now=NOW)


def test_what_an_answer_was_given_to_is_told_by_one_hash() -> None:
    told = asked(arguments={"path": "/a", "deep": {"n": 1}}, agent_id="agt", provider_id="prv")
    elsewhere = replace(told, tool_description="Deletes", agent_name="Files", tenant="acme", arguments={
        "deep": {"n": 1.0}, "path": "/a"
    })  # fmt: skip
    assert hash_as_shown(told) == hash_as_shown(elsewhere)
    changes: list[dict[str, Any]] = [{"risk": "low"}, {"arguments": {}}, {"tool": "x"}, {"end_user": "bo"}]
    for change in [*changes, {"provider_id": ""}, {"id": "other"}, {"agent_id": ""}]:
        assert hash_as_shown(replace(told, **change)) != hash_as_shown(told)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": "x"}, {"b": "y", "a": 2.5}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 1}, {"a": None}, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": ["x", "y"]}, {"a": ["z"]}, True),
        ({"a": [1, "x"]}, {"a": ["x", 2, 3]}, True),
        ({"a": []}, {"a": [1]}, False),
        ({"a": [{"b": 1}, {"c": 1}]}, {"a": [{"b": 1, "c": 1}]}, False),
        ({"a": {}}, {"a": []}, False),
        ({"a": {"b": 1}}, {"a": 1, "b": 1}, False),
    ],
)
def test_arguments_of_one_shape_are_known(one: Any, other: Any, same: bool) -> None:
    assert (shape_of(one) == shape_of(other)) is same
