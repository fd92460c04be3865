"""What a messages snapshot says about an answer: which of its messages belong to it, and which parts they are.

The snapshot is the truth about the thread. Agents may number its messages otherwise than those that they streamed, so
that role, order, the ids of tool calls and the text tell what is the same. Source: AG-UI 1.0, MESSAGES_SNAPSHOT.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import count, islice
from typing import Any, NamedTuple

from ag_ui.core import (
    ActivityMessage,
    ActivitySnapshotEvent,
    AssistantMessage,
    Event,
    Message,
    ReasoningMessage,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    ToolMessage,
    UserMessage,
)

from agents.transcript import Part, content_text

ALIKE = 0.5  # of the words: a text in progress that a snapshot has otherwise is still the same text
COMPARED = 200  # words
MOST_COMPARED = 100  # texts in progress of one snapshot: an agent has few, and each takes a millisecond
BEGINNING = 20  # characters by which texts are looked up
TRIED = 20  # texts that begin alike, of which one may be what a snapshot has otherwise
SAID = ("text", "reasoning", "activity")  # kinds of parts that a snapshot may number or word otherwise


@dataclass(slots=True)
class Item:
    """One text, thought, call or activity of a snapshot; or the `result` of a call that it does not hold itself."""

    kind: str
    id: str
    text: str = ""  # the arguments of a call
    role: str = ""  # of a text that is not the agent's; the type of an activity
    name: str = ""
    result: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)  # of an activity
    agent: str = ""  # the sub-agent that it is of
    message: int = 0  # its number in the snapshot: a message does not say in which order it was said and called


@dataclass(slots=True)
class Unit:
    """What the snapshot would hold as one thing: a part, or the pieces that a text was cut into."""

    pieces: list[Part]
    is_open: bool  # more of it may come

    @property
    def part(self) -> Part:
        return self.pieces[0]

    @property
    def text(self) -> str:
        name = "arguments" if self.part["kind"] == "tool" else "text"
        return "".join(piece.get(name, "") for piece in self.pieces)

    @property
    def sort(self) -> tuple[str, str]:
        """What can be the same thing, told otherwise."""
        return self.part["kind"], self.part.get("type" if self.part["kind"] == "activity" else "role", "")


class Place(NamedTuple):
    """One thing of the answer as it is from now on: what was there, what the snapshot says of it, or both."""

    unit: Unit | None
    item: Item | None


class Thread:
    """What was sent to the agent, by which its snapshots are read."""

    def __init__(self, sent: Sequence[Message], earlier: Mapping[str, Part]) -> None:
        """`earlier`: the parts, by id, of the answers to the same message that this one goes on from."""
        self._earlier = earlier
        asked = max((number for number, one in enumerate(sent) if isinstance(one, UserMessage)), default=-1)
        self._question = sent[asked] if asked >= 0 else None
        self._sent_ids = {message.id for message in sent}
        self._said_before = [_plain(content_text(one.content)) for one in sent if isinstance(one, AssistantMessage)]
        self._said_since = [
            _plain(content_text(one.content)) for one in sent[asked + 1 :] if isinstance(one, AssistantMessage)
        ]
        self._said_since += [_plain(part["text"]) for part in earlier.values() if part["kind"] == "reasoning"]

    def items(self, messages: Sequence[Message], is_here: Callable[[str, str], bool]) -> list[Item]:
        """What of the snapshot belongs to this answer. `is_here`: whether it has a part of this kind and id already."""
        begin = self._begin(messages, is_here)
        since = [one for one in messages[begin:] if one.id not in self._sent_ids or isinstance(one, ToolMessage)]
        items = self._told(since, self._said_since if begin else self._said_before, is_here)
        return items if items or begin else self._told(since, (), is_here)

    def _told(
        self, messages: Iterable[Message], said_before: Iterable[str], is_here: Callable[[str, str], bool]
    ) -> list[Item]:
        before = deque(filter(None, said_before))
        calls: dict[str, Item] = {}
        items: list[Item] = []
        for number, item in ((number, item) for number, message in enumerate(messages) for item in _items(message)):
            item.message = number
            if item.kind == "result" and item.id in calls:
                calls[item.id].result = item.result
            elif not self._is_earlier(item, before, is_here):
                items.append(item)
                if item.kind == "tool":
                    calls[item.id] = item
        return items

    def _begin(self, messages: Sequence[Message], is_here: Callable[[str, str], bool]) -> int:
        """Where this answer begins: after the person's message, known by its id or else its text."""
        people = [number for number, one in enumerate(messages) if isinstance(one, UserMessage)]
        asked = self._question
        places = [number for number in people if asked and messages[number].id == asked.id]
        if not places and asked:
            words = _plain(content_text(asked.content))
            places = [number for number in people if _plain(content_text(messages[number].content)) == words]
        if len(places) != 1:  # none that we know, or one of those that say the same
            first = next((number for number, one in enumerate(messages) if _is_told(one, is_here)), len(messages))
            places = [number for number in places or people if number < first] or places
        return places[-1] + 1 if places else 0

    def _is_earlier(self, item: Item, before: deque[str], is_here: Callable[[str, str], bool]) -> bool:
        """Whether it was told in an answer before this one. `before`: the texts of those, as far as they are ahead."""
        if is_here("tool" if item.kind == "result" else item.kind, item.id):
            return False
        known = self._earlier.get(item.id)
        if item.kind == "result":  # of a call that waited for it, or of one that nobody knows
            return known is None or known["kind"] != "tool" or known["result"] is not None
        if item.kind == "tool":
            return known is not None and known["kind"] == "tool"
        words = _plain(item.text)
        if item.kind != "activity" and words in before:
            while before.popleft() != words:
                pass
            return True
        return known is not None and known["kind"] == item.kind


