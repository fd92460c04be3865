"""Answers that go out piece by piece, and ways to end them that a network has too."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class Cut(Exception):
    """Ends an answer without its last chunk: the server closes the connection in the middle."""


class HungUp(Exception):
    """The client has closed the connection before there was an answer."""


def frame(data: object, event: str | None = None) -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {compact(data)}\n\n".encode()


def compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


async def hung_up(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """What `work` gives, unless the client leaves first: then `work` is cancelled. Raises `HungUp`."""
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(hung_up(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(task, gone)
    if task.cancelled():
        raise HungUp
    return task.result()


async def cancel(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel and wait until they have let go."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


class Streamed:
    """An ASGI answer that sends each chunk as it comes and stops when the client hangs up."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        *,
        headers: dict[str, str] | None = None,
        status: int = 200,
        closing: Callable[[], None] | None = None,
    ) -> None:
        self.chunks = chunks
        self.headers = headers or {"content-type": "text/event-stream", "cache-control": "no-cache"}
        self.status = status
        self.closing = closing
        self.is_cut = asyncio.Event()

    def cut(self) -> None:
        """Break the connection now, without a proper end."""
        self.is_cut.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pump = asyncio.create_task(self.pump(send))
        others = (asyncio.create_task(hung_up(receive)), asyncio.create_task(self.is_cut.wait()))
        try:
            await asyncio.wait({pump, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(pump, *others)
            await self.chunks.aclose()
            if self.closing:
                self.closing()
        if self.is_cut.is_set():
            raise Cut
        if not pump.cancelled():
            pump.result()

    async def pump(self, send: Send) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        async for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
