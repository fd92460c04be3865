"""The few tags that agents write within a line: `br`, and pairs of `sub`, `sup` and `kbd`. All others are text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_TAG = re.compile(r"<(?:(br)[ \t]*/?|(/?)(sub|sup|kbd))>", re.IGNORECASE)


def use(markdown: MarkdownIt) -> None:
    markdown.inline.ruler.before("autolink", "tags", _tag)
    markdown.core.ruler.after("inline", "pairs", _pair)


def _tag(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "<":
        return False
    found = _TAG.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent and found[1]:
        state.push("hardbreak", "br", 0)
    elif not silent:
        token = state.push("tag", found[3].lower(), 0)
        token.content = found[0]
        token.info = found[2]
    state.pos = found.end()
    return True


def _pair(state: StateCore) -> None:
    for block in state.tokens:
        if block.type == "inline" and block.children:
            _pair_in(block.children)


def _pair_in(children: Sequence[Token]) -> None:
    """An opening tag and the next closing one go together where nothing else begins or ends between them."""
    begun: list[list[Token]] = [[]]  # opening tags, in each of the elements that we are in
    for token in children:
        if token.type == "tag" and not token.info:
            begun[-1].append(token)
        elif token.type == "tag" and (opening := _taken(begun[-1], token.tag)):
            opening.type, opening.nesting = "tag_open", 1
            token.type, token.nesting = "tag_close", -1
        elif token.nesting > 0:
            begun.append([])
        elif token.nesting < 0:
            begun.pop()
    for token in children:
        if token.type == "tag":
            token.type, token.tag = "text", ""


def _taken(begun: list[Token], tag: str) -> Token | None:
    """The last one of this kind; those after it have no end."""
    for place in reversed(range(len(begun))):
        if begun[place].tag == tag:
            opening = begun[place]
            del begun[place:]
            return opening
    return None
