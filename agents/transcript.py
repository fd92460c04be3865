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
from dataclasses import dataclass
from typing import Any, Literal

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivitySnapshotEvent,
    AssistantMessage,
    Event,
    FunctionCall,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCall,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
)

from gateway import deep

Part = dict[str, Any]
FOOT = ("state", "others", "usage", "sloppy", "shortened")  # kinds that stand below the answer, in this order
LARGEST_VALUE = 1_000_000  # characters of JSON that one value of an agent may have, to be kept whole
DEEPEST_VALUE = 500  # levels: whoever keeps or shows a value goes down into it, and Python gives up at a thousand
TOO_DEEP = "This is nested too deeply to be kept."
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
                put_value(one, name, value)

    def settle_all(self) -> None:
        for part, *_ in [*self._texts.values(), *self._values.values()]:
            self.settle(part)


@dataclass(slots=True)
class Said:
    """A text, a thought or a call under its id, as it was begun last."""

    state: Literal["unstarted", "started", "ended"]  # by the events that say so
    turn: int  # that it was heard of last
    part: Part | None = None


class PartList:
    """Parts in their order, and those among them that events name, without a search through them all."""

    def __init__(
        self,
        parts: list[Part],
        prefix: str = "",
        keys: set[str] | None = None,
        tellers: dict[tuple[str, str], str] | None = None,
        who: str = "",
    ) -> None:
        """`keys`, `tellers`: that other lists of the same answer share; `who`: the sub-agent whose parts these are."""
        self.parts = parts
        self._who = who
        self._tellers = {} if tellers is None else tellers  # by kind and id, or name: who told of it first
        self._prefix = prefix  # of the keys
        self._keys = set() if keys is None else keys
        self._named: dict[tuple[str, str], list[Part]] = {}  # by kind and id, or name, the newest one last
        self._said: dict[tuple[str, str], Said] = {}  # by kind and id
        self._turn = 0  # a new one begins with the result of a call

    def new(self, part: Part) -> Part:
        part["key"] = self.own_key(
            part.get("key") or f"{self._prefix}{part['kind']}-{len(self.parts)}-{part.get('id', '')}"
        )
        self.parts.append(part)
        self.know(part)
        return part

    def own_key(self, key: str) -> str:
        """The key, or a longer one where another part has it."""
        own, more = key, len(self._keys)
        while own in self._keys:
            own, more = f"{key}-{more}", more + 1
        self._keys.add(own)
        return own

    def know(self, part: Part) -> None:
        """That it is the newest of its kind and id; where it stands is no matter."""
        named = part["kind"], part["id"] if "id" in part else part["name"]
        self._named.setdefault(named, []).append(part)
        self._tellers.setdefault(named, self._who)

    def last(self, kind: str, name: str) -> Part | None:
        named = self._named.get((kind, name))
        return named[-1] if named else None

    def start(self, kind: str, name: str) -> bool:
        """Whether something new begins under this id; else it began already, and goes on."""
        said = self._said.get((kind, name))
        if said and (said.state == "started" or (said.state == "unstarted" and said.turn == self._turn)):
            said.state = "started"
            return False
        self._said[kind, name] = Said("started", self._turn)
        return True

    def say(self, part: Part) -> Part:
        """A new part for what begins, whether or not its start was told."""
        self.new(part)
        said = self._said.get((part["kind"], part["id"]))
        if said is None or said.part is not None:
            self._said[part["kind"], part["id"]] = Said("unstarted", self._turn, part)
        else:
            said.part = part
        return part

    def go_on_in(self, part: Part) -> None:
        """What more is said under its id belongs to this part."""
        self.know(part)
        if said := self._said.get((part["kind"], part["id"])):
            said.part = part

    def more(self, kind: str, name: str) -> Part | None:
        """The part that more under this id belongs to: until its end; without start, or after it, in the same turn."""
        said = self._said.get((kind, name))
        if said is None or (said.state != "started" and said.turn != self._turn):
            return None
        said.turn = self._turn
        return said.part

    def is_started(self, part: Part) -> bool:
        """Whether its start was told, and not its end."""
        said = self._said.get((part["kind"], part.get("id", "")))
        return said is not None and said.state == "started" and said.part is part

    def end(self, kind: str, name: str) -> Part | None:
        said = self._said.get((kind, name))
        if said is None:
            return None
        said.state = "ended"
        return said.part

    def forget(self, kind: str, name: str) -> None:
        """What comes under this id is something else."""
        self._said.pop((kind, name), None)

    def leave(self, part: Part) -> None:
        """The part is gone."""
        said = self._said.get((part["kind"], part.get("id", "")))
        if said is not None and said.part is part:
            self.forget(part["kind"], part["id"])

    def begin_turn(self) -> None:
        self._turn += 1

    def begin_run(self) -> None:
        """Another run: it may use the same ids for something else."""
        self._said.clear()
        self._turn += 1

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
            if parts.start("text", message_id):
                part = parts.say(text_part(message_id))
                part |= {"role": role} if role and role != "assistant" else {}
                part |= {"name": name} if name else {}
        case TextMessageContentEvent(message_id=message_id, delta=delta):
            part = parts.more("text", message_id) or parts.say(_text_again(parts, message_id))
            growth.add(part, "text", delta)
        case TextMessageEndEvent(message_id=message_id):
            part = parts.end("text", message_id)
        case ReasoningMessageStartEvent(message_id=message_id):
            parts.start("reasoning", message_id)
        case ReasoningMessageContentEvent(message_id=message_id, delta=delta):
            part = parts.more("reasoning", message_id) or parts.say(text_part(message_id, "reasoning"))
            growth.add(part, "text", delta)
        case ReasoningMessageEndEvent(message_id=message_id):
            part = parts.end("reasoning", message_id)
        case ToolCallStartEvent(tool_call_id=call_id, tool_call_name=name):
            part = parts.last("tool", call_id)
            if part and part["result"] is None and part["name"] == call_id:  # it began without a name
                part["name"] = name
            elif parts.start("tool", call_id):
                part = parts.say(tool_part(call_id, name))
        case ToolCallArgsEvent(tool_call_id=call_id, delta=delta):
            part = parts.last("tool", call_id) or parts.say(tool_part(call_id, call_id))
            growth.add(part, "arguments", delta)
        case ToolCallEndEvent(tool_call_id=call_id):
            parts.end("tool", call_id)
            part = parts.last("tool", call_id)
        case ToolCallResultEvent(tool_call_id=call_id, content=content):
            if part := parts.last("tool", call_id):
                part["result"] = content_text(content)
                parts.end("tool", call_id)
                parts.begin_turn()
        case StepStartedEvent(step_name=name):
            part = parts.new({"kind": "stage", "name": name, "state": "running"})
        case StepFinishedEvent(step_name=name):
            part = parts.finish_stage(name)
        case ActivitySnapshotEvent(message_id=message_id) | ActivityDeltaEvent(message_id=message_id):
            part = parts.last("activity", message_id) or parts.new(
                {"kind": "activity", "id": message_id, "type": event.activity_type, "content": {}}
            )
    return part


