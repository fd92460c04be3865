"""Replies of Redis that have to be whole in time: the time-out of a socket begins anew with each byte that comes."""

from __future__ import annotations

import math
import socket
import time
from typing import Any

from redis._parsers import _RESP3Parser
from redis._parsers.socket import SocketBuffer

WHOLE = 3  # time-outs of the socket that one reply may take


class WholeReplies(_RESP3Parser):
    """To be given to a client as its `parser_class`."""

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)  # type: ignore[no-untyped-call]
        self._line = _Line(connection._sock, connection.socket_timeout)
        self._buffer = SocketBuffer(self._line, self.socket_read_size, connection.socket_timeout)  # type: ignore[arg-type]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Raises redis.TimeoutError."""
        self._line.begin()
        try:
            return super().read_response(*args, **kwargs)
        finally:
            self._line.end()


class _Line:
    """A socket that is read from until some moment; `seconds` is the time-out of each read."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._socket = sock
        self._seconds = seconds
        self._timeout: float | None = seconds
        self._until = math.inf  # of the monotonic clock

    def begin(self) -> None:
        self._until = time.monotonic() + WHOLE * self._seconds

    def end(self) -> None:
        self._until = math.inf
        self._socket.settimeout(self._seconds)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left if self._timeout is None else min(left, self._timeout))
        return self._socket.recv(size)
