"""A confirmation as people read it: whole, with nothing hidden in it."""

from __future__ import annotations

import json
import sys
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.characters import as_escapes, marked, shown, visible
from confirmations.comparison import compared, last_approved
from confirmations.detail import as_text, blocks_of, detail_of
from confirmations.hosts import hosts_in
from confirmations.items import (
    Names,
    hash_as_shown,
    item_of,
    shape_of,
    state_of,
    verdict_of,
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
    detail = detail_of(asked(arguments={"n" * 5000: value, "list": list(range(5000))}), "")
    name, numbers = detail.rows
    assert str(name.name) == "n" * 5000 and str(name.value) == value
    assert "".join(piece.text for block in name.blocks for piece in block) == value
    assert json.loads(str(numbers.value)) == list(range(5000))
    assert "".join(piece.text for block in detail.raw for piece in block) == as_text(
        {"n" * 5000: value, "list": [*range(5000)]}
    )


@pytest.mark.parametrize("levels", [700, 2000, 6000])
def test_arguments_are_whole_however_deep_they_are_nested(levels: int) -> None:
    nested: Any = "core"
    for _ in range(levels):
        nested = [nested]
    (row,) = detail_of(asked(arguments={"x": nested}), "").rows
    text = "".join(str(row.value).split())
    assert text == "[" * levels + '"core"' + "]" * levels
    assert hash_as_shown(asked(arguments={"x": nested})) != hash_as_shown(asked(arguments={"x": [nested]}))
    assert shape_of({"x": nested}) != shape_of({"x": [nested]})


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


@pytest.mark.parametrize(
    ("text", "is_name", "reads", "says"),
    [
        ("p\u0430ypal", False, "p⟨\u0430 U+0430⟩ypal", "1 word mixes Latin and Cyrillic letters"),
        (
            "\u041f\u0440\u0438\u0432e\u0442",
            False,
            "\u041f\u0440\u0438\u0432⟨e U+0065⟩\u0442",
            "1 word mixes Latin and Cyrillic letters",
        ),
        ("p\u03bfst g\u03bf", False, "p⟨\u03bf U+03BF⟩st g⟨\u03bf U+03BF⟩", "2 words mix Latin and Greek letters"),
        (
            "\u0441\u043e\u0440\u0443 file",
            False,
            "⟨\u0441\u043e\u0440\u0443 U+0441 U+043E U+0440 U+0443⟩ file",
            "letters that look like Latin ones",
        ),
        (
            "\u0441\u043e\u0440\u0443",
            True,
            "⟨\u0441\u043e\u0440\u0443 U+0441 U+043E U+0440 U+0443⟩",
            "letters that look like Latin ones",
        ),
        (
            "user.\u0438\u043c\u044f",
            True,
            "user.⟨\u0438\u043c\u044f U+0438 U+043C U+044F⟩",
            "1 word mixes Latin and Cyrillic letters",
        ),
        ("\U0001d41dele\uff54e", False, "⟨\U0001d41d U+1D41D⟩ele⟨\uff54 U+FF54⟩e", "special shape"),
        ("a" + "\u0335" * 7 + "b", False, "a⟨" + " ".join(["U+0335"] * 7) + "⟩b", "1 pile of combining marks"),
    ],
)
def test_letters_that_pass_for_others_are_marked(text: str, is_name: bool, reads: str, says: str) -> None:
    found = marked(text, is_name=is_name)
    assert str(found) == shown(text) == reads or (is_name and str(found) == reads)
    assert says in " ".join(found.notes)
    assert any(piece.is_odd for piece in found.pieces)


@pytest.mark.parametrize(
    "text",
    [
        "\u041f\u0440\u0438\u0432\u0435\u0442, report.pdf",
        "\u043e\u0442\u0447\u0435\u0442.pdf",
        "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8text \ud55c\uad6d\uc5b4",
        "x\u00b2 \u00bd \u2460 5\u2126 \u00b5m na\u00efve",
        "e\u0301\u0323",
        "\u0645\u0631\u062d\u0628\u0627 hello",
    ],
)
def test_what_people_write_in_their_own_scripts_is_left_alone(text: str) -> None:
    assert marked(text).notes == () and str(marked(text)) == text


def test_hidden_characters_in_raw_json_are_escapes_of_the_same_json() -> None:
    value = {"a\u202e": "\u200b\U000e0041\ud800", "b": "\u0430 \U0001f642"}
    text = as_escapes(as_text(value))
    assert json.loads(text) == value
    assert "\\u202e" in text and "\\udb40\\udc41" in text and "\u0430 \U0001f642" in text


@pytest.mark.parametrize(
    ("address", "host", "wire", "says"),
    [
        ("https://example.com/a", "example.com", "", ""),
        ("see (https://example.com).", "example.com", "", ""),
        ("https://good.example@evil.example/", "evil.example", "", "good.example” before the @"),
        ("https://a:b@c@evil.example:8443", "evil.example", "", "port 8443"),
        ("http://example.com:80/", "example.com", "", "not encrypted"),
        ("https://p\u0430ypal.com", "p⟨\u0430 U+0430⟩ypal.com", "xn--pypal-4ve.com", "mixes Latin and Cyrillic"),
        ("https://xn--pypal-4ve.com", "p⟨\u0430 U+0430⟩ypal.com", "xn--pypal-4ve.com", "mixes Latin and Cyrillic"),
        (
            "https://\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444/",
            "\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
            "xn--e1afmkfd.xn--p1ai",
            "",
        ),
        ("https://\uff45xample\u3002com", "example.com", "", "written as"),
        ("https://exa\u200bmple.com", "example.com", "", "written as exa⟨U+200B⟩mple.com"),
        ("https://%65vil.example", "evil.example", "", "percent signs"),
        ("http://2130706433/", "2130706433", "", "127.0.0.1"),
        ("https://0x7f.1/", "0x7f.1", "", "the machine itself"),
        ("https://[::1]:8000/", "[::1]", "", "the machine itself"),
        ("http://169.254.169.254/latest", "169.254.169.254", "", "metadata"),
        ("https://10.0.0.8/", "10.0.0.8", "", "private network"),
        ("https://good.example\\@evil.example/", "good.example", "", "do not agree"),
        ("https:///evil.example/", "evil.example", "", ""),
        ("ftp://files.example", "files.example", "", "ftp: not encrypted"),
        ("gopher://old.example", "old.example", "", "of the scheme gopher"),
        ("//cdn.example/x.js", "cdn.example", "", ""),
        ("https://LOCALHOST/", "localhost", "", "inside a network"),
        ("https:\\\\evil.example\\x", "evil.example", "", "without the two slashes"),
        ("https:/evil.example", "evil.example", "", "without the two slashes"),
        ("(HTTPS:evil.example).", "evil.example", "", "without the two slashes"),
        ("https:\\/\\/evil.example", "evil.example", "", "without the two slashes"),
        ("http:/good.example@evil.example", "evil.example", "", "good.example” before the @"),
    ],
)
def test_where_an_address_leads_is_said_apart(address: str, host: str, wire: str, says: str) -> None:
    (found,) = hosts_in([address])
    assert (str(found.name), found.ascii) == (host, wire)
    assert says in "; ".join(found.oddities) and (says or not found.oddities)


def test_hosts_are_found_wherever_they_stand_and_each_once() -> None:
    value = {"a": ["https://one.example/x", {"https://two.example": "text http://one.example"}], "b": "a://b // c: //"}
    (row, plain) = detail_of(
        asked(arguments={"v": value, "w": "no host: 1//2, https: and c:/x, git:y 'http:'"}), ""
    ).rows
    assert {str(host.name) for host in row.hosts} == {"one.example", "two.example", "b"}
    assert plain.hosts == ()
    assert [host.times for host in hosts_in(["https://a.example/1 https://a.example/2"])] == [2]


SCHEMA = {
    "type": "object",
    "required": ["to", "amount", "nothing"],
    "properties": {
        "to": {"type": "string", "description": "Who gets it\u202e"},
        "amount": {"type": "number"},
        "currency": {"anyOf": [{"type": "string"}, {"type": "null"}], "enum": ["EUR", "USD", None]},
        "options": {"$ref": "#/$defs/Options"},
        "loop": {"$ref": "#/properties/loop"},
    },
    "$defs": {"Options": {"properties": {"deep": {"$ref": "#/$defs/Options"}, "fast": {"type": "boolean"}}}},
}


def test_arguments_stand_by_their_schema_and_what_does_not_fit_is_marked() -> None:
    given = {
        "extra": {"a": 1},
        "options": {"fast": 1, "deep": {"other": 2, "fast": True}},
        "amount": "12",
        "currency": "XXX",
        "to": "U",
        "loop": [1],
    }
    rows = detail_of(asked(arguments=given, input_schema=SCHEMA), "").rows
    assert [(str(row.name), row.level, str(row.value or ""), row.marks) for row in rows] == [
        ("to", 0, "U", ()),
        ("amount", 0, "12", ("is a string, the schema wants a number",)),
        ("currency", 0, "XXX", ("is none of the values that the schema names",)),
        ("options", 0, "", ()),
        ("deep", 1, "", ()),
        ("fast", 2, "true", ()),
        ("other", 2, "2", ("not in schema",)),
        ("fast", 1, "1", ("is an integer, the schema wants a boolean",)),
        ("loop", 0, "[\n  1\n]", ()),
        ("nothing", 0, "", ("required, but missing",)),
        ("extra", 0, as_text({"a": 1}), ("not in schema",)),
    ]
    assert (rows[0].wanted, str(rows[0].about), rows[2].wanted) == ("string", "Who gets it⟨U+202E⟩", "string or null")


RECIPIENT = {"required": ["to"], "properties": {"to": {"type": "string"}, "copies": {"items": {"$ref": "#/$defs/R"}}}}
LISTS = {
    "properties": {
        "mails": {"type": "array", "items": {"$ref": "#/$defs/R"}},
        "pair": {"prefixItems": [{"type": "string"}], "items": {"properties": {"a": {}}}},
        "tags": {"items": {"type": "string"}},
    },
    "$defs": {"R": RECIPIENT},
}


def test_objects_in_lists_stand_by_their_schema_too() -> None:
    given = {
        "mails": [{"to": "a", "bcc": "evil"}, "b", {"copies": [{"to": "c", "now": True}]}],
        "pair": ["x", {"a": 1, "b": 2}],
        "tags": ["one", {"two": 3}],
    }
    rows = detail_of(asked(arguments=given, input_schema=LISTS), "").rows
    assert [(str(row.name), row.level, str(row.value or ""), row.marks) for row in rows] == [
        ("mails", 0, "", ()),
        ("1 of 3", 1, "", ()),
        ("to", 2, "a", ()),
        ("bcc", 2, "evil", ("not in schema",)),
        ("2 of 3", 1, "b", ()),
        ("3 of 3", 1, "", ()),
        ("to", 2, "", ("required, but missing",)),
        ("copies", 2, "", ()),
        ("1 of 1", 3, "", ()),
        ("to", 4, "c", ()),
        ("now", 4, "true", ("not in schema",)),
        ("pair", 0, "", ()),
        ("1 of 2", 1, "x", ()),
        ("2 of 2", 1, "", ()),
        ("a", 2, "1", ()),
        ("b", 2, "2", ("not in schema",)),
        ("tags", 0, as_text(given["tags"]), ()),
    ]
    many = [{"to": "a"}] * 500 + [{"to": "a", "bcc\u202e": "evil"}]
    (row,) = detail_of(asked(arguments={"mails": many}, input_schema=LISTS), "").rows
    assert str(row.value) == shown(as_text(many)) and row.marks == ("has what is not in schema: bcc⟨U+202E⟩",)


@pytest.mark.parametrize("schema", [{"type": "object", "properties": {}}, {"additionalProperties": False}])
def test_what_a_tool_that_takes_nothing_is_given_is_marked(schema: Any) -> None:
    inner = {"properties": {"options": schema}}
    (row,) = detail_of(asked(arguments={"force": True}, input_schema=schema), "").rows
    assert (str(row.name), row.marks) == ("force", ("not in schema",))
    _, row = detail_of(asked(arguments={"options": {"force": True}}, input_schema=inner), "").rows
    assert (str(row.name), row.level, row.marks) == ("force", 1, ("not in schema",))


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"properties": []},
        {"properties": {"a": True, "b": 5}},
        {"type": 5, "required": "a", "allOf": {}, "anyOf": [1, None]},
        {"$ref": "#"},
        {"$ref": "https://elsewhere.example/schema.json"},
        {"allOf": [{"$ref": "#/allOf/0"}, {"$ref": "#/nowhere/at~1all"}]},
        {"properties": {"a": {"enum": "x", "type": ["string", 5]}}, "required": [1, "a"]},
    ],
)
def test_a_schema_that_makes_no_sense_hides_nothing(schema: Any) -> None:
    rows = detail_of(asked(arguments={"a": "1", "b": {"c": 2}}, input_schema=schema), "").rows
    assert {str(row.name): str(row.value) for row in rows} == {"a": "1", "b": as_text({"c": 2})}


