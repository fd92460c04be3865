"""What a connection may take before anybody looks at it: whoever has not signed in must cost little.

uvicorn's fast parser bounds neither the head of a request nor the time that it takes, nor how many are connected; and
it waits for ever for somebody who does not read.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from accounts.addresses import is_proxy
from config.crowd import SPARE, crowd

LARGEST_HEAD = 64 * 1024  # bytes of the request line and all headers
MOST_HEADERS = 200
HEAD_WITHIN = 15.0  # seconds from its first byte
BODY_WITHIN = 120.0  # seconds from the end of the head
BODY_STEP, SLOWEST_BODY = 15.0, 512  # seconds between two looks at a body; bytes a second that have to have come
LARGEST_AROUND = 64 * 1024  # bytes of chunk heads and trailers, beside one for each byte of a body
SMALL_CHUNKS = 1024**2  # bytes of a body that may come one by one: each has a head of five bytes then
MOST_PIPELINED = 16  # requests that are sent before the answer to the first one; browsers send none
MOST_DISCARDED = 16 * 1024**2  # bytes of a body that come after the answer
STALLED = 20.0  # seconds in which somebody reads nothing of what is written
REFUSED_WITHIN = 2.0  # seconds that somebody gets who is only told that there is no room
LARGEST_SOCKET_FRAME = 64 * 1024  # bytes: pages say little over a socket
LARGEST_SAID = 256 * 1024  # bytes that a browser says over one socket: days of pongs, and then it comes back
PING_EVERY, PONG_WITHIN = 15.0, 10.0  # seconds: a socket whose browser is gone is closed

Refused = tuple[bytes, str]
UNREADABLE: Refused = (b"400 Bad Request", "This is no request that Portico can read.")
HEAD_TOO_LARGE: Refused = (b"431 Request Header Fields Too Large", "The head of this request is too large.")
TOO_SLOW: Refused = (b"408 Request Timeout", "This request took too long to arrive.")
CROWDED: Refused = (
    b"503 Service Unavailable",
    "Too many are connected to Portico right now. Nothing was sent. Try again in a moment.",
)

# What anybody can cause is no news. Not below uvicorn's own name: it sets the levels there when it starts.
connection_log = logging.getLogger("portico.connections")
connection_log.setLevel(logging.ERROR)
OF_REFUSED = {"ASGI callable returned without completing handshake.", "Invalid UTF-8 sequence received from client."}
"""What uvicorn logs as errors of ours: a socket that was refused in an answer, or that said what is no text."""
socket_log = logging.getLogger("portico.sockets")
socket_log.setLevel(logging.ERROR)
socket_log.addFilter(lambda record: record.msg not in OF_REFUSED)

_refused: set[object] = set()


class Reader:
    """Whoever is at the other end of a connection, and has to read what is written."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _stalled: asyncio.TimerHandle | None = None

    def _watch_reader(self, *, is_stuck: bool) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if is_stuck:
            self._stalled = self.loop.call_later(STALLED, self.transport.abort)


