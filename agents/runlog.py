"""The log of one run: numbered server-sent events, encoded once, followed by any number of browsers."""

from __future__ import annotations

import asyncio
import json


def encoded(number: int, event: str, data: object) -> bytes:
    """One frame of an event stream; `data` is JSON on one line."""
    return f"id: {number}\nevent: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


class RunLog:
    """Written by the run's task alone, on its loop; followers wait on the same loop."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self.is_closed = False
        self.followers = 0

    @property
    def number(self) -> int:
        """The number of the last event; they are counted from 1."""
        return len(self._frames)

    def append(self, event: str, data: object) -> None:
        self._frames.append(encoded(self.number + 1, event, data))
        self._wake()

    def close(self) -> None:
        self.is_closed = True
        self._wake()

    def after(self, number: int) -> bytes:
        """Everything newer, as one piece to write; empty when there is nothing."""
        return b"".join(self._frames[number:])

    def changed(self) -> asyncio.Future[None]:
        """Done at the next event, or when the log is closed."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        return waiter

    def _wake(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()