def test_large_texts_are_laid_out_in_blocks_of_whole_lines() -> None:
    text = "".join(f"{number:<9} " * 30 + "\n" for number in range(2000)) + "y" * 50_000
    blocks = ["".join(piece.text for piece in block) for block in blocks_of(marked(text).pieces)]
    assert "".join(blocks) == text and len(blocks) > 10
    assert all(block.endswith("\n") for block in blocks[:-5])


def approved(**fields: Any) -> Confirmation:
    return asked(**{"status": "confirmed", "agent_id": "agt", "resolved_at": NOW, **fields})


def test_the_last_approved_call_is_of_the_same_agent_and_tool() -> None:
    call = asked(agent_id="agt")
    older = approved(id="older", resolved_at=NOW - timedelta(hours=1))
    others = [
        approved(id="id"),
        approved(id="tool", tool="x"),
        approved(id="agent", agent_id="b"),
        approved(id="provider", provider_id="p"),
        approved(id="no", status="rejected"),
        asked(id="waits", agent_id="agt"),
    ]
    assert last_approved(call, others) is None
    assert last_approved(call, [*others, older]) is older
    assert last_approved(call, [older, newer := approved(id="newer", status="consumed")]) is newer
    mine = asked(end_user="ana")
    assert last_approved(mine, [approved(id="his", agent_id="", end_user="bo")]) is None