def merged(parts: Sequence[Part], items: Sequence[Item], head: Mapping[int, int], open_: Iterable[int]) -> list[Place]:
    """The answer after a snapshot, in order.

    What the snapshot does not hold stays where it stood, but for texts where it has others or has them otherwise: one
    that only lacks something is older than what was streamed. `head`: by the identity of a piece of a text, that of
    its first piece. `open_`: the identities of parts that more may come of.
    """
    units = _units(parts, head, set(open_))
    items, held = _held(units, items)
    pairs = _pairs(units, items, held)
    paired = {number: item for item, number in pairs.items()}
    is_newer = any(
        item.kind == "text" and (number not in pairs or _differs(units[pairs[number]], item))
        for number, item in enumerate(items)
    )

    order: list[Place] = []
    after: dict[int, list[Place]] = defaultdict(list)  # by the number of the unit that they stay behind
    behind = -1
    for number, unit in enumerate(units):
        if number in paired:
            behind = number
        elif unit.part["kind"] != "text" or unit.is_open or number in held or not is_newer:
            after[behind].append(Place(unit, None))
    order += after[-1]

    def within(number: int) -> tuple[int, float]:
        said_first = -1 if items[number].kind == "text" else len(units)
        return items[number].message, pairs.get(number, said_first)

    for number in sorted(range(len(items)), key=within):
        item, unit_number = items[number], pairs.get(number)
        order.append(Place(None if unit_number is None else units[unit_number], item))
        if unit_number is not None:
            order += after[unit_number]
    return order


def _units(parts: Sequence[Part], head: Mapping[int, int], open_: set[int]) -> list[Unit]:
    units: list[Unit] = []
    texts: dict[int, Unit] = {}  # by the identity of the first piece
    for part in parts:
        if first := texts.get(head.get(id(part), 0)):
            first.pieces.append(part)
            first.is_open = first.is_open or id(part) in open_
        else:
            unit = texts[id(part)] = Unit([part], id(part) in open_)
            units.append(unit)
    return units


def _held(units: Sequence[Unit], items: Sequence[Item]) -> tuple[list[Item], set[int]]:
    """The items but for texts that several units have together, one after the other, and the numbers of those units.

    Some agents keep all that they said around their calls as one message: it stays as it was streamed.
    """
    texts = _Row([(number, _dense(unit.text)) for number, unit in enumerate(units) if unit.sort == ("text", "")])
    said = {_plain(item.text) for item in items if item.kind == "text"}
    held: set[int] = set()
    left: list[Item] = []
    for item in items:
        some = texts.together(_dense(item.text)) if _sort(item) == ("text", "") else []
        if len(some) > 1 and not all(_plain(units[number].text) in said for number in some):
            held.update(some)
            texts.begin_behind(some[-1])
        else:
            left.append(item)
    return left, held


