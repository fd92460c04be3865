"""What a gateway streams: the answer of an agent, and the confirmations that are asked for.

One aiohttp session a process and event loop, also for plain calls that are waited for on it: no limit on
connections, no total timeout (its defaults cap both).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from weakref import WeakKeyDictionary

import aiohttp
from ag_ui.core import Event, RunAgentInput

from gateway import clock, deep
from gateway.answers import Decoder
from gateway.errors import GatewayUnavailable, MalformedReply, StreamBroken, StreamMalformed, StreamSilent
from gateway.refusals import refusal
from gateway.sse import Reader, ServerSentEvent
from gateway.types import Confirmation, id_of, mapping_of, readable, time_of

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10  # seconds
RUN_SILENCE = 330  # seconds: the gateway cuts at 300, and an agent that waits for a decision is silent
CONFIRMATION_SILENCE = 75  # seconds: two heartbeats of 30 missed
REFUSED_WITHIN = 15  # seconds for the whole body of a refusal
_HEADERS = {
    "Accept": "text/event-stream, application/json",
    "Accept-Encoding": "identity",  # who compresses a stream gathers it first
}
AFTER_END = 2.0  # seconds that a body may stay open when its run has ended: another run may follow in it
AN_EVENT = 200  # bytes that an event costs, whatever it says
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes of an answer that comes in one piece

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()


def session() -> aiohttp.ClientSession:
    """This loop's."""
    loop = asyncio.get_running_loop()
    found = _sessions.get(loop)
    if found is None or found.closed:
        found = _sessions[loop] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT),
        )
    return found


async def close() -> None:
    """Close this loop's session, if it has one. Whoever ends the loop calls it."""
    if (found := _sessions.pop(asyncio.get_running_loop(), None)) is not None:
        await found.close()


_BROKEN = (aiohttp.ClientError, ConnectionError, TimeoutError)
"""How a body breaks."""


def _broken(exc: Exception) -> StreamBroken:
    """Our own error for it."""
    return StreamSilent() if isinstance(exc, TimeoutError) else StreamBroken()


class _Stream:
    """One answer of a gateway that is read as it comes: `async with`, then `async for`, once.

    A class where generators would read as well: thousands are open at once, and a suspended generator keeps its frame.
    """

    __slots__ = (
        *("_body", "_heard_at", "_method", "_reader", "_response"),
        *("_silence", "_silence_timer", "_token", "_url", "is_event_stream"),
    )

    def __init__(self, method: str, url: str, token: str, body: str, silence: float) -> None:
        self._method = method
        self._url = url
        self._token = token
        self._body = body
        self._silence = silence
        self._reader = Reader()
        self._response: aiohttp.ClientResponse | None = None
        self._heard_at = 0.0  # seconds of the loop's clock
        self._silence_timer: asyncio.TimerHandle | None = None
        self.is_event_stream = False

    async def __aenter__(self) -> Self:
        """Raises what the gateway refuses it with, or GatewayUnavailable."""
        headers = _HEADERS | {"Authorization": f"Bearer {self._token}"}
        if self._body:
            headers["Content-Type"] = "application/json"
        asked_at = datetime.now(UTC)
        try:
            response = await session().request(
                self._method,
                self._url,
                data=self._body or None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=self._silence),
                allow_redirects=False,
            )
        except aiohttp.ClientResponseError as exc:  # what came is not HTTP
            raise MalformedReply("not HTTP") from exc
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise GatewayUnavailable from exc
        clock.hear_headers(self._url, response.headers, asked_at)
        try:
            if not 200 <= response.status < 300:
                raise refusal(response.status, await _refused(response))
        except BaseException:
            response.close()
            raise
        self._response = response
        self._body = ""  # sent, and not needed again
        self.is_event_stream = response.content_type == "text/event-stream"
        protocol = response.connection and response.connection.protocol
        if self.is_event_stream and protocol is not None:  # an idle one is falsy
            protocol.read_timeout = None  # which would be a new timer with every chunk
            self._heard_at = asyncio.get_running_loop().time()
            self._look_for_silence()
        return self

    def _look_for_silence(self) -> None:
        loop = asyncio.get_running_loop()
        left = self._heard_at + self._silence - loop.time()
        if left > 0:
            self._silence_timer = loop.call_later(left, self._look_for_silence)
        else:
            self._opened.content.set_exception(TimeoutError())

    async def __aexit__(self, *_: object) -> None:
        """Closes the connection, wherever the body is."""
        if self._silence_timer is not None:
            self._silence_timer.cancel()
        if self._response is not None:
            self._response.close()

    def __aiter__(self) -> Self:
        return self

    @property
    def _opened(self) -> aiohttp.ClientResponse:
        if self._response is None:
            raise RuntimeError("not entered")
        return self._response

    async def _sent(self) -> list[ServerSentEvent] | None:
        """What came together, perhaps nothing that is complete; None from the clean end on."""
        try:
            chunk = await self._opened.content.readany()
        except _BROKEN as exc:
            raise _broken(exc) from exc
        self._heard_at = asyncio.get_running_loop().time()
        return self._reader.feed(chunk) if chunk else None


async def _refused(response: aiohttp.ClientResponse) -> bytes:
    """What it is refused with. An answer may take its time; a refusal that does is none."""
    try:
        async with asyncio.timeout(REFUSED_WITHIN):
            return await _whole(response)
    except TimeoutError as exc:
        raise GatewayUnavailable from exc


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    try:
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > LARGEST_ANSWER:
                raise MalformedReply("longer than we read")
    except _BROKEN as exc:
        raise _broken(exc) from exc
    return bytes(content)