class BoundedProtocol(Reader, HttpToolsProtocol):
    """HTTP/1.1 whose heads are bounded in bytes and in time, bodies in time, and whose readers have to read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = connection_log
        self._crowd = crowd
        self._address: str | None = None  # that this counts for; none: it does not count, or not any more
        self._in_head = True
        self._head_size = self._header_count = 0
        self._arrived = self._body_size = self._seen = 0  # bytes since the head; of the body; at the last look
        self._discarded = 0
        self._body_until = 0.0
        self._refusal = UNREADABLE
        self._deadline: asyncio.TimerHandle | None = None

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if is_proxy(address):
            address = ""  # of many people: their own addresses are counted with their requests
        if self._crowd.enter(address):
            self._address = address
            self._crowd.wait(self, address)
            self._within(HEAD_WITHIN, self._too_slow)
        elif len(_refused) < SPARE:
            _refused.add(self)
            self._within(REFUSED_WITHIN, self._turn_away)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        self._watch_reader(is_stuck=False)
        _refused.discard(self)
        if self._address is not None:
            self._crowd.go_on(self, self._address)
            self._crowd.leave(self._address)
        super().connection_lost(exc)

    def make_room(self) -> None:
        """For somebody else, since nothing comes from this one."""
        if self._head_size or not self._in_head:
            self._refuse(CROWDED)
        self.transport.abort() if self.transport.get_write_buffer_size() else self.transport.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._address is not None:
            self._crowd.go_on(self, self._address)
            self._crowd.leave(self._address)
            self._address = None

    def handle_websocket_upgrade(self) -> None:
        if self in _refused:
            self._turn_away()
            return
        self._within(None)
        self._unset_keepalive_if_required()
        super().handle_websocket_upgrade()
        socket = self.transport.get_protocol()
        assert isinstance(socket, BoundedSocket)
        if self._address is not None:
            self._crowd.go_on(self, self._address)
            socket.address, self._address = self._address, None
        if not socket.handshake_initiated:  # with its whole head: nobody will ever answer it
            self._refuse(UNREADABLE)

    # What comes

    def data_received(self, data: bytes) -> None:
        while data and not self.transport.is_closing() and self.transport.get_protocol() is self:
            if not self._in_head:
                self._arrived += len(data)
                super().data_received(data)
                around = self._arrived - self._body_size
                if around > LARGEST_AROUND + self._body_size + 7 * min(self._body_size, SMALL_CHUNKS):
                    self._refuse(UNREADABLE)
                return
            if not self._head_size and self not in _refused:
                self._within(HEAD_WITHIN, self._too_slow)
            piece = data[: LARGEST_HEAD + 1 - self._head_size]  # a body may follow in the same packet
            data = data[len(piece) :]
            self._head_size += len(piece)
            super().data_received(piece)
            if self._in_head and self._head_size > LARGEST_HEAD:
                self._refuse(HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._header_count = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        if self._header_count > MOST_HEADERS:  # trailers, too
            self._refusal = HEAD_TOO_LARGE
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()
        self._in_head = False
        self._arrived = self._body_size = self._seen = self._discarded = 0
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests at once")
        if self in _refused:
            self.app = _crowded
        else:
            self._body_until = self.loop.time() + BODY_WITHIN
            self._within(BODY_STEP, self._look_at_body)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > MOST_DISCARDED:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._head_size = True, 0
        self._within(None)
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:  # it was answered before all of it came
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif self._address is not None:
            self._crowd.go_on(self, self._address)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._end()
        elif not self.pipeline and self._address is not None:
            self._crowd.wait(self, self._address)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._end()

    def _look_at_body(self) -> None:
        """A body has to come at some speed, unless it is us who do not read it."""
        came = self._arrived - self._seen
        if self.loop.time() > self._body_until or (came < BODY_STEP * SLOWEST_BODY and not self.flow.read_paused):
            self._too_slow()
            return
        self._seen = self._arrived
        self._within(BODY_STEP, self._look_at_body)

    # What is written

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader(is_stuck=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_reader(is_stuck=False)

    def _end(self) -> None:
        """What is closed waits until all was read: not for ever."""
        if self.transport.get_write_buffer_size():
            self._watch_reader(is_stuck=True)

    # Refusing

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal)

    def _within(self, seconds: float | None, otherwise: Any = None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, otherwise)

    def _too_slow(self) -> None:
        if self.transport.get_protocol() is self:
            self._refuse(TOO_SLOW)

    def _turn_away(self) -> None:
        self._refuse(CROWDED)

    def _refuse(self, refusal: Refused) -> None:
        if self.transport.is_closing():
            return
        status, sentence = refusal
        body = sentence.encode()
        lines = (
            *(b"HTTP/1.1 " + status, b"content-type: text/plain; charset=utf-8", b"cache-control: no-store"),
            *(b"content-length: %d" % len(body), b"connection: close", b"", body),
        )
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(b"\r\n".join(lines))
        self.transport.close()
        self._end()


class BoundedSocket(Reader, WebSocketsSansIOProtocol):
    """A WebSocket over which a browser says little, and reads what it is told."""

    address: str | None = None  # that this counts for
    _said = 0  # bytes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = socket_log

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch_reader(is_stuck=False)
        if self.address is not None:
            crowd.leave(self.address)
            self.address = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._said += len(data)
        if self._said > LARGEST_SAID:
            self.transport.abort()
        else:
            super().data_received(data)

    def pause_writing(self) -> None:
        """Pings are answered as they come: nobody is listened to who does not read the answers."""
        super().pause_writing()
        self.transport.pause_reading()
        self._watch_reader(is_stuck=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_reader(is_stuck=False)
        if not self.read_paused:
            self.transport.resume_reading()


async def _crowded(scope: Any, receive: Any, send: Any) -> None:
    from config.sharing import crowded  # noqa: PLC0415

    await crowded(scope, receive, send)
