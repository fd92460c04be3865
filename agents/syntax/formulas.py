r"""Mathematics stays as it was written, for whoever reads or renders it: \( \), \[ \], $ $, $$ $$ and \begin{…}.

Money is none: a dollar sign opens a formula only where one closes it on the same line, both close to what they hold and
without a digit behind, and not where it holds words after a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from agents.syntax.environment import GROWS, SPANS, is_quoted, once

_CLOSERS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_DOLLARS = re.compile(
    r"""
    (?<![\w$\\]) \$ (?![\s$])
    (?! \d[\d.,]*\s+[^\W\d_]{2} | \d[^$\\^_=+*/<>{}A-Za-z\n]*\$ )  # money: words after a number, or numbers alone
    (?: [^$\\\n] | \\[^\n] )+
    (?<!\s) \$ (?![\d$])
    """,
    re.VERBOSE,
)
_BEGINS = re.compile(
    r"(\$\$)|(\\\[)|\\begin\{((?:equation|align|alignat|flalign|gather|multline|eqnarray|[pbBvV]?matrix)\*?)\}"
)
_AFTERWARDS = " \t.,;"  # the sentence may end with it


def use(markdown: MarkdownIt) -> None:
    markdown.block.ruler.before(
        "fence", "formula_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    markdown.inline.ruler.before("escape", "formula", _inline)
    markdown.add_render_rule("formula", _render)
    markdown.add_render_rule("formula_block", _render_block)


def _inline(state: StateInline, silent: bool) -> bool:
    end = _end(state)
    if not end:
        return False
    if not silent:
        state.push("formula", "", 0).content = state.src[state.pos : end]
    state.pos = end
    return True


def _end(state: StateInline) -> int:
    """Where the formula ends that begins here; 0 for none."""
    start = state.pos
    opener = state.src[start : start + 2]
    if closer := _CLOSERS.get(opener):
        at = state.src.find(closer, start + 3, state.posMax) if state.html_terminator_last(closer) > start + 2 else -1
        is_escaped_link = opener == "\\[" and state.src.startswith("(", at + 2)
        return 0 if at < 0 or is_escaped_link else at + 2
    found = _DOLLARS.match(state.src, start, state.posMax) if opener[0] == "$" else None
    return found.end() if found else 0


def _block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """One that stands on lines of its own, none of them empty."""
    if state.is_code_block(start) or is_quoted(state, start):
        return False
    opener = _BEGINS.match(state.src, state.bMarks[start] + state.tShift[start], state.eMarks[start])
    if not opener:
        return False
    closer = f"\\end{{{opener[3]}}}" if opener[3] else _CLOSERS[opener[0]]
    text = state.src[opener.end() : state.eMarks[start]].rstrip(_AFTERWARDS)
    last = start
    if closer not in text:
        following = once(state, f"ends with {closer}", partial(_following, closer))[start]
        if following is None and state.env.get(GROWS) and not any(map(state.isEmpty, range(start, end))):
            following = end - 1  # it may be closed yet; else it is text, and goes on with the paragraph before
            state.env[SPANS] = True
            closer = ""
        if following is None or following >= end:
            return False
        last, text = following, _line(state, following)
    if closer and text.find(closer) + len(closer) < len(text):
        return False  # words follow it
    if any(state.sCount[line] < state.blkIndent for line in range(start, last + 1)):
        return False
    if not silent:
        token = state.push("formula_block", "", 0)
        token.content = state.getLines(start, last + 1, state.blkIndent, False).strip()
        token.map = [start, last + 1]
        state.line = last + 1
    return True


def _following(closer: str, state: StateBlock) -> list[int | None]:
    """For each line the first one below it that ends so, with no empty line between."""
    found: list[int | None] = []
    nearest: int | None = None
    for line in reversed(range(state.lineMax)):
        found.append(nearest)
        if state.isEmpty(line):
            nearest = None
        elif _line(state, line).endswith(closer):
            nearest = line
    return found[::-1]


def _line(state: StateBlock, line: int) -> str:
    text: str = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
    return text.rstrip(_AFTERWARDS)


def _render(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    return f'<span class="formula">{escapeHtml(tokens[index].content)}</span>'


def _render_block(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    return f'<p class="formula">{escapeHtml(tokens[index].content)}</p>'
