"""Forms from JSON Schema: a schema as a tree of controls, and what was typed into them as a value.

Schemas come from agents and are not trusted: nothing is fetched for a `$ref`, no pattern of theirs is run, and what is
too deep or too wide for a form is answered as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError as InvalidText
from django.core.validators import validate_email
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway import deep

MOST_FIELDS = 60  # of one form; what has more is answered as JSON
MOST_ITEMS = 30  # of one list
DEEPEST = 5  # objects and lists within each other; what lies deeper is answered as JSON
LONG = 120  # characters; a text that may have more gets several lines
MOST_HOPS = 20  # from one reference of a schema to the next
GROUPS = ("object", "list", "several")
NEEDED = "This is needed."
NOTHING: Final = object()  # no value: null is one

Schema = Mapping[str, Any]
Typed = Mapping[str, str]  # by the name of a control
Path = tuple[str | int, ...]  # where a value stands in the answer


@dataclass(frozen=True, slots=True)
class Field:
    """One control of a form, or a group of them: an object, a list, several of a choice."""

    name: str  # of the control
    place: str  # the same in digits and hyphens, for ids
    label: str
    kind: str  # one of GROUPS, of READ, "text", "long", "boolean" or "choice"
    key: str = ""  # what its value is called in the object that it stands in
    hint: str = ""
    is_required: bool = False  # in the object that it stands in
    is_needed: bool = False  # whatever else is filled in
    is_nullable: bool = False
    choices: tuple[tuple[str, str, Any], ...] = ()  # of the control: its value, its words, what it means
    value: str = ""
    fields: tuple[Field, ...] = ()
    problem: str = ""

    @property
    def is_group(self) -> bool:
        return self.kind in GROUPS

    @property
    def is_full(self) -> bool:
        return len(self.fields) >= MOST_ITEMS


def form(
    schema: Schema, name: str, place: str, *, without: str = "", start: object = NOTHING, typed: Typed | None = None
) -> Field:
    """The form of a whole answer: `start` is what it holds before anybody typed, `without` a property that it lacks."""
    builder = _Builder(schema, without, typed)
    whole = builder.field(schema, name, place, "", start, is_required=True, is_needed=True)
    if _size(whole) <= MOST_FIELDS:
        return whole
    wide = Field(f"{place}.answer", place, "Answer", "json", is_required=not without, is_needed=not without)
    return builder.leaf({}, wide, start)


def every(whole: Field) -> Iterator[Field]:
    yield whole
    for inner in whole.fields:
        yield from every(inner)


def _size(one: Field) -> int:
    """How many controls it has; what is added to a list does not count."""
    if one.kind == "list":
        return max(map(_size, one.fields[:1]), default=1)
    return sum(map(_size, one.fields)) if one.kind == "object" else 1


@dataclass(frozen=True, slots=True)
class _Builder:
    root: Schema
    without: str
    typed: Typed | None

    def field(
        self,
        schema: object,
        name: str,
        place: str,
        key: str,
        start: object,
        *,
        is_required: bool,
        is_needed: bool,
        label: str = "",
        row: int = 0,
        depth: int = 0,
    ) -> Field:
        told = _plain(schema, self.root)
        start = told.get("default", NOTHING) if start is NOTHING else start
        choices = _choices(told)
        found = Field(
            name=name,
            place=place,
            label=f"{told.get('title') or label or key or 'Answer'}{f' {row}' if row else ''}",
            kind=_kind(told, choices, self.root) if depth < DEEPEST else _kind_of_leaf(told, choices),
            key=key,
            hint=str(told.get("description", "")),
            is_required=is_required,
            is_needed=is_needed,
            is_nullable=_is_nullable(schema),
            choices=choices,
        )
        match found.kind:
            case "object":
                return replace(found, fields=tuple(self._properties(told, found, start, depth)))
            case "list":
                return replace(found, fields=tuple(self._items(told, found, start, depth)))
            case "several":
                choices = _choices(_plain(told["items"], self.root))
                return replace(found, choices=choices, fields=tuple(self._ticks(found, choices, start)))
        return self.leaf(told, found, start)

    def leaf(self, schema: Schema, found: Field, start: object) -> Field:
        hints = {"json": "As JSON", "free": "Text, or JSON", "moment": "In UTC"}
        found = replace(found, hint=found.hint or hints.get(found.kind, ""))
        if self.typed is not None:
            return replace(found, value=self.typed.get(found.name, ""))
        if "const" in schema and found.is_required:
            start = schema["const"]
        return found if start is NOTHING or start is None else replace(found, value=_written(found, start))

    def _properties(self, schema: Schema, around: Field, start: object, depth: int) -> Iterator[Field]:
        known = start if isinstance(start, dict) else {}
        for number, (key, inner) in enumerate(schema["properties"].items()):
            if not isinstance(inner, dict) or (not depth and key == self.without):
                continue
            is_required = key in _list(schema.get("required"))
            yield self.field(
                inner,
                f"{around.name}.{key}",
                f"{around.place}-{number}",
                key,
                known.get(key, NOTHING),
                is_required=is_required,
                is_needed=is_required and around.is_needed,
                depth=depth + 1,
            )

    def _items(self, schema: Schema, around: Field, start: object, depth: int) -> Iterator[Field]:
        known = start if isinstance(start, list) else []
        least = max(1, number_in(schema.get("minItems")), len(known))
        count = least if self.typed is None else number_in(self.typed.get(f"{around.name}.length")) or least
        for number in range(min(count, MOST_ITEMS)):
            yield self.field(
                schema["items"],
                f"{around.name}.{number}",
                f"{around.place}-{number}",
                "",
                known[number] if number < len(known) else NOTHING,
                is_required=True,
                is_needed=False,
                label=around.label,
                row=number + 1,
                depth=depth + 1,
            )

    def _ticks(self, around: Field, choices: Sequence[tuple[str, str, Any]], start: object) -> Iterator[Field]:
        known = start if isinstance(start, list) else []
        for number, (_, words, meant) in enumerate(choices):
            tick = Field(f"{around.name}.{number}", f"{around.place}-{number}", words, "boolean", is_required=True)
            yield self.leaf({}, tick, meant in known)


def _plain(schema: object, root: Schema) -> Schema:
    """The schema itself, where this one only leads to it: by a local reference, or as the only one that is not null."""
    for _ in range(MOST_HOPS):
        if not isinstance(schema, dict):
            return {}
        for pointer in ("$ref", "anyOf", "oneOf", "allOf"):
            if (target := _target(schema, pointer, root)) is not None:
                schema = {**target, **{name: value for name, value in schema.items() if name != pointer}}
                break
        else:
            return schema
    return {}


def _target(schema: Schema, pointer: str, root: Schema) -> dict[str, Any] | None:
    told = schema.get(pointer)
    if pointer == "$ref" and isinstance(told, str) and told.startswith("#"):
        found: Any = root
        for step in told.removeprefix("#").split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}
    others = [one for one in _list(told) if isinstance(one, dict) and one.get("type") != "null"]
    return others[0] if pointer != "$ref" and len(others) == 1 else None


def _is_nullable(schema: object) -> bool:
    if not isinstance(schema, dict):
        return False
    others = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
    return "null" in _list(schema.get("type")) or any(
        isinstance(one, dict) and one.get("type") == "null" for one in others
    )


def _list(told: object) -> list[Any]:
    return told if isinstance(told, list) else []


def number_in(told: object) -> int:
    """0 for what is none."""
    try:
        return max(0, int(str(told)))
    except ValueError:
        return 0


def type_of(schema: Schema) -> str:
    told = schema.get("type")
    if isinstance(told, list):  # a type that may be null
        told = next((one for one in told if one != "null"), None)
    return told if isinstance(told, str) else ""


def _kind(schema: Schema, choices: Sequence[object], root: Schema) -> str:
    kind = type_of(schema)
    if not choices and kind in ("object", "") and isinstance(schema.get("properties"), dict) and schema["properties"]:
        return "object"
    if not choices and kind in ("array", "") and isinstance(schema.get("items"), dict):
        return "several" if _choices(_plain(schema["items"], root)) else "list"
    return _kind_of_leaf(schema, choices)


def _kind_of_leaf(schema: Schema, choices: Sequence[object]) -> str:
    if choices:
        return "choice"
    kind = type_of(schema)
    if kind == "string":
        length = schema.get("maxLength")
        is_long = isinstance(length, int) and length > LONG
        return FORMATS.get(str(schema.get("format")), "long" if is_long else "text")
    if kind in ("integer", "number", "boolean"):
        return kind
    return "json" if kind else "free" if schema else "long"


FORMATS = {"email": "email", "date": "date", "time": "time", "date-time": "moment", "uri": "url", "textarea": "long"}


def _choices(schema: Schema) -> tuple[tuple[str, str, Any], ...]:
    """What can be chosen: of `enum`, of a `oneOf` of titled constants, or the one constant that there is."""
    found: list[tuple[str, Any]] = []
    if isinstance(schema.get("enum"), list):
        found = [(_words(one), one) for one in schema["enum"]]
    elif "const" in schema:
        found = [(str(schema.get("title") or _words(schema["const"])), schema["const"])]
    else:
        for one in _list(schema.get("oneOf")) or _list(schema.get("anyOf")):
            if not isinstance(one, dict) or "const" not in one:
                return ()
            found.append((str(one.get("title") or _words(one["const"])), one["const"]))
    return tuple((_words(meant), words, meant) for words, meant in found)


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _written(one: Field, value: object) -> str:
    """A value as its control holds it."""
    match one.kind:
        case "choice":
            return next((key for key, _, meant in one.choices if meant == value), "")
        case "boolean":
            return "yes" if value is True else ""
        case "moment":
            try:
                return f"{_moment(str(value)):%Y-%m-%dT%H:%M}"
            except ValueError:
                return ""
        case "json":
            return deep.dumps(value, indent=2)
    return value if isinstance(value, str) else _as_json(value)


def _as_json(value: object) -> str:
    if deep.is_plain(value):
        with suppress(RecursionError):
            return json.dumps(value, ensure_ascii=False)
    return deep.dumps(value)


def read(
    whole: Field, typed: Typed, schema: Schema, given: Mapping[str, Any] | None = None
) -> tuple[Any, dict[str, str]]:
    """What was typed, as the value that the schema asks for; and what is wrong with it: sentences by name of a control.

    `given`: what an object holds beside.
    """
    reading = _Reading(typed)
    value = reading.value(whole, (), is_needed=whole.is_needed)
    if given:
        value = {**given, **(value if isinstance(value, dict) else {})}
    for path, sentence in _refused(schema, value):
        near = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in reading.names)
        reading.problems.setdefault(reading.names[near], sentence)
    return value, reading.problems


@dataclass(slots=True)
class _Reading:
    typed: Typed
    problems: dict[str, str] = field(default_factory=dict)
    names: dict[Path, str] = field(default_factory=dict)  # of the control that a value was typed into

    def value(self, one: Field, path: Path, *, is_needed: bool) -> Any:
        self.names[path] = one.name
        match one.kind:
            case "boolean":
                return self.typed.get(one.name) == "yes"
            case "several":
                return [
                    choice[2] for choice, tick in zip(one.choices, one.fields, strict=True) if self._is_touched(tick)
                ]
            case "object":
                return self._object(one, path) if is_needed or self._is_touched(one) else NOTHING
            case "list":
                items: list[Any] = []
                for row in filter(self._is_touched, one.fields):
                    item = self.value(row, (*path, len(items)), is_needed=True)
                    items.append(None if item is NOTHING else item)
                return items if items or is_needed else NOTHING
        return self._leaf(one, is_needed=is_needed)

    def _object(self, one: Field, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for inner in one.fields:
            value = self.value(inner, (*path, inner.key), is_needed=inner.is_required)
            if value is not NOTHING and (value != [] or inner.is_required):
                found[inner.key] = value
        return found

    def _leaf(self, one: Field, *, is_needed: bool) -> Any:
        text = self.typed.get(one.name, "").replace("\r\n", "\n").strip()
        if not text:
            if not is_needed:
                return NOTHING
            if one.is_nullable:
                return None
            self.problems[one.name] = NEEDED
            return NOTHING
        try:
            if one.kind == "choice":
                return next(meant for key, _, meant in one.choices if key == text)
            return READ.get(one.kind, str)(text)
        except (ValueError, StopIteration, InvalidText, RecursionError):
            self.problems[one.name] = WRONG[one.kind]
            return NOTHING

    def _is_touched(self, one: Field) -> bool:
        return any(not inner.is_group and self.typed.get(inner.name, "").strip() for inner in every(one))


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and the infinities are no JSON


def _json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _free(text: str) -> Any:
    try:
        return _json(text)
    except (ValueError, RecursionError):
        return text


def _email(text: str) -> str:
    validate_email(text)
    return text


def _url(text: str) -> str:
    if not urlsplit(text).scheme:
        raise ValueError(text)
    return text


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


READ: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "number": lambda text: _json(json.dumps(float(text))),
    "json": _json,
    "free": _free,
    "email": _email,
    "url": _url,
    "date": lambda text: date.fromisoformat(text).isoformat(),
    "time": lambda text: time.fromisoformat(text).isoformat(),
    "moment": lambda text: _moment(text).isoformat().replace("+00:00", "Z"),
}
WRONG = {
    "integer": "Enter a whole number.",
    "number": "Enter a number.",
    "choice": "Choose one of these.",
    "json": "This is not JSON.",
    "email": "Enter an e-mail address.",
    "url": "Enter a whole address, such as https://example.org/.",
    "date": "Enter a date, such as 2027-01-31.",
    "time": "Enter a time, such as 14:30.",
    "moment": "Enter a date and a time, such as 2027-01-31T14:30.",
}


def _refused(schema: Schema, value: object) -> Iterator[tuple[Path, str]]:
    """What the schema says against the answer. A schema that makes no sense says nothing: the agent will."""
    if not schema or value is NOTHING:
        return
    try:
        schema = _without_patterns(schema)
        Draft202012Validator.check_schema(schema)
        wrong: list[ValidationError] = list(Draft202012Validator(schema, registry=Registry()).iter_errors(value))
    except (SchemaError, Unresolvable, RecursionError, TypeError, ValueError):
        return
    for error in map(_meant, wrong):
        path = tuple(error.absolute_path)
        if error.validator == "required" and isinstance(error.instance, dict):
            yield from (((*path, key), NEEDED) for key in error.validator_value if key not in error.instance)
        else:
            yield path, _sentence(error)


def _meant(error: ValidationError) -> ValidationError:
    """Of what fits none of several schemas, what is wrong by the first that is of its type."""
    while error.context:
        error = next((one for one in error.context if one.validator != "type"), error.context[0])
    return error


def _without_patterns(schema: Any) -> Any:
    """A regular expression of an agent's could take for ever."""
    if isinstance(schema, list):
        return [_without_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_patterns(one)
        for name, one in schema.items()
        if name != "patternProperties" and not (name == "pattern" and isinstance(one, str))
    }


LIMITS = {
    "minimum": "This has to be at least {}.",
    "maximum": "This can be at most {}.",
    "exclusiveMinimum": "This has to be more than {}.",
    "exclusiveMaximum": "This has to be less than {}.",
    "multipleOf": "This has to be a multiple of {}.",
    "minLength": "This is too short: the least is {} characters.",
    "maxLength": "This is too long: the most is {} characters.",
    "minItems": "At least {} of these are needed.",
    "maxItems": "At most {} of these can be given.",
    "uniqueItems": "Give each of these only once.",
    "enum": "Choose one of these.",
    "const": "Choose one of these.",
}


def _sentence(error: ValidationError) -> str:
    if error.validator in ("minItems", "minLength") and error.validator_value == 1:
        return NEEDED
    if told := LIMITS.get(str(error.validator)):
        return told.format(error.validator_value)
    return f"{error.message[:1].upper()}{error.message[1:300]}."
