"""What rules know of a text beside its lines, kept in the parser's environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from markdown_it.rules_block import StateBlock

GROWS = "is_growing"  # more of the text will come: what is open may still be closed
SPANS = "spans_blocks"  # something that is written in one block has a say in how others are shown

T = TypeVar("T")


def once(state: StateBlock, name: str, find: Callable[[StateBlock], T]) -> T:
    """What was found in this source, which is looked for once; a text inside another has a source of its own."""
    known: dict[tuple[str, str], T] = state.env.setdefault("found once", {})
    key = (name, state.src)
    if key not in known:
        known[key] = find(state)
    return known[key]


def is_quoted(state: StateBlock, line: int) -> bool:
    """Whether the marks of a quotation stand before it: then its lines are not simply those of the source."""
    begin: int = state.bMarks[line]
    return begin > 0 and state.src[begin - 1] != "\n"
