"""Tables: cells beyond those of the head are shown too, and rows that are too short are filled up within a bound.

A wide head over short rows makes far more cells than were written.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

MOST_FILLED = 5_000  # cells of one text that nobody wrote, with which rows are filled up

_LEFT = "cells that rows may still be filled up with"
_DELIMITER = re.compile(r"[ \t>]*[|:-][|: \t-]*")


def use(markdown: MarkdownIt) -> None:
    """A table ends where its rows would take more; what follows it is text."""
    markdown.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if silent or start + 2 > end or not _DELIMITER.fullmatch(_line(state, start + 1)):
        return table(state, start, end, silent)
    if not table(state, start, end, True):  # before all that follows is looked through
        return False
    first, left = len(state.tokens), state.env.setdefault(_LEFT, MOST_FILLED)
    if not table(state, start, _end(state, start, end, left), silent):
        return False
    state.env[_LEFT] = left - sum(token.type == "inline" and not token.content for token in state.tokens[first:])
    state.tokens[first:] = _with_all_cells(state, state.tokens[first:])
    return True


def _end(state: StateBlock, start: int, end: int, left: int) -> int:
    """The line before which the table has to end: that of the first row for which no cells are left."""
    width = _line(state, start).count("|") + 1
    for line in range(start + 2, end):
        row = _line(state, line)
        if not row.strip():
            break
        left -= max(0, width - row.count("|") - 1)
        if left < 0:
            return line
    return end


def _with_all_cells(state: StateBlock, tokens: list[Token]) -> list[Token]:
    width = 0
    completed: list[Token] = []
    for token in tokens:
        match token.type:
            case "th_open":
                width += 1
            case "tr_open":
                row = token
            case "tr_close" if row.map:
                for cell in _cells(state, row.map[0])[width:]:
                    completed += _cell(cell, token.level + 1, row.map)
        completed.append(token)
    return completed


def _cells(state: StateBlock, line: int) -> list[str]:
    cells = escapedSplit(_line(state, line).strip())
    return cells[cells[:1] == [""] : len(cells) - (cells[-1:] == [""])]


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _cell(text: str, level: int, lines: list[int]) -> list[Token]:
    return [
        Token("td_open", "td", 1, level=level, block=True),
        Token("inline", "", 0, level=level + 1, block=True, map=lines, content=text.strip(), children=[]),
        Token("td_close", "td", -1, level=level, block=True),
    ]
