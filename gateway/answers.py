"""An agent's answer, whatever its form, as the same AG-UI events. Free of I/O.

An AG-UI stream is known by a known `type` in its first event, never by an agent's name. Everything else becomes one
text message: strings are text, objects give the first text they hold at a usual place, the rest is shown as JSON.
"""

from __future__ import annotations

import json
import logging

from ag_ui.core import (
    Event,
    EventType,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
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

from gateway.errors import StreamBroken
from gateway.sse import ServerSentEvent

logger = logging.getLogger(__name__)

_event: TypeAdapter[Event] = TypeAdapter(Event)
_known_types = frozenset(kind.value for kind in EventType)


class Decoder:
    """Turns the server-sent events of one answer into AG-UI events, until `finished`."""

    def __init__(self, thread_id: str, run_id: str) -> None:
        self.finished = False
        self._thread_id = thread_id
        self._run_id = run_id
        self._is_agui: bool | None = None  # unknown until the first event
        self._chunks = _ChunkForms()

    def feed(self, sent: ServerSentEvent) -> list[Event]:
        if self.finished:
            return []
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
        return [*self._opening(), *self._content(text_in(value)), *self._closing()]

    def _agui(self, data: bytes) -> list[Event]:
        try:
            event = _event.validate_json(data)
        except ValidationError as exc:
            if exc.errors()[0]["type"] != "union_tag_invalid":  # a type newer than we know is fine
                logger.info("run %s: an event that is not valid AG-UI was passed over", self._run_id)
            return []
        if isinstance(event, TextMessageContentEvent):
            return [event]
        events = self._chunks.expand(event)
        self.finished = isinstance(event, RunFinishedEvent | RunErrorEvent)
        return events

    def _text(self, data: bytes) -> list[Event]:
        text = data.decode(errors="replace")
        if text.strip() == "[DONE]":
            return self._closing()
        try:
            value = json.loads(text)
        except ValueError:
            return self._content(text)
        if isinstance(value, int | float):
            return self._content(text)
        found = _first_text(value)
        return self._content(f"\n\n{text_in(value)}\n\n" if found is None else found)

    def _opening(self) -> list[Event]:
        return [
            RunStartedEvent(thread_id=self._thread_id, run_id=self._run_id),
            TextMessageStartEvent(message_id=self._run_id, role="assistant"),
        ]

    def _content(self, text: str) -> list[Event]:
        return [TextMessageContentEvent(message_id=self._run_id, delta=text)] if text else []

    def _closing(self) -> list[Event]:
        self.finished = True
        return [
            TextMessageEndEvent(message_id=self._run_id),
            RunFinishedEvent(thread_id=self._thread_id, run_id=self._run_id),
        ]


class _ChunkForms:
    """Expands the chunk shorthands into start, content and end. Source: AG-UI 1.0, TEXT_MESSAGE_CHUNK."""

    def __init__(self) -> None:
        self._message = ""  # id of the message that chunks have opened
        self._call = ""

    def expand(self, event: Event) -> list[Event]:
        match event:
            case TextMessageChunkEvent(message_id=message_id, delta=delta):
                events: list[Event] = []
                if message_id and message_id != self._message:
                    events += self._close()
                    self._message = message_id
                    events.append(TextMessageStartEvent(message_id=message_id, role=event.role or "assistant"))
                if delta and self._message:
                    events.append(TextMessageContentEvent(message_id=self._message, delta=delta))
                return events
            case ToolCallChunkEvent(tool_call_id=call_id, delta=delta):
                events = []
                if call_id and call_id != self._call:
                    events += self._close()
                    self._call = call_id
                    events.append(
                        ToolCallStartEvent(tool_call_id=call_id, tool_call_name=event.tool_call_name or call_id)
                    )
                if delta and self._call:
                    events.append(ToolCallArgsEvent(tool_call_id=self._call, delta=delta))
                return events
        return [*self._close(), event]

    def _close(self) -> list[Event]:
        events: list[Event] = []
        if self._message:
            events.append(TextMessageEndEvent(message_id=self._message))
        if self._call:
            events.append(ToolCallEndEvent(tool_call_id=self._call))
        self._message = self._call = ""
        return events


def _is_agui(data: bytes) -> bool:
    try:
        doc = json.loads(data)
    except ValueError:
        return False
    return isinstance(doc, dict) and doc.get("type") in _known_types


def text_in(value: object) -> str:
    """The text of a JSON answer: itself, or the first one at a usual place, else the JSON in a code block."""
    found = _first_text(value)
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```" if found is None else found


def _first_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("delta"), str):
        return str(value["delta"])
    choices = value.get("choices")
    if isinstance(choices, list) and any(isinstance(choice, dict) and "delta" in choice for choice in choices):
        return "".join(_choice_text(choice) for choice in choices)  # of a completion chunk: it may hold none
    output = value.get("output")
    places = [value.get(key) for key in ("text", "content", "reply", "message")]
    places.append(output.get("reply") if isinstance(output, dict) else None)
    return next((place for place in places if isinstance(place, str)), None)


def _choice_text(choice: object) -> str:
    delta = choice.get("delta") if isinstance(choice, dict) else None
    content = delta.get("content") if isinstance(delta, dict) else None
    return content if isinstance(content, str) else ""
