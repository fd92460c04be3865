"""Emphasis beside the punctuation of Chinese, Japanese and Korean, which put no spaces around it.

CommonMark takes `**「重要」**です` for no emphasis: a star before punctuation and after a letter opens nothing. Beside
a character of these scripts that rule is left out, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.rules_inline import StateInline, emphasis, strikethrough
from markdown_it.rules_inline.state_inline import Scanned

_Rule = Callable[[StateInline, bool], bool]
_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fff\u3000-\u312f\u3130-\u319f\u31a0-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uffef\U00016fe0-\U00018cff\U0001aff0-\U0001b2ff\U0001f200-\U0001f2ff"
    "\U00020000-\U0003ffff]"
)
_VARIATIONS = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"  # they choose the shape of the character before


def use(markdown: MarkdownIt) -> None:
    markdown.inline.ruler.at("emphasis", _beside_cjk(emphasis.tokenize, "*_"))
    markdown.inline.ruler.at("strikethrough", _beside_cjk(strikethrough.tokenize, "~"))


def _beside_cjk(rule: _Rule, markers: str) -> _Rule:
    def tokenize(state: StateInline, silent: bool) -> bool:
        if state.src[state.pos] not in markers:
            return False
        state.scanDelims = partial(_scan, state)  # type: ignore[method-assign]
        return rule(state, silent)

    return tokenize


def _scan(state: StateInline, start: int, can_split_word: bool) -> Scanned:
    scanned = StateInline.scanDelims(state, start, can_split_word)
    end = start + scanned.length
    before = _character_before(state.src, start)
    after = state.src[end] if end < state.posMax else " "
    is_cjk_before, is_cjk_after = (_CJK.match(one) is not None for one in (before, after))
    if not (is_cjk_before or is_cjk_after):
        return scanned
    is_mark_before, is_mark_after = _is_punctuation(before), _is_punctuation(after)
    is_foreign_before, is_foreign_after = is_mark_before and not is_cjk_before, is_mark_after and not is_cjk_after
    is_space_before, is_space_after = isWhiteSpace(ord(before)), isWhiteSpace(ord(after))
    begins = not is_space_after and (not is_foreign_after or is_space_before or is_foreign_before or is_cjk_before)
    ends = not is_space_before and (not is_foreign_before or is_space_after or is_foreign_after or is_cjk_after)
    return Scanned(
        begins and (can_split_word or not ends or is_mark_before),
        ends and (can_split_word or not begins or is_mark_after),
        scanned.length,
    )


def _character_before(text: str, start: int) -> str:
    if start > 1 and re.match(_VARIATIONS, text[start - 1]):
        return text[start - 2]
    return text[start - 1] if start else " "


def _is_punctuation(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)
