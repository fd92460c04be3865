"""Server-sent events out of bytes, free of I/O. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.errors import StreamMalformed

LARGEST_EVENT = 1024 * 1024  # bytes

_LINE = re.compile(rb"^(?:(?:data|event|id|retry)(?::|$)|:)", re.MULTILINE)
"""A comment, or a field that the standard knows."""


class ServerSentEvent(NamedTuple):
    event: str  # "message" where the stream names none
    data: bytes  # the data lines, joined by newlines; UTF-8 where the sender keeps to the standard


class Reader:
    """Feed it the bytes as they come, cut anywhere; it gives the events that are complete.

    CR, LF and CRLF end a line; comments, `id` and `retry` are passed over. Raises StreamMalformed for an event
    larger than `largest` bytes, and at the end of a body in which nothing was an event stream.
    """

    __slots__ = ("_after_cr", "_at_start", "_is_foreign", "_is_understood", "_largest", "_rest")

    def __init__(self, largest: int = LARGEST_EVENT) -> None:
        self._largest = largest
        self._rest = bytearray()  # never longer than an event may be, and what comes in one piece
        self._after_cr = False
        self._at_start = True
        self._is_foreign = False  # there was something, and none of it a line of an event stream
        self._is_understood = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        rest = self._rest
        unsearched = max(len(rest) - 1, 0)
        rest += self._with_newlines(chunk)
        if self._at_start and not self._skip_bom():
            return []
        end = rest.rfind(b"\n\n", 0 if unsearched < 3 else unsearched)
        events: list[ServerSentEvent] = []
        if end >= 0:
            blocks = bytes(rest[:end]).split(b"\n\n")
            del rest[: end + 2]
            if end > self._largest and max(map(len, blocks)) > self._largest:
                raise StreamMalformed(f"an event larger than {self._largest} bytes")
            events = self._events(blocks)
        if len(rest) > self._largest:
            raise StreamMalformed(f"an event larger than {self._largest} bytes")
        return events

    def close(self) -> list[ServerSentEvent]:
        """The last event, where the stream ended without the blank line after it."""
        events = self._events([bytes(self._rest)])
        self._rest.clear()
        if self._is_foreign and not self._is_understood:
            raise StreamMalformed("not an event stream")
        return events

    def _events(self, blocks: list[bytes]) -> list[ServerSentEvent]:
        events = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:  # nearly every frame there is
                events.append(ServerSentEvent("message", block[6:]))
            elif (event := _event(block)) is not None:
                events.append(event)
            elif block.strip(b"\n") and not self._is_understood:
                self._is_foreign = True
                self._is_understood = _LINE.search(block) is not None
        self._is_understood = self._is_understood or bool(events)
        return events

    def _with_newlines(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
        if b"\r" not in chunk:
            self._after_cr = self._after_cr and not chunk
            return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _skip_bom(self) -> bool:
        """True once it is known whether the stream begins with a byte order mark, which is then gone."""
        bom = b"\xef\xbb\xbf"
        if len(self._rest) < len(bom) and bom.startswith(self._rest):
            return False
        if self._rest.startswith(bom):
            del self._rest[: len(bom)]
        self._at_start = False
        return True


def _event(block: bytes) -> ServerSentEvent | None:
    name = "message"
    data: list[bytes] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace") or "message"
    return ServerSentEvent(name, b"\n".join(data)) if data else None
