"""What an agent thinks aloud in its text, between `<think>` or `<thinking>` and its end, told from what it says.

An opening tag counts where it stands alone in front of its line or behind it, or where it is closed on that line soon
after. One in code, or mentioned in a sentence, is text. Without an end all that follows is thought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

SOON = 2000  # characters
_ASCII = re.IGNORECASE | re.ASCII
_OPENS = re.compile(r"<(think|thinking)>", _ASCII)
_CLOSES = {tag: re.compile(f"</{tag}>", _ASCII) for tag in ("think", "thinking")}
_BEGINNINGS = {  # of a tag that the end of a text may hold
    "": re.compile(r"<(?:t(?:h(?:i(?:n(?:k(?:i(?:ng?)?)?)?)?)?)?)?\Z", _ASCII),
    "think": re.compile(r"<(?:/(?:t(?:h(?:i(?:n(?:k)?)?)?)?)?)?\Z", _ASCII),
    "thinking": re.compile(r"<(?:/(?:t(?:h(?:i(?:n(?:k(?:i(?:n(?:g)?)?)?)?)?)?)?)?)?\Z", _ASCII),
}
_ALONE = re.compile(r"[ \t]*\n")
_FENCE = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
_HEAD = 6  # characters of a line that tell whether it begins a code block


class Segment(NamedTuple):
    is_thought: bool
    text: str


class Thoughts:
    """Tells one from the other while the text is being written, in whatever pieces it comes."""

    def __init__(self, tag: str = "") -> None:
        """`tag`: the text goes on inside a thought that began with it."""
        self.tag = tag  # of the thought that we are in
        self.held = ""  # what cannot be told yet, such as the beginning of a tag
        self._line: list[str] = []  # what was told of the line that we are in
        self._ticks = 0  # in that line
        self._is_blank = True  # that line, so far
        self._fence = ""  # of the code block that we are in

    def take(self, delta: str) -> list[Segment]:
        text, self.held = self.held + delta, ""
        segments: list[Segment] = []
        at = 0
        while at < len(text):
            is_thought = bool(self.tag)
            told, at = self._thought(text, at) if is_thought else self._said(text, at)
            if told:
                segments.append(Segment(is_thought, told))
        return list(_joined(segments))

    def finish(self) -> list[Segment]:
        """What was held back, too: nothing more comes."""
        rest, self.held = self.held, ""
        return [Segment(bool(self.tag), rest)] if rest else []

    def _thought(self, text: str, at: int) -> tuple[str, int]:
        closing = _CLOSES[self.tag].search(text, at)
        if closing:
            self.tag = ""
            self._begin_line()
            return text[at : closing.start()], closing.end()
        return self._without_beginning(text[at:]), len(text)

    def _said(self, text: str, at: int) -> tuple[str, int]:
        """Up to a tag, or to the end of a line."""
        end = text.find("\n", at) + 1 or len(text)
        tag = None if self._fence else _OPENS.search(text, at, end)
        if tag is None:
            is_open_line = text[end - 1] != "\n" and not self._fence
            return self._tell(self._without_beginning(text[at:end]) if is_open_line else text[at:end]), end
        before = text[at : tag.start()]
        if self._may_open(before):
            closing = _CLOSES[tag[1].lower()].search(text, tag.end(), min(end, tag.end() + SOON))
            if closing or _ALONE.match(text, tag.end()) or self._is_first(before):
                self.tag = tag[1].lower()
                return before, tag.end()
            if text[end - 1] != "\n" and end - tag.end() < SOON:  # it may be closed on this line yet
                self.held = text[tag.start() :]
                return self._tell(before), end
        return self._tell(text[at : tag.end()]), tag.end()

    def _without_beginning(self, text: str) -> str:
        begun = _BEGINNINGS[self.tag].search(text, max(0, len(text) - len("</thinking>")))
        self.held = begun[0] if begun else ""
        return text[: begun.start()] if begun else text

    def _may_open(self, before: str) -> bool:
        """Whether a tag after this stands outside of code."""
        head = ("".join(self._line[:_HEAD]) + before)[:_HEAD]
        is_code = (self._ticks + before.count("`")) % 2 == 1 or head.startswith("    ") or _FENCE.match(head)
        return not is_code and not (before or "".join(self._line[-1:])).endswith("\\")

    def _is_first(self, before: str) -> bool:
        return self._is_blank and not before.strip()

    def _tell(self, text: str) -> str:
        if text:
            self._ticks += text.count("`")
            self._is_blank = self._is_blank and not text.strip()
            self._line.append(text)
        if text.endswith("\n"):
            self._look_for_fence("".join(self._line))
            self._begin_line()
        return text

    def _look_for_fence(self, line: str) -> None:
        fence = _FENCE.match(line)
        if not self._fence:
            self._fence = fence[1] if fence else ""
        elif fence and fence[1].startswith(self._fence) and not line[fence.end() :].strip():
            self._fence = ""

    def _begin_line(self) -> None:
        self._line.clear()
        self._ticks = 0
        self._is_blank = True


def split(text: str, tag: str = "") -> list[Segment]:
    """A whole text."""
    if not tag and not _OPENS.search(text):
        return [Segment(False, text)]
    thoughts = Thoughts(tag)
    return list(_joined([*thoughts.take(text), *thoughts.finish()]))


def _joined(segments: list[Segment]) -> Iterator[Segment]:
    for is_thought, some in groupby(segments, key=lambda segment: segment.is_thought):
        yield Segment(is_thought, "".join(segment.text for segment in some))
