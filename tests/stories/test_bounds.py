"""Whoever has not signed in costs little: what `make run` serves bounds heads, bodies and time."""

from __future__ import annotations

import logging
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests
from django.conf import settings

from accounts.notes import MOST
from config.bounds import HEAD_WITHIN, LARGEST_HEAD
from config.logs import LineFormatter
from tests.embedded import Embedded
from tests.portico import Portico, Visitor, empty_database
from tests.stories.approving import ANA, BO

DIALECTS_DIFFER = False


@pytest.fixture
def line(portico: Portico) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", portico.port), timeout=HEAD_WITHIN + 10)) as connection:
        yield connection


def poured(line: socket.socket, begin: bytes, more: bytes, most: int) -> tuple[int, bytes]:
    """How much was taken before the other side ended it, and what it said."""
    sent = line.send(begin)
    with suppress(ConnectionError):
        while sent < most:
            line.sendall(more)
            sent += len(more)
    said = b""
    with suppress(ConnectionError):
        said = line.recv(1000)
    return sent, said


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Endless: ", b"a" * 65536),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X-Many: 1\r\n" * 1000),
        (b"GET /", b"path/" * 10000),
        (b"GET /ws/confirmations/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nCookie: ", b"c" * 65536),
        (b"POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX: ", b"b" * 65536),
    ],
    ids=["one header", "many headers", "address", "socket", "form"],
)
def test_a_head_without_end_is_refused_early(line: socket.socket, begin: bytes, more: bytes) -> None:
    sent, said = poured(line, begin, more, 200 * 1024 * 1024)
    assert sent < 20 * 1024 * 1024  # what fits into the buffers between the two
    assert not said or said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400"))


def test_a_head_of_a_size_that_occurs_is_served(portico: Portico) -> None:
    answer = requests.get(f"{portico.url}/healthz", headers={"X-Long": "a" * (LARGEST_HEAD - 2000)}, timeout=5)
    assert answer.json() == {"status": "ok"}


@pytest.mark.soak
def test_a_head_that_does_not_come_is_not_waited_for(line: socket.socket) -> None:
    line.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    begun = time.monotonic()
    assert line.recv(1000).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - begun < HEAD_WITHIN + 5


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_early_and_in_words(portico: Portico, is_chunked: bool) -> None:
    body = b"email=" + b"x" * 6 * 1024 * 1024
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with suppress(requests.ConnectionError):  # it closed while we still sent
        answer = requests.post(
            f"{portico.url}/login/", data=iter([body]) if is_chunked else body, headers=kind, timeout=20
        )
        assert answer.status_code == 413 and "what you typed is still there" in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert requests.get(f"{portico.url}/healthz", timeout=5).ok


@pytest.mark.parametrize("charset", ["utf-7", "idna", "utf-16", "zlib", "rot13", "x" * 500, '"utf-7"'])
def test_a_form_in_a_charset_of_no_browser_is_refused_in_words(portico: Portico, charset: str) -> None:
    kind = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    answer = requests.post(f"{portico.url}/login/", data=b"email=a", headers=kind, timeout=5)
    assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (400, "nosniff")
    assert "could not be read" in answer.text


@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize(
    "spelling",
    [
        "; charset=utf-8; charset=zlib",
        "; charset*=utf-8''zlib",
        "; charset*=zzz''utf-8",
        "; boundary*=zzz''x",
        "; charset*0=zl; charset*1=ib",
        '; a="; charset=utf-8"; charset=zlib',
        "; a*=utf-8''b; a*0=c",
        "; charset*=utf-8''a%00b",
        f"; a*{'9' * 5000}=b",
        "; charset=zlib; a=, text/html",
    ],
)
def test_a_charset_is_read_as_django_reads_it_however_it_is_spelled(portico: Portico, form: str, spelling: str) -> None:
    for method in ("GET", "POST", "PUT"):
        answer = requests.request(
            method, f"{portico.url}/login/", data=b"--x--", headers={"Content-Type": form + spelling}, timeout=5
        )
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (400, "nosniff"), method
        assert "could not be read" in answer.text