def _text_again(parts: PartList, message_id: str) -> Part:
    """A text that goes on without having begun anew: whose it was, it is."""
    before = parts.last("text", message_id) or {}
    return {**text_part(message_id), **{name: before[name] for name in ("role", "name") if name in before}}


def content_text(content: object) -> str:
    """What a message holds, as text: parts of text as they are, other parts as JSON."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part.text if hasattr(part, "text") else as_json(part) for part in content)
    return ""


def as_json(value: object) -> str:
    dumped = value.model_dump(by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value
    if not deep.is_plain(dumped):
        return deep.dumps(dumped, indent=2)
    return json.dumps(dumped, indent=2, ensure_ascii=False, default=str)


def kept(value: object) -> object:
    """The value, or what is left of one that is too large to keep, as a text that says so."""
    try:
        text = as_json(value)
    except RecursionError:
        return TOO_DEEP
    if text.count("[") + text.count("{") > DEEPEST_VALUE and deep.levels_of(value) > DEEPEST_VALUE:
        return TOO_DEEP
    if len(text) <= LARGEST_VALUE:
        return value
    return f"{text[:LARGEST_VALUE]}\n… {len(text) - LARGEST_VALUE} more characters were not kept"


def put_value(holder: Part, name: str, value: object) -> None:
    """A value to keep; as `written` beside it, where the database would not give it back as the agent wrote it."""
    holder[name] = kept(value)
    holder.pop("written", None)
    if holder[name] is value and not deep.is_plain(value):
        holder["written"] = as_json(value)


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
