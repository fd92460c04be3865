"""An agent's answer, whatever its form, as the same AG-UI events. Free of I/O.

An AG-UI stream is known by a known `type` in its first event, never by an agent's name. Everything else becomes text:
strings are text, objects give the first text they hold at a usual place, the rest is shown as JSON. What completion
chunks tell as reasoning is reasoning, between texts.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivitySnapshotEvent,
    CustomEvent,
    Event,
    EventType,
    RawEvent,
    ReasoningMessageChunkEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    StateDeltaEvent,
    StateSnapshotEvent,
    SubagentFinishedEvent,
    TextMessageChunkEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallChunkEvent,
    ToolCallEndEvent,
    ToolCallStartEvent,
)
from pydantic import TypeAdapter, ValidationError

from gateway import deep
from gateway.errors import StreamBroken
from gateway.sse import ServerSentEvent
from gateway.types import writable

logger = logging.getLogger(__name__)

_event: TypeAdapter[Event] = TypeAdapter(Event)
_delta: TypeAdapter[TextMessageContentEvent] = TypeAdapter(TextMessageContentEvent)
_DELTA = (b'{"type":"TEXT_MESSAGE_CONTENT"', b'{"type": "TEXT_MESSAGE_CONTENT"')
_PLAIN_DELTA = re.compile(
    rb'\{"type": ?"TEXT_MESSAGE_CONTENT", ?"messageId": ?"([^"\\\x00-\x1f]+)", ?'
    rb'"delta": ?"(?!["\x80-\xbf])([^"\\\x00-\x1f]*(?:\\["\\/bfnrt][^"\\\x00-\x1f]*)*)"\}'
)
"""A delta whose text can stand beside its neighbours' inside one JSON string, which is valid only if each of them is:
no escape and no character goes over an edge."""
_FIRST_HALF = tuple(bytes([one]) for one in range(0xD8, 0xDC))  # of a surrogate pair: how its last byte is, in UTF-16
_ESCAPED_NUL = rb"\u0000"
_ESCAPE = re.compile(rb"\\(?:u0000|.)", re.DOTALL)
_MAY_BE_HALF = re.compile(rb"\\u[dD][89a-fA-F]|[\x80-\xff]")
_MAY_BE_NO_NUMBER = re.compile(rb"NaN|Infinity|[eE]\+?\d{3}|\d{200}")
"""A cheap look for what JSON, or Python's idea of it, can spell and no database and no browser can keep."""
_known_types = frozenset(kind.value for kind in EventType)
_THINKING = {  # what AG-UI before 1.0 called reasoning, without an id
    "THINKING_TEXT_MESSAGE_START": "REASONING_MESSAGE_START",
    "THINKING_TEXT_MESSAGE_CONTENT": "REASONING_MESSAGE_CONTENT",
    "THINKING_TEXT_MESSAGE_END": "REASONING_MESSAGE_END",
}


