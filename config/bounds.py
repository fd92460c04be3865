"""What a request may take before anybody looks at it: whoever has not signed in must cost little.

uvicorn's fast parser bounds neither the head of a request nor the time that it takes; Django reads a body whole first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 64 * 1024  # bytes of the request line and all headers
HEAD_WITHIN = 15.0  # seconds from its first byte
BODY_WITHIN = 120.0  # seconds from the end of the head
LARGEST_SOCKET_FRAME = 64 * 1024  # bytes: pages say little over a socket
READABLE = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"})
"""What a form may be written in: other codecs of Python's break Django in the middle of its error page."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose heads are bounded, in bytes and in time, and whose bodies are in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._within(HEAD_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        while data and not self.transport.is_closing():
            if not self._in_head:
                super().data_received(data)
                return
            if not self._head_size:
                self._within(HEAD_WITHIN)
            piece = data[: LARGEST_HEAD + 1 - self._head_size]  # a body may follow in the same packet
            data = data[len(piece) :]
            self._head_size += len(piece)
            super().data_received(piece)
            if self._in_head and self._head_size > LARGEST_HEAD:
                self._refuse(b"431 Request Header Fields Too Large", "The head of this request is too large.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._within(BODY_WITHIN)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_size = True, 0
        self._within(None)
        super().on_message_complete()

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        if self.transport.get_protocol() is self and not self.transport.is_closing():
            self._refuse(b"408 Request Timeout", "This request took too long to arrive.")

    def _refuse(self, status: bytes, sentence: str) -> None:
        body = sentence.encode()
        lines = (
            *(b"HTTP/1.1 " + status, b"content-type: text/plain; charset=utf-8"),
            *(b"content-length: %d" % len(body), b"connection: close", b"", body),
        )
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()
