"""JSON however deep it is nested, and as it was written.

The standard library gives up after a thousand levels, its C code too: somebody could else hide every call that waits
behind one whose arguments are nested deeper. And it makes `1.5` of `1.50`, `Infinity` of `1e400`, `0.1` of
`0.1000000000000000055`, and leaves all but the last of several values with one key out: somebody could else have people
approve what they are not shown.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

INDENTED = 100  # levels: what is nested deeper would be mostly spaces
_space = re.compile(r"[ \t\n\r]*")


class WrittenFloat(float):
    """A number that Python would write otherwise, or cannot hold."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> WrittenFloat:
        number = super().__new__(cls, text)
        number.text = str(text)
        return number


class WrittenInt(int):
    """The same for a whole one: `-0`."""

    text: str

    def __new__(cls, text: str) -> WrittenInt:
        number = super().__new__(cls, text)
        number.text = str(text)
        return number


class Repeated(dict[str, Any]):
    """An object in which a key stands more than once: the last value counts, `pairs` has them all."""

    pairs: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> Repeated:
        found = cls(pairs)
        found.pairs = tuple(pairs)
        return found


def loads(text: str | bytes) -> Any:
    """Raises ValueError when it is not JSON."""
    if isinstance(text, bytes | bytearray):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    try:
        return _decoder.decode(text)
    except RecursionError:
        return _read(text)


def dumps(value: Any, *, sort_keys: bool = False, indent: int | None = None) -> str:
    """Nothing escaped that need not be, and without spaces unless it is indented."""
    separators = (",", ":") if indent is None else None
    if is_plain(value):
        try:
            return json.dumps(value, sort_keys=sort_keys, separators=separators, indent=indent, ensure_ascii=False)
        except RecursionError:
            pass
    if indent is not None and levels_of(value) > INDENTED:
        indent = None
    return "".join(_written(value, sort_keys, indent))


def is_plain(value: Any) -> bool:
    """Whether all of it is what the standard library reads and writes alike."""
    left = [value]
    while left:
        match left.pop():
            case Repeated() | WrittenFloat() | WrittenInt():
                return False
            case dict() as holder:
                left += holder.values()
            case list() as entries:
                left += entries
    return True


