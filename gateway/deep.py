"""JSON however deep it is nested: the standard library gives up after a thousand levels, its C code too.

Somebody could else hide every call that waits behind one whose arguments are nested deeper.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_decoder = json.JSONDecoder()
_space = re.compile(r"[ \t\n\r]*")


def loads(text: str | bytes) -> Any:
    """Raises ValueError when it is not JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        return _read(text if isinstance(text, str) else text.decode(json.detect_encoding(text), "surrogatepass"))


def dumps(value: Any, *, sort_keys: bool = False) -> str:
    """Without spaces, nothing escaped that need not be."""
    try:
        return json.dumps(value, sort_keys=sort_keys, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        return "".join(_written(value, sort_keys))


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


def _read(text: str) -> Any:
    whole: list[Any] = []
    holders: list[Any] = [whole]
    keys = [""]  # of each holder, under which its next value goes
    at = _skip(text, 0)
    while True:
        opening = text[at : at + 1]
        if opening in ("{", "["):
            value: Any = {} if opening == "{" else []
            at = _skip(text, at + 1)
        else:
            value, at = _decoder.raw_decode(text, at)
            at = _skip(text, at)
        if isinstance(holders[-1], dict):
            holders[-1][keys[-1]] = value
        else:
            holders[-1].append(value)
        if opening in ("{", "["):
            holders.append(value)
            keys.append("")
            if not text.startswith(_closing(value), at):
                if opening == "{":
                    keys[-1], at = _key(text, at)
                continue
        while len(holders) > 1 and text.startswith(_closing(holders[-1]), at):
            holders.pop()
            keys.pop()
            at = _skip(text, at + 1)
        if len(holders) == 1:
            break
        at = _skip(text, _after(",", text, at))
        if isinstance(holders[-1], dict):
            keys[-1], at = _key(text, at)
    if at != len(text):
        raise json.JSONDecodeError("Extra data", text, at)
    return whole[0]


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


def _closing(holder: object) -> str:
    return "}" if isinstance(holder, dict) else "]"


def _written(value: Any, sort_keys: bool) -> Iterator[str]:
    """The text in pieces."""
    open_nodes: list[tuple[str, Iterator[tuple[str, Any]]]] = [("", iter([("", value)]))]
    while open_nodes:
        closing, left = open_nodes[-1]
        for before, entry in left:
            yield before
            if not entry or not isinstance(entry, dict | list):
                yield json.dumps(entry, ensure_ascii=False)
                continue
            yield "{" if isinstance(entry, dict) else "["
            open_nodes.append((_closing(entry), _entries(entry, sort_keys)))
            break
        else:
            yield closing
            open_nodes.pop()


def _entries(holder: Any, sort_keys: bool) -> Iterator[tuple[str, Any]]:
    """What stands before each entry, and the entry."""
    comma = ""
    if isinstance(holder, dict):
        for key in sorted(holder) if sort_keys else holder:
            yield f"{comma}{json.dumps(key, ensure_ascii=False)}:", holder[key]
            comma = ","
    else:
        for entry in holder:
            yield comma, entry
            comma = ","
