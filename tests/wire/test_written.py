"""JSON is shown, compared, copied and sent on as it was written, whatever Python would make of it."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from ag_ui.core import Event

from agents import fields, interrupts, pieces, readable
from agents.answer import Answer
from agents.increments import Kept, merged
from agents.transcript import as_messages, tool_part
from confirmations.bulk import _facts
from confirmations.comparison import compared
from confirmations.detail import detail_of
from confirmations.items import Names, item_of
from gateway import Confirmation, deep
from gateway.answers import Decoder
from gateway.canonical import canonical, fingerprint
from gateway.sse import ServerSentEvent
from tests.stories.following import eventually

ODD = '{"zeta":1.50,"n":-0,"big":1e400,"alpha":0.1000000000000000055}'
OTHERS = [
    ODD,
    '{"b":[1.0e2,{"x":-0.0,"a":1E5}],"a":{"deep":[-0,[2.10]]}}',
    '{"path":"/srv","path":"/etc","n":{"k":1,"k":2,"k":1.0}}',
    '{"long":' + "9" * 5000 + ',"zero":0.000,"small":1e-500}',
    '{"z":12345678901234567890,"a":"1.50"}',
]


def words(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


def call_of(arguments: str) -> Confirmation:
    """As a gateway tells it."""
    doc = f'{{"id":"c1","tool":"pay","arguments":{arguments},"risk":"high","created_at":"2026-03-01T00:00:00Z"}}'
    return Confirmation.from_one(deep.loads(doc))


def laid_out(text: str) -> str:
    """JSON with nothing between its tokens, and what stands in its texts left alone."""
    return "".join(re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"]+', text))


@pytest.mark.parametrize("text", OTHERS)
@pytest.mark.parametrize("levels", [0, 3, 2000])
def test_what_is_read_is_written_as_it_was(text: str, levels: int) -> None:
    text = "[" * levels + text + "]" * levels
    assert deep.dumps(deep.loads(text)) == text
    assert deep.dumps(deep.loads(text.encode())) == text
    assert laid_out(deep.dumps(deep.loads(text), indent=2)) == text


@pytest.mark.parametrize("text", OTHERS)
def test_a_step_shows_its_arguments_and_its_result_as_they_were_written(text: str) -> None:
    part = {**tool_part("c", "pay"), "arguments": text, "result": text}
    page = words(pieces.of_part(part, "a1"))
    assert page.count(deep.dumps(deep.loads(text), indent=2)) == 2
    assert text[: pieces.SUMMARY_LENGTH] in page
    assert text in readable.part(part, {})
    [message, _] = as_messages("r", [part])
    assert message.tool_calls[0].function.arguments == text  # type: ignore[union-attr, index]


@pytest.mark.parametrize("text", OTHERS)
def test_the_desk_shows_a_call_as_it_was_written(text: str) -> None:
    call = call_of(text)
    detail = detail_of(call, "Agent")
    raw = "".join(piece.text for block in detail.raw for piece in block)
    assert laid_out(raw) == text
    pairs = re.findall(r'"(\w+)":', text) if "{" not in text[1:] else list(call.arguments)
    assert list(dict.fromkeys(str(row.name) for row in detail.rows)) == list(dict.fromkeys(pairs))
    shown = [str(row.value) for row in detail.rows]
    values = call.arguments.pairs if isinstance(call.arguments, deep.Repeated) else call.arguments.items()
    assert shown == [value if isinstance(value, str) else deep.dumps(value, indent=2) for _, value in values]
    assert item_of(call, Names(), limit=300).raw
    facts = {fact.name: fact.text for fact in _facts(call, Names(), list(call.arguments))}
    assert all(str(row.value).strip('"') in facts[str(row.name)] for row in detail.rows if "\n" not in str(row.value))


def test_a_name_that_stands_twice_is_shown_twice_and_marked() -> None:
    rows = detail_of(call_of('{"path":"/srv","n":1,"path":"/etc"}'), "Agent").rows
    assert [(str(row.name), str(row.value)) for row in rows] == [("path", "/srv"), ("path", "/etc"), ("n", "1")]
    assert ["written 2 times" in " ".join(row.marks) for row in rows] == [True, True, False]
    schema = {"type": "object", "properties": {"o": {"type": "object", "properties": {"k": {"type": "string"}}}}}
    rows = detail_of(replace(call_of('{"o":{"k":1,"k":"x"}}'), input_schema=schema), "Agent").rows
    assert [str(row.value) for row in rows[1:]] == ["1", "x"]


def test_what_is_hidden_behind_a_name_that_stands_twice_deep_inside_is_told() -> None:
    [row] = detail_of(call_of('{"o":[{"to":"https://evil.example","to":"https://acme.example"}]}'), "Agent").rows
    assert "has what is written more than once: to" in row.marks
    assert "evil.example" in str(row.value)
    assert {str(host.name) for host in row.hosts} >= {"evil.example", "acme.example"}


def test_what_an_agent_would_send_stands_in_the_form_as_it_was_written() -> None:
    schema = {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean"},
            "args": {"type": "object", "properties": {"zeta": {"type": "number"}, "more": {"type": "object"}}},
        },
    }
    told = {"id": "i", "reason": "tool_call", "toolCallId": "c", "responseSchema": schema}
    call = {**tool_part("c", "pay"), "arguments": '{"zeta":1.50,"more":{"x":1.0e2,"x":-0}}'}
    [ask] = interrupts.asks([{"interrupt": told}], [call])
    values = {one.name: one.value for one in fields.every(ask.form)}
    assert values["0.args.zeta"] == "1.50"
    assert '{"x":1.0e2,"x":-0}' in [laid_out(str(value)) for value in values.values()]


@pytest.mark.parametrize("levels", [500, 990, 3000])
@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"type": "array"}, {"type": "object"}])
def test_what_an_agent_would_send_may_be_nested_ever_so_deep(schema: dict[str, Any], levels: int) -> None:
    properties = {"args": {"type": "object", "properties": {"x": schema}}, "approved": {"type": "boolean"}}
    told = {
        **{"id": "i", "reason": "tool_call", "toolCallId": "c"},
        "responseSchema": {"type": "object", "properties": properties},
    }
    nested = "[" * levels + '"core"' + "]" * levels
    call = {**tool_part("c", "pay"), "arguments": f'{{"x":{nested}}}'}
    page = html.unescape(interrupts.rendered(uuid4(), [{"interrupt": told}], [call]))
    assert nested in re.sub(r"\s", "", page)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ("1.50", "1.5", "changed"),
        ("1e400", "1e500", "changed"),
        ("0.1", "0.1000000000000000055", "changed"),
        ("-0", "0", "changed"),
        ('{"a":1,"b":2}', '{"b":2,"a":1}', "same"),
        ('{"a":1,"a":2}', '{"a":2}', "changed"),
        ("1.50", "1.50", "same"),
    ],
)
def test_what_is_written_otherwise_is_compared_as_changed(before: str, now: str, change: str) -> None:
    [line] = compared(call_of(f'{{"x":{before}}}').arguments, call_of(f'{{"x":{now}}}').arguments)
    assert line.change == change
    assert laid_out("".join(piece.text for piece in line.now)) == now
    if change == "changed":
        assert laid_out("".join(piece.text for piece in line.before)) == before


def test_a_call_is_recognised_by_what_its_json_means() -> None:
    told = canonical(deep.loads('{"zeta":1.50,"n":-0,"alpha":0.1000000000000000055,"k":1,"k":2}'))
    assert told == '{"alpha":0.1,"k":2,"n":0,"zeta":1.5}'
    assert fingerprint(deep.loads('{"x":1e400}')) != fingerprint(deep.loads('{"x":1e500}'))
    assert json.loads(canonical(deep.loads('{"x":1e400}')))


# -- what an agent shares ------------------------------------------------------------------------------------------

VALUE = '{"zeta":1.50,"n":-0,"k":1,"k":2,"alpha":0.1000000000000000055}'


def fed(*docs: str) -> Answer:
    answer = Answer("a1")
    answer.feed(events_of(*docs))
    eventually(lambda: bool(answer.parts()) and not answer.is_behind)
    return answer


def events_of(*docs: str) -> list[Event]:
    decoder = Decoder("r", "t")
    events: list[Event] = []
    for doc in ('{"type":"RUN_STARTED","threadId":"t","runId":"r"}', *docs):
        events += decoder.feed(ServerSentEvent(event="", data=doc.encode()))
    return events


@pytest.mark.parametrize(
    "docs",
    [
        (f'{{"type":"STATE_SNAPSHOT","snapshot":{VALUE}}}',),
        (
            '{"type":"STATE_SNAPSHOT","snapshot":{"x":1}}',
            f'{{"type":"STATE_DELTA","delta":[{{"op":"add","path":"/y","value":{VALUE}}}]}}',
        ),
        (f'{{"type":"ACTIVITY_SNAPSHOT","messageId":"m","activityType":"PLAN","content":{VALUE}}}',),
        (f'{{"type":"CUSTOM","name":"mood","value":{VALUE}}}',),
        (f'{{"type":"RAW","event":{VALUE}}}',),
        (
            '{"type":"SUBAGENT_STARTED","subagentRunId":"s","name":"Clerk"}',
            f'{{"type":"SUBAGENT_FINISHED","subagentRunId":"s","result":{VALUE}}}',
        ),
    ],
)
def test_what_an_agent_shares_is_shown_and_kept_as_it_wrote_it(docs: tuple[str, ...]) -> None:
    answer = fed(*docs)
    kept: list[dict[str, Any]] = json.loads(json.dumps(answer.parts()))  # as a database gives it back
    shown = [part for part in kept if part["kind"] != "text"]
    page = laid_out(words("".join(pieces.of_part(part, "a1") for part in shown)))
    assert VALUE in page
    assert VALUE in laid_out(words("".join(answer.snapshot().pieces)))
    exported = laid_out("".join(readable.part(part, {}) for part in shown).replace("> ", ""))
    assert (VALUE if "ACTIVITY" not in docs[0] else "zeta:1.50-n:-0-k:1-k:2-alpha:0.1000000000000000055") in exported


def test_a_patch_of_what_was_written_twice_leaves_what_it_means() -> None:
    answer = fed(
        '{"type":"STATE_SNAPSHOT","snapshot":{"k":1,"k":2,"z":1.50}}',
        '{"type":"STATE_DELTA","delta":[{"op":"replace","path":"/k","value":3}]}',
    )
    page = laid_out(words("".join(answer.snapshot().pieces)))
    assert '{"k":3,"z":1.50}' in page


DEEP = "[" * 150 + "]" * 150  # no event may nest much deeper; a patch puts it where the last one ended


@pytest.mark.parametrize("number", ["1.50", "1"])
@pytest.mark.parametrize(
    ("snapshot", "delta"),
    [
        ('{"type":"STATE_SNAPSHOT","snapshot":%s}', '{"type":"STATE_DELTA","delta":[%s]}'),
        (
            '{"type":"ACTIVITY_SNAPSHOT","messageId":"m","activityType":"PLAN","content":%s}',
            '{"type":"ACTIVITY_DELTA","messageId":"m","activityType":"PLAN","patch":[%s]}',
        ),
    ],
)
def test_what_patches_nest_ever_deeper_costs_nothing_else(snapshot: str, delta: str, number: str) -> None:
    answer, kept = Answer("a1"), Kept()
    told = [snapshot % f'{{"z":{number},"a":{DEEP}}}', '{"type":"TEXT_MESSAGE_CONTENT","messageId":"t","delta":"Kept"}']
    for levels in range(150, 2000, 150):
        place = "/a" + "/0" * (levels - 1) + "/-"
        told.append(delta % f'{{"op":"add","path":"{place}","value":{DEEP}}}')
    saves: list[tuple[int, int, Any]] = []
    for event in events_of(*told):
        answer.feed([event])
        if save := kept.save(answer.parts()):
            kept.has(save)
            saves.insert(0, (save.number, save.builds_on, json.loads(save.changes)))
    answer.break_off()
    page = words("".join(pieces.of_answer(json.loads(json.dumps(answer.parts())), "a1")))
    assert "Kept" in page
    assert "This is nested too deeply to be kept." in page
    assert merged(saves) is not None
