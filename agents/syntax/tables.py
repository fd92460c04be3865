"""Tables: what stands in more cells than the head has is shown in further ones, which are left out otherwise."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token


def use(markdown: MarkdownIt) -> None:
    markdown.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    count = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    if not silent:
        state.tokens[count:] = _with_all_cells(state, state.tokens[count:])
    return True


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
    text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()
    cells = escapedSplit(text)
    return cells[cells[:1] == [""] : len(cells) - (cells[-1:] == [""])]


def _cell(text: str, level: int, lines: list[int]) -> list[Token]:
    return [
        Token("td_open", "td", 1, level=level, block=True),
        Token("inline", "", 0, level=level + 1, block=True, map=lines, content=text.strip(), children=[]),
        Token("td_close", "td", -1, level=level, block=True),
    ]
