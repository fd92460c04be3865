"""What a JSON Schema says of a call's arguments, as far as it helps to read them. Free of I/O.

Nothing in a schema is fetched or run, and none is trusted to make sense.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from accounts.characters import Text, marked
from gateway import deep

REFERENCES = 20  # of a schema, one leading to the next
UNKNOWN = "not in schema"
MISSING = object()  # in the place of a value


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
    first: tuple[Any, ...]  # what it says of the first entries of a list, one by one
    rest: object  # and of all others; None: nothing

    @classmethod
    def of(cls, root: Mapping[str, Any], doc: object) -> Schema:
        parts = list(_parts(root, doc))
        kinds: list[str] = []
        properties: dict[str, Any] = {}
        required: list[str] = []
        first: list[Any] = []
        rest: object = None
        for part in parts:
            kind = part.get("type")
            kinds += [one for one in (kind if isinstance(kind, list) else [kind]) if isinstance(one, str)]
            if isinstance(named := part.get("properties"), dict):
                properties = {**named, **properties}
            if isinstance(names := part.get("required"), list):
                required += [name for name in names if isinstance(name, str)]
            one_by_one = part.get("prefixItems") or part.get("items")  # until 2019-09 that could be a list as well
            if isinstance(one_by_one, list):
                first = first or one_by_one
            every = part.get("items")
            rest = (part.get("additionalItems") if isinstance(every, list) else every) if rest is None else rest
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
            first=tuple(first),
            rest=rest,
        )

    def within(self, name: str) -> Schema:
        return Schema.of(self.root, self.properties[name]) if name in self.properties else NOTHING_SAID

    def entries(self, number: int) -> list[Schema]:
        """Of a list of so many."""
        first = [Schema.of(self.root, doc) for doc in self.first[:number]]
        return first + [Schema.of(self.root, self.rest)] * (number - len(first))

    def opens(self, value: object) -> bool:
        """Whether it tells enough of this value to show what is in it one by one."""
        match value:
            case dict():
                return bool(value) and self.names_keys
            case list() if self.first or isinstance(self.rest, dict):
                inside = zip(value, self.entries(len(value)), strict=True)
                return any(
                    isinstance(one, dict | list) and bool(one) and (inner.names_keys or bool(inner.first or inner.rest))
                    for one, inner in inside
                )
        return False

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


class Entry(NamedTuple):
    """One value within others."""

    name: str
    value: object
    schema: Schema
    level: int  # 0: an argument of the call
    marks: tuple[str, ...]  # what is wrong with it
    is_opened: bool  # what is in it follows


def walk(given: object, schema: Schema, longest: int | None = None) -> Iterator[Entry]:
    """In the schema's order, then what it does not name; what is in an object or a list that it describes follows it.

    Lists of more than `longest` are not opened.
    """
    left = list(reversed(_inside(given, schema, 0, longest)))
    while left:
        entry = left.pop()
        yield entry
        if entry.is_opened:
            left += reversed(_inside(entry.value, entry.schema, entry.level + 1, longest))


def _inside(holder: object, schema: Schema, level: int, longest: int | None) -> list[Entry]:
    def entry(name: str, value: object, inner: Schema, marks: tuple[str, ...]) -> Entry:
        is_long = longest is not None and isinstance(value, list) and len(value) > longest
        return Entry(name, value, inner, level, marks, not is_long and inner.opens(value))

    if isinstance(holder, list):
        number = len(holder)
        return [
            entry(f"{at} of {number}", one, inner, tuple(inner.complaints(one)))
            for at, (one, inner) in enumerate(zip(holder, schema.entries(number), strict=True), 1)
        ]
    assert isinstance(holder, Mapping)
    return [
        entry(name, value, schema.within(name), tuple(_marks(name, value, holder, schema)))
        for name in _names(holder, schema)
        for value in deep.under(holder, name) or [MISSING]
    ]


def _marks(name: str, value: object, holder: Mapping[str, Any], schema: Schema) -> Iterator[str]:
    if name not in holder:
        yield "required, but missing"
        return
    if (times := len(deep.under(holder, name))) > 1:
        yield f"written {times} times: the tool may take any of them"
    if schema.names_keys and name not in schema.properties and not schema.is_open:
        yield UNKNOWN
    yield from schema.within(name).complaints(value)


def unknown_in(value: object, schema: Schema) -> list[str]:
    """The keys within it that its schema does not name, each once."""
    if not schema.opens(value):
        return []
    return sorted({entry.name for entry in walk(value, schema) if UNKNOWN in entry.marks})


def _names(given: Mapping[str, Any], schema: Schema) -> list[str]:
    named = [name for name in schema.properties if name in given or name in schema.required]
    missing = [name for name in schema.required if name not in given and name not in schema.properties]
    return [*named, *missing, *(name for name in given if name not in schema.properties)]


def _a(kind: str) -> str:
    if kind == "null":
        return "nothing (null)"
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"
