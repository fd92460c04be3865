"""Connections that die: a read is asked once more where nothing was answered, a write never is. So with and without a
thread."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from threading import Event, Thread
from typing import Any

import pytest

from gateway import Gateway, Service, streams
from gateway.errors import GatewayUnavailable, MalformedReply
from gateway.waiting import unblocked

AGENT = {"id": "a", "name": "Echo", "description": None, "is_active": True, "tenant_id": None}
CREDENTIAL = {"success": True, "credential": {"id": "c", "serviceType": "slack", "providerName": "Slack"}}


def http(doc: object, more: str = "") -> bytes:
    content = json.dumps(doc).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n{more}\r\n"
    return head.encode() + content


class Cut(bytes):
    """An answer after which the connection is closed."""


class Trickle(bytes):
    """An answer that comes a byte at a time, each long before anybody would say that nothing comes."""

    begun = 0  # bytes that come at once

    def send(self, connection: socket.socket, released: Event) -> None:
        with suppress(OSError):  # nobody listens any more
            connection.sendall(self[: self.begun])
            for at in range(self.begun, len(self)):
                if released.wait(0.05):
                    return
                connection.sendall(self[at : at + 1])


@dataclass
class Moody:
    """A server that answers each connection as its script says, and closes it where the script ends."""

    url: str = ""
    connections: int = 0
    asked: list[str] = field(default_factory=list)  # request lines
    released: Event = field(default_factory=Event)
    open: socket.socket | None = None


@contextmanager
def moody(*scripts: list[bytes]) -> Iterator[Moody]:
    """A script a connection: an answer a request. After the last one the connection takes one request more and
    closes without a word. Connections beyond the scripts do that at once."""
    server = Moody()
    listening = socket.create_server(("127.0.0.1", 0))
    server.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    waiting = chain(scripts, repeat([]))

    def serve() -> None:
        while True:
            connection, _ = listening.accept()
            if server.released.is_set():
                connection.close()
                return
            server.connections += 1
            server.open = connection
            with connection, connection.makefile("rb") as requests:
                for answer in (*next(waiting), None):
                    if not read_request(requests.readline, server):
                        break
                    if answer is None:
                        break
                    if isinstance(answer, Trickle):
                        answer.send(connection, server.released)
                        break
                    connection.sendall(answer)
                    if isinstance(answer, Cut):
                        break

    thread = Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        if server.open is not None:
            with suppress(OSError):  # closed already
                server.open.shutdown(socket.SHUT_RDWR)
        socket.create_connection(listening.getsockname()).close()
        thread.join()
        listening.close()


def read_request(readline: Callable[..., bytes], server: Moody) -> bool:
    line = readline()
    if not line:
        return False
    server.asked.append(line.decode().split(" HTTP/")[0])
    length = 0
    while (header := readline().strip()) != b"":
        if header.lower().startswith(b"content-length:"):
            length = int(header.split(b":")[1])
    while length:
        length -= len(readline(length))
    return True


def gateway_at(server: Moody) -> Gateway:
    return Gateway(server.url, "a.login.token", "released")


Ask = Callable[..., Any]


def in_a_thread(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


@pytest.fixture(params=["in a thread", "on the loop"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    if request.param == "in a thread":
        yield in_a_thread
        return
    with asyncio.Runner() as runner:
        yield lambda call, *args: runner.run(unblocked(call, *args))
        runner.run(streams.close())


def test_a_read_is_asked_again_when_its_kept_connection_was_dead(ask: Ask) -> None:
    with moody([http(AGENT)], [http(AGENT)]) as server:
        gateway = gateway_at(server)
        assert ask(gateway.agent, "a").name == "Echo"
        assert ask(gateway.agent, "a").name == "Echo"
    assert server.asked == ["GET /api/v1/agents/a"] * 3
    assert server.connections == 2


def test_a_read_is_asked_again_only_once(ask: Ask) -> None:
    with moody([http(AGENT)]) as server:
        gateway = gateway_at(server)
        ask(gateway.agent, "a")
        with pytest.raises(GatewayUnavailable):
            ask(gateway.agent, "a")
    assert server.asked == ["GET /api/v1/agents/a"] * 3


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("POST /api/v1/credentials/apikey", lambda gateway: gateway.store_key(Service("slack", "Slack"), "a key")),
        ("DELETE /api/v1/credentials/c", lambda gateway: gateway.delete_credential("c")),
        ("PUT /api/v1/auth/me", lambda gateway: gateway.change_profile(name="Ana")),
        ("POST /api/v1/confirmation/c/respond", lambda gateway: gateway.answer("c", approve=True)),
    ],
)
def test_a_write_is_never_sent_twice(ask: Ask, line: str, write: Callable[[Gateway], object]) -> None:
    if not line.startswith("POST"):
        ask = in_a_thread  # no other write waits on the loop
    with moody([http(AGENT)], [http(CREDENTIAL)]) as server:
        gateway = gateway_at(server)
        ask(gateway.agent, "a")
        with pytest.raises(GatewayUnavailable):
            ask(write, gateway)
    assert server.asked == ["GET /api/v1/agents/a", line]


def test_a_read_whose_answer_had_begun_is_not_asked_again(ask: Ask) -> None:
    with moody([Cut(http(AGENT)[:-5])], [http(AGENT)]) as server, pytest.raises(GatewayUnavailable):
        ask(gateway_at(server).agent, "a")
    assert server.asked == ["GET /api/v1/agents/a"]


def test_a_read_that_times_out_is_not_asked_again(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.calls.wire.READ_TIMEOUT", 0.1)  # seconds
    with moody([b""]) as server, pytest.raises(GatewayUnavailable):
        ask(gateway_at(server).agent, "a")
    assert server.asked == ["GET /api/v1/agents/a"]


@pytest.mark.parametrize("begun", [0, 60, 10_000], ids=["a head", "a body", "only a body's end"])
@pytest.mark.parametrize("line", ["GET", "POST"])
def test_an_answer_that_trickles_is_given_up_and_not_asked_for_again(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, line: str, begun: int
) -> None:
    monkeypatch.setattr("gateway.calls.wire.WHOLE_TIMEOUT", 0.6)  # seconds
    whole = http({**AGENT, "description": "x" * 11_000})
    trickles = Trickle(whole)
    trickles.begun = begun
    with moody([trickles]) as server, pytest.raises(GatewayUnavailable):
        gateway = gateway_at(server)
        ask(gateway.agent, "a") if line == "GET" else ask(partial(gateway.answer, approve=True), "a")
    assert len(server.asked) == 1


def test_nobody_listening_is_asked_once(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(GatewayUnavailable):
        ask(Gateway(url, "a.login.token", "released").agent, "a")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>no</html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example.test/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 301 Moved\r\nLocation: //\xff\xfe:port/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n",
        http({"id": 5, "name": "Echo"}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200000,
    ],
    ids=[
        *("HTML", "another type", "a redirect", "a redirect to no address", "a redirect to no text"),
        *("a refusal without JSON", "an id that is a number", "nested deeply"),
    ],
)
def test_an_answer_that_makes_no_sense_is_malformed(ask: Ask, answer: bytes) -> None:
    with moody([answer]) as server, pytest.raises(MalformedReply):
        ask(gateway_at(server).agent, "a")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_stands_before_a_gateway_may_be_busy(ask: Ask, status: int) -> None:
    answer = f"HTTP/1.1 {status} Busy\r\nContent-Length: 15\r\n\r\n<html>no</html>".encode()
    with moody([answer]) as server, pytest.raises(GatewayUnavailable):
        ask(gateway_at(server).agent, "a")


def test_no_cookie_of_one_person_goes_with_another(ask: Ask) -> None:
    with moody([http(AGENT, "Set-Cookie: who=ana\r\n"), http(AGENT)]) as server:
        ask(gateway_at(server).agent, "a")
        ask(Gateway(server.url, "another.login.token", "released").agent, "a")
    assert server.connections == 1