class Decoder:
    """Turns the server-sent events of one answer into AG-UI events, until `finished`.

    An AG-UI body may hold several runs in a row: RUN_STARTED begins the next one, and takes back `finished`.

    Types and fields that are newer than we know are ignored. What is no valid AG-UI is counted and passed over: a
    sloppy event must not end a run. In the log it leaves a line without its content. What JSON can spell and nobody can
    keep, NUL and half a surrogate pair, becomes U+FFFD; an event with a number that is none, such as 1e999, is no valid
    one. No database takes these, and the answer would be lost for them. A pair of which two deltas have a half each is
    whole.
    """

    __slots__ = (
        "_chunks",
        "_halves",
        "_is_agui",
        "_is_first",
        "_is_thinking",
        "_run_id",
        "_text_id",
        "_thoughts",
        "_thread_id",
        "finished",
        "lacks_start",
        "passed_over",
    )

    def __init__(self, thread_id: str, run_id: str) -> None:
        self.finished = False
        self.passed_over = 0
        """Events that were no valid AG-UI, though their type is known, or no JSON at all."""
        self.lacks_start = False
        """The stream is AG-UI and did not open with RUN_STARTED, which is put before it."""
        self._is_first = True
        self._thread_id = thread_id
        self._run_id = run_id
        self._is_agui: bool | None = None  # unknown until the first event
        self._chunks = _ChunkForms()
        self._thoughts = 0  # that were told without an id
        self._is_thinking = False  # what is no AG-UI: the last thing that was told is a thought
        self._text_id = run_id
        self._halves: dict[tuple[str, str], str] = {}  # with which a delta ended, by what it is a delta of

    def feed_all(self, several: list[ServerSentEvent]) -> list[Event]:
        """What came together. Plain deltas of a message that follow each other become one event."""
        if len(several) == 1:
            return self.feed(several[0])
        events: list[Event] = []
        message_id = b""
        plain: list[ServerSentEvent] = []
        said: list[bytes] = []
        for sent in several:
            found = _PLAIN_DELTA.fullmatch(sent.data) if self._takes_deltas else None
            if plain and (found is None or found[1] != message_id):
                events += self._joined(message_id, plain, said)
                plain, said = [], []
            if found is None:
                events += self.feed(sent)
            else:
                message_id = found[1]
                plain.append(sent)
                said.append(found[2])
        return events + self._joined(message_id, plain, said)

    @property
    def _takes_deltas(self) -> bool:
        """Whether a delta is simply passed on: nothing has to come before it."""
        return self._is_agui is True and not (self._is_first or self.finished or self._chunks.begun)

    def _joined(self, message_id: bytes, plain: list[ServerSentEvent], said: list[bytes]) -> list[Event]:
        if len(plain) > 1:
            try:
                return [
                    _delta.validate_json(b'%b,"messageId":"%b","delta":"%b"}' % (_DELTA[0], message_id, b"".join(said)))
                ]
            except ValidationError:  # one of them is not valid: which one is found by itself
                pass
        return [event for sent in plain for event in self.feed(sent)]

    @property
    def may_go_on(self) -> bool:
        """Whether another run may follow the one that finished."""
        return self._is_agui is True

    def feed(self, sent: ServerSentEvent) -> list[Event]:
        if self.finished:
            return self._after_end(sent.data) if self.may_go_on else []
        if self._is_agui is None:
            self._is_agui = _is_agui(sent.data)
            if not self._is_agui:
                return [*self._opening(), *self._text(sent.data)]
        return self._agui(sent.data) if self._is_agui else self._text(sent.data)

    def close(self) -> list[Event]:
        """What follows from the clean end of the body. Raises StreamBroken where AG-UI has not said its own end."""
        if self.finished:
            return []
        if self._is_agui:
            raise StreamBroken("the stream ended without RUN_FINISHED or RUN_ERROR")
        return [*([] if self._is_agui is False else self._opening()), *self._closing()]

    def whole(self, value: object) -> list[Event]:
        """The events of an answer that came as one JSON value."""
        choices = _choices_in(value)
        told = self._content(text_in(value)) if choices is None else self._completion(choices)
        return [*self._opening(), *told, *self._closing()]

    def _agui(self, data: bytes) -> list[Event]:
        if _ESCAPED_NUL in data:
            data = _ESCAPE.sub(lambda found: rb"\ufffd" if found[0] == _ESCAPED_NUL else found[0], data)
        if b"THINKING_TEXT_MESSAGE_" in data:
            data = self._as_reasoning(data)
        try:
            if _MAY_BE_NO_NUMBER.search(data):
                refuse_no_numbers(data)
            if data.startswith(_DELTA) and not self._chunks.begun and not self._is_first:  # nearly every event there is
                return [_delta.validate_json(data)]
            event = _as_written(_event.validate_json(data), data)
            events = self._chunks.expand(event)
        except ValidationError as exc:
            if (whole := self._in_whole_characters(data)) is not None:
                return self._agui(whole) if whole else []
            if exc.errors(include_url=False, include_input=False)[0]["type"] != "union_tag_invalid":
                self._pass_over()  # else a type newer than we know, which is fine
            return []
        except ValueError:
            self._pass_over()
            return []
        if self._is_first and not isinstance(event, RunStartedEvent):
            self.lacks_start = True
            logger.warning("run %s: the stream did not open with RUN_STARTED", self._run_id)
            events.insert(0, RunStartedEvent(thread_id=self._thread_id, run_id=self._run_id))
        self._is_first = False
        if isinstance(event, RunFinishedEvent | RunErrorEvent):
            self.finished = True
            if self.passed_over:
                logger.info("run %s: %d events in all were passed over", self._run_id, self.passed_over)
        return events

    def _as_reasoning(self, data: bytes) -> bytes:
        """What agents of before AG-UI 1.0 think, as it is told today; anything else as it is."""
        try:
            event = json.loads(data)
            kind = event.get("type") if isinstance(event, dict) else None
            if not isinstance(kind, str) or kind not in _THINKING:
                return data
            self._thoughts += kind == "THINKING_TEXT_MESSAGE_START"
            thought = {"messageId": self._thought_id, "role": "reasoning"}
            return json.dumps(thought | event | {"type": _THINKING[kind]}).encode()  # halves of characters as escapes
        except (ValueError, RecursionError):
            return data

    @property
    def _thought_id(self) -> str:
        return f"thought-{self._run_id}-{self._thoughts}"

    def _in_whole_characters(self, data: bytes) -> bytes | None:
        """The event where it had halves of characters; empty where it was no more than one; None where it had none.

        Some agents cut texts between the halves of a pair: the first one waits for the delta that has the other.
        """
        if not _MAY_BE_HALF.search(data):
            return None
        try:
            event = deep.loads(data.decode(errors="replace"))
        except ValueError:
            return None
        if isinstance(event, dict) and isinstance(event.get("delta"), str):
            event["delta"] = self._joined_halves(self._told_in(event), event["delta"])
            if not event["delta"]:
                return b""
        whole = writable(deep.dumps(event)).encode()
        return None if whole == data else whole

    def _joined_halves(self, of: tuple[str, str], delta: str) -> str:
        told = (self._halves.pop(of, "") + delta).encode("utf-16-le", "surrogatepass")
        if told[-1:] in _FIRST_HALF:
            self._halves[of] = told[-2:].decode("utf-16-le", "surrogatepass")
            told = told[:-2]
        return told.decode("utf-16-le", "replace")

    def _told_in(self, delta: dict[str, object]) -> tuple[str, str]:
        """What it is a delta of: sub-agent, and id; a chunk without one goes on with what has begun."""
        who = str(delta.get("subagentRunId") or "")
        begun = self._chunks.begun.get(who or None)
        return who, str(delta.get("messageId") or delta.get("toolCallId") or (begun and begun.id))

    def _after_end(self, data: bytes) -> list[Event]:
        """Only the start of another run may come after the end of one; what else is AG-UI belongs to none."""
        try:
            event = _event.validate_json(data)
        except ValidationError:
            return []
        if not isinstance(event, RunStartedEvent):
            if not isinstance(event, RunFinishedEvent | RunErrorEvent):
                self._pass_over()
            return []
        self.finished = False
        self._chunks = _ChunkForms()
        return self._agui(data)

    def _pass_over(self) -> None:
        """Count an event that is no valid AG-UI. What it says reaches no log."""
        self.passed_over += 1
        if self.passed_over == 1:
            logger.info("run %s: an event that is not valid AG-UI was passed over", self._run_id)

    def _text(self, data: bytes) -> list[Event]:
        text = data.decode(errors="replace")
        if text.strip() == "[DONE]":
            return self._closing()
        try:
            value = deep.loads(text)
        except ValueError:
            return self._content(text)
        if value is None or isinstance(value, int | float):
            return self._content(text)
        if (choices := _choices_in(value)) is not None:
            return self._completion(choices)
        found = _first_text(value)
        return self._content(f"\n\n{text_in(value)}\n\n" if found is None else found)

    def _opening(self) -> list[Event]:
        return [
            RunStartedEvent(thread_id=self._thread_id, run_id=self._run_id),
            TextMessageStartEvent(message_id=self._run_id, role="assistant"),
        ]

    def _content(self, text: str) -> list[Event]:
        text = writable(self._joined_halves(("", self._run_id), text))
        if not text:
            return []
        events: list[Event] = []
        if self._is_thinking:
            self._is_thinking = False
            self._text_id = f"{self._run_id}-{self._thoughts}"
            begun = TextMessageStartEvent(message_id=self._text_id, role="assistant")
            events = [ReasoningMessageEndEvent(message_id=self._thought_id), begun]
        return [*events, TextMessageContentEvent(message_id=self._text_id, delta=text)]

    def _thought(self, text: str) -> list[Event]:
        text = writable(self._joined_halves(("", "thought"), text))
        if not text:
            return []
        events: list[Event] = []
        if not self._is_thinking:
            self._is_thinking = True
            self._thoughts += 1
            begun = ReasoningMessageStartEvent(message_id=self._thought_id)
            events = [TextMessageEndEvent(message_id=self._text_id), begun]
        return [*events, ReasoningMessageContentEvent(message_id=self._thought_id, delta=text)]

    def _completion(self, choices: list[object]) -> list[Event]:
        events: list[Event] = []
        for is_thought, text in (told for choice in choices for told in _told_by(choice)):
            events += self._thought(text) if is_thought else self._content(text)
        return events

    def _closing(self) -> list[Event]:
        self.finished = True
        ended = (
            ReasoningMessageEndEvent(message_id=self._thought_id)
            if self._is_thinking
            else TextMessageEndEvent(message_id=self._text_id)
        )
        return [ended, RunFinishedEvent(thread_id=self._thread_id, run_id=self._run_id)]


