"""Streams: cut anywhere, with headers that lie, left in every state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from ag_ui.core import Event, EventType, RunAgentInput

from gateway import Gateway, streams
from gateway.errors import (
    GatewayError,
    GatewayUnavailable,
    MalformedReply,
    StreamBroken,
    StreamMalformed,
    StreamSilent,
)
from gateway.sse import LARGEST_EVENT, Reader, ServerSentEvent
from tests.wire.replay import RECORDINGS, Exchange, recorded

RUN = RunAgentInput(thread_id="t", run_id="r", state={}, messages=[], tools=[], context=[], forwarded_props={})
STREAM = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
STARTED = 'data: {"type":"RUN_STARTED","threadId":"t","runId":"r"}\n\n'
FINISHED = 'data: {"type":"RUN_FINISHED","threadId":"t","runId":"r"}\n\n'
PROMPT = 0.1  # seconds


@pytest.fixture(autouse=True)
async def streaming() -> AsyncIterator[None]:
    yield
    await streams.close()


# -- cut anywhere -------------------------------------------------------------------------------------------------


def read(*chunks: bytes) -> list[ServerSentEvent]:
    reader = Reader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*events, *reader.close()]


def recorded_streams() -> list[Exchange]:
    scenarios = sorted(path.stem for path in RECORDINGS.glob("*.json"))
    exchanges = [exchange for scenario in scenarios for exchange in recorded(scenario) if exchange.is_stream]
    return list({exchange.sent(): exchange for exchange in exchanges if exchange.frames}.values())


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_a_recorded_stream_is_the_same_events_wherever_it_is_cut(end: bytes) -> None:
    for exchange in recorded_streams():
        sent = exchange.sent().replace(b"\r\n", b"\n").replace(b"\n", end)
        whole = read(sent)
        frames = [frame["data"] for frame in exchange.frames]  # without one that has no blank line after it
        assert [event.data.decode() for event in whole][: len(frames)] == frames
        assert read(*(sent[at : at + 1] for at in range(len(sent)))) == whole
        for cut in range(len(sent)):
            assert read(sent[:cut], sent[cut:]) == whole, f"{exchange.scenario} {exchange.number} cut at {cut}"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_two_cuts_make_no_difference_either(end: str) -> None:
    lines = [
        "\ufeff: hello",
        "event: ü",
        "data: a",
        "data:🜚",
        "id: 1",
        "",
        "retry: 5",
        "",
        "",
        "data",
        "",
        "data: last",
    ]
    sent = end.join(lines).encode()
    whole = read(sent)
    assert [(event.event, event.data.decode()) for event in whole] == [
        ("ü", "a\n🜚"),
        ("message", ""),
        ("message", "last"),
    ]
    for first in range(len(sent)):
        for second in range(first, len(sent)):
            assert read(sent[:first], sent[first:second], sent[second:]) == whole, f"cut at {first} and {second}"


def test_a_body_that_is_no_event_stream_is_told_as_such() -> None:
    for body in (b"<html>\n\n<body>no</body>\n\n</html>", b'{"error": "no"}', b"\xff\xfe\n\n"):
        for cut in range(len(body)):
            with pytest.raises(StreamMalformed):
                read(body[:cut], body[cut:])
    assert read(b": only comments\n\n: and more") == read(b"id: 7\n\nsomething: else\n\n") == read(b"\n\n") == []


def test_no_more_is_kept_than_one_event_may_be() -> None:
    reader = Reader()
    for _ in range(40):
        reader.feed(b"data: x\n\n" * 10_000 + b"junk\n\n" * 10_000)
        assert len(reader._rest) == 0
    with pytest.raises(StreamMalformed):
        for _ in range(LARGEST_EVENT // 1000 + 2):
            reader.feed(b"j" * 1000)
    assert len(reader._rest) <= LARGEST_EVENT + 1000


def test_the_largest_event_that_is_read_is_1_mib() -> None:
    fits = b"data: " + b"x" * (LARGEST_EVENT - 6)
    assert len(read(fits + b"\n\n")[0].data) == LARGEST_EVENT - 6
    for tail in (b"x\n\n", b"x"):
        with pytest.raises(StreamMalformed):
            read(fits + tail)


# -- a server of bytes --------------------------------------------------------------------------------------------


@dataclass
class Server:
    """Sends what it is told to each connection, then waits for its end."""

    url: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    requests: int = 0


@asynccontextmanager
async def serving(answer: bytes, *, reads: bool = True, closes: bool = False) -> AsyncIterator[Server]:
    server = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if reads:
                await reader.readuntil(b"\r\n\r\n")
                server.requests += 1
            writer.write(answer)
            await writer.drain()
            server.reached.set()
            if not closes:
                while await reader.read(65536):
                    pass
        except ConnectionError:
            pass
        finally:
            server.left.set()
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        listening.close()
        await asyncio.wait_for(server.left.wait(), 5)


async def follow_run(gateway: Gateway) -> list[Event]:
    events: list[Event] = []
    async with gateway.run_agent("agent", RUN) as batches:
        async for several in batches:
            events += several
    return events


async def follow_confirmations(gateway: Gateway) -> None:
    async with gateway.confirmation_events() as events:
        async for _ in events:
            pass


# -- headers and bodies that lie ----------------------------------------------------------------------------------


def answer_of(kind: str, body: str, more: str = "Connection: close\r\n") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}\r\n{body}".encode()


LIES: list[tuple[str, bytes, type[GatewayError]]] = [
    ("JSON that is called a stream", answer_of("text/event-stream", '{"reply": "hi"}'), StreamMalformed),
    ("HTML that is called a stream", answer_of("text/event-stream", "<html>\n\nno\n\n</html>"), StreamMalformed),
    ("a stream that is called JSON", answer_of("application/json", STARTED + FINISHED), MalformedReply),
    ("a stream that is called HTML", answer_of("text/html", STARTED + FINISHED), MalformedReply),
    ("a stream without a type", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + STARTED.encode(), MalformedReply),
    (
        "a length beyond the end",
        answer_of("text/event-stream", STARTED, "Content-Length: 5000\r\nConnection: close\r\n"),
        StreamBroken,
    ),
    (
        "a length before the end",
        answer_of("text/event-stream", STARTED + FINISHED, f"Content-Length: {len(STARTED) + 5}\r\n"),
        MalformedReply,
    ),
    (
        "JSON that is longer than it says",
        answer_of("application/json", '{"data": "hi"}', "Content-Length: 9\r\n"),
        MalformedReply,
    ),
    (
        "plain bytes that are called compressed",
        answer_of("text/event-stream", STARTED + FINISHED, "Content-Encoding: gzip\r\nConnection: close\r\n"),
        StreamBroken,
    ),
    (
        "chunks that are none",
        answer_of("text/event-stream", STARTED + FINISHED, "Transfer-Encoding: chunked\r\n"),
        MalformedReply,
    ),
    ("no HTTP at all", b"SSH-2.0-OpenSSH_9.6\r\n", MalformedReply),
    ("an event over 1 MiB", answer_of("text/event-stream", "data: " + "x" * 2 * LARGEST_EVENT), StreamMalformed),
    ("a JSON list", answer_of("application/json", "[1]", "Content-Length: 3\r\n"), MalformedReply),
    (
        "JSON that is nested too deeply",
        answer_of("application/json", "[" * 200_000, "Content-Length: 200000\r\n"),
        MalformedReply,
    ),
]


@pytest.mark.parametrize(("answer", "error"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
async def test_an_answer_that_lies_is_a_clear_error(answer: bytes, error: type[GatewayError]) -> None:
    async with asyncio.timeout(10), serving(answer, closes=True) as server:
        with pytest.raises(GatewayError) as refused:
            await follow_run(Gateway(server.url, "a.login.token"))
    assert type(refused.value) is error
    assert refused.value.message


async def test_a_stream_that_says_its_end_may_break_afterwards() -> None:
    body = answer_of("text/event-stream; charset=latin-1", STARTED + FINISHED, "Content-Length: 5000\r\n")
    async with serving(body, closes=True) as server:
        events = await follow_run(Gateway(server.url, "a.login.token"))
    assert [event.type for event in events] == [EventType.RUN_STARTED, EventType.RUN_FINISHED]


async def test_a_body_that_stays_open_after_the_end_ends_the_answer_soon() -> None:
    async with asyncio.timeout(10), serving((STREAM + STARTED + FINISHED).encode()) as server:
        events = await follow_run(Gateway(server.url, "a.login.token"))
    assert [event.type for event in events] == [EventType.RUN_STARTED, EventType.RUN_FINISHED]


async def test_a_run_that_follows_in_the_same_body_belongs_to_the_answer() -> None:
    batches: list[list[EventType]] = []
    ends = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write((STREAM + STARTED + FINISHED).encode())
        await ends.wait()  # until the first end was heard
        writer.write((STARTED + FINISHED).encode())
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    gateway = Gateway(f"http://{host}:{port}", "a.login.token")
    async with asyncio.timeout(10), listening, gateway.run_agent("agent", RUN) as several:
        async for events in several:
            batches.append([event.type for event in events])
            ends.set()
    assert batches == 2 * [[EventType.RUN_STARTED, EventType.RUN_FINISHED]]


async def test_a_run_that_follows_in_the_same_body_may_break_off() -> None:
    async with serving((STREAM + STARTED + FINISHED + STARTED).encode(), closes=True) as server:
        with pytest.raises(StreamBroken):
            await follow_run(Gateway(server.url, "a.login.token"))


async def test_a_run_is_never_sent_twice() -> None:
    async with serving(b"", closes=True) as server:
        with pytest.raises(GatewayUnavailable):
            await follow_run(Gateway(server.url, "a.login.token"))
    assert server.requests == 1


# -- left in every state ------------------------------------------------------------------------------------------

CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(text: str) -> str:
    return f"{len(text.encode()):x}\r\n{text}\r\n"


STREAMING = CHUNKED.format("text/event-stream")
STATES = {
    "waiting for headers": b"",
    "in the middle of the headers": STREAMING[:30].encode(),
    "before the first event": STREAMING.encode(),
    "silent between events": (STREAMING + chunk(STARTED)).encode(),
    "in the middle of an event": (STREAMING + chunk(STARTED + 'data: {"type":"TEXT_MES')).encode(),
    "in the middle of a chunk": (STREAMING + chunk(STARTED)[:-9]).encode(),
    "in the middle of a JSON answer": (CHUNKED.format("application/json") + chunk('{"data": ')).encode(),
}


async def seconds_to_leave(follow: Callable[[Gateway], Awaitable[object]], server: Server, url: str) -> float:
    """Until the server sees the connection closed, once whoever follows is cancelled there."""

    async def following() -> None:
        await follow(Gateway(url, "a.login.token", "released"))

    task = asyncio.create_task(following())
    await server.reached.wait()
    for _ in range(20):  # let what was sent arrive and be read
        await asyncio.sleep(0)
    assert not task.done()
    began = time.perf_counter()
    task.cancel()
    await server.left.wait()
    taken = time.perf_counter() - began
    with pytest.raises(asyncio.CancelledError):
        await task
    return taken


async def fastest(follow: Callable[[Gateway], Awaitable[object]], answer: bytes, scheme: str, *, reads: bool) -> float:
    """Of some attempts: the machine may be busy, the client may not."""
    taken: list[float] = []
    async with asyncio.timeout(20):
        while not taken or (min(taken) > PROMPT and len(taken) < 5):
            async with serving(answer, reads=reads) as server:
                taken.append(await seconds_to_leave(follow, server, server.url.replace("http", scheme, 1)))
    return min(taken)


@pytest.mark.parametrize("state", STATES)
async def test_leaving_a_run_closes_its_connection_at_once(state: str) -> None:
    assert await fastest(follow_run, STATES[state], "http", reads=True) <= PROMPT


@pytest.mark.parametrize("state", [state for state in STATES if "JSON" not in state])
async def test_leaving_the_confirmations_closes_their_connection_at_once(state: str) -> None:
    started = 'event: connected\ndata: {"timestamp": "2026-01-01T00:00:00Z"}\n\n'
    answer = STATES[state].replace(chunk(STARTED).encode(), chunk(started).encode())
    assert await fastest(follow_confirmations, answer, "http", reads=True) <= PROMPT


@pytest.mark.parametrize("follow", [follow_run, follow_confirmations])
async def test_leaving_while_it_connects_closes_the_connection_at_once(
    follow: Callable[[Gateway], Awaitable[object]],
) -> None:
    """A TLS handshake that is not answered is the connecting that a server can see."""
    assert await fastest(follow, b"", "https", reads=False) <= PROMPT


async def test_leaving_the_block_closes_the_connection_with_events_unread() -> None:
    async with asyncio.timeout(10), serving(STATES["in the middle of an event"]) as server:
        async with Gateway(server.url, "a.login.token").run_agent("agent", RUN) as batches:
            assert (await anext(batches))[0].type == EventType.RUN_STARTED
        await server.left.wait()


# -- silent for too long ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("waiting for headers", GatewayUnavailable),
        ("before the first event", StreamSilent),
        ("silent between events", StreamSilent),
        ("in the middle of a JSON answer", StreamSilent),
    ],
)
async def test_an_agent_that_is_silent_for_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, state: str, error: type[GatewayError]
) -> None:
    monkeypatch.setattr(streams, "RUN_SILENCE", 0.2)
    began = time.monotonic()
    async with asyncio.timeout(10), serving(STATES[state]) as server:
        with pytest.raises(GatewayError) as refused:
            await follow_run(Gateway(server.url, "a.login.token"))
    assert type(refused.value) is error
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("follow", [follow_run, follow_confirmations])
async def test_a_refusal_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch, follow: Callable[[Gateway], Awaitable[object]]
) -> None:
    monkeypatch.setattr(streams, "REFUSED_WITHIN", 0.2)
    refused = b'HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"error":'
    async with asyncio.timeout(10), serving(refused) as server:
        with pytest.raises(GatewayUnavailable):
            await follow(Gateway(server.url, "a.login.token"))
        await server.left.wait()


async def test_a_stream_costs_no_timer_for_each_chunk() -> None:
    async with (
        asyncio.timeout(10),
        serving(STATES["silent between events"]) as server,
        Gateway(server.url, "a.login.token").run_agent("agent", RUN) as batches,
    ):
        await anext(batches)
        assert batches._response and batches._response.connection
        protocol = batches._response.connection.protocol
        assert protocol is not None and protocol.read_timeout is None
