"""One call in all its parts: arguments by their schema, where their addresses lead, raw JSON. Free of I/O.

Whatever an agent or a tool's provider wrote passes through `marked`. Nothing here is ever shortened.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confirmations.characters import Piece, Text, as_escapes, marked
from confirmations.hosts import Host, hosts_in
from gateway import Confirmation, deep
from gateway.canonical import as_bytes, canonical, digest

LONG = 600  # characters, from which on a value scrolls by itself
MANY = 100  # rows, from which on they scroll by themselves
BLOCK = 16_000  # characters that a browser lays out at once
REFERENCES = 20  # of a schema, one leading to the next


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
    raw = as_escapes(as_text(dict(confirmation.arguments)))
    schema = confirmation.input_schema
    return Detail(
        tool=marked(confirmation.tool, is_name=True),
        agent=marked(agent_name),
        description=marked(confirmation.tool_description) if confirmation.tool_description else None,
        rows=list(_rows(confirmation.arguments, Schema.of(schema or {}, schema or {}), 0)),
        has_schema=schema is not None,
        raw=blocks_of((Piece(raw, False),)),
        raw_length=len(raw),
        size=len(as_bytes(plain)),
        hash=digest(plain),
    )


def as_text(value: object) -> str:
    """A string as it is, anything else as JSON; never shortened."""
    if isinstance(value, str):
        return value or '""'
    if not isinstance(value, dict | list):
        return json.dumps(value)
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return deep.dumps(value)  # indented it would be mostly spaces


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
                left += holder.keys()
                left += holder.values()
            case list() as entries:
                left += entries


# -- by the schema ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Schema:
    """What a JSON Schema says of one value, as far as it helps to read it. Nothing in it is fetched or run."""

    root: Mapping[str, Any]
    doc: Mapping[str, Any]
    kinds: tuple[str, ...]
    properties: Mapping[str, Any]
    required: tuple[str, ...]
    names_keys: bool  # says which keys there are, or that there are none
    is_open: bool  # takes keys that it does not name, of which it says what they are

    @classmethod
    def of(cls, root: Mapping[str, Any], doc: object) -> Schema:
        parts = list(_parts(root, doc))
        kinds: list[str] = []
        properties: dict[str, Any] = {}
        required: list[str] = []
        for part in parts:
            kind = part.get("type")
            kinds += [one for one in (kind if isinstance(kind, list) else [kind]) if isinstance(one, str)]
            if isinstance(named := part.get("properties"), dict):
                properties = {**named, **properties}
            if isinstance(names := part.get("required"), list):
                required += [name for name in names if isinstance(name, str)]
        return cls(
            root,
            parts[0] if parts else {},
            tuple(dict.fromkeys(kinds)),
            properties,
            tuple(required),
            names_keys=any(
                isinstance(part.get("properties"), dict) or part.get("additionalProperties") is False for part in parts
            ),
            is_open=any(
                part.get("patternProperties") or isinstance(part.get("additionalProperties"), dict) for part in parts
            ),
        )

    def within(self, name: str) -> Schema:
        return Schema.of(self.root, self.properties[name]) if name in self.properties else NOTHING_SAID

    @property
    def wanted(self) -> str:
        return " or ".join(str(marked(kind)) for kind in self.kinds)

    @property
    def about(self) -> Text | None:
        about = self.doc.get("description")
        return marked(about) if isinstance(about, str) and about else None

    def complaints(self, value: object) -> Iterator[str]:
        kind = kind_of(value)
        if self.kinds and kind not in self.kinds and not (kind == "integer" and "number" in self.kinds):
            yield f"is {_a(kind)}, the schema wants {_a(self.wanted)}"
        choices = self.doc.get("enum")
        if isinstance(choices, list) and not isinstance(value, dict | list) and value not in choices:
            yield "is none of the values that the schema names"


def _parts(root: Mapping[str, Any], doc: object) -> Iterator[Mapping[str, Any]]:
    """The schema itself and what it is put together from; references within the document are followed."""
    left, followed = [doc], 0
    while left:
        part = left.pop(0)
        if not isinstance(part, dict):
            continue
        yield part
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/") and followed < REFERENCES:
            followed += 1
            target: Any = root
            for step in reference[2:].split("/"):
                target = target.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(target, dict) else None
            left.append(target)
        for several in ("allOf", "anyOf", "oneOf"):
            if isinstance(choices := part.get(several), list) and followed < REFERENCES:
                followed += 1
                left += choices


NOTHING_SAID = Schema.of({}, {})


def kind_of(value: object) -> str:
    """As JSON Schema calls it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _rows(given: Mapping[str, Any], schema: Schema, level: int) -> Iterator[Row]:
    """In the schema's order, then what it does not name; entries of an object that it describes follow it."""
    left = [(name, given, schema, level) for name in reversed(_names(given, schema))]
    while left:
        name, holder, outer, level = left.pop()
        inner = outer.within(name)
        label, wanted, about = marked(name, is_name=True), inner.wanted, inner.about
        if name not in holder:
            yield Row(label, level, None, wanted, about, ("required, but missing",), ())
            continue
        value = holder[name]
        marks = tuple(inner.complaints(value))
        if outer.names_keys and name not in outer.properties and not outer.is_open:
            marks = ("not in schema", *marks)
        if isinstance(value, dict) and value and inner.names_keys:
            yield Row(label, level, None, wanted, about, marks, ())
            left += [(one, value, inner, level + 1) for one in reversed(_names(value, inner))]
        else:
            hosts = tuple(hosts_in(strings_in(value)))
            yield Row(label, level, marked(as_text(value)), wanted, about, marks, hosts)


def _names(given: Mapping[str, Any], schema: Schema) -> list[str]:
    named = [name for name in schema.properties if name in given or name in schema.required]
    missing = [name for name in schema.required if name not in given and name not in schema.properties]
    return [*named, *missing, *(name for name in given if name not in schema.properties)]


def _a(kind: str) -> str:
    if kind == "null":
        return "nothing (null)"
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"
