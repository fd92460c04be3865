"""What is nested too deeply to be laid out is shown as it was written: the parser itself would leave it out."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

DEEPEST = 24  # levels: a quotation is one, a list with its item two
MOST = 30  # levels at which the parser would stop; what brackets cost grows with it


def use(markdown: MarkdownIt) -> None:
    markdown.block.ruler.before("table", "nesting", _too_deep)
    markdown.add_render_rule("as_written", _render)


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.level < DEEPEST or silent:
        return False
    line = start + 1
    while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    token = state.push("as_written", "p", 0)
    token.content = state.getLines(start, line, state.blkIndent, False).strip()
    token.map = [start, line]
    state.line = line
    return True


def _render(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    return f'<p class="said">{escapeHtml(tokens[index].content)}</p>'