def _as_written(event: Event, data: bytes) -> Event:
    """With an agent's own values as it wrote them."""
    name = _VALUES.get(type(event))
    if name is None or name not in (doc := deep.loads(data)) or deep.is_plain(value := doc[name]):
        return event
    if isinstance(event, StateDeltaEvent | ActivityDeltaEvent):
        for operation, written in zip(getattr(event, name), value, strict=True):
            if "value" in written:
                operation.value = written["value"]
    else:
        setattr(event, name, value)
    return event


def refuse_no_numbers(data: bytes | str) -> None:
    """Raises ValueError for JSON with a number that is none (`NaN`, `1e999`), outside its strings.

    And for what is nested so deeply that no event can be read of it.
    """
    try:
        json.loads(data, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


_VALUES: dict[type, str] = {  # that may be any JSON
    StateSnapshotEvent: "snapshot",
    StateDeltaEvent: "delta",
    ActivitySnapshotEvent: "content",
    ActivityDeltaEvent: "patch",
    CustomEvent: "value",
    RawEvent: "event",
    SubagentFinishedEvent: "result",
    RunFinishedEvent: "result",
}
_Chunk = TextMessageChunkEvent | ReasoningMessageChunkEvent | ToolCallChunkEvent


class _Begun(NamedTuple):
    """What chunks have begun and nothing has ended yet."""

    kind: type[_Chunk]
    id: str


class _ChunkForms:
    """Expands the chunk shorthands into start, content and end. Source: AG-UI 1.0, the three *_CHUNK events.

    A chunk without an id goes on with what the one before it has begun; anything else ends that first. Subagents work
    side by side, so each has its own. A chunk may come back to what was begun before: that is told as more of it.
    """

    __slots__ = ("_named", "_started", "begun")

    def __init__(self) -> None:
        self.begun: dict[str | None, _Begun] = {}  # by subagent
        self._started: set[tuple[str | None, _Begun]] = set()
        self._named: set[tuple[str | None, str]] = set()  # tool calls whose name was told

    def expand(self, event: Event) -> list[Event]:
        """Raises ValueError for a chunk that goes on with nothing."""
        match event:
            case TextMessageChunkEvent() | ReasoningMessageChunkEvent():
                return self._chunk(event, event.message_id)
            case ToolCallChunkEvent():
                return self._chunk(event, event.tool_call_id)
            case RunFinishedEvent() | RunErrorEvent():
                return [end for who in list(self.begun) for end in self._ended(who)] + [event]
            case RawEvent() | ActivitySnapshotEvent() | ActivityDeltaEvent():
                return [event]  # told beside what is being said
        self._know(event)
        return [*self._ended(getattr(event, "subagent_run_id", None)), event]

    def _chunk(self, chunk: _Chunk, given: str | None) -> list[Event]:
        who = chunk.subagent_run_id
        begun = self.begun.get(who)
        events: list[Event] = []
        is_new = False
        if begun is None or begun.kind is not type(chunk) or (given and given != begun.id):
            if not given:
                raise ValueError("a chunk that goes on with nothing")
            events = self._ended(who)
            begun = self.begun[who] = _Begun(type(chunk), given)
            is_new = (who, begun) not in self._started
            self._started.add((who, begun))
        name = getattr(chunk, "tool_call_name", None)
        is_named_late = bool(name) and (who, begun.id) not in self._named
        if is_new or is_named_late:
            events.append(_start(chunk, begun.id))
        if name:
            self._named.add((who, begun.id))
        if chunk.delta:
            events.append(_content(chunk, begun.id, chunk.delta))
        return events

    def _know(self, event: Event) -> None:
        """What began with its own event: chunks may go on with it."""
        match event:
            case TextMessageStartEvent(message_id=message_id, subagent_run_id=who):
                self._started.add((who, _Begun(TextMessageChunkEvent, message_id)))
            case ReasoningMessageStartEvent(message_id=message_id, subagent_run_id=who):
                self._started.add((who, _Begun(ReasoningMessageChunkEvent, message_id)))
            case ToolCallStartEvent(tool_call_id=call_id, subagent_run_id=who):
                self._started.add((who, _Begun(ToolCallChunkEvent, call_id)))
                self._named.add((who, call_id))

    def _ended(self, who: str | None) -> list[Event]:
        begun = self.begun.pop(who, None)
        return [] if begun is None else [_end(begun, who)]


def _start(chunk: _Chunk, given: str) -> Event:
    who = chunk.subagent_run_id
    match chunk:
        case TextMessageChunkEvent(role=role, name=name):
            return TextMessageStartEvent(message_id=given, role=role or "assistant", name=name, subagent_run_id=who)
        case ReasoningMessageChunkEvent():
            return ReasoningMessageStartEvent(message_id=given, subagent_run_id=who)
    return ToolCallStartEvent(
        tool_call_id=given,
        tool_call_name=chunk.tool_call_name or given,
        parent_message_id=chunk.parent_message_id,
        subagent_run_id=who,
    )


def _content(chunk: _Chunk, given: str, delta: str) -> Event:
    who = chunk.subagent_run_id
    match chunk:
        case TextMessageChunkEvent():
            return TextMessageContentEvent(message_id=given, delta=delta, subagent_run_id=who)
        case ReasoningMessageChunkEvent():
            return ReasoningMessageContentEvent(message_id=given, delta=delta, subagent_run_id=who)
    return ToolCallArgsEvent(tool_call_id=given, delta=delta, subagent_run_id=who)


def _end(begun: _Begun, who: str | None) -> Event:
    if begun.kind is TextMessageChunkEvent:
        return TextMessageEndEvent(message_id=begun.id, subagent_run_id=who)
    if begun.kind is ReasoningMessageChunkEvent:
        return ReasoningMessageEndEvent(message_id=begun.id, subagent_run_id=who)
    return ToolCallEndEvent(tool_call_id=begun.id, subagent_run_id=who)


def _is_agui(data: bytes) -> bool:
    try:
        doc = json.loads(data)
    except (ValueError, RecursionError):
        return False
    kind = doc.get("type") if isinstance(doc, dict) else None
    return isinstance(kind, str) and kind in _known_types


def text_in(value: object) -> str:
    """The text of a JSON answer: itself, or the first one at a usual place, else the JSON in a code block."""
    found = _first_text(value)
    return f"```json\n{deep.dumps(value, indent=2)}\n```" if found is None else found


def _first_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    delta = value.get("delta")
    if isinstance(delta, str) and delta:
        return delta
    if (choices := _choices_in(value)) is not None:
        return "".join(text for choice in choices for is_thought, text in _told_by(choice) if not is_thought)
    output = value.get("output")
    places = [delta, *(value.get(key) for key in ("text", "content", "reply", "message"))]
    places.append(output.get("reply") if isinstance(output, dict) else None)
    texts = [place for place in places if isinstance(place, str)]
    return next(filter(None, texts), texts[0] if texts else None)


def _choices_in(value: object) -> list[object] | None:
    """Of a completion chunk: it may hold no text. None for what is no such chunk."""
    if not isinstance(value, dict) or (isinstance(value.get("delta"), str) and value["delta"]):
        return None
    choices = value.get("choices")
    if not isinstance(choices, list):
        return None
    is_chunk = any(isinstance(choice, dict) and "delta" in choice for choice in choices)
    return choices if is_chunk or (not choices and value.get("object") == "chat.completion.chunk") else None


def _told_by(choice: object) -> Iterator[tuple[bool, str]]:
    """What a choice of a completion chunk says, and whether it is a thought."""
    delta = choice.get("delta") if isinstance(choice, dict) else None
    if isinstance(delta, dict):
        thoughts = (delta.get(key) for key in ("reasoning_content", "reasoning"))
        yield True, next((one for one in thoughts if isinstance(one, str) and one), "")  # some tell it under both
        yield from _said_in(delta.get("content"))
        yield from _said_in(delta.get("refusal"))


def _said_in(content: object) -> Iterator[tuple[bool, str]]:
    """Of a content: a text, or a list of parts, each of which has a text or a thought."""
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, str):
            yield False, part
        elif isinstance(part, dict):
            thought = part.get("thinking")
            yield from ((True, text) for _, text in _said_in(thought))
            yield from _said_in(part.get("text"))
            yield from _said_in(part.get("refusal"))
