"""A call beside the last approved one of the same agent and tool, key by key. Free of I/O."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from accounts.characters import Piece, Text, marked
from confirmations.detail import text_under
from confirmations.items import state_of
from gateway import Confirmation, deep
from gateway.canonical import canonical

ALIGNED = 2000  # words on each side that are aligned one by one; between more of them all counts as changed

Change = Literal["same", "changed", "added", "gone"]


@dataclass(frozen=True, slots=True)
class Line:
    """One argument in both calls, whole; `is_odd` marks the words that differ."""

    name: Text
    change: Change
    before: tuple[Piece, ...]
    now: tuple[Piece, ...]


def last_approved(call: Confirmation, known: Iterable[Confirmation]) -> Confirmation | None:
    """The one approved last; a person's own calls are compared with their own."""
    same = [
        one
        for one in known
        if one.id != call.id
        and state_of(one) == "approved"
        and (one.tool, one.agent_id, one.provider_id) == (call.tool, call.agent_id, call.provider_id)
        and (call.agent_id or one.end_user == call.end_user)
    ]
    return max(same, key=lambda one: (one.resolved_at or one.asked_at, one.id), default=None)


def compared(before: Mapping[str, object], now: Mapping[str, object]) -> list[Line]:
    return [_line(name, before, now) for name in (*now, *(name for name in before if name not in now))]


def _line(name: str, before: Mapping[str, object], now: Mapping[str, object]) -> Line:
    label = marked(name, is_name=True)
    if name not in before:
        return Line(label, "added", (), _plain(now, name))
    if name not in now:
        return Line(label, "gone", _plain(before, name), ())
    was, is_now = _exact(before, name), _exact(now, name)
    if was == is_now:
        return Line(label, "same", (), _plain(now, name))
    old, new = _words(before, name), _words(now, name)
    if old == new:  # "1" and 1 read alike
        return Line(label, "changed", (Piece(was, True),), (Piece(is_now, True),))
    return Line(label, "changed", *_differing(old, new))


def _exact(holder: Mapping[str, object], name: str) -> str:
    """As it was written, but for the order of keys; where all of it is usual, `2.0` and `2` are the same."""
    values = deep.under(holder, name)
    if len(values) == 1 and deep.is_plain(values[0]):
        return canonical(values[0])
    return ",".join(deep.dumps(value, sort_keys=True) for value in values)


def _plain(holder: Mapping[str, object], name: str) -> tuple[Piece, ...]:
    return (Piece(str(marked(text_under(holder, name))), False),)


def _words(holder: Mapping[str, object], name: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", str(marked(text_under(holder, name))))


def _differing(old: list[str], new: list[str]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    start = sum(1 for _ in takewhile(_alike, zip(old, new, strict=False)))
    most = min(len(old), len(new)) - start
    end = min(sum(1 for _ in takewhile(_alike, zip(reversed(old), reversed(new), strict=False))), most)
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    before, now = [Piece("".join(old[:start]), False)], [Piece("".join(new[:start]), False)]
    if max(len(left), len(right)) > ALIGNED:
        before.append(Piece("".join(left), True))
        now.append(Piece("".join(right), True))
    else:
        for what, a, b, c, d in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            before.append(Piece("".join(left[a:b]), what != "equal"))
            now.append(Piece("".join(right[c:d]), what != "equal"))
    before.append(Piece("".join(old[len(old) - end :]), False))
    now.append(Piece("".join(new[len(new) - end :]), False))
    return tuple(_joined(before)), tuple(_joined(now))


def _alike(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """Without empty ones, and what stands together in one."""
    kept: list[Piece] = []
    for piece in pieces:
        if kept and kept[-1].is_odd == piece.is_odd:
            kept[-1] = Piece(kept[-1].text + piece.text, piece.is_odd)
        elif piece.text:
            kept.append(piece)
    yield from kept
