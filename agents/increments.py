"""What an answer has more than when it was saved last, so that keeping it costs what is new. Free of I/O.

A save is a list of changes to the parts as they were kept then. Each change is a list that begins with what it is:

- `part`, key, fields: a part that was not there, without what stands in it
- `rest`, key, fields, key of another part, begin: the same, and its text goes on where that of the other one ends now
- `more`, key, path, value: of a text or a list in a part, what came at its end
- `text`, key, path, begin, end, value: a text keeps as many characters at its begin and its end, the rest is this
- `set`, key, path, value: any other value; `drop`, key, path: one that is gone
- `cut`, key, path, count: of a list, what is left
- `order`, key, count, keys: what stands in a part, or in the answer itself (TOP): so many as before, and then these
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents.transcript import Part

Change = list[Any]
Path = list[str | int]

TOP = ""
DEEPEST = 50  # levels of a value that are compared; what is deeper is told whole
MOST_CHANGES = 200  # within one value; where there are more it is told whole
A_LOOK = 4096  # characters that are compared at once
A_SAVE = 100  # bytes that a save takes beside its changes
MOST_WASTE = 4 * 1024 * 1024  # bytes


class State(NamedTuple):
    parts: dict[str, Part]  # by key, without what stands in them
    order: dict[str, list[str]]  # the keys of what stands in each, and in the answer itself


@dataclass(frozen=True, slots=True)
class Save:
    number: int
    builds_on: int  # the number of the save that it changes; 0: none
    changes: str  # JSON
    has_replaced: bool  # something that was kept, and is there for nothing now
    state: State


@dataclass(slots=True)
class Kept:
    """What of one answer is known to be in the database.

    A save that failed may be there all the same. Its number is not given again, and nothing builds on it.
    """

    stale_before: int = 0  # saves with a smaller number are there for nothing
    _state: State = field(default_factory=lambda: State({}, {}))
    _number: int = 0
    _given: int = 0
    _whole: int = 0  # bytes of the save that builds on none
    _waste: int = 0  # bytes since then that may be there for nothing

    def save(self, parts: Iterable[Part]) -> Save | None:
        """What has to be kept; None where nothing is new. All of it, where as much is there for nothing."""
        is_whole = not self._number or self._waste > self._whole + MOST_WASTE
        state = state_of(parts)
        changes = list(changes_of(State({}, {}) if is_whole else self._state, state))
        if not changes:
            return None
        self._given += 1
        has_replaced = any(change[0] not in ("part", "rest", "more", "order") for change in changes)
        return Save(self._given, 0 if is_whole else self._number, json.dumps(changes), has_replaced, state)

    def has(self, save: Save) -> None:
        """It is there."""
        self._state, self._number = save.state, save.number
        if save.builds_on:
            self.stale_before = 0
            self._waste += A_SAVE + (len(save.changes) if save.has_replaced else 0)
        else:
            self.stale_before = save.number
            self._whole, self._waste = len(save.changes), 0


def state_of(parts: Iterable[Part]) -> State:
    state = State({}, {})
    left = [(TOP, parts)]
    while left:
        holder, some = left.pop()
        keys = state.order[holder] = []
        for part in some:
            key = part["key"]
            keys.append(key)
            if "parts" in part:
                left.append((key, part["parts"]))
                part = {name: value for name, value in part.items() if name != "parts"}  # noqa: PLW2901
            state.parts[key] = part
    return state


def changes_of(before: State, after: State) -> Iterator[Change]:
    """What is the same object as before is not looked into: what a part holds is replaced when it changes."""
    new = [part for key, part in after.parts.items() if key not in before.parts]
    rests = dict(_rests(before, after, new)) if new else {}
    yield from rests.values()  # while the other part still has it
    for key, part in after.parts.items():
        if key in before.parts:
            yield from _changes_of_part(key, before.parts[key], part)
        elif key not in rests:
            yield ["part", key, part]
    for key, keys in after.order.items():
        known = before.order.get(key)
        if known != keys:
            pairs = enumerate(zip(known or (), keys, strict=False))
            same = next((number for number, (one, other) in pairs if one != other), min(len(known or ()), len(keys)))
            yield ["order", key, same, keys[same:]]


def _rests(before: State, after: State, new: Sequence[Part]) -> Iterator[tuple[str, Change]]:
    """A text in progress is cut where something comes beside it: the rest is not told again, however long it is."""
    for key, part in after.parts.items():
        was, now = before.parts.get(key, {}).get("text", ""), part.get("text", "")
        if was is not now and len(was) > len(now) and was.startswith(now):
            rest = was[len(now) :]
            if goes_on := next((one for one in new if one.get("text", "").startswith(rest)), None):
                fields = {**goes_on, "text": goes_on["text"][len(rest) :]}
                yield goes_on["key"], ["rest", goes_on["key"], fields, key, len(now)]


def _changes_of_part(key: str, before: Part, after: Part) -> Iterator[Change]:
    for name in before.keys() - after.keys():
        yield ["drop", key, [name]]
    for name, value in after.items():
        if name not in before:
            yield ["set", key, [name], value]
        elif value is not before[name]:
            changes = list(_changes_of_value(key, [name], before[name], value))
            yield from changes if len(changes) <= MOST_CHANGES else [["set", key, [name], value]]


def _changes_of_value(key: str, path: Path, before: Any, after: Any) -> Iterator[Change]:
    if before is after:
        return
    match before, after:
        case str(), str():
            yield from _changes_of_text(key, path, before, after)
        case dict(), dict() if len(path) < DEEPEST and not _is_in_other_order(before, after):
            for name in before.keys() - after.keys():
                yield ["drop", key, [*path, name]]
            for name, value in after.items():
                if name in before:
                    yield from _changes_of_value(key, [*path, name], before[name], value)
                else:
                    yield ["set", key, [*path, name], value]
        case list(), list() if len(path) < DEEPEST:
            if len(after) < len(before):
                yield ["cut", key, path, len(after)]
            for number, (one, other) in enumerate(zip(before, after, strict=False)):
                yield from _changes_of_value(key, [*path, number], one, other)
            if len(after) > len(before):
                yield ["more", key, path, after[len(before) :]]
        case _ if repr(before) != repr(after):  # to Python, 0.0 and -0.0 are the same, and so are [1] and [True]
            yield ["set", key, path, after]


def _is_in_other_order(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the keys stand otherwise than where those that are gone were left out, and new ones put at the end."""
    stay = [name for name in before if name in after]
    return list(after)[: len(stay)] != stay


