"""Markdown to HTML that is safe to show: rendered and sanitised here, whatever an agent wrote."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import NamedTuple

import nh3
from django.utils.html import escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from agents import syntax
from agents.syntax.environment import GROWS, SPANS
from agents.syntax.footnotes import NOTE

# No `img`: a picture from elsewhere would tell its host who reads. It becomes a link that names its host.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "div", "details", "summary"),
    *("ul", "ol", "li", "strong", "em", "s", "a", "span", "table", "thead", "tbody", "tr", "th", "td"),
    *("sub", "sup", "kbd"),
}
ATTRIBUTES = {
    **{"a": {"href", "title"}, "code": {"class"}, "details": {"open"}, "div": {"id"}, "li": {"value"}},
    **{"ol": {"start"}, "span": {"aria-label", "role"}, "td": {"align"}, "th": {"align"}},
}
CLASSES = {
    **{"a": {"picture"}, "div": {"note"}, "li": {"task"}, "p": {"formula", "info", "said"}},
    "span": {"box", "formula", "leads", *filter(None, STANDARD_TYPES.values())},
}
PARSING_SHARE = 20  # the time parsing took, times this, has to pass before the next parse: 5 %
LONGEST = 250_000  # characters of a text that are laid out: half a second. What follows is shown as it was written
AT_ONCE = 50_000  # characters that are parsed in one go while others wait, and more only where one block is longer
LONGEST_COLOURED = 20_000  # characters of a code block; a lexer may be slow, and nobody reads more for its colours

_LINE_END = re.compile(r"\r\n?|\n")  # as the parser takes them

COPY_CODE = '<button type="button" class="copy" data-copy-code>Copy code</button>'  # seen where scripts run

_colours = HtmlFormatter(nowrap=True)


def _coloured(code: str, language: str, _: str) -> str:
    """The code with its words in classes, when the writer named a language that is known; else nothing."""
    if not language or len(code) > LONGEST_COLOURED:
        return ""
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return ""
    html = str(highlight(code, lexer, _colours))
    return html if unescape(re.sub(r"<[^>]*>", "", html)) == code else ""  # a lexer may leave something out


def _note(address: str) -> str | None:
    """Of addresses that are not whole, those of footnotes alone are kept."""
    return address if address.startswith("#") and NOTE.fullmatch(address[1:]) else None


_markdown = syntax.parser(highlight=_coloured)
_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    allowed_classes=CLASSES,
    url_schemes={"http", "https", "mailto"},
    url_relative=_note,
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},  # the conversation stays where it is
)


def render(text: str) -> str:
    """The whole text as HTML."""
    if len(text) <= LONGEST:
        return _rendered(text, {})
    end = text.rfind("\n\n", 0, LONGEST) + 1 or LONGEST
    return _rendered(text[:end], {}) + _as_written(text[end:])


def _rendered(text: str, environment: dict[str, object]) -> str:
    return _clean(_markdown.render(_whole_characters(text), environment))


def _whole_characters(text: str) -> str:
    """Half of a surrogate pair, which JSON can spell, is no character: nothing can encode it."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _as_written(text: str) -> str:
    return f'<p class="said">{escape(_whole_characters(text))}</p>' if text.strip() else ""


def _clean(html: str) -> str:
    """Only the tags above. Columns are aligned without inline styles; what may be wide scrolls, by keyboard too."""
    aligned = re.sub(r' style="text-align:(left|right|center)"', r' align="\1"', html)
    cleaned = re.sub(r'(<a href="#note-[0-9a-f]+") [^>]*>', r"\1>", _cleaner.clean(aligned))  # no window of its own
    return (
        cleaned.replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
        .replace("</table>", "</table></div>")
        .replace("<pre>", '<div class="code"><pre tabindex="0">')
        .replace("</pre>", f"</pre>{COPY_CODE}</div>")
    )


class Ending(NamedTuple):
    rest: str  # the HTML of what no block was made of yet
    whole: str  # of all, where it is not the same as the blocks and the rest together; else empty


