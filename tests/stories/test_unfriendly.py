"""An unfriendly hand at the door of the server that `make run` starts: it costs little, and people get in."""

from __future__ import annotations

import logging
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
import requests
import uvicorn

from config.bounds import BODY_STEP, HEAD_WITHIN, MOST_HEADERS, PING_EVERY, PONG_WITHIN, STALLED, connection_log
from config.crowd import PATIENCE, SPARE, Crowd
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor, empty_database, wait_until_up
from tests.stories.approving import ANA, connected, cookies
from tests.stories.following import eventually

MOST, SHARE = 60, 20
LOGIN = b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
Line = Callable[..., socket.socket]


@pytest.fixture(scope="module")
def server() -> Iterator[Portico]:
    with Embedded.start() as embedded:
        portico = Portico(embedded.url, CONNECTIONS=str(MOST), CONNECTIONS_AN_ADDRESS=str(SHARE)).start()
        yield portico
        portico.close()


@pytest.fixture
def line(server: Portico) -> Iterator[Line]:
    """Connections that end with the test; from an address of this machine that is no proxy, if one is named."""
    with ExitStack() as open_ones:

        def opened(begin: bytes = b"", address: str = "127.0.0.1", buffer: int = 0) -> socket.socket:
            connection = socket.socket()
            open_ones.enter_context(closing(connection))
            if buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            connection.settimeout(10)
            connection.bind((address, 0))
            connection.connect(("127.0.0.1", server.port))
            connection.sendall(begin)
            return connection

        yield opened


@pytest.fixture
def ana(server: Portico) -> Iterator[Visitor]:
    visitor = Visitor(server)
    visitor.signs_in(ANA)
    yield visitor
    visitor.session.close()


def said(connection: socket.socket) -> bytes:
    """All that comes until the other side ends it, or nothing comes for ten seconds."""
    answer = b""
    with suppress(OSError):
        while piece := connection.recv(65536):
            answer += piece
    return answer


def poured(connection: socket.socket, more: bytes, most: int) -> int:
    """How much was taken until the other side ended it."""
    sent = 0
    with suppress(OSError):
        while sent < most:
            connection.sendall(more)
            sent += len(more)
    return sent


def is_well(server: Portico) -> bool:
    try:
        return requests.get(f"{server.url}/login/", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def memory(server: Portico) -> int:
    assert server.process is not None
    return int(psutil.Process(server.process.pid).memory_info().rss)


UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def upgraded(visitor: Visitor) -> bytes:
    """The handshake of a page's socket."""
    url = visitor.portico.url
    host = f"Host: {url.removeprefix('http://')}\r\nOrigin: {url}\r\nCookie: {cookies(visitor)}\r\n\r\n"
    return b"GET /ws/confirmations/ HTTP/1.1\r\n" + UPGRADE + host.encode()


GREETING = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    "begin",
    [b"", GREETING, GREETING + b"\r\n", LOGIN + b"Content-Length: 60000\r\n\r\nemail="],
    ids=["silent", "in the head", "kept alive", "in the body"],
)
def test_who_only_waits_makes_room_for_people(server: Portico, line: Line, begin: bytes) -> None:
    idle = [line(begin) for _ in range(MOST)]
    eventually(lambda: is_well(server))
    ended = [one for one in idle if select.select([one], [], [], 0)[0] and not said(one).startswith(b"HTTP/1.1 200")]
    assert len(ended) < MOST / 2 or begin.endswith(b"\r\n\r\n")


