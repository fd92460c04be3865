"""One plain call: the token, the dialect, and what is made of the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import RemoteDisconnected
from typing import TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import requests
from requests.auth import AuthBase
from urllib3.exceptions import ProtocolError
from yarl import URL

from gateway import clock, deep, streams
from gateway.calls.pool import pool, within
from gateway.dialect import DIALECTS, GUIDE, RELEASED, Dialect
from gateway.errors import (
    AlreadyResolved,
    GatewayUnavailable,
    MalformedReply,
    NotConfirmed,
    NotFound,
    NotOffered,
)
from gateway.refusals import refusal
from gateway.segments import is_segment
from gateway.waiting import is_unblocked, wait_for

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0  # seconds
READ_TIMEOUT = 15.0  # seconds between two bytes of an answer
WHOLE_TIMEOUT = 60.0  # seconds for a whole answer, however it comes
LARGEST_ANSWER = 32 * 1024 * 1024  # bytes

_known: dict[str, Dialect] = {}
"""Dialects found out by asking, a gateway each; kept for the life of the process."""


_session = pool()


@dataclass(frozen=True, slots=True)
class _Bearer(AuthBase):
    token: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@dataclass(frozen=True, slots=True)
class Wire:
    """How a gateway is asked; what one may ask it stands in the subclasses, a subject each."""

    url: str
    """Without `/api/v1`."""
    token: str = field(default="", repr=False)
    chosen: str = "auto"
    """A dialect by name, or `auto`: found out by asking."""

    def dialect(self) -> Dialect:
        """The dialect chosen, or found out once a process by asking for a route that only the guide's has."""
        known = self._known_dialect()
        if known is None:
            try:
                self._ask("GET", GUIDE.pending)
                known = GUIDE
            except NotOffered:
                known = RELEASED
            _known[self.url] = known
        return known

    def _known_dialect(self) -> Dialect | None:
        """The dialect as far as it is known without asking."""
        return _known.get(self.url) if self.chosen == "auto" else DIALECTS[self.chosen]

    def _in_dialect(self, ask: Callable[[Dialect], T]) -> T:
        """Ask in this gateway's dialect; once more when the route is gone, since gateways are upgraded."""
        try:
            return ask(self.dialect())
        except NotOffered:
            if self.chosen != "auto" or _known.pop(self.url, None) is None:
                raise
        return ask(self.dialect())

    def _address(self, path: str) -> str:
        return f"{self.url}/api/v1/{path}"

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None, base: str = "/api/v1") -> object:
        """One call. Returns the decoded JSON of a 2xx answer; raises for everything else.

        A read whose kept-alive connection turns out to be dead is sent once more, on a new one. A write never is:
        the gateway may have acted before the connection died.
        """
        address = f"{self.url}{base}/{path}"
        if is_unblocked():
            status, content = wait_for(self._exchanged(method, address, body))
        else:
            status, content = self._blocking(method, address, body)
        if not 200 <= status < 300:
            problem = refusal(status, content)
            if method == "GET" and isinstance(problem, AlreadyResolved):
                raise MalformedReply(f"status {status} to a read")  # which resolves nothing
            raise problem
        try:
            return deep.loads(content)
        except ValueError as exc:
            raise MalformedReply("not JSON") from exc

    async def _exchanged(self, method: str, address: str, body: Mapping[str, object] | None) -> tuple[int, bytes]:
        """Status and body of the answer, waited for on the loop. A dead connection is no matter: see `_ask`.

        aiohttp itself sends a GET once more, and a POST never; other methods it would, so they are not for the loop.
        """
        assert method in ("GET", "POST")
        timeout = aiohttp.ClientTimeout(WHOLE_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT)
        asked_at = datetime.now(UTC)
        try:
            async with streams.session().request(
                method,
                URL(address, encoded=True),
                json=body,
                headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                clock.hear_headers(self.url, response.headers, asked_at)
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        raise MalformedReply("longer than we read")
                return response.status, bytes(content)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise GatewayUnavailable from exc

    def _blocking(self, method: str, address: str, body: Mapping[str, object] | None) -> tuple[int, bytes]:
        """The same, in the thread of whoever asks."""
        try:
            with within(WHOLE_TIMEOUT) as call:
                try:
                    answer = self._exchange(_session, method, address, body)
                except requests.ConnectionError as exc:
                    if method != "GET" or call.is_late or not _died_unused(exc):
                        raise
                    with pool() as fresh:
                        answer = self._exchange(fresh, method, address, body)
        except requests.RequestException as exc:  # refused, reset, timed out, cut off
            raise GatewayUnavailable from exc
        if call.is_late:  # what came of it may end anywhere
            raise GatewayUnavailable
        return answer

    def _exchange(
        self, session: requests.Session, method: str, address: str, body: Mapping[str, object] | None
    ) -> tuple[int, bytes]:
        """Status and body of the answer, the body never longer than we want to hold."""
        asked_at = datetime.now(UTC)
        with session.request(
            method,
            address,
            json=body,
            auth=_Bearer(self.token),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,
            stream=True,
        ) as response:
            clock.hear_headers(self.url, response.headers, asked_at)
            content = bytearray()
            for chunk in response.iter_content(64 * 1024):
                content += chunk
                if len(content) > LARGEST_ANSWER:
                    raise MalformedReply("longer than we read")
            return response.status_code, bytes(content)


def _died_unused(exc: requests.ConnectionError) -> bool:
    """Whether the connection closed before a byte of the answer: nobody timed out, nothing was refused."""
    broken = exc.args[0] if exc.args else None
    cause = broken.args[-1] if isinstance(broken, ProtocolError) and broken.args else None
    return isinstance(cause, RemoteDisconnected | ConnectionResetError | BrokenPipeError)


def done(answer: object, what: str, words: str = "") -> Mapping[str, object]:
    """The gateway's answer to a change; `words`: the message that it gives then. Raises NotConfirmed without them.

    Whatever stands between may answer 200 with JSON of its own: only the gateway's own words say that it acted.
    """
    if not isinstance(answer, Mapping) or answer.get("success") is not True:
        raise NotConfirmed(f"{what}: no success")
    if words and answer.get("message") != words:
        raise NotConfirmed(f"{what}: another message")
    return answer


def part(text: str) -> str:
    """One segment of a path: the only way in which an id gets into an address. Raises NotFound for what is no id.

    Clients of HTTP take `.` and `..` out of a path, and would ask another route.
    """
    if not is_segment(text):
        raise NotFound
    return quote(text, safe="")


def query(**values: object) -> str:
    """`?name=value…` of what has a value; empty when nothing has."""
    given = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return f"?{urlencode(given, quote_via=quote)}" if given else ""
