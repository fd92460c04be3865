"""An answer as it is kept and shown: AG-UI events folded into a list of parts, in the order they came.

A part is a plain JSON object with a `kind`, and a `key` that is its own within the answer:

- `text`, `reasoning`: `id`, `text`; a text of somebody else than the agent has a `role`, one with a name a `name`, and
  one that begins within a thought (`agents.thoughts`) `thinks`: the tag that the thought began with
- `tool`: `id`, `name`, `arguments` (the JSON text as the agent streamed it), `result` (None until there is one)
- `stage` (a step of AG-UI): `name`, `state` ("running", "done")
- `activity`: `id`, `type`, `content`
- `agent` (a sub-agent): `id`, `name`, `about`, `state` ("running", "done", "asking", "failed"), `problem`, `parts`
- below the answer, once each: `state` (`value`), `others` (`count`, `events`), `usage` (`entries`),
  `sloppy` (`passed_over`, `lacks_start`: what was no valid AG-UI)
  `shortened` (`left_out`: messages of the conversation that the agent was not sent, since it had grown too long)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivityMessage,
    ActivitySnapshotEvent,
    AssistantMessage,
    DeveloperMessage,
    Event,
    FunctionCall,
    Message,
    ReasoningMessage,
    ReasoningMessageContentEvent,
    StepFinishedEvent,
    StepStartedEvent,
    SystemMessage,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCall,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
    UserMessage,
)

Part = dict[str, Any]
FOOT = ("state", "others", "usage", "sloppy", "shortened")  # kinds that stand below the answer, in this order
LARGEST_VALUE = 1_000_000  # characters of JSON that one value of an agent may have, to be kept whole
MOST_OTHERS = 500  # events without a place of their own that are kept; all are counted


def text_part(part_id: str, kind: str = "text", key: str = "") -> Part:
    return {"kind": kind, "key": key, "id": part_id, "text": ""}


def tool_part(call_id: str, name: str) -> Part:
    return {"kind": "tool", "key": f"step-{call_id}", "id": call_id, "name": name, "arguments": "", "result": None}


def agent_part(agent_run_id: str, name: str, about: str, key: str) -> Part:
    return {
        **{"kind": "agent", "key": key, "id": agent_run_id, "name": name, "about": about},
        **{"state": "running", "problem": "", "parts": []},
    }


class Growth:
    """What parts were told since somebody last looked at them.

    Put into them at once, each delta would copy the text that is there, or lay out a value anew: all of it, as often
    as it grows.
    """

    def __init__(self) -> None:
        self._texts: dict[int, tuple[Part, str, list[str]]] = {}  # by the part's own identity
        self._values: dict[int, tuple[Part, str, object]] = {}

    def add(self, part: Part, name: str, delta: str) -> None:
        """More of a text that the part has."""
        self._texts.setdefault(id(part), (part, name, []))[2].append(delta)

    def put(self, part: Part, name: str, value: object) -> None:
        """A value in the place of the one that the part had; nobody changes it any more."""
        self._values[id(part)] = part, name, value

    def settle(self, part: Part) -> None:
        """Put it into the part, and into those that stand in it."""
        for one in every([part]):
            if text := self._texts.pop(id(one), None):
                _, name, deltas = text
                one[name] += "".join(deltas)
            if told := self._values.pop(id(one), None):
                _, name, value = told
                one[name] = kept(value)

    def settle_all(self) -> None:
        for part, *_ in [*self._texts.values(), *self._values.values()]:
            self.settle(part)


class PartList:
    """Parts in their order, and those among them that events name, without a search through them all."""

    def __init__(self, parts: list[Part], prefix: str = "") -> None:
        self.parts = parts
        self._prefix = prefix  # of the keys
        self._named: dict[tuple[str, str], list[Part]] = {}  # by kind and id, or name, the newest one last

    def new(self, part: Part) -> Part:
        part["key"] = part.get("key") or f"{self._prefix}{part['kind']}-{len(self.parts)}-{part.get('id', '')}"
        self.parts.append(part)
        self.know(part)
        return part

    def know(self, part: Part) -> None:
        """That it is the newest of its kind and id; where it stands is no matter."""
        self._named.setdefault((part["kind"], part["id"] if "id" in part else part["name"]), []).append(part)

    def last(self, kind: str, name: str) -> Part | None:
        named = self._named.get((kind, name))
        return named[-1] if named else None

    def finish_stage(self, name: str) -> Part | None:
        """The newest stage of this name that is still running, which has ended now."""
        running = self._named.get(("stage", name))
        part = running.pop() if running else None
        if part is not None:
            part["state"] = "done"
        return part


def fold(parts: PartList, event: Event, growth: Growth) -> Part | None:
    """Take one event into the parts: the part that it changed or began, None where it has none.

    What a part says more is in `growth` until it is settled.
    """
    part: Part | None = None
    match event:
        case TextMessageStartEvent(message_id=message_id, role=role, name=name):
            part = parts.new(text_part(message_id))
            part |= {"role": role} if role and role != "assistant" else {}
            part |= {"name": name} if name else {}
        case TextMessageContentEvent(message_id=message_id, delta=delta):
            part = parts.last("text", message_id) or parts.new(text_part(message_id))
            growth.add(part, "text", delta)
        case ReasoningMessageContentEvent(message_id=message_id, delta=delta):
            newest = parts.parts[-1] if parts.parts else {}
            if newest.get("kind") == "reasoning" and newest["id"] == message_id:
                part = newest
            else:
                part = parts.new(text_part(message_id, "reasoning"))
            growth.add(part, "text", delta)
        case ToolCallStartEvent(tool_call_id=call_id, tool_call_name=name):
            part = parts.new(tool_part(call_id, name))
        case ToolCallArgsEvent(tool_call_id=call_id, delta=delta):
            if part := parts.last("tool", call_id):
                growth.add(part, "arguments", delta)
        case ToolCallEndEvent(tool_call_id=call_id):
            part = parts.last("tool", call_id)
        case ToolCallResultEvent(tool_call_id=call_id, content=content):
            if part := parts.last("tool", call_id):
                part["result"] = content_text(content)
        case StepStartedEvent(step_name=name):
            part = parts.new({"kind": "stage", "name": name, "state": "running"})
        case StepFinishedEvent(step_name=name):
            part = parts.finish_stage(name)
        case ActivitySnapshotEvent(message_id=message_id) | ActivityDeltaEvent(message_id=message_id):
            part = parts.last("activity", message_id) or parts.new(
                {"kind": "activity", "id": message_id, "type": event.activity_type, "content": {}}
            )
    return part


def content_text(content: object) -> str:
    """What a message holds, as text: parts of text as they are, other parts as JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part.text if hasattr(part, "text") else as_json(part) for part in content)
    return ""