def test_who_finds_no_room_reads_why_and_comes_in_when_there_is(server: Portico, ana: Visitor, line: Line) -> None:
    ana.session.close()
    eventually(lambda: not connections(server))
    with ExitStack() as pages:
        for _ in range(MOST):
            pages.enter_context(connected(ana, server.url))
        answer = said(line(GREETING + b"Accept: text/html\r\n\r\n"))
        assert answer.startswith(b"HTTP/1.1 503") and b"Too many are connected to Portico" in answer
        assert b"retry-after: 5" in answer.lower() and b"text/html" in answer
        assert b"503 Service" in said(line(upgraded(ana)))
        silent = [line() for _ in range(2 * SPARE)]  # told so, or closed without a word
        assert sum(b"503 Service" in said(one) for one in silent) <= SPARE
    eventually(lambda: is_well(server))


def test_one_address_cannot_take_it_all(server: Portico, line: Line) -> None:
    greedy = [line(GREETING, "127.0.0.2") for _ in range(SHARE)]
    answer = said(line(GREETING + b"\r\n", "127.0.0.2"))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 503")
    assert said(line(GREETING + b"Connection: close\r\n\r\n", "127.0.0.3")).startswith(b"HTTP/1.1 200")
    closing_one = GREETING + b"Connection: close\r\n\r\n"
    eventually(lambda: said(line(closing_one, "127.0.0.2")).startswith(b"HTTP/1.1 200"))
    assert sum(bool(select.select([one], [], [], 0)[0]) for one in greedy) >= 1  # who said nothing made room


