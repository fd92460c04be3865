"""Markdown to HTML that is safe to show: rendered and sanitised here, whatever an agent wrote."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import nh3
from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

# No `img`: a picture from elsewhere would tell its host who reads. It becomes a link that names its host.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code"),
    *("ul", "ol", "li", "strong", "em", "s", "a", "span", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "th": {"align"}, "td": {"align"}, "code": {"class"}}
CLASSES = {"a": {"picture"}, "span": {"leads", *filter(None, STANDARD_TYPES.values())}}
PARSING_SHARE = 20  # the time parsing took, times this, has to pass before the next parse: 5 %
LONGEST = 250_000  # characters of a text that are laid out: half a second. What follows is shown as it was written
AT_ONCE = 50_000  # characters that are parsed in one go while others wait, and more only where one block is longer
LONGEST_COLOURED = 20_000  # characters of a code block; a lexer may be slow, and nobody reads more for its colours

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
    return str(highlight(code, lexer, _colours))


def _tell_where_links_lead(state: StateCore) -> None:
    """Only whole addresses are links. Each names its host, unless its text is the address; a picture is a link too."""
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = _told(block.children)


def _told(children: Sequence[Token]) -> list[Token]:
    told: list[Token] = []
    opened = False  # whether the link that we are in is kept
    address = text = ""
    for token in children:
        match token.type:
            case "link_open":
                address = str(token.attrs.get("href", ""))
                opened, text = bool(_host(address)), ""
                if opened:
                    token.attrs["title"] = address  # never what the writer would have it say
                    told.append(token)
            case "link_close":
                if opened:
                    if text not in (address, address.partition("://")[2]) or "@" in address.partition("://")[2]:
                        told.append(Token("host", "span", 0, content=_host(address)))
                    told.append(token)
                opened = False
            case "image":
                text += token.content
                told.append(_picture(token, inside=opened))
            case _:
                text += token.content
                told.append(token)
    return told


def _picture(token: Token, *, inside: bool) -> Token:
    """A link to the picture; where there is a link around it, or no host to name, its words alone."""
    address = str(token.attrs.get("src", ""))
    if inside or not _host(address) or address.startswith("mailto:"):
        return Token("text", "", 0, content=token.content or "picture")
    return Token("picture", "a", 0, content=token.content, attrs={"href": address})


def _host(address: str) -> str:
    """Where an address leads, in ASCII: letters of other alphabets could pass for another host. Empty for nowhere."""
    try:
        parts: SplitResult = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme == "mailto":
            return parts.path
        ascii_host = host.encode("idna").decode() if parts.scheme in ("http", "https") else ""
        return ascii_host if re.fullmatch(r"[a-z0-9._:-]+", ascii_host) else ""
    except ValueError:
        return ""


def _show_host(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    return f' <span class="leads">({nh3.clean_text(tokens[index].content)})</span>'


def _show_picture(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: Any) -> str:
    address = str(tokens[index].attrs["href"])
    words = f": {nh3.clean_text(tokens[index].content)}" if tokens[index].content else ""
    return (
        f'<a class="picture" href="{nh3.clean_text(address)}" title="{nh3.clean_text(address)}">'
        f"Show image from {nh3.clean_text(_host(address))}{words}</a>"
    )


_markdown = MarkdownIt("commonmark", {"html": False, "highlight": _coloured}).enable(["table", "strikethrough"])
_markdown.core.ruler.push("hosts", _tell_where_links_lead)
_markdown.add_render_rule("host", _show_host)
_markdown.add_render_rule("picture", _show_picture)
_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    allowed_classes=CLASSES,
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},  # the conversation stays where it is
)


def render(text: str) -> str:
    """The whole text as HTML."""
    if len(text) <= LONGEST:
        return _clean(_markdown.render(text))
    end = text.rfind("\n\n", 0, LONGEST) + 1 or LONGEST
    return _clean(_markdown.render(text[:end])) + _as_written(text[end:])


def _as_written(text: str) -> str:
    return f'<p class="said">{escape(text)}</p>' if text.strip() else ""


def _clean(html: str) -> str:
    """Only the tags above. Columns are aligned without inline styles; what may be wide scrolls, by keyboard too."""
    aligned = re.sub(r' style="text-align:(left|right|center)"', r' align="\1"', html)
    return (
        _cleaner.clean(aligned)
        .replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
        .replace("</table>", "</table></div>")
        .replace("<pre>", '<div class="code"><pre tabindex="0">')
        .replace("</pre>", f"</pre>{COPY_CODE}</div>")
    )


class Blocks:
    """A text that is still being written, cut into finished blocks and the tail after them."""

    def __init__(self) -> None:
        self._pieces = [""]  # of the tail, joined when somebody asks: to add to a long text is to copy it
        self._length = 0  # of the tail
        self._finished = 0  # characters before it
        self._at_once = AT_ONCE
        self._parse_again_at = 0.0  # seconds of the monotonic clock

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

    def finish(self) -> str:
        """The HTML of all that is left."""
        tail = self.tail
        is_short = self._finished + len(tail) <= LONGEST
        self._begin_tail("")
        self._finished = 0
        if not tail.strip():
            return ""
        return render(tail) if is_short else _as_written(tail)

    def _begin_tail(self, text: str) -> None:
        self._pieces = [text]
        self._length = len(text)

    def _cut(self) -> str:
        """Render what lies before the last top-level block, which may still grow."""
        tail = self.tail
        complete = tail.rfind("\n", 0, self._at_once) + 1
        environment: dict[str, object] = {}
        tokens = _markdown.parse(tail[:complete], environment)
        starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
        begins = tokens[starts[-1]].map if len(starts) > 1 else None
        if begins is None:
            if len(tail) > self._at_once:
                self._at_once *= 2
            return ""
        self._at_once = AT_ONCE
        self._cut_at(_offset_of_line(tail, begins[0]))
        return _clean(_markdown.renderer.render(tokens[: starts[-1]], _markdown.options, environment))

    def _cut_as_written(self) -> str:
        """Up to the last end of a line."""
        tail = self.tail
        end = tail.rfind("\n") + 1 or len(tail)
        self._cut_at(end)
        return _as_written(tail[:end])

    def _cut_at(self, offset: int) -> None:
        self._begin_tail(self.tail[offset:])
        self._finished += offset


def _offset_of_line(text: str, line: int) -> int:
    offset = 0
    for _ in range(line):
        offset = text.index("\n", offset) + 1
    return offset
