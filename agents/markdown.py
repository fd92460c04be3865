"""Markdown to HTML that is safe to show: rendered and sanitised here, whatever an agent wrote."""

from __future__ import annotations

import re
import time

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

# No `img`: a picture from elsewhere would tell its host who reads. `![text](address)` becomes a link.
TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code"),
    *("ul", "ol", "li", "strong", "em", "s", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "code": {"class"}, "th": {"align"}, "td": {"align"}}
PARSING_SHARE = 20  # the time parsing took, times this, has to pass before the next parse: 5 %

_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


def render(text: str) -> str:
    """The whole text as HTML."""
    return _clean(_markdown.render(text))


def _clean(html: str) -> str:
    """Only the tags above. Columns are aligned without inline styles; what may be wide scrolls, by keyboard too."""
    aligned = re.sub(r' style="text-align:(left|right|center)"', r' align="\1"', html)
    return (
        _cleaner.clean(aligned)
        .replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>')
        .replace("</table>", "</table></div>")
        .replace("<pre>", '<pre tabindex="0">')
    )


class Blocks:
    """A text that is still being written, cut into finished blocks and the tail after them."""

    def __init__(self) -> None:
        self.tail = ""
        self._parse_again_at = 0.0  # seconds of the monotonic clock

    def add(self, delta: str) -> str:
        """Take more text. Returns the HTML of the blocks that it finished; empty for none.

        Only complete lines are parsed, only when one was completed, and at most 5 % of the time: one long list
        would be quadratic otherwise.
        """
        self.tail += delta
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
        html = render(self.tail) if self.tail.strip() else ""
        self.tail = ""
        return html

    def _cut(self) -> str:
        """Render what lies before the last top-level block, which may still grow."""
        complete = self.tail.rfind("\n") + 1
        environment: dict[str, object] = {}
        tokens = _markdown.parse(self.tail[:complete], environment)
        starts = [index for index, token in enumerate(tokens) if token.level == 0 and token.nesting >= 0]
        if len(starts) < 2:
            return ""
        last = starts[-1]
        finished: list[Token] = tokens[:last]
        begins = tokens[last].map
        if begins is None:
            return ""
        self.tail = self.tail[_offset_of_line(self.tail, begins[0]) :]
        return _clean(_markdown.renderer.render(finished, _markdown.options, environment))


def _offset_of_line(text: str, line: int) -> int:
    offset = 0
    for _ in range(line):
        offset = text.index("\n", offset) + 1
    return offset