class _Row:
    """The texts that were streamed, in order, without the spaces in them."""

    def __init__(self, texts: Iterable[tuple[int, str]]) -> None:
        """`texts`: each with the number of its unit."""
        self._texts = [(number, text) for number, text in texts if text]
        self._whole = {text for _, text in self._texts}
        self._at = 0
        self._places: dict[str, list[int]] = defaultdict(list)  # in this row, by how the texts begin
        for place, (_, text) in enumerate(self._texts):
            self._places[text[:BEGINNING]].append(place)

    def begin_behind(self, number: int) -> None:
        """The texts up to this unit are told."""
        self._at = bisect_right(self._texts, number, key=lambda one: one[0])

    def together(self, text: str) -> list[int]:
        """The numbers of the first ones in a row that make it up; none where one alone is the same."""
        some: list[int] = []
        if text in self._whole or (first := self._first(text)) is None:
            return some
        at = 0
        for number, words in islice(self._texts, first, None):
            if not text.startswith(words, at):
                return []
            at += len(words)
            some.append(number)
            if at == len(text):
                return some
        return []

    def _first(self, text: str) -> int | None:
        """The place of the first one that the text begins with."""
        found: list[int] = []
        for size in range(1, min(BEGINNING, len(text)) + 1):
            places = self._places.get(text[:size], [])
            start = bisect_left(places, self._at)
            found += (one for one in places[start : start + TRIED] if text.startswith(self._texts[one][1]))
        return min(found, default=None)


def _pairs(units: Sequence[Unit], items: Sequence[Item], held: Collection[int]) -> dict[int, int]:
    """The number of the unit that each item tells of, by the number of the item."""
    pairs: dict[int, int] = {}
    taken = set(held)

    def pair(by_unit: Callable[[Unit], object], by_item: Callable[[Item], object]) -> None:
        waiting: dict[object, deque[int]] = defaultdict(deque)
        for number, unit in enumerate(units):
            if number not in taken and (key := by_unit(unit)) is not None:
                waiting[key].append(number)
        for number, item in enumerate(items):
            if number not in pairs and (some := waiting.get(by_item(item))):
                pairs[number] = some.popleft()
                taken.add(pairs[number])

    pair(
        lambda unit: unit.part["id"] if unit.part["kind"] == "tool" else None,
        lambda item: item.id if item.kind in ("tool", "result") else None,
    )
    if any(item.kind in SAID for item in items):
        wanted = {(_sort(item), _beginning(item.text)) for item in items if item.kind in ("text", "reasoning")}

        def words(unit: Unit) -> object:
            if unit.part["kind"] not in ("text", "reasoning") or (unit.sort, _beginning(unit.text)) not in wanted:
                return None
            return unit.sort, _plain(unit.text)

        pair(words, lambda item: (_sort(item), _plain(item.text)))
        pair(
            lambda unit: (unit.part["kind"], unit.part["id"]) if unit.part["kind"] in SAID else None,
            lambda item: (item.kind, item.id),
        )
        _pair_in_order(units, items, pairs, taken)
    return pairs


def _pair_in_order(units: Sequence[Unit], items: Sequence[Item], pairs: dict[int, int], taken: set[int]) -> None:
    """What stands between the same neighbours, one after the other: first what goes on as the other begins."""
    at = 0  # the first unit that the next gap may have
    gap: list[int] = []
    compared = count(1)

    def is_same_otherwise(unit: Unit, item: Item) -> bool:
        return not unit.is_open or (next(compared) <= MOST_COMPARED and _is_alike(unit, item))

    for number in range(len(items) + 1):
        if number < len(items) and number not in pairs:
            gap += [number] if items[number].kind in SAID else []
            continue
        end = pairs.get(number, len(units))
        if gap and end > at:
            free: dict[object, list[int]] = defaultdict(list)
            for unit in range(at, end):
                if unit not in taken and units[unit].part["kind"] in SAID:
                    free[units[unit].sort].append(unit)
            for test in (_goes_on, is_same_otherwise):
                for one in [one for one in gap if one not in pairs]:
                    some = free[_sort(items[one])]
                    found = next((unit for unit in some[:TRIED] if test(units[unit], items[one])), None)
                    if found is not None:
                        pairs[one] = found
                        taken.add(found)
                        del some[: some.index(found) + 1]
        gap = []
        at = max(at, end + 1)


def _goes_on(unit: Unit, item: Item) -> bool:
    mine, other = _plain(unit.text), _plain(item.text)
    return bool(mine and other) and (mine.startswith(other) or other.startswith(mine))


def _is_alike(unit: Unit, item: Item) -> bool:
    mine, other = unit.text.split(None, COMPARED)[:COMPARED], item.text.split(None, COMPARED)[:COMPARED]
    return SequenceMatcher(None, mine, other).ratio() >= ALIKE


def _differs(unit: Unit, item: Item) -> bool:
    """Whether the snapshot tells another text than was streamed."""
    return item.kind in ("text", "reasoning") and _plain(unit.text) != _plain(item.text)