@pytest.mark.parametrize("target", ["x", "accounts:sign_out", "agents:catalogue", "http://[", "javascript:alert(1)"])
def test_a_way_back_that_is_no_path_leads_to_the_agents(portico: Portico, target: str) -> None:
    ana = Visitor(portico)
    assert ana.signs_in(ANA, then=target).url == f"{portico.url}/agents/"
    answer = ana.gets("/login/", params={"next": target})
    assert (answer.status_code, answer.url) == (200, f"{portico.url}/agents/")
    ana.session.close()


def test_notes_of_one_person_are_not_shown_to_the_next(portico: Portico) -> None:
    ana = Visitor(portico)
    ana.signs_in(ANA)
    ana.session.post(
        f"{portico.url}/profile/",
        data={"csrfmiddlewaretoken": ana.csrf_token(), "name": "Ana Lima", "email": ANA},
        headers={"Referer": f"{portico.url}/profile/"},
        allow_redirects=False,
        timeout=10,
    )
    assert "Your profile is saved." not in ana.posts("/logout/").text
    assert "Your profile is saved." not in ana.signs_in(BO).text
    ana.session.close()


def test_a_stranger_leaves_no_session_and_a_person_few_notes(portico: Portico) -> None:
    for path in (
        "/auth/connect",
        "/auth/connect?service=a/../b",
        "/login/?unsent=again",
        "/credentials/callback/?state=x",
    ):
        answer = requests.get(portico.url + path, timeout=5, allow_redirects=False)
        assert settings.SESSION_COOKIE_NAME not in answer.cookies, path
    ana = Visitor(portico)
    ana.signs_in(ANA)
    for _ in range(2 * MOST):
        ana.gets("/login/?unsent=again", allow_redirects=False)
    assert ana.reads("/profile/").count("before this was done") == MOST
    assert "before this was done" not in ana.reads("/profile/")
    ana.session.close()


def test_nobody_forges_a_line_of_the_log() -> None:
    written = LineFormatter("{levelname} {name}: {message}", style="{")
    try:
        raise ValueError("broke\nWARNING root: forged\x1b[31m")
    except ValueError:
        record = logging.LogRecord(
            "portico",
            logging.INFO,
            __file__,
            1,
            "GET %s",
            ("/a\nWARNING root: forged\0\u202e\u2028\x1b[2J",),
            sys.exc_info(),
        )
    first, *rest = written.format(record).split("\n")
    assert first == r"INFO portico: GET /a\nWARNING root: forged\x00\u202e\u2028\x1b[2J"
    assert rest and all(one.startswith("  ") for one in rest)


@pytest.mark.parametrize("key", ["a", "a secret for tests only", "x" * 80, "abab" * 20])
def test_a_weak_key_does_not_start(key: str, gateway: Embedded) -> None:
    from tests.stories.test_commands import refused  # noqa: PLC0415

    assert "SECRET_KEY must be random" in refused(DEBUG="", SECRET_KEY=key, GATEWAY_URL=gateway.url)
    strong = secrets.token_urlsafe(48)
    assert "SESSION_TOKEN_KEYS must be Fernet keys" in refused(DEBUG="", SECRET_KEY=strong, SESSION_TOKEN_KEYS="abc")
    assert "REDIS_URL must be an address" in refused(DEBUG="", SECRET_KEY=strong, REDIS_URL="127.0.0.1:6379")


def test_the_database_of_a_server_is_readable_by_nobody_else(own_gateway: Embedded) -> None:
    server = Portico(own_gateway.url)
    place = Path(server.folder.name) / "db.sqlite3"
    shutil.copyfile(empty_database(), place)
    place.chmod(0o644)
    server.start()
    ana = Visitor(server)
    ana.signs_in(ANA)
    assert {file.name: file.stat().st_mode & 0o077 for file in place.parent.glob("db.sqlite3*")} == {
        "db.sqlite3": 0,
        "db.sqlite3-wal": 0,
        "db.sqlite3-shm": 0,
    }
    ana.session.close()
    server.close()