def _changes_of_text(key: str, path: Path, before: str, after: str) -> Iterator[Change]:
    if before == after:
        return
    if after.startswith(before):
        yield ["more", key, path, after[len(before) :]]
        return
    begin = _alike(before, after)
    end = _alike(before[begin:][::-1], after[begin:][::-1])
    yield ["text", key, path, begin, end, after[begin : len(after) - end]]


def _alike(one: str, other: str) -> int:
    """How many characters at the begin of both are the same."""
    at, most = 0, min(len(one), len(other))
    while at < most and one[at : at + A_LOOK] == other[at : at + A_LOOK]:
        at += A_LOOK
    at = min(at, most)
    while at < most and one[at] == other[at]:
        at += 1
    return at


class Broken(ValueError):
    """The saves do not lead to an answer."""


def merged(saves: Iterable[tuple[int, int, list[Change]]]) -> list[Part] | None:
    """The answer, of its saves as (number, what it builds on, changes), the newest one first; None where none is.

    Those that nothing builds on are passed over. Raises Broken.
    """
    wanted: int | None = None
    chain: list[list[Change]] = []
    for number, builds_on, changes in saves:
        if wanted in (None, number):
            chain.append(changes)
            wanted = builds_on
        if wanted == 0:
            break
    if wanted:
        raise Broken("a save is missing")
    if not chain:
        return None
    merging = _Merging()
    try:
        for changes in reversed(chain):
            for change in changes:
                merging.take(change)
        return merging.parts()
    except (LookupError, TypeError, ValueError) as exc:
        raise Broken(repr(exc)) from exc


class _Merging:
    def __init__(self) -> None:
        self._state = State({}, {})
        self._grown: dict[str, dict[tuple[str | int, ...], list[str]]] = {}  # texts, by part: joined when all is there

    def take(self, change: Change) -> None:
        what, key, *told = change
        if what == "order":
            keys = self._state.order.setdefault(key, [])
            count, more = told
            keys[count:] = more
        elif what == "more" and isinstance(told[1], str):
            self._grown.setdefault(key, {}).setdefault(tuple(told[0]), []).append(told[1])
        elif what == "part":
            self._grown.pop(key, None)  # of one with this key that went
            (self._state.parts[key],) = told
        elif what == "rest":
            fields, other, begin = told
            self._grown.pop(key, None)
            self._settle(other)
            self._state.parts[key] = {**fields, "text": self._state.parts[other]["text"][begin:] + fields["text"]}
        else:
            self._settle(key)
            self._change(what, key, *told)

    def _change(self, what: str, key: str, path: Path, *told: Any) -> None:
        holder, name = self._place(key, path)
        match what, told:
            case "set", [value]:
                holder[name] = value
            case "drop", []:
                del holder[name]
            case "more", [more]:
                holder[name] += more
            case "cut", [count]:
                del holder[name][count:]
            case "text", [begin, end, more]:
                text = holder[name]
                holder[name] = text[:begin] + more + text[len(text) - end :]
            case _:
                raise Broken(what)

    def _place(self, key: str, path: Sequence[str | int]) -> tuple[Any, Any]:
        holder: Any = self._state.parts[key]
        for step in path[:-1]:
            holder = holder[step]
        return holder, path[-1]

    def _settle(self, key: str) -> None:
        for path, pieces in self._grown.pop(key, {}).items():
            holder, name = self._place(key, path)
            holder[name] += "".join(pieces)

    def parts(self) -> list[Part]:
        for key in list(self._grown):
            self._settle(key)
        return self._within(TOP)

    def _within(self, holder: str) -> list[Part]:
        return [
            {**self._state.parts[key], "parts": self._within(key)}
            if key in self._state.order
            else self._state.parts[key]
            for key in self._state.order.get(holder, ())
        ]