def as_json(value: object) -> str:
    dumped = value.model_dump(by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value
    return json.dumps(dumped, indent=2, ensure_ascii=False, default=str)


def kept(value: object) -> object:
    """The value, or what is left of one that is too large to keep, as a text that says so."""
    try:
        text = as_json(value)
    except RecursionError:
        return "This is nested too deeply to be kept."
    if len(text) <= LARGEST_VALUE:
        return value
    return f"{text[:LARGEST_VALUE]}\n… {len(text) - LARGEST_VALUE} more characters were not kept"


def told_by_snapshot(messages: Sequence[Message], known: set[str]) -> Iterator[Event]:
    """The messages of this run that a messages snapshot holds and that were not streamed, as if they had been.

    Those up to the person's last message were there before: agents may number them anew.
    """
    before = max((number for number, message in enumerate(messages) if isinstance(message, UserMessage)), default=-1)
    for message in messages[before + 1 :]:
        if message.id in known:
            continue
        match message:
            case ReasoningMessage(id=message_id, content=content):
                yield ReasoningMessageContentEvent(message_id=message_id, delta=content)
            case ToolMessage(tool_call_id=call_id, content=content):
                yield ToolCallResultEvent(message_id=message.id, tool_call_id=call_id, content=content)
            case ActivityMessage(id=message_id, activity_type=kind, content=value):
                yield ActivitySnapshotEvent(message_id=message_id, activity_type=kind, content=value)
            case AssistantMessage() | SystemMessage() | DeveloperMessage():
                if text := content_text(message.content):
                    yield TextMessageStartEvent(message_id=message.id, role=message.role, name=message.name)
                    yield TextMessageContentEvent(message_id=message.id, delta=text)
                    yield TextMessageEndEvent(message_id=message.id)
                for call in (message.tool_calls or []) if isinstance(message, AssistantMessage) else []:
                    if call.id not in known:
                        yield ToolCallStartEvent(tool_call_id=call.id, tool_call_name=call.function.name)
                        yield ToolCallArgsEvent(tool_call_id=call.id, delta=call.function.arguments)
                        yield ToolCallEndEvent(tool_call_id=call.id)


def every(parts: Iterable[Part]) -> Iterator[Part]:
    """Them, and what stands in them."""
    for part in parts:
        yield part
        yield from every(part.get("parts", ()))


def copied(part: Part) -> Part:
    """The part as it is now; what it holds is replaced when it changes, so that this stays as it is."""
    return {**part, "parts": list(map(copied, part["parts"]))} if "parts" in part else dict(part)


def text_of(parts: Iterable[Part]) -> str:
    return "\n\n".join(part["text"] for part in parts if part["kind"] == "text" and part["text"])


def as_messages(
    run_id: str, parts: Sequence[Part], pending: Iterable[str] = ()
) -> list[AssistantMessage | ToolMessage]:
    """A finished answer as the AG-UI messages that tell an agent what was said before.

    `pending`: calls without a result that are told, too, since the agent goes on with them.
    """
    messages: list[AssistantMessage | ToolMessage] = []
    for number, part in enumerate(parts):
        message_id = f"{run_id}-{number}"
        if part["kind"] == "text" and part["text"] and not part.get("role"):
            messages.append(AssistantMessage(id=message_id, content=part["text"]))
        elif part["kind"] == "tool" and (part["result"] is not None or part["id"] in pending):
            call = FunctionCall(name=part["name"], arguments=part["arguments"] or "{}")
            messages.append(
                AssistantMessage(id=message_id, tool_calls=[ToolCall(id=part["id"], type="function", function=call)])
            )
            if part["result"] is not None:
                messages.append(ToolMessage(id=f"{message_id}-result", content=part["result"], tool_call_id=part["id"]))
    return messages
