"""JSON however deep it is nested: what recursion, in C too, gives up on after a thousand levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


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
