"""The commands that people type: they start, say what is wrong, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import requests

from embedded import ids
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor, free_port, wait_until_up
from tests.stories.following import events_of, run_of, transcript, watched


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "config.serve", "--demo", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "DEBUG": ""},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process, port
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def said(process: subprocess.Popen[str], sentence: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if sentence in line:
            return
    raise AssertionError("the demo ended")


def test_ctrl_c_ends_every_process_within_five_seconds_with_streams_open(
    demo: tuple[subprocess.Popen[str], int],
) -> None:
    process, port = demo
    said(process, "Ctrl-C stops both")
    server = Portico("http://unused.example")
    server.url = f"http://127.0.0.1:{port}"
    wait_until_up(server.url, process)
    ana = Visitor(server)
    ana.posts("/login/", email="user@example.com", try_as="1")
    page = ana.posts(f"/agents/{ids.STORYTELLER}/", message="at length about harbours")
    events = events_of(ana, run_of(page.text))
    next(events)
    everybody = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert len(everybody) >= 2
    started = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, alive = psutil.wait_procs(everybody, timeout=5)
    assert not alive, alive
    assert time.monotonic() - started < 5
    assert process.wait() == 0
    events.close()
    ana.session.close()
    server.folder.cleanup()


def told(host: str, port: int) -> str:
    """What the server says that cannot listen there."""
    answer = subprocess.run(
        [sys.executable, "-m", "config.serve", "--host", host, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "DEBUG": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert answer.returncode == 2 and "Traceback" not in answer.stderr
    return answer.stderr


def test_a_taken_port_gets_a_clear_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"Port {port} is taken by another program." in told("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "sentence"),
    [
        ("nowhere.invalid", 8000, "Portico cannot listen at nowhere.invalid, port 8000: "),
        ("192.0.2.1", 8000, "Portico cannot listen at 192.0.2.1, port 8000: Cannot assign requested address."),
        ("a" * 70, 8000, "Portico cannot listen at aaa"),
        ("127.0.0.1", 99999, "PORT must be from 0 to 65535, not 99999."),
    ],
)
def test_a_place_where_nobody_can_listen_is_not_called_taken(host: str, port: int, sentence: str) -> None:
    assert told(host, port).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_URL", "gateway"),
        ("GATEWAY_NAME", "a\nb"),
        ("GATEWAY_NAME", "x" * 101),
        ("GATEWAY_DIALECT", "klingon"),
        ("GATEWAY_KIND", "other"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named_at_the_start(name: str, value: str) -> None:
    assert re.search(rf"{name} must be", refused(DEBUG="1", **{name: value}))


def refused(**settings: str) -> str:
    """What Portico says when it does not start with these."""
    answer = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert answer.returncode != 0
    return answer.stderr


def test_the_process_says_that_it_lives_and_can_serve(own_gateway: Embedded, own_portico: Portico) -> None:
    stranger = Visitor(own_portico)
    assert stranger.gets("/healthz").json() == {"status": "ok"}
    assert stranger.gets("/readyz").json() == {"database": "ok", "gateway": "ok"}
    own_gateway.kill()
    away = stranger.gets("/readyz")
    assert (away.status_code, away.json()["gateway"]) == (200, "away")
    stranger.session.close()


def test_whether_it_can_serve_is_said_within_a_second_whatever_is_silent(own_portico: Portico) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:  # takes connections, and never answers
        server = Portico(f"http://127.0.0.1:{silent.getsockname()[1]}").start()
        stranger = Visitor(server)
        for _ in range(2):
            begun = time.monotonic()
            answer = stranger.gets("/readyz")
            assert time.monotonic() - begun < 2  # one, on a machine that does something else as well
            assert (answer.status_code, answer.json()["gateway"]) == (200, "silent")
        assert answer.json()["seconds"]["gateway"] > 0
        stranger.session.close()
        server.kill()
        server.close()


def test_a_process_that_can_serve_no_page_says_so_and_lives_on(own_portico: Portico) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    with closing(sqlite3.connect(f"{own_portico.folder.name}/db.sqlite3", isolation_level=None)) as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'agents'")
        answer = ana.gets("/readyz")
        assert (answer.status_code, answer.json()["database"]) == (503, "without its tables")
        database.execute("ALTER TABLE django_session RENAME TO away")
        assert ana.gets("/healthz").json() == {"status": "ok"}  # a cookie makes it ask nobody
        database.execute("ALTER TABLE away RENAME TO django_session")
        database.execute("BEGIN IMMEDIATE")
        assert ana.gets("/healthz").json() == {"status": "ok"}
        database.execute("ROLLBACK")
    ana.session.close()


def test_keys_and_static_files_that_are_missing_make_it_unready(own_gateway: Embedded, tmp_path: Path) -> None:
    server = Portico(own_gateway.url, DEBUG="", DEMO="1", STATIC_ROOT=str(tmp_path)).start()
    answer = requests.get(f"{server.url}/readyz", timeout=5)
    assert (answer.status_code, answer.json()["static files"]) == (503, "missing")
    server.close()


def test_daphne_serves_the_same(own_gateway: Embedded) -> None:
    server = Portico(own_gateway.url, SERVER="daphne").start()
    ana = Visitor(server)
    ana.signs_in("user@example.com")
    page = ana.posts(f"/agents/{ids.STORYTELLER}/", message="short, on kites")
    text, status = watched(ana, run_of(page.text))
    assert status == "finished"
    assert "kites" in text
    page = ana.posts(f"/agents/{ids.STORYTELLER}/", message="everything about kites")
    next(events_of(ana, run_of(page.text)))
    server.stop()  # it tells the application nothing: there is no grace
    server.start()
    assert "Interrupted: Portico was restarted" in transcript(ana.reads(page.url))
    ana.session.close()
    server.close()