def pairs(holder: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """All keys and values, in order."""
    return list(holder.pairs if isinstance(holder, Repeated) else holder.items())


def under(holder: Mapping[str, Any], key: str) -> list[Any]:
    """All that is written under a key, in order."""
    if isinstance(holder, Repeated):
        return [value for name, value in holder.pairs if name == key]
    return [holder[key]] if key in holder else []


def repeated_in(value: Any) -> list[str]:
    """The keys that stand more than once in one object, anywhere in it; each once."""
    found: dict[str, None] = {}
    left = [value]
    while left:
        match left.pop():
            case Repeated() as holder:
                counts = Counter(key for key, _ in holder.pairs)
                found |= dict.fromkeys(key for key, count in counts.items() if count > 1)
                left += (entry for _, entry in holder.pairs)
            case dict() as holder:
                left += holder.values()
            case list() as entries:
                left += entries
    return list(found)


def folded(value: Any, leaf: Callable[[Any], T], node: Callable[[Any, list[T]], T]) -> T:
    """One result for a whole value, from the inside out: `node` takes a dict or list and the results of its entries."""
    whole: list[T] = []
    open_nodes: list[tuple[Any, Iterator[Any], list[T]]] = [(None, iter([value]), whole)]
    while open_nodes:
        holder, left, results = open_nodes[-1]
        for entry in left:
            if isinstance(entry, dict | list):
                entries = entry.values() if isinstance(entry, dict) else entry
                open_nodes.append((entry, iter(entries), []))
                break
            results.append(leaf(entry))
        else:
            open_nodes.pop()
            if open_nodes:
                open_nodes[-1][2].append(node(holder, results))
    return whole[0]


def levels_of(value: Any) -> int:
    """How deep it is nested."""
    return folded(value, lambda _: 0, lambda _, within: 1 + max(within, default=0))


def _float(text: str) -> float:
    number = float(text)
    return number if repr(number) == text else WrittenFloat(text)


def _int(text: str) -> int | float:
    if text == "-0":
        return WrittenInt(text)
    try:
        return int(text)
    except ValueError:  # of more digits than Python takes
        return WrittenFloat(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated.of(pairs)


_decoder = json.JSONDecoder(parse_float=_float, parse_int=_int, object_pairs_hook=_object)


def _read(text: str) -> Any:
    whole: list[Any] = []
    holders: list[tuple[str, list[Any]]] = [("", whole)]  # the opening of each, and its entries, or its pairs
    keys = [""]  # of each holder, under which its next value goes
    at = _skip(text, 0)
    while True:
        opening = text[at : at + 1]
        if opening in ("{", "["):
            holders.append((opening, []))
            keys.append("")
            at = _skip(text, at + 1)
            if not text.startswith(_CLOSING[opening], at):
                if opening == "{":
                    keys[-1], at = _key(text, at)
                continue
        else:
            value, at = _decoder.raw_decode(text, at)
            at = _skip(text, at)
            _put(holders, keys, value)
        while len(holders) > 1 and text.startswith(_CLOSING[holders[-1][0]], at):
            opening, entries = holders.pop()
            keys.pop()
            _put(holders, keys, _object(entries) if opening == "{" else entries)
            at = _skip(text, at + 1)
        if len(holders) == 1:
            break
        at = _skip(text, _after(",", text, at))
        if holders[-1][0] == "{":
            keys[-1], at = _key(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return whole[0]


def _put(holders: list[tuple[str, list[Any]]], keys: list[str], value: Any) -> None:
    opening, entries = holders[-1]
    entries.append((keys[-1], value) if opening == "{" else value)


def _key(text: str, at: int) -> tuple[str, int]:
    if not text.startswith('"', at):
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
    key, at = _decoder.raw_decode(text, at)
    return key, _skip(text, _after(":", text, _skip(text, at)))


def _after(mark: str, text: str, at: int) -> int:
    if not text.startswith(mark, at):
        raise json.JSONDecodeError(f"Expecting '{mark}' delimiter", text, at)
    return at + 1


def _skip(text: str, at: int) -> int:
    found = _space.match(text, at)
    return found.end() if found else at


_CLOSING = {"{": "}", "[": "]"}


def _written(value: Any, sort_keys: bool, indent: int | None) -> Iterator[str]:
    """The text in pieces."""
    open_nodes: list[tuple[str, Iterator[tuple[str, Any]]]] = [("", iter([("", value)]))]
    while open_nodes:
        closing, left = open_nodes[-1]
        for before, entry in left:
            yield before
            if not entry or not isinstance(entry, dict | list):
                yield entry.text if isinstance(entry, WrittenFloat | WrittenInt) else _one(entry)
                continue
            level = len(open_nodes)
            yield "{" if isinstance(entry, dict) else "["
            end = "" if indent is None else "\n" + " " * indent * (level - 1)
            open_nodes.append(
                (f"{end}{'}' if isinstance(entry, dict) else ']'}", _entries(entry, sort_keys, indent, level))
            )
            break
        else:
            yield closing
            open_nodes.pop()


def _one(entry: Any) -> str:
    return json.dumps(entry, ensure_ascii=False)


def _entries(holder: Any, sort_keys: bool, indent: int | None, level: int) -> Iterator[tuple[str, Any]]:
    """What stands before each entry, and the entry."""
    line = "" if indent is None else "\n" + " " * indent * level
    colon = ":" if indent is None else ": "
    comma = ""
    if isinstance(holder, dict):
        all_pairs = pairs(holder)
        for key, entry in sorted(all_pairs, key=lambda pair: pair[0]) if sort_keys else all_pairs:
            yield f"{comma}{line}{_one(key)}{colon}", entry
            comma = ","
    else:
        for entry in holder:
            yield f"{comma}{line}", entry
            comma = ","