def test_behind_a_proxy_it_is_the_address_that_the_proxy_names(server: Portico, ana: Visitor) -> None:
    with ExitStack() as pages:
        for _ in range(SHARE):
            pages.enter_context(connected(ana, server.url, {"X-Forwarded-For": "203.0.113.7"}))
        refused = ana.gets("/agents/", headers={"X-Forwarded-For": "203.0.113.7", "Accept": "text/html"})
        assert refused.status_code == 503 and "Too much is open from your address" in refused.text
        assert refused.headers["Retry-After"] == "5" and 'role="alert"' in refused.text
        assert ana.gets("/agents/", headers={"X-Forwarded-For": "203.0.113.8"}).status_code == 200
        assert ana.gets("/agents/", headers={"X-Forwarded-For": "203.0.113.7, 203.0.113.8"}).status_code == 200
    eventually(lambda: ana.gets("/agents/", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 200)


@pytest.mark.soak
def test_who_is_slow_is_not_waited_for(server: Portico, ana: Visitor, line: Line) -> None:
    """All kinds at once: each is ended in its time, whatever trickles."""
    twelve_megabytes = b"message=" + b"x" * 12 * 1024**2
    owner = f"Cookie: {cookies(ana)}\r\nX-CSRFToken: {ana.csrf_token()}\r\n".encode()
    reader = line(LOGIN.replace(b"/login/", b"/agents/x/") + owner, buffer=4096)
    reader.settimeout(60)
    reader.sendall(b"Content-Length: %d\r\n\r\n" % len(twelve_megabytes) + twelve_megabytes)
    silent = line(upgraded(ana))
    assert silent.recv(1000).startswith(b"HTTP/1.1 101")
    kinds = {
        "a silent line": (line(), HEAD_WITHIN),
        "a head that trickles": (line(GREETING), HEAD_WITHIN),
        "a handshake that trickles": (line(b"GET /ws/confirmations/ HTTP/1.1\r\n" + UPGRADE), HEAD_WITHIN),
        "a body that trickles": (line(LOGIN + b"Content-Length: 60000\r\n\r\n"), BODY_STEP),
        "a body shorter than it says": (line(LOGIN + b"Content-Length: 60\r\n\r\nemail=a"), BODY_STEP),
        "chunks that trickle": (line(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n"), BODY_STEP),
        "a socket without pongs": (silent, PING_EVERY + PONG_WITHIN),
    }
    trickles = {"a head that trickles": b"X: 1\r\n", "a handshake that trickles": b"X: 1\r\n"}
    trickles |= {"a body that trickles": b"x", "chunks that trickle": b"1\r\nx\r\n"}
    begun, ended = time.monotonic(), dict[str, float]()
    while len(ended) < len(kinds) and time.monotonic() - begun < 40:
        for name in kinds.keys() - ended.keys():
            connection = kinds[name][0]
            try:
                if select.select([connection], [], [], 0.02)[0] and not connection.recv(65536):
                    ended[name] = time.monotonic() - begun
                elif name in trickles:
                    connection.sendall(trickles[name])
            except OSError:
                ended[name] = time.monotonic() - begun
    assert ended.keys() == kinds.keys()
    assert all(ended[name] < most + 8 for name, (_, most) in kinds.items()), ended
    eventually(lambda: reader.getsockname() not in connections(server), STALLED)
    assert len(said(reader)) < len(twelve_megabytes)
    assert is_well(server)


def connections(server: Portico) -> list[tuple[str, int]]:
    """The other ends of what is open at its door."""
    assert server.process is not None
    open_ones = psutil.Process(server.process.pid).net_connections("tcp")
    return [
        (one.raddr.ip, one.raddr.port)
        for one in open_ones
        if one.laddr.port == server.port and one.status == "ESTABLISHED"
    ]


def test_who_sends_the_body_after_the_answer_is_not_kept_for_ever(server: Portico, line: Line) -> None:
    connection = line(b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhell")
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    connection.sendall(b"o")
    assert connection.recv(65536) == b""  # after as long as any connection may be idle
    assert is_well(server)


def test_a_request_that_comes_with_the_rest_of_another_has_its_time(server: Portico, line: Line) -> None:
    connection = line(b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhell")
    answer = b""
    while not answer.endswith(b"}"):
        answer += connection.recv(65536)
    connection.sendall(b"o" + LOGIN + b"Content-Length: 3\r\n\r\n")
    assert not select.select([connection], [], [], 6)[0]  # seconds: longer than an idle line is kept
    connection.sendall(b"a=b")
    assert connection.recv(65536).startswith(b"HTTP/1.1 403")


def test_a_socket_on_a_line_that_was_used_before_stays_open(server: Portico, ana: Visitor, line: Line) -> None:
    page = line(GREETING + b"\r\n")
    answer = b""
    while not answer.endswith(b"}"):
        answer += page.recv(65536)
    page.sendall(upgraded(ana))
    assert page.recv(1000).startswith(b"HTTP/1.1 101")
    begun = time.monotonic()
    while time.monotonic() - begun < 6:  # seconds: longer than an idle line is kept
        if select.select([page], [], [], 1)[0]:
            assert page.recv(65536)


@pytest.mark.parametrize(
    "more",
    [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"a: b\r\n" * 150 + b"\r\n"],
    ids=["a body", "chunks", "many headers"],
)
def test_a_handshake_that_cannot_be_read_is_refused_at_once(server: Portico, line: Line, more: bytes) -> None:
    connection = line(b"GET /ws/confirmations/ HTTP/1.1\r\nHost: 127.0.0.1\r\n" + UPGRADE + more)
    assert connection.recv(65536).startswith(b"HTTP/1.1 400")
    assert said(connection) == b"" and is_well(server)


def test_what_anybody_can_cause_is_no_news() -> None:
    uvicorn.Config("config.asgi:application", log_level="warning")  # it sets up the loggers under its name anew
    assert not connection_log.isEnabledFor(logging.WARNING) and connection_log.isEnabledFor(logging.ERROR)


def test_a_socket_that_is_refused_leaves_no_line_in_the_log(server: Portico, tmp_path: Path) -> None:
    other = Portico(server.environment["GATEWAY_URL"])
    shutil.copyfile(empty_database(), f"{other.folder.name}/db.sqlite3")
    command = [sys.executable, "-m", "config.serve", "--port", str(other.port)]
    with (tmp_path / "log").open("wb") as lines:
        other.process = subprocess.Popen(command, cwd=ROOT, env=other.environment, stderr=lines)
        try:
            wait_until_up(other.url, other.process)
            guest = Visitor(other)
            guest.signs_in(ANA)
            for path in (b"/", b"/ws/"):
                request = b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + UPGRADE + b"\r\n"
                with closing(socket.create_connection(("127.0.0.1", other.port), 10)) as stranger:
                    stranger.sendall(request)
                    assert said(stranger).startswith(b"HTTP/1.1 404")
            with closing(socket.create_connection(("127.0.0.1", other.port), 10)) as page:
                page.sendall(upgraded(guest))
                assert page.recv(1000).startswith(b"HTTP/1.1 101")
                page.sendall(b"\x81\x81\0\0\0\0\xff")  # text that is none
                assert said(page).endswith(b"\x88\x02\x03\xef")
            guest.session.close()
        finally:
            other.close()
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log and "ERROR" not in log, log


def test_a_head_of_ten_thousand_lines_is_refused(server: Portico, line: Line) -> None:
    many = b"".join(b"a: b\r\n" for _ in range(10_000))
    assert said(line(GREETING + many + b"\r\n")).startswith(b"HTTP/1.1 431")
    assert said(line(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + many)).startswith(b"HTTP/1.1 4")
    fitting = b"".join(b"a: b\r\n" for _ in range(MOST_HEADERS - 5)) + b"Connection: close\r\n\r\n"
    assert said(line(GREETING + fitting)).startswith(b"HTTP/1.1 200")


def test_ten_thousand_requests_at_once_are_not_queued(server: Portico, line: Line) -> None:
    before = memory(server)
    connection = line()
    poured(connection, (GREETING + b"\r\n") * 10_000, 1)
    assert said(connection).count(b"HTTP/1.1 200") < 1000
    assert memory(server) - before < 30 * 1024**2 and is_well(server)


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"1;", b"extension=" + b"e" * 60_000),
        (b"", b"1;" + b"e" * 60_000 + b"\r\nx\r\n"),
        (b"0\r\n", b"Trailer: t\r\n" * 5000),
        (b"0\r\nTrailer: ", b"t" * 60_000),
        (b"", b"1\r\nx\r\n" * 10_000),
    ],
    ids=["one extension", "extensions", "trailers", "one trailer", "small chunks"],
)
def test_chunks_without_end_are_cut_off(server: Portico, line: Line, begin: bytes, more: bytes) -> None:
    before = memory(server)
    connection = line(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n" + begin)
    assert poured(connection, more, 200 * 1024**2) < 50 * 1024**2
    assert memory(server) - before < 30 * 1024**2 and is_well(server)


@pytest.mark.parametrize(
    "lie",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: 3, 3\r\n\r\nabc",
        b"Content-Length: 0x3\r\n\r\nabc",
        b"Content-Length: %s\r\n\r\nabc" % (b"9" * 400),
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n%s\r\nx\r\n" % (b"f" * 40),
    ],
)
def test_who_lies_about_a_body_is_refused_and_smuggles_nothing(server: Portico, line: Line, lie: bytes) -> None:
    answer = said(line(LOGIN + lie + GREETING + b"Connection: close\r\n\r\n"))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413")), answer[:200]
    assert b'"status": "ok"' not in answer


def test_more_than_was_announced_is_another_request(server: Portico, line: Line) -> None:
    answer = said(line(LOGIN + b"Content-Length: 3\r\n\r\nabcdefgh\r\n\r\n"))
    assert answer.count(b"HTTP/1.1 ") == 1 or b"HTTP/1.1 400" in answer


def test_words_of_another_protocol_are_refused(server: Portico, line: Line) -> None:
    for words in (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 100,
    ):
        assert said(line(words)).startswith(b"HTTP/1.1 400")


def frame(
    opcode: int, payload: bytes = b"", *, is_last: bool = True, flags: int = 0, length: int | None = None
) -> bytes:
    """Masked with zeros; `length` says another one than the payload has."""
    length = len(payload) if length is None else length
    if length < 126:
        size = struct.pack("!B", 0x80 | length)
    elif length < 2**16:
        size = struct.pack("!BH", 0x80 | 126, length)
    else:
        size = struct.pack("!BQ", 0x80 | 127, length)
    return bytes([(0x80 if is_last else 0) | flags | opcode]) + size + b"\0\0\0\0" + payload


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (frame(1, length=100 * 1024**2), b"x" * 65536),
        (frame(1, b"x", is_last=False), frame(0, b"x" * 60_000, is_last=False)),
        (frame(1, b"x", is_last=False), frame(0, is_last=False) * 10_000),
        (frame(2, length=2**62), b"x" * 65536),
        (b"", frame(1, b"\xff\xfe")),
        (b"", frame(3, b"x")),
        (b"", frame(1, b"\xaa" * 1000, flags=0x40)),
        (b"", frame(9, b"p" * 100) * 1000),
        (b"", frame(1, b"{}") * 1000),
        *((frame(8, end), frame(1, b"{}")) for end in (b"\xff\xff", b"\0\0", b"x", b"\x03\xf4", b"\x03\xe8\xff", b"")),
    ],
    ids=[
        "100 MB",
        "fragments",
        "empty fragments",
        "2^62",
        "no UTF-8",
        "no opcode",
        "compressed",
        "pings",
        "words",
        *"ABCDEF",
    ],
)
def test_frames_without_end_are_cut_off(server: Portico, ana: Visitor, line: Line, begin: bytes, more: bytes) -> None:
    before = memory(server)
    page = line(upgraded(ana))
    assert page.recv(1000).startswith(b"HTTP/1.1 101")
    page.sendall(begin)
    assert poured(page, more, 100 * 1024**2) < 12 * 1024**2
    assert memory(server) - before < 30 * 1024**2 and is_well(server)


