"""What hides in a text: characters that show nothing, and letters that pass for others. Free of I/O.

Scripts are told as Unicode's names of characters tell them; which mixtures are worth a mark follows the restriction
levels of UTS #39: East Asian scripts go together and with Latin, everything else in one word does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

# Characters that show nothing, or change how others show: Unicode's Default_Ignorable_Code_Point, and a blank Braille
# cell. Control, format, private, unassigned and separator characters are known by their category.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SUSPECT = re.compile(f"[^\\w\\s!-~]|[{_IGNORABLE}]|[^\\S\\n\\t ]")
_IS_IGNORABLE = re.compile(f"[{_IGNORABLE}]")
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_OF_EMOJI = frozenset({"So", "Sk", "Cn"})  # unassigned: Python's Unicode is older than some emoji
_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})

PILE = 5  # combining marks on one letter: no language needs as many
MANY = 1000  # marks in one text, from which on they stand in it as plain characters: browsers slow down otherwise

_EAST_ASIAN = frozenset({"Han", "Hiragana", "Katakana", "Bopomofo", "Hangul"})
_BY_NAME = {"CJK": "Han", "KANGXI": "Han", "IDEOGRAPHIC": "Han"}
_NO_SCRIPT = frozenset({"MODIFIER", "FEMININE", "MASCULINE", "MICRO", "OHM", "SQUARED", "CIRCLED", "PARENTHESIZED"})
_LIKE_LATIN = frozenset(
    "авгеёзікморпстухцуһѕіїјԁԛԝҽӏАВЕЁЅІЇЈКМНОРСТУХҮԚԜӀ"  # Cyrillic
    "αινορυχγκωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"  # Greek
    "ոսօցյհՏՍՕԼ"  # Armenian
) - set("вгзкмтц")  # only their capitals do


class Piece(NamedTuple):
    text: str
    is_odd: bool


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody wrote, whole, with what is odd in it spelled out, such as ⟨U+202E⟩."""

    pieces: tuple[Piece, ...]
    notes: tuple[str, ...] = ()  # what was found, a sentence each without a full stop
    hidden: int = 0

    def __str__(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    def __len__(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)


Found = tuple[int, int, str]  # start and end in the text, and what stands there instead


def visible(text: str) -> tuple[str, int]:
    """The text with its hidden characters written out, such as ⟨U+202E⟩, and how many there were.

    Newlines and tabs inside stay, spaces at either end do not: "a.pdf " and "a.pdf" are two files.
    """
    found = list(_hidden(text))
    return "".join(piece.text for piece in _pieces(text, found)), len(found)


def shown(text: str) -> str:
    """As `marked`, without telling what was found."""
    return str(marked(text))


def legible(text: str) -> str:
    """What somebody wrote to be read: emoji and letters that are joined by hidden characters stay as they are."""
    found = ((at, at + 1, _code(text[at])) for at in _controls(text))
    return "".join(piece.text for piece in _pieces(text, list(found)))


def named(text: str) -> str:
    """As `shown`, of the name of an agent, say, which may have emoji in it."""
    spared = {at for at, *_ in _hidden(text)} - set(_controls(text)) if not text.isascii() else set()
    return str(marked(text, spared=frozenset(at for at in spared if not text[at].isspace())))


def marked(text: str, *, is_name: bool = False, spared: frozenset[int] = frozenset()) -> Text:
    """`is_name`: what looks like one name, a host or a key, is taken for one word with all its dots and hyphens.

    `spared`: places of hidden characters that stay as they are.
    """
    found = [one for one in _hidden(text) if one[0] not in spared]
    hidden = len(found)
    notes = [f"{hidden} hidden character{_s(hidden)}, made visible here"] if hidden else []
    if not text.isascii():
        characters = set(text)
        combining = {one for one in characters if unicodedata.category(one).startswith("M")}
        piles = list(_piles(text, combining))
        if piles:
            notes.append(f"{len(piles)} pile{_s(len(piles))} of combining marks, made visible here")
        letters, more = _foreign(text, characters, combining, is_name)
        found += piles + letters
        notes += more
    return Text(_pieces(text, sorted(found)), tuple(notes), hidden)


def as_escapes(text: str) -> str:
    """JSON with its hidden characters as JSON escapes: what is read is what it says, and stays the same JSON."""

    def escaped(found: re.Match[str]) -> str:
        if not _hides(found[0]):
            return found[0]
        pair = found[0].encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{pair[at : at + 2].hex()}" for at in range(0, len(pair), 2))

    return _SUSPECT.sub(escaped, text)


@lru_cache(maxsize=4096)
def _hides(character: str) -> bool:
    return bool(_IS_IGNORABLE.match(character)) or unicodedata.category(character) in _HIDING


def _hidden(text: str) -> Iterator[Found]:
    """In order."""
    first = len(text) - len(text.lstrip(" "))
    last = max(len(text.rstrip(" ")), first)
    yield from ((at, at + 1, "⟨U+0020⟩") for at in range(first))
    for found in _SUSPECT.finditer(text, first, last):
        if _hides(found[0]):
            yield found.start(), found.end(), _code(found[0])
    yield from ((at, at + 1, "⟨U+0020⟩") for at in range(last, len(text)))


def _controls(text: str) -> Iterator[int]:
    """Places of characters that show nothing or change how others show, but for joined emoji, letters and new lines."""
    for found in _SUSPECT.finditer(text):
        character = found[0]
        is_hiding = bool(_IS_IGNORABLE.match(character)) or unicodedata.category(character) in _CONTROLS
        at = found.start()
        if is_hiding and not _is_joint(character, text[max(at - 1, 0) : at], text[at + 1 : at + 2]):
            yield at


def _is_joint(character: str, before: str, after: str) -> bool:
    """Whether it makes one emoji, one ligature or one end of a line with what stands around it."""
    kinds = [unicodedata.category(one) if one else "" for one in (before, after)]
    if character == "\ufe0f":
        return kinds[0] in ("So", "Sm") or (not before.isascii() and kinds[0][0] == "P") or after == "\u20e3"
    if character not in ("\u200c", "\u200d"):
        return character == "\r" and after == "\n"
    if before.isascii() or after.isascii():
        return False
    is_emoji = (kinds[0] in _OF_EMOJI or before == "\ufe0f") and kinds[1] in _OF_EMOJI
    return (is_emoji and character == "\u200d") or all(kind[:1] in ("L", "M") for kind in kinds)


def _piles(text: str, combining: set[str]) -> Iterator[Found]:
    if not combining:
        return
    for found in re.finditer(f"[{re.escape(''.join(combining))}]{{{PILE},}}", text):
        if not all(_hides(one) for one in found[0]):
            yield found.start(), found.end(), f"⟨{_codes(found[0])}⟩"


def _foreign(text: str, characters: set[str], combining: set[str], is_name: bool) -> tuple[list[Found], list[str]]:
    """Letters that pass for others, word by word, and what was found."""
    scripts = {one: script for one in characters if (script := script_of(one))}
    there = set(scripts.values())
    disguised = {one for one in characters if _is_disguised(one)}
    can_deceive = "Latin" in there or is_name
    pretending = {
        script
        for script in there - {"Latin"}
        if can_deceive and all(one in _LIKE_LATIN for one, its in scripts.items() if its == script)
    }
    if not disguised and not pretending and len(there - _EAST_ASIAN) < 2:
        return [], []
    judged: dict[str, tuple[set[str], list[str]]] = {}
    found: list[Found] = []
    kinds: Counter[str] = Counter()
    for one in re.finditer(r"\S+" if is_name else f"[\\w{re.escape(''.join(combining))}]+", text):
        word = one[0]
        if word.isascii():
            continue
        if word not in judged:
            judged[word] = _judged(word, scripts, disguised, pretending)
        odd, what = judged[word]
        if odd:
            kinds.update(what)
            found += _letters(one, odd)
    return found, [_counted(number, what) for what, number in kinds.items()]


def _judged(
    word: str, scripts: dict[str, str], disguised: set[str], pretending: set[str]
) -> tuple[set[str], list[str]]:
    """The letters that deserve a mark, and why."""
    odd, why = disguised & set(word), []
    if odd:
        why.append("has letters of a special shape that stand for plain ones")
    count = Counter(script for letter in word if (script := scripts.get(letter, "")) not in _EAST_ASIAN | {""})
    if len(count) > 1:
        foreign = {letter for letter in word if scripts.get(letter, "Latin") not in _EAST_ASIAN | {"Latin"}}
        usual = "Latin" if foreign <= _LIKE_LATIN else count.most_common(1)[0][0]
        odd |= {letter for letter in word if scripts.get(letter, usual) not in _EAST_ASIAN | {usual}}
        why.append(f"mixes {' and '.join(sorted(count, key=lambda script: (script != 'Latin', script)))} letters")
    elif pretending & count.keys():
        odd |= {letter for letter in word if letter in scripts}
        why.append(f"is written in {next(iter(count))} letters that look like Latin ones")
    return odd, why


def _letters(word: re.Match[str], odd: set[str]) -> Iterator[Found]:
    if odd:
        for run in re.finditer(f"[{re.escape(''.join(odd))}]+", word[0]):
            start = word.start() + run.start()
            yield start, start + len(run[0]), f"⟨{run[0]} {_codes(run[0])}⟩"


def _counted(number: int, what: str) -> str:
    """ "1 word mixes …", "2 words mix …"."""
    if number > 1:
        verb, _, rest = what.partition(" ")
        verb = {"has": "have", "is": "are", "mixes": "mix"}[verb]
        return f"{number} words {verb} {rest}"
    return f"1 word {what}"


@lru_cache(maxsize=4096)
def script_of(character: str) -> str:
    """Such as "Latin"; empty for what belongs to no script, or to all."""
    if not unicodedata.category(character).startswith("L") or _is_disguised(character):
        return ""
    words = unicodedata.name(character, "").split()
    if words and words[0] in ("HALFWIDTH", "FULLWIDTH"):
        words = words[1:]
    if not words or words[0] in _NO_SCRIPT:
        return ""
    return _BY_NAME.get(words[0], words[0].capitalize())


@lru_cache(maxsize=4096)
def _is_disguised(character: str) -> bool:
    """A letter or digit that is another one by compatibility: mathematical, full width, a ligature, the Kelvin sign."""
    if character.isascii() or character in "ªº" or unicodedata.category(character)[0] not in "LN":
        return False
    plain = unicodedata.normalize("NFKC", character)
    if unicodedata.category(character) == "No":  # ², ½, ①: they look like what they are
        return False
    return plain.isascii() and plain.isalnum()


def _pieces(text: str, found: list[Found]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    run: list[str] = []  # what is odd and stands together is one piece
    at = 0
    for start, end, spelled in found:
        if start > at:
            if run:
                pieces.append(Piece("".join(run), True))
                run = []
            pieces.append(Piece(text[at:start], False))
        run.append(spelled)
        at = end
    pieces += [Piece("".join(run), True), Piece(text[at:], False)]
    kept = tuple(piece for piece in pieces if piece.text)
    return kept if len(kept) <= 2 * MANY else (Piece("".join(piece.text for piece in kept), False),)


def _code(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"


def _codes(letters: str) -> str:
    return " ".join(f"U+{ord(one):04X}" for one in letters)


def _s(number: int) -> str:
    return "" if number == 1 else "s"
