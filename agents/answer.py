"""One answer while it is being given: AG-UI events in, parts to keep and numbered events to follow out.

Free of I/O. The run's task feeds it; page views in other threads take a `Snapshot`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

from ag_ui.core import (
    Event,
    ReasoningMessageContentEvent,
    RunErrorEvent,
    RunFinishedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from django.utils.safestring import SafeString, mark_safe

from agents import pieces
from agents.markdown import Blocks
from agents.runlog import RunLog
from agents.transcript import Part, text_part, tool_part


class Snapshot(NamedTuple):
    """The answer as it stands after event `number`."""

    number: int
    pieces: list[SafeString]
    tail: str


class Answer:
    def __init__(self, agent_id: str) -> None:
        self.log = RunLog()
        self.error = ""  # what RUN_ERROR said
        self.is_finished = False
        self._agent_id = agent_id
        self._parts: list[Part] = []
        self._written: list[str] = []  # deltas of the text in progress, joined when somebody asks
        self._writing: Part | None = None  # that text
        self._blocks = Blocks()
        self._shown: dict[str, SafeString] = {}  # fragments by key, in the order of the page
        self._lock = threading.Lock()

    def feed(self, events: Iterable[Event]) -> None:
        """Take what arrived at once. Deltas that follow each other become one event for the followers."""
        with self._lock:
            deltas: list[str] = []
            for event in events:
                if isinstance(event, TextMessageContentEvent):
                    if self._writing is None or self._writing["id"] != event.message_id:
                        self._say(deltas)
                        self._begin(text_part(event.message_id))
                    deltas.append(event.delta)
                else:
                    self._say(deltas)
                    self._take(event)
            self._say(deltas)

    def show(self, key: str, html: SafeString) -> None:
        """Put a fragment that is no part of the answer where the answer goes on, or take its place again."""
        with self._lock:
            self._place(key, html)

    def break_off(self) -> None:
        """Nothing more will come: what was in progress becomes a block, calls without a result say so."""
        with self._lock:
            self._finish_text()
            for part in self._parts:
                if part["kind"] == "tool" and part["result"] is None:
                    self._place(f"step-{part['id']}", pieces.step(part, self._agent_id, is_open=False))

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(self.log.number, [html for html in self._shown.values() if html], self._blocks.tail)

    def parts(self) -> list[Part]:
        """The answer so far, to keep."""
        with self._lock:
            self._gather()
            return [dict(part) for part in self._parts]

    def _take(self, event: Event) -> None:
        match event:
            case TextMessageStartEvent(message_id=message_id):
                self._begin(text_part(message_id))
            case TextMessageEndEvent():
                self._finish_text()
            case ReasoningMessageContentEvent(message_id=message_id, delta=delta):
                if self._parts and self._parts[-1]["kind"] == "reasoning" and self._parts[-1]["id"] == message_id:
                    self._parts[-1]["text"] += delta
                else:
                    self._begin(text_part(message_id, "reasoning"))
                    self._parts[-1]["text"] = delta
                    self._writing = None
                self._place(f"reasoning-{message_id}", pieces.reasoning(self._parts[-1]["text"]))
            case ToolCallStartEvent(tool_call_id=call_id, tool_call_name=name):
                self._finish_text()
                self._parts.append(tool_part(call_id, name))
                self._show_call(call_id)
            case ToolCallArgsEvent(tool_call_id=call_id, delta=delta):
                if part := self._call(call_id):
                    part["arguments"] += delta
            case ToolCallEndEvent(tool_call_id=call_id):
                self._show_call(call_id)
            case ToolCallResultEvent(tool_call_id=call_id, content=content):
                if part := self._call(call_id):
                    part["result"] = content if isinstance(content, str) else str(content)
                    self._show_call(call_id)
            case RunErrorEvent(message=message):
                self.error = message or "The agent did not say why."
            case RunFinishedEvent():
                self.is_finished = True

    def _begin(self, part: Part) -> None:
        self._finish_text()
        self._parts.append(part)
        self._writing = part

    def _say(self, deltas: list[str]) -> None:
        if not deltas:
            return
        delta = "".join(deltas)
        deltas.clear()
        self._written.append(delta)
        html = self._blocks.add(delta)
        if html:
            self._show_block(html)
        else:
            self.log.append("text", {"delta": delta})

    def _finish_text(self) -> None:
        if html := self._blocks.finish():
            self._show_block(html)
        self._gather()
        self._writing = None

    def _gather(self) -> None:
        if self._written and self._writing is not None:
            self._writing["text"] += "".join(self._written)
        self._written.clear()

    def _show_block(self, html: str) -> None:
        """A finished block takes the place of its text; what is not finished yet comes with it as `tail`."""
        fragment = pieces.block(html)
        self._shown[f"block-{len(self._shown)}"] = fragment
        self.log.append("block", {"html": fragment, "tail": self._blocks.tail})

    def _show_call(self, call_id: str) -> None:
        if part := self._call(call_id):
            html = pieces.step(part, self._agent_id, is_open=part["result"] is None)
            self._place(f"step-{call_id}", html)

    def _place(self, key: str, html: SafeString) -> None:
        if self._shown.get(key, mark_safe("")) != html:
            self._shown[key] = html
            self.log.append("step", {"key": key, "html": html})

    def _call(self, call_id: str) -> Part | None:
        return next((part for part in reversed(self._parts) if part["kind"] == "tool" and part["id"] == call_id), None)
