"""A page that shows an answer and follows it, put together as static/agents/follow.js does it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, NamedTuple

VOID = {"br", "hr", "input", "img", "wbr"}


class Element(NamedTuple):
    """One that stands in `data-parts`."""

    key: str  # its `data-step`
    below: str  # its `data-below`
    html: str


class Page:
    def __init__(self, fragments: str = "", tail: str = "") -> None:
        self.elements = elements_of(fragments)
        self.tail = tail
        self._sink()

    def hear(self, event: str, data: Any) -> None:
        match event:
            case "text":
                self.tail += data["delta"]
            case "block":
                self._put_before_tail(elements_of(data["html"]))
                self.tail = data["tail"]
            case "step":
                self._place(data["key"], elements_of(data["html"]))
            case "snapshot":
                self.elements = elements_of(data["html"])
                self.tail = data["tail"]
                self._sink()

    @property
    def html(self) -> str:
        above = "".join(element.html for element in self.elements if not element.below)
        below = "".join(element.html for element in self.elements if element.below)
        return above + html.escape(self.tail) + below

    def _sink(self) -> None:
        self.elements.sort(key=lambda element: bool(element.below))

    def _put_before_tail(self, fresh: list[Element]) -> None:
        end = sum(not element.below for element in self.elements)
        self.elements[end:end] = fresh

    def _place(self, key: str, fresh: list[Element]) -> None:
        for at, element in enumerate(self.elements):
            if element.key == key:
                self.elements[at : at + 1] = fresh
                return
        if not fresh or not fresh[0].below:
            self._put_before_tail(fresh)
            return
        later = [at for at, element in enumerate(self.elements) if element.below > fresh[0].below]
        at = later[0] if later else len(self.elements)
        self.elements[at:at] = fresh


class _Top(HTMLParser):
    """Where the outermost elements begin and end."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[Element] = []
        self._source = source
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self._depth = 0
        self._begun: tuple[int, dict[str, str | None]] = (0, {})
        self.feed(source)
        self.close()
        assert self._depth == 0, source

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        if self._depth == 0:
            self._begun = self._at, dict(attrs)
        self._depth += 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        self._depth -= 1
        if self._depth == 0:
            start, attributes = self._begun
            end = self._source.index(">", self._at) + 1
            told = (attributes.get("data-step") or "", attributes.get("data-below") or "")
            self.found.append(Element(*told, self._source[start:end]))

    @property
    def _at(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def elements_of(fragments: str) -> list[Element]:
    return _Top(fragments).found


def frames(told: bytes) -> Iterator[tuple[int, str, Any]]:
    """(number, name, data) of what a run log holds."""
    for frame in told.decode().strip().split("\n\n"):
        if found := re.match(r"id: (\d+)\nevent: (\w+)\ndata: (.*)", frame, re.S):
            yield int(found[1]), found[2], json.loads(found[3])
