"""The words of a text, to be found again: the same for what is searched and for what is asked.

A word is what stands between spaces and signs, without accents and capitals. Chinese, Japanese, Thai, Lao, Khmer,
Burmese and some others put no spaces between words: there each two characters that stand together are one, and so is
the last character by itself. Any part of such a text is then found by words, with an index, wherever it stands.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

LONGEST_WORD = 200  # characters; PostgreSQL takes no more than 2046 bytes

_WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f"  # Thai to Balinese
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua980-\ua9ff\uaa60-\uaadf\uf900-\ufaff\uff66-\uff9f"
    "\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)
_UNSEEN = "\u00ad\u200c-\u200f\u2060\ufeff"  # soft hyphens, joiners and the like: the word around them is one
_VOICED = "\uff9e\uff9f"  # half-width marks that change the character before

Term = tuple[str, ...]
"""Words that have to follow each other; of the last one its beginning is enough."""


class Word(NamedTuple):
    text: str
    start: int  # where it stands in the text as it was written
    end: int


class _Patterns(NamedTuple):
    run: re.Pattern[str]  # what stands together between spaces and signs
    part: re.Pattern[str]  # of a run, in one kind of script
    character: re.Pattern[str]  # with its marks


def words_of(text: str) -> Iterator[Word]:
    for run in _patterns().run.finditer(text):
        yield from _words_in(text, *run.span())


def terms_of(asked: str) -> list[Term]:
    """What stands together in what is asked stands together where it is found."""
    terms: list[Term] = []
    for run in _patterns().run.finditer(asked):
        words = list(_words_in(asked, *run.span()))
        if len(words) > 1 and words[-2].start < words[-1].start and words[-2].end == words[-1].end:
            words.pop()  # the last character by itself: there, others may follow it
        if words:
            terms.append(tuple(word.text for word in words))
    return terms


def places_of(term: Term, words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Where the term begins and ends in the text that the words are of."""
    *others, last = term
    for at in range(len(words) - len(others)):
        if words[at + len(others)].text.startswith(last) and all(
            words[at + number].text == text for number, text in enumerate(others)
        ):
            yield words[at].start, words[at + len(others)].end


def folded(text: str) -> str:
    """Without capitals, accents and the width of letters; marks that make another letter of one stay."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", re.sub(f"[\u0300-\u036f{_UNSEEN}]", "", plain))


def _words_in(text: str, start: int, end: int) -> Iterator[Word]:
    patterns = _patterns()
    for part in patterns.part.finditer(text, start, end):
        if part.lastgroup == "word":
            for word in patterns.run.findall(folded(part[0])):  # some characters are written out as several words
                yield Word(word[:LONGEST_WORD], *part.span())
            continue
        found = (Word(folded(one[0]), *one.span()) for one in patterns.character.finditer(text, *part.span()))
        characters = [one for one in found if one.text]
        for one, other in pairwise(characters):
            yield Word(one.text + other.text, one.start, other.end)
        yield from characters[-1:]


@lru_cache(maxsize=1)
def _patterns() -> _Patterns:
    """Made when they are needed first: which characters are marks is asked of each that there is."""
    marks = _class_of(code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M") + _UNSEEN
    return _Patterns(
        run=re.compile(rf"\w[\w{marks}]*"),
        part=re.compile(
            rf"(?P<together>(?:(?![_])[{_WITHOUT_SPACES}][{marks}]*)+)|(?P<word>(?:(?![_{_WITHOUT_SPACES}])\w[{marks}]*)+)"
        ),
        character=re.compile(rf"[^{marks}{_VOICED}][{marks}{_VOICED}]*|."),
    )


def _class_of(codes: Iterator[int]) -> str:
    """The characters as ranges of a regular expression."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)
