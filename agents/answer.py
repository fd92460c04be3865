"""One answer while it is being given: AG-UI events in, parts to keep and numbered events to follow out.

Free of I/O. The run's task feeds it; page views in other threads take a `Snapshot`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivitySnapshotEvent,
    CustomEvent,
    Event,
    Interrupt,
    Message,
    MessagesSnapshotEvent,
    RawEvent,
    ReasoningMessageContentEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    StateDeltaEvent,
    StateSnapshotEvent,
    SubagentErrorEvent,
    SubagentFinishedEvent,
    SubagentStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from django.utils.safestring import SafeString, mark_safe

from agents import interrupts, pieces
from agents.models import Approval
from agents.pieces import Approvals
from agents.runlog import RunLog
from agents.thoughts import Segment
from agents.thread import Item, Thread, Unit, as_events, correct, merged, says_otherwise
from agents.transcript import (
    FOOT,
    MOST_OTHERS,
    Growth,
    Part,
    PartList,
    agent_part,
    as_json,
    copied,
    every,
    fold,
    put_value,
    text_part,
)
from agents.writing import Writing
from gateway.state import Shared

SHOW_EVERY = 0.25  # seconds between two renderings of a part that grows
DEEPEST = 8  # sub-agents inside each other that are shown so; those further in stand beside each other
SHOWN_QUICKLY = 0.005  # seconds
SHOW_SHARE = 20  # the time a rendering took, times this, passes before the next one

_THROTTLED = (TextMessageContentEvent, ReasoningMessageContentEvent, ToolCallArgsEvent, ActivityDeltaEvent)
_SAID = ("text", "reasoning", "tool")  # kinds of parts that stand behind the text in progress, not beside it


class Snapshot(NamedTuple):
    """The answer as it stands after event `number`."""

    number: int
    pieces: list[SafeString]
    tail: str


class Answer:
    def __init__(self, agent_id: str, known: Mapping[str, Part] | None = None, sent: Sequence[Message] = ()) -> None:
        """`known`: parts of earlier runs, by id: no news in a messages snapshot, but their calls may end here.

        `sent`: the messages that the agent was asked with, the person's last one among them.
        """
        self.log = RunLog()
        self.error = ""  # what RUN_ERROR said
        self.is_finished = False
        self.is_cancelled = False  # by whoever ran the agent, who said so
        self.interrupts: list[Interrupt] = []  # what the agent waits for
        self._agent_id = agent_id
        self._earlier = known or {}
        self._thread = Thread(sent, self._earlier)
        self.count = 0
        """Parts, with those of sub-agents: each of them costs, however short the event is that began it."""
        self._parts: list[Part] = []
        self._keys: set[str] = set()  # of all parts and fragments
        self._tellers: dict[tuple[str, str], str] = {}  # sub-agents, by kind and id of what they told of first
        self._list = PartList(self._parts, "", self._keys, self._tellers)
        self._foot: dict[str, Part] = {}  # the parts below the answer, by kind
        self._agents: dict[str, Part] = {}  # sub-agents by the id of their run
        self._lists: dict[str, PartList] = {}  # what stands in each
        self._around: dict[str, list[Part]] = {}  # those that each stands in, the outermost first
        self._writing: Writing | None = None  # the text in progress
        self._texts: dict[int, Writing] = {}  # of the agent itself, by the identity of the part that was begun last
        self._asides: dict[Writing, None] = {}  # that may have grown since they were finished
        self._head: dict[int, int] = {}  # of a piece of a text: the identity of its first piece
        self._places: dict[int, list[str]] = {}  # by the identity of such a part: the keys of its fragments
        self._growth = Growth()
        self._shared = Shared()
        self._others_size = 0
        self._shown: dict[str, SafeString] = {}  # fragments by key, in the order of the page
        self._stale: dict[str, Part] = {}  # parts that were shown before they grew
        self._shown_last: dict[str, tuple[float, float]] = {}  # by key: when to render it again, seconds that it took
        self._approvals: dict[str, Approval] = {}  # that ended, by the id of the call
        self._is_rearranged = False  # what followers have is to be replaced
        self._replace_again_at = 0.0  # monotonic seconds
        self._lock = threading.Lock()

    def feed(self, events: Iterable[Event]) -> None:
        """Take what arrived at once. Deltas that follow each other become one event for the followers."""
        with self._lock:
            self._take_all(events)
            self._catch_up()

    def _take_all(self, events: Iterable[Event]) -> None:
        deltas: list[str] = []
        for event in events:
            if isinstance(event, TextMessageContentEvent) and self._goes_on(event, deltas):
                deltas.append(event.delta)
            else:
                self._say(deltas)
                self._take(event)
        self._say(deltas)

    def _goes_on(self, event: TextMessageContentEvent, deltas: list[str]) -> bool:
        """Whether it belongs to the text in progress, or to one that begins with it."""
        message_id = event.message_id
        if event.subagent_run_id:
            return False
        if self._writing is not None and self._writing.part["id"] == message_id:
            return True
        if self._list.more("text", message_id) is not None:
            return False
        last = self._list.last("text", message_id)
        if last is not None and ("role" in last or "name" in last):
            return False
        self._say(deltas)
        self._begin(message_id)
        return True

    def show(self, key: str, html: SafeString) -> None:
        """Put a fragment that is no part of the answer where the answer goes on, or take its place again."""
        with self._lock:
            self._place(key, html)

    def say_what_was_wrong(self, passed_over: int, *, lacks_start: bool) -> None:
        """How much of the agent's stream was no valid AG-UI, where anything was."""
        if passed_over or lacks_start:
            with self._lock:
                self._put_below("sloppy", passed_over=passed_over, lacks_start=lacks_start)

    def say_what_was_left_out(self, messages: int) -> None:
        """How many messages of the conversation the agent was not sent, where any."""
        if messages:
            with self._lock:
                self._put_below("shortened", left_out=messages)

    @property
    def decided(self) -> Collection[str]:
        """The ids of the calls whose approval has ended."""
        return self._approvals.keys()

    def decide(self, approvals: Approvals) -> None:
        """Show on their steps how these approvals ended."""
        with self._lock:
            self._approvals |= approvals
            for part in self._parts:
                if any(inner.get("id") in approvals for inner in every([part]) if inner["kind"] == "tool"):
                    self._show(part, at_once=True)

    def break_off(self) -> None:
        """Nothing more will come: what was in progress becomes a block, and what did not end says so."""
        with self._lock:
            self._finish_texts()
            self._growth.settle_all()
            asked = interrupts.states(interrupts.opened(self.interrupts))
            within = [part for part in self._stale.values() if part["kind"] in ("aside", "reasoning")]  # texts
            for part in [*within, *self._parts, *self._foot.values()]:
                if part["kind"] != "text" or "role" in part or "name" in part:
                    self._place(part["key"], pieces.of_part(part, self._agent_id, asked, self._approvals))
            self._stale.clear()
            self._replace_again_at = 0.0
            self._catch_up()

    def end(self, data: object) -> None:
        """Tell the followers that it has ended, and how."""
        with self._lock:
            self.log.append("end", data)
            self.log.close()

    def snapshot(self) -> Snapshot:
        """Its end is not in it: whoever shows this has yet to be told."""
        with self._lock:
            number = self.log.number - 1 if self.log.is_closed else self.log.number
            return Snapshot(number, self._pieces(), self._tail)

    @property
    def _tail(self) -> str:
        return self._writing.blocks.tail if self._writing else ""

    def _pieces(self) -> list[SafeString]:
        below = [self._shown[kind] for kind in FOOT if kind in self._shown]
        return [*(html for key, html in self._shown.items() if html and key not in FOOT), *below]

    @property
    def is_behind(self) -> bool:
        """Whether something has yet to be shown as it is: `parts` shows it, once it is time."""
        return bool(self._stale) or self._is_rearranged

    def parts(self) -> list[Part]:
        """The answer so far, to keep. What grew since it was shown is shown now, if it is time."""
        with self._lock:
            self._settle()
            self._catch_up()
            return [
                *map(copied, self._parts),
                *(copied(self._foot[kind]) for kind in FOOT if kind in self._foot),
            ]

    def _take(self, event: Event) -> None:
        match event:
            case SubagentStartedEvent() | SubagentFinishedEvent() | SubagentErrorEvent():
                self._take_agent(event)
            case CustomEvent(name=name, value=value):
                self._note(name, value)
            case RawEvent(source=source, event=value):
                self._note(f"Raw event from {source}" if source else "Raw event", value)
            case StateSnapshotEvent() | StateDeltaEvent():
                self._shared.take([event])
                state = self._foot.setdefault("state", {"kind": "state", "key": "state", "value": None})
                self._growth.put(state, "value", self._shared.state)
                self._show(state)
            case MessagesSnapshotEvent(messages=messages):
                self._note("Messages as the agent keeps them", [as_dict(message) for message in messages])
                self._take_thread(messages)
            case RunStartedEvent():
                self._begin_run()
            case RunErrorEvent(message=message, usage=usage):
                self._finish_texts()
                self.error = message or "The agent did not say why."
                self._use(usage)
            case RunFinishedEvent(outcome=outcome, result=result, usage=usage):
                self._finish_texts()
                self.is_finished = True
                self.interrupts = list(getattr(outcome, "interrupts", ()))
                self.is_cancelled = getattr(outcome, "type", "") == "cancelled"
                if result is not None:
                    self._note("Result", result)
                self._use(usage)
            case TextMessageStartEvent(message_id=message_id, role=role) if (
                not event.subagent_run_id and role in (None, "assistant") and not event.name
            ):
                if self._list.start("text", message_id):
                    self._begin(message_id)
            case TextMessageContentEvent() | TextMessageEndEvent() if text := self._text_of(event):
                self._take_text(text, event)
            case _:
                self._take_part(event)

    def _begin_run(self) -> None:
        """One more run in the same body may follow the one that ended: how the last one ends is how the answer does."""
        if self.error:
            self._note("Error of a run before", self.error)
        self.error = ""
        self.is_finished = self.is_cancelled = False
        self.interrupts = []
        for parts in (self._list, *self._lists.values()):
            parts.begin_run()

    def _text_of(self, event: TextMessageContentEvent | TextMessageEndEvent) -> Writing | None:
        """The text of the agent itself that it belongs to. Its end may come late, or twice."""
        if event.subagent_run_id:
            return None
        part = self._list.more("text", event.message_id)
        if part is None and isinstance(event, TextMessageEndEvent):
            part = self._list.end("text", event.message_id)
        return None if part is None else self._texts.get(id(part))

    def _take_text(self, text: Writing, event: TextMessageContentEvent | TextMessageEndEvent) -> None:
        """More of a text, or its end, while something else may have begun."""
        if isinstance(event, TextMessageContentEvent):
            self._say_aside(text, event.delta)
            return
        self._list.end("text", event.message_id)
        if text is self._writing:
            self._finish_text()
        elif text.aside:
            self._finish_aside(text)

    def _take_part(self, event: Event) -> None:
        """What has a part of its own: of the agent, or of the sub-agent that the event names."""
        who = getattr(event, "subagent_run_id", None)
        if isinstance(event, ToolCallArgsEvent | ToolCallEndEvent | ToolCallResultEvent):
            who = self._caller(event)
        if isinstance(event, ToolCallResultEvent):
            self._know_call(event.tool_call_id, who)
        if who:
            is_new = who not in self._agents
            group = self._agents.get(who) or self._begin_again(who)
            count = len(group["parts"])
            part = fold(self._lists[who], event, self._growth)
            self.count += len(group["parts"]) - count
            shown: Part | None = self._outermost(who) if part is not None or is_new else None
        else:
            count = len(self._parts)
            part = shown = fold(self._list, event, self._growth)
            if len(self._parts) > count:
                self.count += 1
                self._put(self._parts.pop())
        if shown is None:
            return
        if part is not None and isinstance(event, ActivitySnapshotEvent | ActivityDeltaEvent):
            self._shared.take([event])
            if activity := self._shared.activities.get(event.message_id):
                part["type"] = activity.kind
                self._growth.put(part, "content", activity.content)
        self._show(shown, at_once=not isinstance(event, _THROTTLED))

    def _caller(self, event: ToolCallArgsEvent | ToolCallEndEvent | ToolCallResultEvent) -> str | None:
        """The sub-agent whose call it is, None for the agent itself: some name another than made the call, or none."""
        who = event.subagent_run_id
        if who and not isinstance(event, ToolCallResultEvent):
            return who
        parts = self._lists.get(who) if who else self._list
        if parts and parts.last("tool", event.tool_call_id):
            return who
        return self._tellers.get(("tool", event.tool_call_id), who or "") or None

    def _know_call(self, call_id: str, who: str | None) -> None:
        """What a result belongs to: where nobody told of the call, it is shown by its id."""
        if not who:
            self._take_up(call_id)
        parts = self._lists.get(who) if who else self._list
        if call_id not in self._earlier and not (parts and parts.last("tool", call_id)):
            self._take_part(ToolCallStartEvent(tool_call_id=call_id, tool_call_name=call_id, subagent_run_id=who))

    def _put(self, part: Part) -> None:
        """A new part: what is said or called comes behind the text in progress, the rest before the end of that."""
        if part["kind"] in _SAID:
            self._set_aside()
            self._parts.append(part)
        else:
            self._put_beside(part)

    def _take_thread(self, messages: Sequence[Message]) -> None:
        """What a messages snapshot holds of this answer takes the place of what was streamed of it."""
        items = self._thread.items(messages, self._is_here)
        mine: list[Item] = []
        inner: dict[str, list[Item]] = {}  # by sub-agent
        for item in items:
            who = item.agent or self._agent_with(item)
            (inner.setdefault(who, []) if who else mine).append(item)
        for who, some in inner.items():
            self._merge_agent(who, some)
        if mine:
            self._merge(mine)

    def _is_here(self, kind: str, name: str) -> bool:
        return (kind, name) in self._tellers

    def _agent_with(self, item: Item) -> str:
        """The sub-agent that said or called it, where it was streamed as such."""
        kind = "tool" if item.kind == "result" else item.kind
        if self._list.last(kind, item.id):
            return ""
        return self._tellers.get((kind, item.id), "")

    def _merge(self, items: Sequence[Item]) -> None:
        self._settle()
        writing = {id(self._writing.part)} if self._writing else set()
        open_ = writing | {id(part) for part in self._parts if self._list.is_started(part)}
        order = merged(self._parts, items, self._head, open_)
        if any(unit is None for unit, _ in order):
            self._set_aside()  # what is new stands behind it
        wanted: list[Part] = []
        for unit, item in order:
            if unit is not None:
                wanted += self._correct(unit, item) if item and says_otherwise(unit, item) else unit.pieces
            elif item is not None:
                wanted += self._add(item)
        if list(map(id, wanted)) != list(map(id, self._parts)):
            self._set_aside()
            self._rearrange(wanted)

    def _add(self, item: Item) -> list[Part]:
        """What was not streamed, as if it had been."""
        count = len(self._parts)
        self._list.forget("text", item.id)
        self._take_all(as_events(item))
        return self._parts[count:]

    def _correct(self, unit: Unit, item: Item) -> list[Part]:
        """What is left of the pieces of something that the snapshot has otherwise."""
        first, *others = unit.pieces
        text = self._texts.get(id(unit.pieces[-1]))
        if item.kind == "activity":
            self._take_all(as_events(replace(item, id=first["id"])))
            return unit.pieces
        if text is self._writing:
            self._set_aside()
        correct(unit, item)
        if text is None:
            self._show(first, at_once=True)
            return unit.pieces
        if others:
            self._list.go_on_in(first)
        for piece in others:
            self._hide(piece)
        text.part = first
        self._texts[id(first)] = text
        self._show_anew(text)
        return [first]

    def _merge_agent(self, who: str, items: Sequence[Item]) -> None:
        self._settle()
        group, parts = self._agents.get(who) or self._begin_again(who), self._lists[who]
        wanted: list[Part] = []
        for unit, item in merged(parts.parts, items, {}, {id(part) for part in parts.parts if parts.is_started(part)}):
            if unit is None and item is not None:
                count = len(parts.parts)
                parts.forget("text", item.id)
                self._take_all(as_events(item, who))
                wanted += parts.parts[count:]
            elif unit is not None:
                wanted.append(unit.part)
                if item and item.kind == "activity" and says_otherwise(unit, item):
                    wanted_id = unit.part["id"]
                    self._take_all(as_events(replace(item, id=wanted_id), who))
                elif item:
                    correct(unit, item)
        group["parts"][:] = wanted
        self._show(self._outermost(who), at_once=True)

    def _rearrange(self, parts: list[Part]) -> None:
        """These, in this order, are the answer from now on."""
        stay = set(map(id, parts))
        for part in self._parts:
            if id(part) not in stay:
                self._hide(part)
        self._parts[:] = parts
        shown = dict(self._shown)
        arranged = {
            key: shown.pop(key) for part in parts for key in self._places.get(id(part), [part["key"]]) if key in shown
        }
        self._shown.clear()
        self._shown |= shown | arranged  # first what is no part
        self._is_rearranged = True

    def _hide(self, part: Part) -> None:
        """The snapshot does not have this text, or has it in its first piece."""
        for key in self._places.get(id(part), [part["key"]]):
            self._stale.pop(key, None)
            self._shown.pop(key, None)
        if (text := self._texts.get(id(part))) and text.part is part:
            self._asides.pop(text, None)
        self._list.leave(part)
        self._is_rearranged = True

    def _take_up(self, call_id: str) -> None:
        """A call that an earlier run made, and that was waited for, ends in this one: it is told here with its end."""
        call = self._earlier.get(call_id)
        if call and call["kind"] == "tool" and call["result"] is None and not self._list.last("tool", call_id):
            taken = {**call, "key": self._list.own_key(call["key"])}
            self._put_beside(taken)
            self._list.know(taken)
            self.count += 1

    def _take_agent(self, event: SubagentStartedEvent | SubagentFinishedEvent | SubagentErrorEvent) -> None:
        who = event.subagent_run_id
        if isinstance(event, SubagentStartedEvent):
            group = self._begin_agent(who, event.name, event.description or "", event.parent_subagent_run_id)
        else:
            group = self._agents.get(who) or self._begin_again(who)
            if isinstance(event, SubagentErrorEvent):
                group |= {"state": "failed", "problem": event.message}
            else:
                group["state"] = "asking" if getattr(event.outcome, "type", "") == "suspended" else "done"
                if event.result is not None:
                    put_value(group, "result", event.result)
        self._show(self._outermost(who), at_once=True)

    def _begin_again(self, who: str) -> Part:
        """A sub-agent that did not say that it started here: it may go on from an earlier run."""
        told = self._earlier.get(who, {})
        return self._begin_agent(who, told.get("name", "Sub-agent"), told.get("about", ""), None)

    def _begin_agent(self, who: str, name: str, about: str, parent: str | None) -> Part:
        around = [*self._around[parent], self._agents[parent]][:DEEPEST] if parent in self._agents else []
        prefix = f"{around[-1]['key']}." if around else ""
        group = agent_part(who, name, about, self._list.own_key(f"{prefix}agent-{len(self._agents)}-{who}"))
        self._agents[who], self._around[who] = group, around
        self._lists[who] = PartList(group["parts"], f"{group['key']}.", self._keys, self._tellers, who)
        self.count += 1
        if around:
            around[-1]["parts"].append(group)
        else:
            self._put_beside(group)
        return group

    def _outermost(self, who: str) -> Part:
        """The part of the answer that a sub-agent stands in."""
        return next(iter(self._around[who]), self._agents[who])

    def _put_beside(self, part: Part) -> None:
        """A new part stands before the text in progress, and after what of that text is finished."""
        writing = self._writing
        if writing is None:
            self._parts.append(part)
            return
        writing.gather()
        if writing.thoughts.tag:
            self._finish_blocks(writing)  # all that is held is thought
        tail = writing.blocks.tail + writing.thoughts.held
        whole = writing.part
        rest = {**whole, "text": tail, "key": self._list.own_key(f"{whole['key'].partition('-rest')[0]}-rest")}
        rest.pop("thinks", None)
        if writing.thoughts.tag:
            rest["thinks"] = writing.thoughts.tag
        self._end_thought(writing)
        self._settle_blocks(writing, writing.blocks.divide())
        whole["text"] = whole["text"][: len(whole["text"]) - len(tail)]
        self.count += 1
        self._parts += [part, rest]
        self._list.go_on_in(rest)
        self._texts[id(rest)] = writing
        self._head[id(rest)] = self._head.get(id(whole), id(whole))
        writing.part = rest
        self._shown.setdefault(part["key"], mark_safe(""))
        self._own_place(rest, "text")

    def _note(self, name: str, value: Any) -> None:
        """An event that has no place in the answer; it can be inspected below."""
        others = self._foot.get("others") or {"count": 0, "events": []}
        events = [*others["events"]]
        if len(events) < MOST_OTHERS and self._others_size <= 4_000_000:  # characters
            self._others_size += len(as_json(value))
            noted = {"name": name}
            put_value(noted, "value", value)
            events.append(noted)
        self._put_below("others", count=others["count"] + 1, events=events)

    def _use(self, usage: list[TokenUsage] | None) -> None:
        if usage:
            self._put_below("usage", entries=[as_dict(entry) for entry in usage])

    def _put_below(self, kind: str, **fields: Any) -> None:
        self._foot[kind] = {"kind": kind, "key": kind, **fields}
        self._show(self._foot[kind])

    def _begin(self, message_id: str) -> None:
        """A text of the agent itself, whether or not its start was told."""
        self._set_aside()
        self.count += 1
        part = self._list.say(text_part(message_id))
        self._writing = self._texts[id(part)] = Writing(part)
        self._places[id(part)] = []
        self._own_place(part, "text")

    def _own_place(self, part: Part, kind: str) -> str:
        """A key for one more fragment of a text, which comes after those that are there."""
        key = self._list.own_key(f"{kind}-{len(self._shown)}")
        self._shown[key] = mark_safe("")
        self._places.setdefault(id(part), []).append(key)
        return key

    def _say(self, deltas: list[str]) -> None:
        if not deltas or self._writing is None:
            return
        delta = "".join(deltas)
        deltas.clear()
        self._writing.written.append(delta)
        self._tell(self._writing, self._writing.thoughts.take(delta))

    def _tell(self, writing: Writing, segments: Iterable[Segment]) -> None:
        for is_thought, text in segments:
            if is_thought:
                self._think(writing, text)
            else:
                self._write(writing, text)

    def _write(self, writing: Writing, text: str) -> None:
        self._end_thought(writing)
        html = writing.blocks.add(text)
        if html:
            self._show_block(writing, html)
        else:
            self.log.append_text(text)

    def _think(self, writing: Writing, text: str) -> None:
        """What the agent thinks aloud within its text is folded, like reasoning that it tells as such."""
        if writing.thought is None:
            self._finish_blocks(writing)
            writing.thought = text_part("", "reasoning", self._own_place(writing.part, "thought"))
        self._growth.add(writing.thought, "text", text)
        if text.strip() or self._shown[writing.thought["key"]]:
            self._show(writing.thought)

    def _end_thought(self, writing: Writing) -> None:
        thought, writing.thought = writing.thought, None
        if thought is not None and self._shown[thought["key"]]:
            self._show(thought, at_once=True)

    def _finish_text(self) -> None:
        """The text in progress is whole."""
        writing = self._writing
        if writing is None:
            return
        self._tell(writing, writing.thoughts.finish())
        self._end_thought(writing)
        self._finish_blocks(writing)
        writing.gather()
        self._writing = None

    def _finish_texts(self) -> None:
        """No more comes of any text."""
        self._finish_text()
        for text in list(self._asides):
            self._finish_aside(text)
        self._asides.clear()

    def _finish_blocks(self, writing: Writing) -> None:
        had_tail = bool(writing.blocks.tail)
        ending = writing.blocks.finish()
        if ending.rest:
            self._show_block(writing, ending.rest)
        elif had_tail:
            self.log.append("block", {"html": "", "tail": ""})
        self._settle_blocks(writing, ending.whole)

    def _settle_blocks(self, writing: Writing, whole: str) -> None:
        """The blocks of a text are final. Where they are to be shown otherwise now, `whole` takes their place."""
        if whole:
            first, *others = writing.may_change
            self._shown[first] = pieces.block(whole)
            self._shown |= dict.fromkeys(others, mark_safe(""))
            self._is_rearranged = True
        writing.may_change.clear()

    def _set_aside(self) -> None:
        """Something else begins while the text in progress has not ended: more of it is shown where it stands."""
        writing = self._writing
        if writing is None:
            return
        writing.gather()
        self._list.more("text", writing.id)  # it was heard of in this turn
        self._writing = None
        if writing.thoughts.tag:
            self._finish_blocks(writing)
        rest, key = writing.blocks.tail + writing.thoughts.held, ""
        if writing.thought is not None:
            self._growth.settle(writing.thought)
            rest, key = f"{writing.thought['text']}{rest}", writing.thought["key"]
            writing.thought = None
        elif writing.blocks.tail:
            self.log.append("block", {"html": "", "tail": ""})
        key = key or self._own_place(writing.part, "text")
        writing.aside = {"kind": "aside", "key": key, "text": rest, "thinks": writing.thoughts.tag}
        self._asides[writing] = None
        self._show(writing.aside, at_once=True)

    def _say_aside(self, text: Writing, delta: str) -> None:
        self._growth.add(text.part, "text", delta)
        self._asides[text] = None
        if text.aside is None:
            self._growth.settle(text.part)
            self._show_anew(text)
        else:
            self._growth.add(text.aside, "text", delta)
            self._show(text.aside)

    def _finish_aside(self, text: Writing) -> None:
        if text.aside is None:
            return
        self._growth.settle(text.aside)
        if text.differs():
            self._growth.settle(text.part)
            self._show_anew(text)
        else:
            self._show(text.aside, at_once=True)

    def _show_anew(self, text: Writing) -> None:
        """The whole of a text as one fragment, which takes its own place from now on."""
        first, *others = self._places[id(text.part)]
        part = text.part
        text.aside = {"kind": "aside", "key": first, "text": part["text"], "thinks": part.get("thinks", "")}
        text.may_change.clear()
        for key in others:
            self._stale.pop(key, None)
            self._shown[key] = mark_safe("")
        self._stale.pop(first, None)
        self._shown[first] = pieces.aside(text.aside)
        self._is_rearranged = True

    def _show_block(self, writing: Writing, html: str) -> None:
        """A finished block takes the place of its text; what is not finished yet comes with it as `tail`."""
        key = self._own_place(writing.part, "block")
        fragment = pieces.block(html)
        self._shown[key] = fragment
        writing.may_change.append(key)
        self.log.append("block", {"html": fragment, "tail": writing.blocks.tail})

    def _show(self, part: Part, *, at_once: bool = False) -> None:
        """Render a part: now, where it ended something or is new, else as often as is worth it.

        One that takes long, as a sub-agent that made many calls, is never rendered more often than that.
        """
        key = part["key"]
        started = time.monotonic()
        again_at, took = self._shown_last.get(key, (0.0, 0.0))
        if self._shown.get(key) and started < again_at and (took > SHOWN_QUICKLY or not at_once):
            self._stale[key] = part
            return
        self._stale.pop(key, None)
        self._growth.settle(part)
        self._place(key, pieces.of_part(part, self._agent_id, approvals=self._approvals, is_open=True))
        ended = time.monotonic()
        self._shown_last[key] = ended + max(SHOW_EVERY, SHOW_SHARE * (ended - started)), ended - started

    def _catch_up(self) -> None:
        for part in list(self._stale.values()):
            self._show(part)
        started = time.monotonic()
        if self._is_rearranged and started >= self._replace_again_at:
            self._is_rearranged = False
            self.log.append("snapshot", {"html": "".join(self._pieces()), "tail": self._tail})
            ended = time.monotonic()
            self._replace_again_at = ended + max(SHOW_EVERY, SHOW_SHARE * (ended - started))

    def _settle(self) -> None:
        """All that was said is in the parts."""
        if self._writing is not None:
            self._writing.gather()
        self._growth.settle_all()

    def _place(self, key: str, html: SafeString) -> None:
        if self._shown.get(key, mark_safe("")) != html:
            self._shown[key] = html
            self.log.append("step", {"key": key, "html": html})


def as_dict(value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
