"""A real Redis and a real PostgreSQL of one's own, on free ports, with nothing in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
