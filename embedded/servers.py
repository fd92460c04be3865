"""Several HTTP servers in one process, on one loop, that begin and end together."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from email.utils import formatdate

import uvicorn
from starlette.types import ASGIApp

from embedded import clock
from embedded.streaming import Cut

GRACE = 1  # seconds for answers in progress once the servers stop
KEEP_ALIVE_INSIDE = 75  # seconds; longer than the gateway keeps its pooled connections


class PortTaken(Exception):
    pass


class Server(uvicorn.Server):
    """One that leaves signals to the process and sleeps while nothing happens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        """With a `Date` header by the embedded gateway's own clock."""
        ends = await super().on_tick(counter)
        date = formatdate(clock.seconds(), usegmt=True).encode()
        own = [(name, value) for name, value in self.server_state.default_headers if name != b"date"]
        self.server_state.default_headers = [(b"date", date), *own]
        return ends

    async def main_loop(self) -> None:
        while not self.should_exit:
            await self.on_tick(0)  # the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), 1)

    def stop(self) -> None:
        """Close every connection, in the middle of an answer too, and then end."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        self.should_exit = True
        self.stopping.set()


class Servers:
    """Servers on their sockets, as a context manager: all answer inside it, none after it."""

    def __init__(self) -> None:
        self.running: list[tuple[Server, asyncio.Task[None]]] = []

    async def start(self, app: ASGIApp, listening: socket.socket, *, keep_alive: int = 5) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="auto",
            timeout_keep_alive=keep_alive,
            timeout_graceful_shutdown=GRACE,
            server_header=False,
        )
        server = Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        self.running.append((server, task))
        await server.ready.wait()

    async def stop(self) -> None:
        for server, _ in self.running:
            server.stop()
        await asyncio.gather(*(task for _, task in self.running))


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises `PortTaken`, or `OSError` for a bad host."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    sock = socket.socket(family, kind, proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
        sock.listen()
    except OSError as exc:
        sock.close()
        if port:
            raise PortTaken from exc
        raise
    sock.setblocking(False)
    return sock


def listen_inside() -> tuple[socket.socket, str]:
    """A free loopback port for a server behind the gateway, and its URL."""
    sock = listen("127.0.0.1", 0)
    return sock, f"http://127.0.0.1:{sock.getsockname()[1]}"


def quiet_expected_endings() -> None:
    """Uvicorn reports every connection that is broken on purpose as an error of the application."""
    logging.getLogger("uvicorn.error").addFilter(is_unexpected)


def is_unexpected(record: logging.LogRecord) -> bool:
    cause = record.exc_info[1] if record.exc_info else None
    if isinstance(cause, Cut | asyncio.CancelledError):
        return False
    return "timeout graceful shutdown exceeded" not in record.getMessage()
