"""A real Redis and a real PostgreSQL of one's own, on free ports, with nothing in them."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import redis

from tests.portico import free_port


@contextmanager
def redis_server(port: int = 0) -> Iterator[str]:
    """Its address. Port 0 takes a free one."""
    port = port or free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(address) as client:
            until_up(client.ping, redis.ConnectionError)
        yield address
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of an empty database. The server refuses to run as root, so root hands it to `postgres`."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    initdb = shutil.which("initdb") or str(binaries / "initdb" if binaries else "initdb")
    server = str(Path(initdb).with_name("postgres"))
    folder = Path(tempfile.mkdtemp(prefix="portico-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    port = free_port()
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", "portico", "--auth=trust", "--no-sync", "-E", "UTF8"],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
    )
    options = ["-p", str(port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
    process = subprocess.Popen([server, "-D", folder / "data", *options], stderr=subprocess.DEVNULL, user=user)
    address = f"postgres://portico@127.0.0.1:{port}/postgres"
    try:
        until_up(lambda: psycopg.connect(address).close(), psycopg.OperationalError)
        yield address
    finally:
        process.send_signal(signal.SIGINT)  # whoever is still connected is not waited for
        process.wait(10)
        shutil.rmtree(folder)


def until_up(ask: object, refusal: type[Exception]) -> None:
    assert callable(ask)
    deadline = time.monotonic() + 20  # seconds
    while True:
        try:
            ask()
            return
        except refusal:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Line:
    """A TCP line to a server of this machine, which can fall silent without a word, or lead to something else."""

    def __init__(self, port: int) -> None:
        self.is_silent = False
        self.says: bytes = b""  # in the server's place, to whatever it is told
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    try:
                        data = end.recv(64 * 1024)
                        if not data:
                            return
                        if self.says and end is client:
                            client.sendall(self.says)
                        elif not (self.is_silent or self.says):
                            (server if end is client else client).sendall(data)
                    except OSError:
                        return

    def close(self) -> None:
        self._listener.close()
        for client in self._open:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