class RunEvents(_Stream):
    """Lists of AG-UI events, each list as much as had arrived at once; the last one ends the run.

    Raises StreamBroken or StreamSilent when the answer breaks off.
    """

    __slots__ = ("_decoder", "_ended_at", "_is_over", "size")

    def __init__(self, url: str, token: str, run: RunAgentInput) -> None:
        super().__init__("POST", url, token, run.model_dump_json(by_alias=True), RUN_SILENCE)
        self._decoder = Decoder(run.thread_id, run.run_id)
        self._ended_at: float | None = None  # seconds of the loop's clock; None while a run goes on
        self._is_over = False
        self.size = 0
        """What the answer takes so far, in bytes: its body, and `AN_EVENT` for each event."""

    @property
    def passed_over(self) -> int:
        """Events that were no valid AG-UI, so far."""
        return self._decoder.passed_over

    @property
    def lacks_start(self) -> bool:
        """The stream is AG-UI and did not open with RUN_STARTED."""
        return self._decoder.lacks_start

    async def __anext__(self) -> list[Event]:
        decoder = self._decoder
        while not (self._is_over or (decoder.finished and not decoder.may_go_on)):
            if not self.is_event_stream:
                events = await self._in_one_piece()
            elif (sent := await self._sent()) is not None:
                events = decoder.feed_all(sent)
            elif decoder.finished:
                self._is_over = True
                events = []
            elif not (events := decoder.feed_all(self._reader.close())):
                self._is_over = True
                events = decoder.close()
            if events:
                self.size += AN_EVENT * len(events)
                return events
        raise StopAsyncIteration

    async def _sent(self) -> list[ServerSentEvent] | None:
        if self._decoder.finished:
            sent = await self._sent_after_end()
        else:
            self._ended_at = None
            sent = await super()._sent()
        self.size += sum(len(one.data) for one in sent or ())
        return sent

    async def _sent_after_end(self) -> list[ServerSentEvent] | None:
        """The answer has all that it needs: it waits for more only so long, and nothing breaks it any more."""
        now = asyncio.get_running_loop().time()
        if self._ended_at is None:
            self._ended_at = now
        try:
            async with asyncio.timeout_at(self._ended_at + AFTER_END):
                return await super()._sent()
        except (TimeoutError, StreamBroken):
            return None

    async def _in_one_piece(self) -> list[Event]:
        self._is_over = True
        if self._opened.content_type != "application/json":
            raise MalformedReply(f"an answer of type {self._opened.content_type}")
        try:
            content = await _whole(self._opened)
            self.size += len(content)
            doc = mapping_of(deep.loads(content), "answer")
        except ValueError as exc:
            raise MalformedReply("not JSON") from exc
        return self._decoder.whole(doc.get("data", doc))


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


@dataclass(frozen=True, slots=True)
class Unread:
    """An event that makes no sense: a call may wait that nobody can be shown."""


ConfirmationEvent = Asked | Resolved | Alive | Unread


class ConfirmationEvents(_Stream):
    """The person's confirmation stream, open until left. Raises StreamBroken, also at its end: it has none."""

    __slots__ = ("_waiting",)

    def __init__(self, url: str, token: str) -> None:
        super().__init__("GET", url, token, "", CONFIRMATION_SILENCE)
        self._reader = Reader(LARGEST_ANSWER)  # arguments are told whole, as in the list
        self._waiting: Iterator[ConfirmationEvent] = iter(())  # what came together with the last one

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if not self.is_event_stream:
            await self.__aexit__()
            raise MalformedReply("the confirmation stream is no event stream")
        return self

    async def __anext__(self) -> ConfirmationEvent:
        while True:
            for event in self._waiting:
                return event
            sent = await self._sent()
            if sent is None and not (sent := self._reader.close()):
                raise StreamBroken("the confirmation stream ended")
            self._waiting = self._in_time(sent)

    def _in_time(self, sent: Iterable[ServerSentEvent]) -> Iterator[ConfirmationEvent]:
        for event in _confirmations(sent):
            if isinstance(event, Alive):
                clock.hear(self._url, event.at)
            yield event


def _confirmations(sent: Iterable[ServerSentEvent]) -> Iterator[ConfirmationEvent]:
    for one in sent:
        try:
            doc = mapping_of(deep.loads(one.data), one.event)
        except ValueError as exc:
            raise StreamMalformed("an event that is not JSON") from exc
        try:
            event = _event_of(one.event, doc)
        except MalformedReply as exc:
            logger.info("a confirmation event was passed over: %s", exc)
            event = Unread()
        if event is not None:
            yield event


def _event_of(kind: str, doc: Mapping[str, Any]) -> ConfirmationEvent | None:
    """None for one that we do not know. Raises MalformedReply."""
    match kind:
        case "CONFIRMATION_REQUIRED":
            asked = readable([doc], Confirmation.from_event)
            return Asked(asked[0]) if asked else Unread()
        case "CONFIRMATION_RESOLVED":
            return Resolved(id_of(doc, "id"), doc.get("confirmed") is True, time_of(doc, "timestamp"))
        case "connected" | "heartbeat":
            return Alive(time_of(doc, "timestamp"))
    return None