def test_a_stranger_gets_no_socket(server: Portico, line: Line) -> None:
    for path in (b"/ws/confirmations/", b"/ws/", b"/"):
        answer = said(line(b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + UPGRADE + b"\r\n"))
        assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 404")), answer


class Somebody:
    def __init__(self) -> None:
        self.has_gone = False

    def make_room(self) -> None:
        self.has_gone = True


def test_who_waits_longest_goes_first_and_nobody_who_just_came() -> None:
    now = 0.0
    crowd = Crowd(lambda: 4, lambda: 2, lambda: now)
    people = {name: Somebody() for name in ("a1", "a2", "b1", "c1")}
    for name, one in people.items():
        assert crowd.enter(name[0])
        crowd.wait(one, name[0])
        now += 0.1
    assert not crowd.enter("d") and not crowd.enter("a")
    now += PATIENCE
    assert crowd.enter("b")
    assert [name for name, one in people.items() if one.has_gone] == ["a1"]


def test_of_a_full_house_nobody_who_is_served_has_to_go() -> None:
    crowd = Crowd(lambda: 2, lambda: 2)
    assert crowd.enter("") and crowd.enter("")
    assert not crowd.enter("")
    crowd.leave("")
    assert crowd.enter("")


def test_a_process_may_open_more_than_it_takes_connections() -> None:
    """Many systems begin with 1024 files: the database and the gateway have to be reached when the house is full."""
    with Embedded.start() as embedded:
        few = Portico(embedded.url, CONNECTIONS="1000000")
        shutil.copyfile(empty_database(), f"{few.folder.name}/db.sqlite3")
        command = [
            "sh",
            "-c",
            f"ulimit -Sn 256; ulimit -Hn 256; exec {sys.executable} -m config.serve --port {few.port}",
        ]
        few.process = subprocess.Popen(command, cwd=ROOT, env=few.environment)
        wait_until_up(few.url, few.process)
        idle = [socket.create_connection(("127.0.0.1", few.port)) for _ in range(400)]
        eventually(lambda: is_well(few))
        for one in idle:
            one.close()
        few.close()
