"""Whoever watches the process gets an answer within a second, whatever hangs, and a true one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import redis
import requests

from gateway.calls.wire import READ_TIMEOUT
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor
from tests.servers import postgres_server, redis_server
from tests.stories.following import eventually


def asked(portico: Portico, path: str = "/readyz", cookie: str = "") -> tuple[int, dict[str, object]]:
    """Its status and body, which have to come within a second; some is added for a busy machine."""
    begun = time.monotonic()
    answer = requests.get(portico.url + path, timeout=10, headers={"Cookie": cookie})
    assert time.monotonic() - begun < 1.5
    return answer.status_code, answer.json()


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


@contextmanager
def served(gateway: Embedded, **settings: str) -> Iterator[Portico]:
    portico = Portico(gateway.url, **settings)
    try:
        yield portico.start()
    finally:
        portico.close()


def test_many_who_watch_at_once_are_all_answered(portico: Portico) -> None:
    with ThreadPoolExecutor(12) as watchers:
        answers = list(watchers.map(lambda _: requests.get(f"{portico.url}/readyz", timeout=10), range(36)))
    assert {answer.status_code for answer in answers} <= {200, 503}  # a busy machine may keep a look from its time
    assert all(answer.json()["database"] in ("ok", "silent") for answer in answers)


def test_a_silent_gateway_delays_no_answer_and_is_told_with_its_age(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    assert own_gateway.process is not None
    with frozen(own_gateway.process.pid):
        status, told = asked(own_portico)
        assert (status, told["gateway"], told["seconds"]) == (200, "silent", {"gateway": 0.0})
        eventually(lambda: asked(own_portico)[1]["seconds"] != {"gateway": 0.0})
    eventually(lambda: asked(own_portico) == (200, {"database": "ok", "gateway": "ok"}), 20)


def test_a_look_at_a_silent_gateway_keeps_no_process_from_ending(own_gateway: Embedded, own_portico: Portico) -> None:
    assert own_gateway.process is not None
    with frozen(own_gateway.process.pid):
        assert asked(own_portico)[1]["gateway"] == "silent"
        told = time.monotonic()
        own_portico.stop()
        assert time.monotonic() - told < READ_TIMEOUT / 2


def test_a_database_that_another_program_locks_is_told(own_portico: Portico) -> None:
    file = own_portico.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        status, told = asked(own_portico)
        assert (status, told["database"]) == (200, "locked")
        other.execute("ROLLBACK")
    other.close()
    assert asked(own_portico)[1]["database"] == "ok"


def test_a_database_without_tables_is_not_ready(own_gateway: Embedded, tmp_path: Path) -> None:
    with served(own_gateway, DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3") as portico:
        status, told = asked(portico)
        assert (status, told["database"]) == (503, "without its tables")


def test_pages_without_static_files_are_not_ready(own_gateway: Embedded, tmp_path: Path) -> None:
    with served(own_gateway, DEBUG="", DEMO="1", STATIC_ROOT=f"{tmp_path}/none") as portico:
        status, told = asked(portico)
        assert (status, told["static files"]) == (503, "missing")


def test_a_frozen_postgresql_and_a_frozen_redis_delay_no_answer(own_gateway: Embedded) -> None:
    with postgres_server() as database, redis_server() as shared:
        settings = {"DATABASE_URL": database, "REDIS_URL": shared}
        command = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "DEBUG": "1", **settings}, check=True)
        with served(own_gateway, **settings) as portico:
            ana = Visitor(portico)
            ana.signs_in("user@example.com")
            cookie = "; ".join(f"{one.name}={one.value}" for one in ana.session.cookies)
            ana.session.close()
            eventually(lambda: asked(portico)[0] == 200)
            with redis.Redis.from_url(shared) as client:
                pid = client.info()["process_id"]
            with frozen(pid):
                assert asked(portico)[1]["redis"] == "silent"
            with psycopg.connect(database) as other:
                backend = psutil.Process(other.info.backend_pid)
                postmaster = backend.parent()
            assert postmaster is not None
            with frozen(postmaster.pid, *(child.pid for child in postmaster.children())):
                assert asked(portico, "/healthz", cookie) == (200, {"status": "ok"})
                status, told = asked(portico, cookie=cookie)
                assert (status, told["database"]) == (503, "silent")
            eventually(lambda: asked(portico)[0] == 200, 20)
