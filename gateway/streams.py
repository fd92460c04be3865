"""What a gateway streams: the answer of an agent, and the confirmations that are asked for.

One aiohttp session a process and event loop: no limit on connections, no total timeout (its defaults cap both).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

import aiohttp
from ag_ui.core import Event, RunAgentInput

from gateway.answers import Decoder
from gateway.errors import GatewayUnavailable, MalformedReply, StreamBroken, StreamMalformed, StreamSilent
from gateway.refusals import refusal
from gateway.sse import Reader, ServerSentEvent
from gateway.types import Confirmation, mapping_of, text_of, time_of

CONNECT_TIMEOUT = 10  # seconds
RUN_SILENCE = 330  # seconds: the gateway cuts at 300, and an agent that waits for a decision is silent
CONFIRMATION_SILENCE = 75  # seconds: two heartbeats of 30 missed
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes of an answer that comes in one piece

RunEvents = AsyncIterator[list[Event]]
"""Lists of AG-UI events, each list as much as had arrived at once; the last one ends the run."""

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()


def _session() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    session = _sessions.get(loop)
    if session is None or session.closed:
        session = _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT),
        )
    return session


async def close() -> None:
    """Close this loop's session, if it has one. Whoever ends the loop calls it."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


@contextmanager
def _breaks() -> Iterator[None]:
    """Raise our own errors for a body that breaks."""
    try:
        yield
    except (aiohttp.ServerTimeoutError, TimeoutError) as exc:
        raise StreamSilent from exc
    except (aiohttp.ClientError, ConnectionError) as exc:
        raise StreamBroken from exc


@asynccontextmanager
async def _open(method: str, url: str, token: str, body: str, silence: float) -> AsyncIterator[aiohttp.ClientResponse]:
    """A 2xx answer whose body has yet to be read. Leaving closes the connection, wherever the body is."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",  # who compresses a stream gathers it first
    }
    if body:
        headers["Content-Type"] = "application/json"
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=silence)
    try:
        response = await _session().request(
            method, url, data=body or None, headers=headers, timeout=timeout, allow_redirects=False
        )
    except aiohttp.ClientResponseError as exc:  # what came is not HTTP
        raise MalformedReply("not HTTP") from exc
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise GatewayUnavailable from exc
    try:
        if not 200 <= response.status < 300:
            with _breaks():
                raise refusal(response.status, await _body(response))
        yield response
    finally:
        response.close()


async def _body(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise MalformedReply("longer than we read")
    return bytes(content)


async def _sent(response: aiohttp.ClientResponse) -> AsyncGenerator[list[ServerSentEvent]]:
    reader = Reader()
    with _breaks():
        async for chunk in response.content.iter_any():
            if sent := reader.feed(chunk):
                yield sent
        if sent := reader.close():
            yield sent


@asynccontextmanager
async def run_agent(url: str, token: str, run: RunAgentInput) -> AsyncIterator[RunEvents]:
    """Invoke an agent. Iterating raises StreamBroken or StreamSilent when the answer breaks off."""
    async with (
        _open("POST", url, token, run.model_dump_json(by_alias=True), RUN_SILENCE) as response,
        aclosing(_run_events(response, Decoder(run.thread_id, run.run_id))) as events,
    ):
        yield events


async def _run_events(response: aiohttp.ClientResponse, decoder: Decoder) -> AsyncGenerator[list[Event]]:
    match response.content_type:
        case "text/event-stream":
            async with aclosing(_sent(response)) as batches:
                async for sent in batches:
                    if events := [event for one in sent for event in decoder.feed(one)]:
                        yield events
                    if decoder.finished:
                        return
            if events := decoder.close():
                yield events
        case "application/json":
            with _breaks():
                content = await _body(response)
            try:
                doc = mapping_of(json.loads(content), "answer")
            except (ValueError, RecursionError) as exc:
                raise MalformedReply("not JSON") from exc
            yield decoder.whole(doc.get("data", doc))
        case other:
            raise MalformedReply(f"an answer of type {other}")


@dataclass(frozen=True, slots=True)
class Asked:
    """CONFIRMATION_REQUIRED: a call waits, or is told again."""

    confirmation: Confirmation


@dataclass(frozen=True, slots=True)
class Resolved:
    """CONFIRMATION_RESOLVED: not sent to everybody who saw it being asked (wire notes, Traps)."""

    id: str
    approved: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Alive:
    """`connected` or `heartbeat`: the line works, and this is the gateway's clock."""

    at: datetime


ConfirmationEvent = Asked | Resolved | Alive
ConfirmationEvents = AsyncIterator[ConfirmationEvent]


@asynccontextmanager
async def confirmation_events(url: str, token: str) -> AsyncIterator[ConfirmationEvents]:
    """The person's confirmation stream, open until left. Iterating raises StreamBroken, also at its end."""
    async with _open("GET", url, token, "", CONFIRMATION_SILENCE) as response:
        if response.content_type != "text/event-stream":
            raise MalformedReply("the confirmation stream is no event stream")
        async with aclosing(_confirmation_events(response)) as events:
            yield events


async def _confirmation_events(response: aiohttp.ClientResponse) -> AsyncGenerator[ConfirmationEvent]:
    async with aclosing(_sent(response)) as batches:
        async for sent in batches:
            for event in _confirmations(sent):
                yield event
    raise StreamBroken("the confirmation stream ended")


def _confirmations(sent: Iterable[ServerSentEvent]) -> Iterator[ConfirmationEvent]:
    for one in sent:
        try:
            doc = mapping_of(json.loads(one.data), one.event)
        except (ValueError, RecursionError) as exc:
            raise StreamMalformed("an event that is not JSON") from exc
        match one.event:
            case "CONFIRMATION_REQUIRED":
                yield Asked(Confirmation.from_event(doc))
            case "CONFIRMATION_RESOLVED":
                yield Resolved(text_of(doc, "id"), doc.get("confirmed") is True, time_of(doc, "timestamp"))
            case "connected" | "heartbeat":
                yield Alive(time_of(doc, "timestamp"))