class Blocks:
    """A text that is still being written, cut into finished blocks and the tail after them."""

    def __init__(self) -> None:
        self._pieces = [""]  # of the tail, joined when somebody asks: to add to a long text is to copy it
        self._length = 0  # of the tail
        self._finished = 0  # characters before it
        self._at_once = AT_ONCE
        self._parse_again_at = 0.0  # seconds of the monotonic clock
        self._cut_text: list[str] = []  # of the finished blocks
        self._cut_html: list[str] = []
        self._spans = False  # a footnote, say, was written: references to it that came before are shown otherwise now

    @property
    def tail(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def add(self, delta: str) -> str:
        """Take more text. Returns the HTML of the blocks that it finished; empty for none.

        Only complete lines are parsed, only when one was completed, and at most 5 % of the time: one long list
        would be quadratic otherwise. What comes too fast for that, and is too long in the end, is not laid out.
        """
        self._pieces.append(delta)
        self._length += len(delta)
        if self._finished + self._length > LONGEST:
            return self._cut_as_written() if self._length > AT_ONCE else ""
        if "\n" not in delta:
            return ""
        started = time.monotonic()
        if started < self._parse_again_at:
            return ""
        html = self._cut()
        ended = time.monotonic()
        self._parse_again_at = ended + PARSING_SHARE * (ended - started)
        return html

    def finish(self, tail: str | None = None) -> Ending:
        """Nothing more comes. `tail`: what it is, where it was written elsewhere."""
        tail = self.tail if tail is None else tail
        environment: dict[str, object] = {}
        is_short = self._finished + len(tail) <= LONGEST
        rest = "" if not tail.strip() else _rendered(tail, environment) if is_short else _as_written(tail)
        self._spans = self._spans or SPANS in environment
        whole = self.divide(tail, rest)
        self._begin_tail("")
        self._finished = 0
        return Ending(rest, whole)

    def divide(self, tail: str = "", rest: str = "") -> str:
        """The blocks so far are a text of their own. Returns its HTML where theirs is not the same together."""
        text, html = "".join(self._cut_text) + tail, "".join(self._cut_html) + rest
        is_right = not self._cut_html or not self._spans or len(text) > LONGEST
        whole = html if is_right else _rendered(text, {})
        self._cut_text.clear()
        self._cut_html.clear()
        self._spans = False
        return whole if whole != html else ""

    def _begin_tail(self, text: str) -> None:
        self._pieces = [text]
        self._length = len(text)

    def _cut(self) -> str:
        """Render what lies before the last top-level block, which may still grow."""
        tail = self.tail
        complete = tail.rfind("\n", 0, self._at_once) + 1
        environment: dict[str, object] = {GROWS: True}
        tokens = _markdown.parse(_whole_characters(tail[:complete]), environment)
        self._spans = self._spans or SPANS in environment
        starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
        begins = tokens[starts[-1]].map if len(starts) > 1 else None
        if begins is None:
            if len(tail) > self._at_once:
                self._at_once *= 2
            return ""
        self._at_once = AT_ONCE
        self._cut_at(_offset_of_line(tail, begins[0]))
        html = _clean(_markdown.renderer.render(tokens[: starts[-1]], _markdown.options, environment))
        self._cut_html.append(html)
        return html

    def _cut_as_written(self) -> str:
        """Up to the last end of a line."""
        tail = self.tail
        end = tail.rfind("\n") + 1 or len(tail)
        self._cut_at(end)
        self._cut_text.clear()  # too long to be laid out anew
        self._cut_html.clear()
        return _as_written(tail[:end])

    def _cut_at(self, offset: int) -> None:
        self._cut_text.append(self.tail[:offset])
        self._begin_tail(self.tail[offset:])
        self._finished += offset


def _offset_of_line(text: str, line: int) -> int:
    ends = _LINE_END.finditer(text)
    return max((next(ends).end() for _ in range(line)), default=0)
