"""What agents fold away: `details` with a `summary`, on lines of their own, with Markdown in them. Else: text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

from agents.syntax.environment import GROWS, SPANS, is_quoted, once

_OPENS = re.compile(r" {0,3}<details([ \t]+open)?[ \t]*>", re.IGNORECASE)
_CLOSES = re.compile(r"</details[ \t]*>", re.IGNORECASE)
_SUMMARY = re.compile(r"\s*<summary[ \t]*>(.*?)</summary[ \t]*>", re.IGNORECASE | re.DOTALL)
_FENCE = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")


@dataclass(frozen=True, slots=True)
class _Fold:
    is_open: bool
    begin: int  # where its inside begins and ends in the source
    end: int
    last: int  # the line it ends on


def use(markdown: MarkdownIt) -> None:
    markdown.block.ruler.before("fence", "details", _details, {"alt": ["paragraph", "reference", "blockquote"]})


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.blkIndent or is_quoted(state, start) or not _OPENS.match(state.src, state.bMarks[start]):
        return False
    fold = once(state, "details", _folds).get(start)
    if fold is None or fold.last >= end:
        return False
    if silent:
        return True
    opening = state.push("details_open", "details", 1)
    opening.map = [start, fold.last + 1]
    if fold.is_open:
        opening.attrs["open"] = ""
    inside = state.src[fold.begin : fold.end]
    summary = _SUMMARY.match(inside)
    state.push("summary_open", "summary", 1)
    words = state.push("inline", "", 0)
    words.content = (summary[1].strip() if summary else "") or "Details"
    words.children = []
    state.push("summary_close", "summary", -1)
    if inside := inside[summary.end() if summary else 0 :]:
        within = StateBlock(inside, state.md, state.env, state.tokens)
        within.level = state.level
        state.md.block.tokenize(within, 0, within.lineMax)
    state.push("details_close", "details", -1)
    state.line = fold.last + 1
    return True


def _folds(state: StateBlock) -> dict[int, _Fold]:
    """By the line that begins it. The end stands last on its line; while a text grows, one may be to come."""
    folds: dict[int, _Fold] = {}
    begun: list[tuple[int, re.Match[str]]] = []
    fence = ""
    for line in range(state.lineMax):
        text = state.src[state.bMarks[line] : state.eMarks[line]]
        if fence:
            if re.fullmatch(rf" {{0,3}}{fence}{fence[0]}*[ \t]*", text):
                fence = ""
            continue
        if found := _FENCE.match(text):
            fence = found[1]
            continue
        if opening := _OPENS.match(state.src, state.bMarks[line], state.eMarks[line]):
            begun.append((line, opening))
        for closing in _CLOSES.finditer(state.src, state.bMarks[line], state.eMarks[line]):
            if begun:
                first, opening = begun.pop()
                if not state.src[closing.end() : state.eMarks[line]].strip():
                    folds[first] = _Fold(bool(opening[1]), opening.end(), closing.start(), line)
    if begun and state.env.get(GROWS):
        state.env[SPANS] = True  # without an end it will be text, and may go on with the paragraph before
        last = state.lineMax - 1
        for first, opening in begun:
            folds[first] = _Fold(bool(opening[1]), opening.end(), state.eMarks[last], last)
    return folds
