"""Server-sent events out of bytes, free of I/O. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

from typing import NamedTuple

from gateway.errors import StreamMalformed

LARGEST_EVENT = 1024 * 1024  # bytes


class ServerSentEvent(NamedTuple):
    event: str  # "message" where the stream names none
    data: bytes  # the data lines, joined by newlines; UTF-8 where the sender keeps to the standard


class Reader:
    """Feed it the bytes as they come, cut anywhere; it gives the events that are complete.

    CR, LF and CRLF end a line; comments, `id` and `retry` are passed over. Raises StreamMalformed for an event
    larger than LARGEST_EVENT.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._searched = 0  # bytes of the rest known to hold no end of an event
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        rest = self._rest
        rest += self._with_newlines(chunk)
        if self._at_start and not self._skip_bom():
            return []
        events = []
        start = 0
        while (end := rest.find(b"\n\n", max(start, self._searched))) >= 0:
            if end - start > LARGEST_EVENT:
                raise StreamMalformed("an event larger than 1 MiB")
            if (event := _event(bytes(rest[start:end]))) is not None:
                events.append(event)
            start = end + 2
        del rest[:start]
        if len(rest) > LARGEST_EVENT:
            raise StreamMalformed("an event larger than 1 MiB")
        self._searched = max(len(rest) - 1, 0)
        return events

    def close(self) -> list[ServerSentEvent]:
        """The last event, where the stream ended without the blank line after it."""
        event = _event(bytes(self._rest))
        self._rest.clear()
        return [event] if event is not None else []

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
    if block.startswith(b"data: ") and b"\n" not in block:  # nearly every frame there is
        return ServerSentEvent("message", block[6:])
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
