"""One call in all its parts: arguments by their schema, where their addresses lead, raw JSON. Free of I/O.

Whatever an agent or a tool's provider wrote passes through `marked`. Nothing here is ever shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.characters import Piece, Text, as_escapes, marked
from confirmations.hosts import Host, hosts_in
from confirmations.schemas import MISSING, UNKNOWN, Schema, unknown_in, walk
from gateway import Confirmation, deep
from gateway.canonical import as_bytes, canonical, digest

LONG = 600  # characters, from which on a value scrolls by itself
MANY = 100  # rows, from which on they scroll by themselves; and entries of a list, beyond which it stays JSON
BLOCK = 16_000  # characters that a browser lays out at once


@dataclass(frozen=True, slots=True)
class Row:
    """One argument, or one within it."""

    name: Text
    level: int  # 0: an argument of the call
    value: Text | None  # None: its entries follow, or it is missing
    wanted: str  # the kind that the schema wants, in words
    about: Text | None  # what the schema says of it
    marks: tuple[str, ...]  # what is wrong with it
    hosts: tuple[Host, ...]

    @property
    def is_plain(self) -> bool:
        """Nothing to say of it but its name and value: of such there may be thousands."""
        has_more = self.level or self.marks or self.hosts or self.about or self.wanted or self.notes or self.is_long
        return not has_more and bool(self.value and self.value.pieces and self.name.pieces)

    @property
    def is_long(self) -> bool:
        return self.value is not None and len(self.value) > LONG

    @property
    def blocks(self) -> list[list[Piece]]:
        return blocks_of(self.value.pieces) if self.value else []

    @property
    def notes(self) -> tuple[str, ...]:
        in_name = tuple(f"In the name: {note}" for note in self.name.notes)
        return in_name + (self.value.notes if self.value else ())


@dataclass(frozen=True, slots=True)
class Detail:
    tool: Text
    agent: Text
    description: Text | None
    rows: list[Row]
    has_schema: bool
    raw: list[list[Piece]]
    raw_length: int
    size: int  # bytes of the canonical JSON
    hash: str  # SHA-256 of these

    @property
    def are_many(self) -> bool:
        return len(self.rows) > MANY

    @property
    def is_raw_long(self) -> bool:
        return self.raw_length > 2 * LONG


def detail_of(confirmation: Confirmation, agent_name: str) -> Detail:
    plain = canonical(confirmation.arguments)
    raw = as_escapes(as_text(confirmation.arguments))
    schema = confirmation.input_schema
    return Detail(
        tool=marked(confirmation.tool, is_name=True),
        agent=marked(agent_name),
        description=marked(confirmation.tool_description) if confirmation.tool_description else None,
        rows=list(_rows(confirmation.arguments, Schema.of(schema or {}, schema or {}))),
        has_schema=schema is not None,
        raw=blocks_of((Piece(raw, False),)),
        raw_length=len(raw),
        size=len(as_bytes(plain)),
        hash=digest(plain),
    )


def as_text(value: object) -> str:
    """A string as it is, anything else as JSON, as it was written; never shortened."""
    if isinstance(value, str):
        return value or '""'
    return deep.dumps(value, indent=2)


def text_under(holder: Mapping[str, object], name: str) -> str:
    """All that is written under a name: one below the other, where it stands there more than once."""
    values = deep.under(holder, name)
    return as_text(values[0]) if len(values) == 1 else "\n".join(map(deep.dumps, values))


def blocks_of(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Blocks of whole lines where there are any: a browser lays out those alone that are on the screen."""
    blocks: list[list[Piece]] = [[]]
    room = BLOCK
    for text, is_odd in pieces:
        at = 0
        while len(text) - at > room:
            newline = text.rfind("\n", at, at + room)
            end = newline + 1 if newline >= at and not is_odd else at + room
            if text[at:end]:
                blocks[-1].append(Piece(text[at:end], is_odd))
            blocks.append([])
            at, room = end, BLOCK
        if text[at:]:
            blocks[-1].append(Piece(text[at:], is_odd))
            room -= len(text) - at
    return [block for block in blocks if block] or [[Piece("", False)]]


def strings_in(value: object) -> Iterator[str]:
    """Every text in it, keys too, in no order."""
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as holder:
                left += (one for pair in deep.pairs(holder) for one in pair)
            case list() as entries:
                left += entries


# -- by the schema ------------------------------------------------------------------------------------------------


def _rows(given: Mapping[str, Any], schema: Schema) -> Iterator[Row]:
    for entry in walk(given, schema, longest=MANY):
        inner, value, marks = entry.schema, entry.value, entry.marks
        label, wanted = marked(entry.name, is_name=True), inner.wanted
        if value is MISSING or entry.is_opened:
            yield Row(label, entry.level, None, wanted, inner.about, marks, ())
            continue
        if unknown := unknown_in(value, inner):
            marks = (*marks, f"has what is {UNKNOWN}: {', '.join(str(marked(one, is_name=True)) for one in unknown)}")
        if repeated := deep.repeated_in(value):
            names = ", ".join(str(marked(one, is_name=True)) for one in repeated)
            marks = (*marks, f"has what is written more than once: {names}")
        hosts = tuple(hosts_in(strings_in(value)))
        yield Row(label, entry.level, marked(as_text(value)), wanted, inner.about, marks, hosts)
