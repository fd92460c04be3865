"""Code blocks: one of Markdown may hold others, and all that stands behind the three backticks is shown.

Agents that are asked for a Markdown file put it into a block of kind `markdown`, with blocks in it, all with three
backticks. By CommonMark the outer one ends where the first inner one does. An inner one that names a language is taken
for what it is, where each has its end; anything else is read as CommonMark has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.lexers import find_lexer_class_by_name
from pygments.util import ClassNotFound

from agents.syntax.environment import GROWS, is_quoted, once

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^`\s]?[^`\n]*)")
_HOLDS_OTHERS = re.compile(r"(markdown|mdx?)\b", re.IGNORECASE)


def use(markdown: MarkdownIt) -> None:
    markdown.block.ruler.before(
        "fence", "fence_with_fences", _outer, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    markdown.add_render_rule("fence", _render)


def _fence(state: StateBlock, line: int) -> re.Match[str] | None:
    if state.is_code_block(line):
        return None
    return _FENCE.fullmatch(state.src, state.bMarks[line] + state.tShift[line], state.eMarks[line])


def _outer(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    opener = _fence(state, start)
    if not opener or not _HOLDS_OTHERS.match(opener[2]) or is_quoted(state, start):
        return False
    last = once(state, f"ends of {opener[1]}", partial(_ends, opener[1])).get(start)
    if last is None and not state.env.get(GROWS):
        return False  # CommonMark's own rule looks for an end without this one
    last = min(last or end, end)
    if any(not state.isEmpty(line) and state.sCount[line] < state.blkIndent for line in range(start, last)):
        return False
    if not silent:
        token = state.push("fence", "code", 0)
        token.info = opener[2]
        token.content = state.getLines(start + 1, last, state.sCount[start], True)
        token.markup = opener[1]
        state.line = min(last + 1, end)
        token.map = [start, state.line]
    return True


def _ends(markup: str, state: StateBlock) -> dict[int, int]:
    """The line that ends each code block with a language, by the line that begins it, where those in it end, too."""
    ends: dict[int, int] = {}
    begun: list[int] = []
    for line in range(state.lineMax):
        fence = _fence(state, line)
        if not fence or not fence[1].startswith(markup):
            continue
        if fence[2]:
            begun.append(line)
        elif begun:
            ends[begun.pop()] = line
    return ends


def _render(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, environment: EnvType
) -> str:
    """With a line above the code, where more was said about it than a language that is known."""
    info = unescapeAll(tokens[index].info).strip()
    html = RendererHTML.fence(renderer, tokens, index, options, environment)
    if not info or (" " not in info and _is_language(info)):
        return html
    return f'<p class="info">{escapeHtml(info)}</p>{html}'


def _is_language(name: str) -> bool:
    try:
        find_lexer_class_by_name(name)
    except ClassNotFound:
        return False
    return True
