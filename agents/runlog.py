"""The log of one run: numbered server-sent events, encoded once, followed by any number of browsers.

It keeps what is newest, within a bound. Whoever is further behind gets the answer so far, whole, and goes on from
there: a follower on a slow line costs nobody anything.
"""

from __future__ import annotations

import asyncio
import json
from typing import NamedTuple

KEPT = 4 * 1024 * 1024  # bytes of frames
UNKNOWN = -1  # the number of an answer that is shown as the database has it: no event may be added to it


class Whole(NamedTuple):
    """An answer as it stands after event `number`: finished fragments as HTML, and the text in progress."""

    number: int
    html: str
    tail: str


_json = json.JSONEncoder(ensure_ascii=False).encode  # `dumps` would make an encoder for each event


def encoded(number: int, event: str, data: object) -> bytes:
    """One frame of an event stream; `data` is JSON on one line."""
    return f"id: {number}\nevent: {event}\ndata: {_json(data)}\n\n".encode(errors="surrogatepass")


def snapshot(whole: Whole) -> bytes:
    """The frame that puts an answer in the place of all that was sent before."""
    return encoded(whole.number, "snapshot", {"html": whole.html, "tail": whole.tail})


class RunLog:
    """Written by one task on one loop; followers wait on the same loop."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._bytes = 0
        self._dropped = 0  # events before the first one kept
        self._waiting: list[asyncio.Future[None]] = []
        self.is_closed = False
        self.is_cut = False
        self.followers = 0

    @property
    def number(self) -> int:
        """The number of the last event; they are counted from 1."""
        return self._dropped + len(self._frames)

    def append(self, event: str, data: object) -> None:
        self.add(encoded(self.number + 1, event, data))

    def append_text(self, delta: str) -> None:
        """The same as `append("text", {"delta": delta})`, for what is nearly every event there is."""
        frame = f'id: {self.number + 1}\nevent: text\ndata: {{"delta": {_json(delta)}}}\n\n'
        self.add(frame.encode(errors="surrogatepass"))

    def add(self, frame: bytes) -> None:
        """A frame whose number is the next one."""
        self._frames.append(frame)
        self._bytes += len(frame)
        if self._bytes > KEPT:
            self._drop()
        self._wake()

    def begin_at(self, number: int) -> None:
        """The next event has this number: what came before is to be had elsewhere."""
        self._frames.clear()
        self._bytes = 0
        self._dropped = number - 1

    def close(self) -> None:
        self.is_closed = True
        self._wake()

    def cut(self) -> None:
        """Close it without its end, which is to be had from the database."""
        self.is_cut = True
        self.close()

    def has_all_after(self, number: int) -> bool:
        return self._dropped <= number <= self.number

    def frames_after(self, number: int) -> list[bytes]:
        return self._frames[number - self._dropped :]

    def after(self, number: int) -> bytes:
        """Everything newer, as one piece to write; empty when there is nothing. Only where `has_all_after`."""
        return b"".join(self.frames_after(number))

    def changed(self) -> asyncio.Future[None]:
        """Done at the next event, or when the log is closed; whoever waits may set its result before."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def _wake(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_result(None)

    def _drop(self) -> None:
        """The older half of the bytes; the last frame stays, however large."""
        count = 0
        while self._bytes > KEPT // 2 and count < len(self._frames) - 1:
            self._bytes -= len(self._frames[count])
            count += 1
        del self._frames[:count]
        self._dropped += count
