"""An agent's answer becomes the same AG-UI events, whatever its form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ag_ui.core import Event, ReasoningMessageContentEvent, TextMessageContentEvent, TextMessageStartEvent

from gateway import deep
from gateway.answers import Decoder, text_in
from gateway.errors import StreamBroken
from gateway.refusals import refusal
from gateway.sse import ServerSentEvent

STARTED = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
FINISHED = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}


def fed(decoder: Decoder, *data: object) -> list[Event]:
    events: list[Event] = []
    for one in data:
        text = one if isinstance(one, str) else json.dumps(one)
        events += decoder.feed(ServerSentEvent("message", text.encode()))
    return events


def types(events: list[Event]) -> list[str]:
    return [event.type.value for event in events]


def text(events: list[Event]) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextMessageContentEvent))


def whole_text(*data: object) -> str:
    decoder = Decoder("t", "r")
    return text([*fed(decoder, *data), *decoder.close()])


# -- what an answer is, by its content ----------------------------------------------------------------------------


def test_agui_is_passed_on_as_it_is_and_ends_with_its_own_end() -> None:
    decoder = Decoder("t", "r")
    events = fed(
        decoder,
        STARTED,
        {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": '{"text": "not looked into"}'},
        {"type": "TEXT_MESSAGE_END", "messageId": "m"},
        FINISHED,
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "after the end"},
    )
    assert types(events) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert text(events) == '{"text": "not looked into"}'
    assert decoder.finished
    assert decoder.close() == []


@pytest.mark.parametrize("end", [FINISHED, {"type": "RUN_ERROR", "message": "quota"}])
def test_another_run_in_the_same_body_belongs_to_the_answer(end: dict[str, Any]) -> None:
    decoder = Decoder("t", "r")
    said = [{"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "said"}, {"type": "RAW", "event": 1}]
    again = {**STARTED, "runId": "r2"}
    events = fed(decoder, STARTED, end, *said, "[DONE]", FINISHED, again, *said[:1])
    assert types(events) == [
        "RUN_STARTED",
        end["type"],
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
    ]
    assert decoder.passed_over == 2, "what is told between two runs is no AG-UI"
    assert not decoder.finished
    with pytest.raises(StreamBroken):
        decoder.close()
    fed(decoder, FINISHED)
    assert decoder.finished
    assert decoder.close() == []


@pytest.mark.parametrize(
    ("told", "kept"), [(rb"a\u0000b", "a\ufffdb"), (rb"a\\u0000b", "a\\u0000b"), (rb"\n\\\u0000\\", "\n\\\ufffd\\")]
)
def test_what_no_database_can_keep_is_replaced(told: bytes, kept: str) -> None:
    decoder = Decoder("t", "r")
    fed(decoder, STARTED)
    assert text(decoder.feed(ServerSentEvent("message", raw(told)))) == kept
    assert text(Decoder("t", "r").whole({"text": "a\0b \ud83d c"})) == "a\ufffdb \ufffd c"
    refused = refusal(502, b'{"code": "RUNTIME_ERROR", "details": "a\\u0000b"}')
    assert refused.detail == "a\ufffdb"


def test_agui_that_ends_without_saying_so_was_interrupted() -> None:
    decoder = Decoder("t", "r")
    fed(decoder, STARTED)
    with pytest.raises(StreamBroken):
        decoder.close()


def content(delta: str, message_id: str = "m", **more: object) -> bytes:
    return json.dumps({"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta, **more}).encode()


def raw(delta: bytes) -> bytes:
    return b'{"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"' + delta + b'"}'


HALVES = {  # of characters
    "a text": ([content("Hi \ud83d"), content("\ude00 you")], "Hi 😀 you"),
    "one half a delta": ([content(one) for one in "a\ud83d\ude00b"], "a😀b"),
    "two texts in turns": (
        [content("\ud83d"), content("\ud83c", "n"), content("\ude00"), content("\udf0d", "n")],
        "😀🌍",
    ),
    "chunks": (
        [
            b'{"type":"TEXT_MESSAGE_CHUNK","messageId":"m","delta":"a\\ud83d"}',
            b'{"type":"TEXT_MESSAGE_CHUNK","delta":"\\ude00b"}',
        ],
        "a😀b",
    ),
    "arguments": (
        [
            b'{"type":"TOOL_CALL_START","toolCallId":"c","toolCallName":"look"}',
            b'{"type":"TOOL_CALL_ARGS","toolCallId":"c","delta":"\\"\\ud83d"}',
            b'{"type":"TOOL_CALL_ARGS","toolCallId":"c","delta":"\\ude00\\""}',
        ],
        '"😀"',
    ),
    "one that never comes": ([content("a \ud83d b"), content("\ude00 c")], "a \ufffd b\ufffd c"),
    "bytes": ([raw(b"caf\xe9 and"), raw(b" more")], "caf\ufffd and more"),
}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("name", HALVES)
def test_half_a_character_costs_no_other_one(name: str, together: bool) -> None:
    told, kept = HALVES[name]
    sent = [ServerSentEvent("message", data) for data in [json.dumps(STARTED).encode(), *told]]
    decoder = Decoder("t", "r")
    events = decoder.feed_all(sent) if together else [event for one in sent for event in decoder.feed(one)]
    assert "".join(getattr(event, "delta", "") for event in events) == kept
    assert decoder.passed_over == 0


def test_half_a_character_costs_no_other_one_in_what_is_no_ag_ui() -> None:
    decoder = Decoder("t", "r")
    events = [
        event
        for half in (r"Hi \ud83d", r"\ude00 you", r" \ud83d!")
        for event in fed(decoder, f'{{"choices":[{{"delta":{{"content":"{half}"}}}}]}}')
    ]
    assert text(events) == "Hi 😀 you \ufffd!"


def test_half_a_character_in_any_value_is_replaced() -> None:
    decoder = Decoder("t", "r")
    [_, state] = fed(
        decoder, STARTED, r'{"type":"STATE_SNAPSHOT","snapshot":{"a\ud83d":["\ude00",1.50,"\ud83d\ude00"]}}'
    )
    assert deep.dumps(state.snapshot) == '{"a\ufffd":["\ufffd",1.50,"😀"]}'  # type: ignore[union-attr]


TOGETHER = {
    "plain": [content("a"), content("b"), content("c")],
    "characters of any alphabet": [raw("ü".encode()), raw("🜚".encode()), raw("日本".encode())],
    "escapes": [raw(rb"a\n"), raw(rb"\"b\\"), raw(rb"\/c\t")],
    "halves of an escape": [raw(rb"a\ud83d"), raw(rb"\ude00b"), raw(b"c")],
    "halves of a character": [raw(b"a"), raw("ü".encode()[:1]), raw("ü".encode()[1:]), raw(b"b")],
    "a character that is none": [raw(b"a"), raw(b"\xff"), raw(b"b"), raw(b"\xed\xa0\x80"), raw(b"c")],
    "a lonely backslash": [raw(b"a"), raw(b"b\\"), raw(b"c")],
    "raw control characters": [raw(b"a"), raw(b"b\x01"), raw(b"c\n"), raw(b"d")],
    "an empty one": [content("a"), content(""), content("b")],
    "two messages": [content("a"), content("b"), content("c", "n"), content("d", "n"), content("e")],
    "more fields": [content("a"), content("b", timestamp=5), content("c", aNewField=1), content("d")],
    "a sub-agent": [content("a"), content("b", subagentRunId="s"), content("c")],
    "something between": [content("a"), content("b"), b'{"type":"NEWER"}', content("c"), b"no JSON", content("d")],
    "a chunk that is open": [
        content("a"),
        b'{"type":"TEXT_MESSAGE_CHUNK","messageId":"k","delta":"x"}',
        content("b"),
        content("c"),
    ],
    "the end between": [content("a"), content("b"), json.dumps(FINISHED).encode(), content("c"), content("d")],
}


@pytest.mark.parametrize("opening", [[], [json.dumps(STARTED).encode()]], ids=["without a start", "started"])
@pytest.mark.parametrize("name", TOGETHER)
def test_what_comes_together_says_the_same_as_one_by_one(name: str, opening: list[bytes]) -> None:
    sent = [ServerSentEvent("message", data) for data in [*opening, *TOGETHER[name]]]
    one_by_one, together = Decoder("t", "r"), Decoder("t", "r")
    expected = [event for one in sent for event in one_by_one.feed(one)]
    told = together.feed_all(sent)
    assert len(told) <= len(expected)
    assert said(told) == said(expected)
    assert (together.finished, together.passed_over) == (one_by_one.finished, one_by_one.passed_over)


def said(events: list[Event]) -> list[tuple[object, ...]]:
    """What the events tell, with plain deltas of a message that follow each other as one."""
    told: list[tuple[object, ...]] = []
    for event in events:
        fields = event.model_dump(exclude={"delta"}), getattr(event, "delta", "")
        is_more = isinstance(event, TextMessageContentEvent) and bool(told) and told[-1][0] == fields[0]
        told.append((fields[0], f"{told.pop()[1]}{fields[1]}") if is_more else fields)
    return told


def test_plain_deltas_that_come_together_are_one() -> None:
    decoder = Decoder("t", "r")
    sent = [ServerSentEvent("message", data) for data in [json.dumps(STARTED).encode(), *TOGETHER["plain"]]]
    assert types(decoder.feed_all(sent)) == ["RUN_STARTED", "TEXT_MESSAGE_CONTENT"]


def test_an_error_is_an_end_as_well() -> None:
    decoder = Decoder("t", "r")
    events = fed(decoder, STARTED, {"type": "RUN_ERROR", "message": "quota", "code": "QUOTA"})
    assert types(events) == ["RUN_STARTED", "RUN_ERROR"]
    assert decoder.finished


def test_what_agui_may_say_tomorrow_does_not_stop_a_run_of_today() -> None:
    decoder = Decoder("t", "r")
    events = fed(
        decoder,
        STARTED,
        {"type": "SOMETHING_OF_NEXT_YEAR", "x": 1},
        {"type": "TEXT_MESSAGE_CONTENT"},
        "no JSON at all",
        {**FINISHED, "aNewField": True},
    )
    assert types(events) == ["RUN_STARTED", "RUN_FINISHED"]


def test_what_an_agent_of_before_agui_1_thinks_is_its_reasoning() -> None:
    decoder = Decoder("t", "r")
    thoughts = [
        [
            {"type": "THINKING_TEXT_MESSAGE_START"},
            {"type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": f"{word}\ud83d"},
            {"type": "THINKING_TEXT_MESSAGE_CONTENT", "delta": "\ude00."},
            {"type": "THINKING_TEXT_MESSAGE_END"},
        ]
        for word in ("First", "Second")
    ]
    begun, ended = {"type": "THINKING_START", "title": "Hm"}, {"type": "THINKING_END"}
    events = fed(decoder, STARTED, begun, *thoughts[0], ended, *thoughts[1], FINISHED)
    said: dict[str, str] = {}
    for event in events:
        if isinstance(event, ReasoningMessageContentEvent):
            said[event.message_id] = said.get(event.message_id, "") + event.delta
    assert [*said.values()] == ["First\U0001f600.", "Second\U0001f600."]
    whole = ["REASONING_MESSAGE_START", *2 * ["REASONING_MESSAGE_CONTENT"], "REASONING_MESSAGE_END"]
    assert types(events) == ["RUN_STARTED", *whole, *whole, "RUN_FINISHED"]
    assert decoder.passed_over == 0


def test_a_type_that_agui_does_not_know_makes_no_agui() -> None:
    assert whole_text({"type": "message_delta", "text": "hi"}) == "hi"


def test_chunks_are_start_content_and_end() -> None:
    events = fed(
        Decoder("t", "r"),
        STARTED,
        {"type": "TEXT_MESSAGE_CHUNK", "messageId": "m", "delta": "a"},
        {"type": "TEXT_MESSAGE_CHUNK", "delta": "b"},
        {"type": "TOOL_CALL_CHUNK", "toolCallId": "c", "toolCallName": "look", "delta": "{"},
        {"type": "TOOL_CALL_CHUNK", "delta": "}"},
        FINISHED,
    )
    assert types(events) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "RUN_FINISHED",
    ]
    assert text(events) == "ab"


# -- everything else is text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a text", "a text"),
        ({"delta": "d", "text": "t"}, "d"),
        ({"choices": [{"delta": {"content": "c"}}], "text": "t"}, "c"),
        ({"text": "t", "content": "c"}, "t"),
        ({"content": "c", "reply": "r"}, "c"),
        ({"reply": "r", "message": "m"}, "r"),
        ({"message": "m", "output": {"reply": "o"}}, "m"),
        ({"output": {"reply": "o"}}, "o"),
        ({"delta": {"nested": 1}, "reply": "r"}, "r"),
        ({"choices": [{"message": {"content": "whole"}}], "text": "t"}, "t"),
        ({"delta": "", "text": "", "content": None, "reply": "r"}, "r"),
        ({"text": "", "output": {"reply": "o"}}, "o"),
    ],
)
def test_a_json_answer_is_the_first_text_at_a_usual_place(value: object, shown: str) -> None:
    assert text_in(value) == shown
    assert whole_text(value) == shown
    events = Decoder("t", "r").whole(value)
    assert (text(events), types(events)[0], types(events)[-1]) == (shown, "RUN_STARTED", "RUN_FINISHED")


@pytest.mark.parametrize("value", [{"queued": True}, [1, "two", None], None, {"choices": "none"}, {"output": "x"}])
def test_a_json_answer_without_a_text_is_shown_as_json(value: Any) -> None:
    shown = text_in(value)
    assert shown.startswith("```json\n") and shown.endswith("\n```")
    assert json.loads(shown.removeprefix("```json\n").removesuffix("\n```")) == value


def test_numbers_words_and_json_mix_in_a_text_stream() -> None:
    assert whole_text("plain ", "42", ' "quoted"', {"delta": " end"}) == "plain 42quoted end"


def test_json_in_the_middle_of_a_text_stands_in_a_block_of_its_own() -> None:
    assert whole_text({"delta": "See:"}, {"rows": []}, {"delta": "Done."}) == (
        'See:\n\n```json\n{\n  "rows": []\n}\n```\n\nDone.'
    )


def test_a_text_that_opens_a_code_block_is_not_taken_for_one() -> None:
    assert whole_text(json.dumps("```json\n"), json.dumps("{}\n```")) == "```json\n{}\n```"


def test_a_completion_chunk_may_hold_no_text() -> None:
    assert (
        whole_text(
            {"choices": [{"delta": {"role": "assistant"}}]},
            {"choices": [{"delta": {"content": "Hi"}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
            "[DONE]",
        )
        == "Hi"
    )


def thoughts(events: list[Event]) -> list[str]:
    return [event.delta for event in events if isinstance(event, ReasoningMessageContentEvent)]


@pytest.mark.parametrize("spelled", ["reasoning_content", "reasoning"])
def test_what_completion_chunks_tell_as_reasoning_is_reasoning_between_texts(spelled: str) -> None:
    events = fed(
        Decoder("t", "r"),
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": None, spelled: "Hm\ud83d"}}]},
        {"choices": [{"delta": {"content": None, spelled: "\ude00."}}]},
        {"choices": [{"delta": {spelled: "So:", "content": "Hi"}}]},
        {"choices": [{"delta": {"content": " you"}}]},
        {"choices": [{"delta": {spelled: "And more"}}]},
        "[DONE]",
    )
    assert thoughts(events) == ["Hm", "\U0001f600.", "So:", "And more"]
    assert text(events) == "Hi you"
    texts = ["TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"]
    assert types(events) == [
        *("RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "REASONING_MESSAGE_START"),
        *(3 * ["REASONING_MESSAGE_CONTENT"]),
        *("REASONING_MESSAGE_END", *texts),
        *("REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END", "RUN_FINISHED"),
    ]
    ids = [event.message_id for event in events if isinstance(event, TextMessageStartEvent)]
    assert len(set(ids)) == len(ids) == 2


@pytest.mark.parametrize(
    ("delta", "said", "thought"),
    [
        ({"content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": " you"}]}, "Hi you", ""),
        ({"content": ["Hi", {"type": "image_url", "image_url": {"url": "x"}}]}, "Hi", ""),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}, "", "Hm"),
        ({"content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]}, "Hi", "Hm"),
        ({"content": None, "refusal": "I will not."}, "I will not.", ""),
        ({"reasoning": "Hm", "reasoning_content": "Hm"}, "", "Hm"),
    ],
)
def test_all_that_a_completion_chunk_says_is_shown(delta: object, said: str, thought: str) -> None:
    chunk = {"choices": [{"delta": delta}]}
    for events in (fed(Decoder("t", "r"), chunk), Decoder("t", "r").whole(chunk)):
        assert (text(events), "".join(thoughts(events))) == (said, thought)


def test_the_chunk_that_counts_tokens_says_nothing() -> None:
    assert whole_text({"delta": "Hi"}, {"object": "chat.completion.chunk", "choices": [], "usage": {"t": 1}}) == "Hi"


def test_null_in_a_text_stream_is_a_word_of_it() -> None:
    assert whole_text("It is ", "null", ", not ", "true", ".") == "It is null, not true."


def test_done_ends_a_text_and_what_follows_is_not_shown() -> None:
    decoder = Decoder("t", "r")
    events = fed(decoder, {"delta": "all"}, "[DONE]", {"delta": " too late"})
    assert types(events) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert (text(events), decoder.finished, decoder.close()) == ("all", True, [])


def test_the_clean_end_of_the_body_ends_a_text() -> None:
    decoder = Decoder("t", "r")
    fed(decoder, {"delta": "all"})
    assert not decoder.finished
    assert types(decoder.close()) == ["TEXT_MESSAGE_END", "RUN_FINISHED"]


def test_an_empty_body_is_an_empty_answer() -> None:
    assert types(Decoder("t", "r").close()) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]


def test_bytes_that_are_no_utf8_are_shown_as_such() -> None:
    decoder = Decoder("t", "r")
    events = decoder.feed(ServerSentEvent("message", b"caf\xe9"))
    assert text(events) == "caf\ufffd"


@pytest.mark.parametrize(
    "number",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "-2.5E+4000", "9" * 400 + ".0", "1" + "0" * 400 + "e1"),
        *("9" * 250 + "e99", "9" * 299 + "e10", "9" * 210 + ".5E+99"),
    ],
)
@pytest.mark.parametrize(
    "holder",
    [
        '{"type":"CUSTOM","name":"n","value":%s}',
        '{"type":"CUSTOM","name":"n","value":{"deep":[1,{"x":%s}]}}',
        '{"type":"RAW","event":{"x":%s}}',
        '{"type":"STATE_SNAPSHOT","snapshot":{"x":[%s]}}',
        '{"type":"STATE_DELTA","delta":[{"op":"add","path":"/x","value":%s}]}',
        '{"type":"ACTIVITY_SNAPSHOT","messageId":"a","activityType":"PLAN","content":{"x":%s}}',
    ],
)
def test_an_event_with_a_number_that_is_none_is_passed_over_and_the_answer_goes_on(holder: str, number: str) -> None:
    decoder = Decoder("t", "r")
    delta = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": f"still here, {number} and all"}
    start = {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}
    events = fed(decoder, STARTED, start, holder % number, delta, FINISHED)
    assert types(events) == ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "RUN_FINISHED"]
    assert text(events) == f"still here, {number} and all" and decoder.passed_over == 1


@pytest.mark.parametrize("inside", ["1e100", "Infinity", '"NaN"', "1"])
@pytest.mark.parametrize("levels", [300, 100_000])
def test_an_event_that_is_nested_too_deeply_is_passed_over_whatever_it_holds(levels: int, inside: str) -> None:
    decoder = Decoder("t", "r")
    deep = f'{{"type":"CUSTOM","name":"n","value":{"[" * levels}{inside}{"]" * levels}}}'
    delta = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "still here"}
    events = fed(decoder, STARTED, {"type": "TEXT_MESSAGE_START", "messageId": "m"}, deep, delta, FINISHED)
    assert text(events) == "still here" and decoder.passed_over == 1


@pytest.mark.parametrize("kind", [["RUN_STARTED"], {"RUN_STARTED": 1}, [], {}, 1, None, True])
def test_an_answer_whose_type_is_no_text_is_no_ag_ui(kind: object) -> None:
    events = fed(Decoder("t", "r"), {"type": kind, "text": "hello"})
    assert types(events) == ["RUN_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"] and text(events) == "hello"


def test_numbers_that_are_long_or_large_are_kept() -> None:
    decoder = Decoder("t", "r")
    value = '{"a":123456789012345678901234567890,"b":1.5e300,"c":"1e999 and NaN","e100":[1E+2]}'
    events = fed(decoder, STARTED, f'{{"type":"CUSTOM","name":"n","value":{value}}}', FINISHED)
    assert types(events) == ["RUN_STARTED", "CUSTOM", "RUN_FINISHED"] and decoder.passed_over == 0
