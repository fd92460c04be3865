"""One answer while it is being given: AG-UI events in, parts to keep and numbered events to follow out.

Free of I/O. The run's task feeds it; page views in other threads take a `Snapshot`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivitySnapshotEvent,
    CustomEvent,
    Event,
    Interrupt,
    MessagesSnapshotEvent,
    RawEvent,
    ReasoningMessageContentEvent,
    RunErrorEvent,
    RunFinishedEvent,
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
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from django.utils.safestring import SafeString, mark_safe

from agents import interrupts, pieces
from agents.markdown import Blocks
from agents.models import Approval
from agents.pieces import Approvals
from agents.runlog import RunLog
from agents.thoughts import Segment, Thoughts
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
    kept,
    text_part,
    told_by_snapshot,
)
from gateway.state import Shared

SHOW_EVERY = 0.25  # seconds between two renderings of a part that grows
DEEPEST = 8  # sub-agents inside each other that are shown so; those further in stand beside each other
SHOWN_QUICKLY = 0.005  # seconds
SHOW_SHARE = 20  # the time a rendering took, times this, passes before the next one

_THROTTLED = (TextMessageContentEvent, ReasoningMessageContentEvent, ToolCallArgsEvent, ActivityDeltaEvent)
_TALK = (ReasoningMessageContentEvent, ToolCallStartEvent, TextMessageStartEvent)  # what ends the text in progress


class Snapshot(NamedTuple):
    """The answer as it stands after event `number`."""

    number: int
    pieces: list[SafeString]
    tail: str


class Answer:
    def __init__(self, agent_id: str, known: Mapping[str, Part] | None = None) -> None:
        """`known`: parts of earlier runs, by id: no news in a messages snapshot, but their calls may end here."""
        self.log = RunLog()
        self.error = ""  # what RUN_ERROR said
        self.is_finished = False
        self.is_cancelled = False  # by whoever ran the agent, who said so
        self.interrupts: list[Interrupt] = []  # what the agent waits for
        self._agent_id = agent_id
        self._earlier = known or {}
        self._known = set(self._earlier)
        self.count = 0
        """Parts, with those of sub-agents: each of them costs, however short the event is that began it."""
        self._parts: list[Part] = []
        self._list = PartList(self._parts)
        self._foot: dict[str, Part] = {}  # the parts below the answer, by kind
        self._agents: dict[str, Part] = {}  # sub-agents by the id of their run
        self._lists: dict[str, PartList] = {}  # what stands in each
        self._around: dict[str, list[Part]] = {}  # those that each stands in, the outermost first
        self._written: list[str] = []  # deltas of the text in progress, joined when somebody asks
        self._writing: Part | None = None  # that text
        self._blocks = Blocks()
        self._blocks_shown: list[str] = []  # the keys of those of that text that may yet be shown otherwise
        self._thoughts = Thoughts()
        self._thought: Part | None = None  # that is being thought, as it is shown: the text holds it, too
        self._growth = Growth()
        self._shared = Shared()
        self._others_size = 0
        self._shown: dict[str, SafeString] = {}  # fragments by key, in the order of the page
        self._stale: dict[str, Part] = {}  # parts that were shown before they grew
        self._shown_last: dict[str, tuple[float, float]] = {}  # by key: when to render it again, seconds that it took
        self._approvals: dict[str, Approval] = {}  # that ended, by the id of the call
        self._lock = threading.Lock()

    def feed(self, events: Iterable[Event]) -> None:
        """Take what arrived at once. Deltas that follow each other become one event for the followers."""
        with self._lock:
            deltas: list[str] = []
            for event in events:
                if isinstance(event, TextMessageContentEvent) and self._is_written_here(event):
                    if self._writing is None or self._writing["id"] != event.message_id:
                        self._say(deltas)
                        self._begin(event.message_id)
                    deltas.append(event.delta)
                else:
                    self._say(deltas)
                    self._take(event)
            self._say(deltas)
            self._catch_up()

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
            self._finish_text()
            self._growth.settle_all()
            asked = interrupts.states(interrupts.opened(self.interrupts))
            for part in [*self._parts, *self._foot.values()]:
                if part["kind"] != "text" or "role" in part or "name" in part:
                    self._place(part["key"], pieces.of_part(part, self._agent_id, asked, self._approvals))
            self._stale.clear()

    def end(self, data: object) -> None:
        """Tell the followers that it has ended, and how."""
        with self._lock:
            self.log.append("end", data)
            self.log.close()

    def snapshot(self) -> Snapshot:
        """Its end is not in it: whoever shows this has yet to be told."""
        with self._lock:
            number = self.log.number - 1 if self.log.is_closed else self.log.number
            return Snapshot(number, self._pieces(), self._blocks.tail)

    def _pieces(self) -> list[SafeString]:
        below = [self._shown[kind] for kind in FOOT if kind in self._shown]
        return [*(html for key, html in self._shown.items() if html and key not in FOOT), *below]

    @property
    def is_behind(self) -> bool:
        """Whether something has yet to be shown as it is: `parts` shows it, once it is time."""
        return bool(self._stale)

    def parts(self) -> list[Part]:
        """The answer so far, to keep. What grew since it was shown is shown now, if it is time."""
        with self._lock:
            self._gather()
            self._growth.settle_all()
            self._catch_up()
            return [
                *map(copied, self._parts),
                *(copied(self._foot[kind]) for kind in FOOT if kind in self._foot),
            ]

    def _is_written_here(self, event: TextMessageContentEvent) -> bool:
        """Whether it is text of the agent itself, which is shown while it is written."""
        if event.subagent_run_id:
            return False
        if self._writing is not None and self._writing["id"] == event.message_id:
            return True
        last = self._list.last("text", event.message_id) or {}
        return "role" not in last and "name" not in last

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
                for told in list(told_by_snapshot(messages, self._known)):
                    self._take_text(told) if isinstance(told, TextMessageContentEvent) else self._take(told)
            case RunErrorEvent(message=message, usage=usage):
                self.error = message or "The agent did not say why."
                self._use(usage)
            case RunFinishedEvent(outcome=outcome, result=result, usage=usage):
                self.is_finished = True
                self.interrupts = list(getattr(outcome, "interrupts", ()))
                self.is_cancelled = getattr(outcome, "type", "") == "cancelled"
                if result is not None:
                    self._note("Result", result)
                self._use(usage)
            case TextMessageEndEvent() if not event.subagent_run_id:
                self._finish_text()
            case TextMessageStartEvent(role=role) if (
                not event.subagent_run_id and role in (None, "assistant") and not event.name
            ):
                self._begin(event.message_id)
            case _:
                self._take_part(event)

    def _take_text(self, event: TextMessageContentEvent) -> None:
        if self._is_written_here(event):
            self._say([event.delta])
        else:
            self._take_part(event)

    def _take_part(self, event: Event) -> None:
        """What has a part of its own: of the agent, or of the sub-agent that the event names."""
        self._know(event)
        who = getattr(event, "subagent_run_id", None)
        if isinstance(event, ToolCallResultEvent) and not who:
            self._take_up(event.tool_call_id)
        if who:
            group = self._agents.get(who) or self._begin_again(who)
            count = len(group["parts"])
            part = fold(self._lists[who], event, self._growth)
            self.count += len(group["parts"]) - count
            shown: Part | None = self._outermost(who)
        else:
            if isinstance(event, _TALK) and not self._goes_on(event):
                self._finish_text()
            count = len(self._parts)
            part = shown = fold(self._list, event, self._growth)
            if len(self._parts) > count:
                self.count += 1
                self._put_beside(self._parts.pop())
        if part is None or shown is None:
            return
        if isinstance(event, ActivitySnapshotEvent | ActivityDeltaEvent):
            self._shared.take([event])
            if activity := self._shared.activities.get(event.message_id):
                part["type"] = activity.kind
                self._growth.put(part, "content", activity.content)
        self._show(shown, at_once=not isinstance(event, _THROTTLED))

    def _take_up(self, call_id: str) -> None:
        """A call that an earlier run made, and that was waited for, ends in this one: it is told here with its end."""
        call = self._earlier.get(call_id)
        if call and call["kind"] == "tool" and not self._list.last("tool", call_id):
            taken = dict(call)
            self._put_beside(taken)
            self._list.know(taken)
            self.count += 1

    def _goes_on(self, event: Event) -> bool:
        """Whether it is more of the reasoning that came last."""
        return (
            isinstance(event, ReasoningMessageContentEvent)
            and bool(self._parts)
            and self._parts[-1]["kind"] == "reasoning"
            and self._parts[-1]["id"] == event.message_id
        )

    def _know(self, event: Event) -> None:
        for name in ("message_id", "tool_call_id"):
            if told := getattr(event, name, None):
                self._known.add(told)

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
                    group["result"] = kept(event.result)
        self._show(self._outermost(who), at_once=True)

    def _begin_again(self, who: str) -> Part:
        """A sub-agent that did not say that it started here: it may go on from an earlier run."""
        told = self._earlier.get(who, {})
        return self._begin_agent(who, told.get("name", "Sub-agent"), told.get("about", ""), None)

    def _begin_agent(self, who: str, name: str, about: str, parent: str | None) -> Part:
        around = [*self._around[parent], self._agents[parent]][:DEEPEST] if parent in self._agents else []
        prefix = f"{around[-1]['key']}." if around else ""
        group = agent_part(who, name, about, f"{prefix}agent-{len(self._agents)}-{who}")
        self._agents[who], self._around[who] = group, around
        self._lists[who] = PartList(group["parts"], f"{group['key']}.")
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
        if self._writing is None:
            self._parts.append(part)
            return
        self._gather()
        tail = self._blocks.tail + self._thoughts.held
        text = self._writing["text"]
        rest = {**self._writing, "text": tail}
        rest.pop("thinks", None)
        if self._thoughts.tag:
            rest["thinks"] = self._thoughts.tag
        self._end_thought()
        self._settle_blocks(self._blocks.divide())
        self._writing["text"] = text[: len(text) - len(tail)]
        self.count += 1
        if not self._writing["text"]:
            self._parts.pop()  # it is the last one
        self._parts += [part, rest]
        self._list.know(rest)
        self._writing = rest

    def _note(self, name: str, value: Any) -> None:
        """An event that has no place in the answer; it can be inspected below."""
        others = self._foot.get("others") or {"count": 0, "events": []}
        events = [*others["events"]]
        if len(events) < MOST_OTHERS and self._others_size <= 4_000_000:  # characters
            self._others_size += len(as_json(value))
            events.append({"name": name, "value": kept(value)})
        self._put_below("others", count=others["count"] + 1, events=events)

    def _use(self, usage: list[TokenUsage] | None) -> None:
        if usage:
            self._put_below("usage", entries=[as_dict(entry) for entry in usage])

    def _put_below(self, kind: str, **fields: Any) -> None:
        self._foot[kind] = {"kind": kind, "key": kind, **fields}
        self._show(self._foot[kind])

    def _begin(self, message_id: str) -> None:
        self._finish_text()
        self._known.add(message_id)
        self.count += 1
        self._parts.append(text_part(message_id))
        self._writing = self._parts[-1]
        self._list.know(self._writing)

    def _say(self, deltas: list[str]) -> None:
        if not deltas:
            return
        delta = "".join(deltas)
        deltas.clear()
        self._written.append(delta)
        self._tell(self._thoughts.take(delta))

    def _tell(self, segments: Iterable[Segment]) -> None:
        for is_thought, text in segments:
            if is_thought:
                self._think(text)
            else:
                self._write(text)

    def _write(self, text: str) -> None:
        self._end_thought()
        html = self._blocks.add(text)
        if html:
            self._show_block(html)
        else:
            self.log.append_text(text)

    def _think(self, text: str) -> None:
        """What the agent thinks aloud within its text is folded, like reasoning that it tells as such."""
        if self._thought is None:
            self._finish_blocks()
            self._thought = text_part("", "reasoning", f"thought-{len(self._shown)}")
        self._growth.add(self._thought, "text", text)
        self._show(self._thought)

    def _end_thought(self) -> None:
        if self._thought is not None:
            self._show(self._thought, at_once=True)
            self._thought = None

    def _finish_text(self) -> None:
        self._tell(self._thoughts.finish())
        self._end_thought()
        self._finish_blocks()
        self._gather()
        self._writing = None
        self._thoughts = Thoughts()

    def _finish_blocks(self) -> None:
        had_tail = bool(self._blocks.tail)
        ending = self._blocks.finish()
        if ending.rest:
            self._show_block(ending.rest)
        elif had_tail:
            self.log.append("block", {"html": "", "tail": ""})
        self._settle_blocks(ending.whole)

    def _settle_blocks(self, whole: str) -> None:
        """The blocks of a text are final. Where they are to be shown otherwise now, `whole` takes their place."""
        if whole:
            first, *others = self._blocks_shown
            self._shown[first] = pieces.block(whole)
            self._shown |= dict.fromkeys(others, mark_safe(""))
            self.log.append("snapshot", {"html": "".join(self._pieces()), "tail": self._blocks.tail})
        self._blocks_shown.clear()

    def _gather(self) -> None:
        if self._written and self._writing is not None:
            self._writing["text"] += "".join(self._written)
        self._written.clear()

    def _show_block(self, html: str) -> None:
        """A finished block takes the place of its text; what is not finished yet comes with it as `tail`."""
        key = f"block-{len(self._shown)}"
        fragment = pieces.block(html)
        self._shown[key] = fragment
        self._blocks_shown.append(key)
        self.log.append("block", {"html": fragment, "tail": self._blocks.tail})

    def _show(self, part: Part, *, at_once: bool = False) -> None:
        """Render a part: now, where it ended something or is new, else as often as is worth it.

        One that takes long, as a sub-agent that made many calls, is never rendered more often than that.
        """
        key = part["key"]
        started = time.monotonic()
        again_at, took = self._shown_last.get(key, (0.0, 0.0))
        if key in self._shown and started < again_at and (took > SHOWN_QUICKLY or not at_once):
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

    def _place(self, key: str, html: SafeString) -> None:
        if self._shown.get(key, mark_safe("")) != html:
            self._shown[key] = html
            self.log.append("step", {"key": key, "html": html})


def as_dict(value: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
