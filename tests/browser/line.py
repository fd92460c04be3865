"""The line between a browser and Portico, and how it fails."""

from __future__ import annotations

import asyncio
import threading
from typing import Any


class Line:
    """The line between the browser and Portico, which can be cut as lines are: resets, and then nobody answers."""

    def __init__(self, port: int) -> None:
        self.behind = port
        self.is_down = False
        self.ends: set[asyncio.StreamWriter] = set()
        self.carrying: set[asyncio.Task[Any]] = set()
        self.stalled: set[asyncio.StreamWriter] = set()
        self.up = threading.Event()
        self.thread = threading.Thread(target=asyncio.run, args=[self.serve()])  # Playwright's loop runs in ours
        self.thread.start()
        assert self.up.wait(5)

    async def serve(self) -> None:
        self.loop, self.closed = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self.carry, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self.up.set()
            await self.closed.wait()
            self.reset(is_down=True)
            await asyncio.gather(*self.carrying)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task
        self.carrying.add(task)
        task.add_done_callback(self.carrying.discard)
        further = await asyncio.open_connection("127.0.0.1", self.behind)
        self.ends |= {writer, further[1]}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self.pump(reader, further[1]))
                both.create_task(self.pump(further[0], writer))
        except* OSError:
            pass
        finally:
            self.ends -= {writer, further[1]}
            writer.close()
            further[1].close()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            if writer not in self.stalled:
                writer.write(chunk)
                await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    def cut(self, *, is_down: bool = False) -> None:
        """Reset every connection; while it is down, new ones too."""
        self.loop.call_soon_threadsafe(lambda: self.reset(is_down=is_down))

    def reset(self, *, is_down: bool) -> None:
        self.is_down = is_down
        for end in self.ends:
            end.transport.abort()

    def stall(self) -> None:
        """Nothing comes any more on the connections that there are, and nobody is told."""
        self.stalled |= self.ends

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.closed.set)
        self.thread.join()