def says_otherwise(unit: Unit, item: Item) -> bool:
    """Whether the part has to be changed for what the snapshot says of it."""
    part = unit.part
    match item.kind:
        case "result":
            return bool(part["result"] != item.result)
        case "tool":
            is_other_result = item.result is not None and item.result != part["result"]
            return is_other_result or _arguments_differ(unit, item) or (bool(item.name) and item.name != part["name"])
        case "activity":
            return bool(part["content"] != item.content or part["type"] != item.role)
    return _differs(unit, item)


def _arguments_differ(unit: Unit, item: Item) -> bool:
    """Not where they are the same JSON: what the agent streamed is as the model wrote it."""
    if unit.is_open or unit.part["arguments"] == item.text or not item.text:
        return False
    try:
        return bool(json.loads(unit.part["arguments"] or "{}") != json.loads(item.text))
    except (ValueError, RecursionError):
        return True


def correct(unit: Unit, item: Item) -> None:
    """Put into the part what the snapshot says of it; an activity has more to it than that."""
    part = unit.part
    if item.kind == "tool":
        if _arguments_differ(unit, item):
            part["arguments"] = item.text
        part["name"] = item.name or part["name"]
    elif item.kind in ("text", "reasoning") and _differs(unit, item):
        part["text"] = item.text
    if item.result is not None:
        part["result"] = item.result


def as_events(item: Item, agent: str | None = None) -> list[Event]:
    """As if it had been streamed."""
    match item.kind:
        case "reasoning":
            told: list[Event] = [ReasoningMessageStartEvent(message_id=item.id, subagent_run_id=agent)]
            if item.text:
                told.append(ReasoningMessageContentEvent(message_id=item.id, delta=item.text, subagent_run_id=agent))
            return [*told, ReasoningMessageEndEvent(message_id=item.id, subagent_run_id=agent)]
        case "activity":
            content = dict(item.content)
            return [
                ActivitySnapshotEvent(
                    message_id=item.id, activity_type=item.role, content=content, subagent_run_id=agent
                )
            ]
        case "tool":
            told = [ToolCallStartEvent(tool_call_id=item.id, tool_call_name=item.name, subagent_run_id=agent)]
            if item.text:
                told.append(ToolCallArgsEvent(tool_call_id=item.id, delta=item.text, subagent_run_id=agent))
            told.append(ToolCallEndEvent(tool_call_id=item.id, subagent_run_id=agent))
            return told if item.result is None else [*told, _result(item, agent)]
        case "result":
            return [_result(item, agent)]
    begun = {"message_id": item.id, "role": item.role or "assistant", "name": item.name or None}
    return [
        TextMessageStartEvent.model_validate({**begun, "subagent_run_id": agent}),
        TextMessageContentEvent(message_id=item.id, delta=item.text, subagent_run_id=agent),
        TextMessageEndEvent(message_id=item.id, subagent_run_id=agent),
    ]


def _result(item: Item, agent: str | None) -> ToolCallResultEvent:
    return ToolCallResultEvent(
        message_id=f"{item.id}-result", tool_call_id=item.id, content=item.result or "", subagent_run_id=agent
    )


def _is_told(message: Message, is_here: Callable[[str, str], bool]) -> bool:
    """Whether this answer has streamed it. Only ids of calls tell: those of messages may be numbered anew."""
    calls = (message.tool_calls or []) if isinstance(message, AssistantMessage) else []
    return any(is_here("tool", call.id) for call in calls) or (
        isinstance(message, ToolMessage) and is_here("tool", message.tool_call_id)
    )


def _items(message: Message) -> Iterator[Item]:
    agent = message.subagent_run_id or ""
    match message:
        case ReasoningMessage(id=message_id, content=content):
            yield Item("reasoning", message_id, content, agent=agent)
        case ToolMessage(tool_call_id=call_id, content=content):
            yield Item("result", call_id, result=content_text(content), agent=agent)
        case ActivityMessage(id=message_id, activity_type=kind, content=content):
            yield Item("activity", message_id, role=kind, content=content, agent=agent)
        case _:
            role = "" if message.role == "assistant" else message.role
            if text := content_text(message.content):
                yield Item("text", message.id, text, role, message.name or "", agent=agent)
            for call in (message.tool_calls or []) if isinstance(message, AssistantMessage) else []:
                yield Item("tool", call.id, call.function.arguments, name=call.function.name, agent=agent)


def _sort(item: Item) -> tuple[str, str]:
    return item.kind, item.role


def _beginning(text: str) -> str:
    """Enough to pass over most texts that are not the same."""
    return text.lstrip()[: 2 * BEGINNING].split("\n", 1)[0].rstrip()[:BEGINNING]


def _dense(text: str) -> str:
    return "".join(text.split())


def _plain(text: str) -> str:
    return " ".join(text.split())