def test_what_changed_since_is_said_key_by_key_and_word_by_word() -> None:
    before = {"path": "/reports/q2 final.pdf", "n": 1, "same": {"b": 1, "a": [2]}, "old": True, "one": 1}
    now = {"same": {"a": [2.0], "b": 1}, "path": "/reports/q3 final.pdf", "n": 1, "new": None, "one": "1"}
    lines = {str(line.name): line for line in compared(before, now)}
    assert {name: line.change for name, line in lines.items()} == {
        "same": "same", "path": "changed", "n": "same", "new": "added", "one": "changed", "old": "gone"
    }  # fmt: skip
    assert [(piece.text, piece.is_odd) for piece in lines["path"].before] == [
        ("/reports/", False),
        ("q2", True),
        (" final.pdf", False),
    ]
    assert [piece.text for piece in lines["path"].now if piece.is_odd] == ["q3"]
    assert (lines["one"].before[0].text, lines["one"].now[0].text) == ("1", '"1"')


def test_even_long_texts_are_compared_whole() -> None:
    old = " ".join(f"word{number}" for number in range(30_000))
    new = old.replace("word7 ", "other ") + " end"
    (line,) = compared({"text": old}, {"text": new})
    assert "".join(piece.text for piece in line.before) == old
    assert "".join(piece.text for piece in line.now) == new
