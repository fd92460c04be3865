"""Following the approvals as an open page does, over its WebSocket."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.embedded import Embedded
from tests.portico import Portico, Visitor

SOON = 5.0  # seconds: what the page promises for a decision
ANA, BO, OLU, GIL = "user@example.com", "admin@example.com", "operator@example.com", "other@example.com"

Arriving = Callable[[str], Visitor]


def arrived(portico: Portico, email: str) -> Visitor:
    visitor = Visitor(portico)
    visitor.signs_in(email)
    return visitor


@contextmanager
def arrivals(portico: Portico) -> Iterator[Arriving]:
    """Signs in whoever comes, each with a browser of their own."""
    there: list[Visitor] = []

    def arrive(email: str) -> Visitor:
        there.append(arrived(portico, email))
        return there[-1]

    yield arrive
    for one in there:
        one.session.close()


def words(markup: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).strip()


def address(visitor: Visitor) -> str:
    return visitor.portico.url.replace("http", "ws", 1) + "/ws/confirmations/"


def cookies(visitor: Visitor) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.session.cookies)


class OpenPage:
    """A page of somebody signed in, kept right by what the socket says alone."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.items: dict[str, str] = {}  # id -> what one reads
        self.states: dict[str, str] = {}
        self.state = ""
        self.count = -1
        self.away = 0.0  # seconds since the gateway is
        self.heard = 0  # frames
        self.unreadable = ""
        self.ended = ""
        self.ever: set[str] = set()  # ids that were ever shown
        self.told: list[str] = []  # every item as it was told, one after the other
        self.numbers: list[int] = []
        self.news: list[str] = []  # conversations that grew

    def hear(self, frame: dict[str, Any]) -> None:
        self.heard += 1
        if frame["type"] == "ended":
            self.ended = frame["message"]
            return
        if frame["type"] == "news":
            self.news.append(frame["conversation"])
            return
        self.state, self.count = frame["state"], frame["count"]
        self.unreadable, self.away = frame["unreadable"], frame["away"]
        if frame["type"] == "queue":
            self.items.clear()
        if frame["type"] == "gone":
            self.items.pop(frame["id"])
        if frame["type"] != "state":
            self.numbers.append(frame["number"])
        for item in re.findall(r"<li class=\"call.*?</li>", frame.get("html", ""), re.S):
            found = re.search(r'data-confirmation="([^"]+)" data-state="([^"]+)"', item)
            assert found, item[:200]
            self.items[found[1]] = words(item)
            self.states[found[1]] = found[2]
            self.ever.add(found[1])
            self.told.append(words(item))

    def sees(self, is_so: Callable[[OpenPage], bool], seconds: float = SOON) -> None:
        """Wait until it is so."""
        deadline = time.monotonic() + seconds
        while not is_so(self):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {seconds} s: {self.state}, {self.items}"
            try:
                self.hear(json.loads(self.socket.recv(timeout=left)))
            except TimeoutError:
                raise AssertionError(f"not within {seconds} s: {self.state}, {self.items}") from None

    def reads(self, confirmation: str, text: str, seconds: float = SOON) -> None:
        self.sees(lambda page: text in page.items.get(confirmation, ""), seconds)

    def closes(self, seconds: float = SOON) -> int:
        """The code that the socket is closed with."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self.hear(json.loads(self.socket.recv(timeout=max(0.0, deadline - time.monotonic()))))
        except ConnectionClosed as closed:
            assert closed.rcvd
            return closed.rcvd.code


def connected(visitor: Visitor, origin: str | None, headers: dict[str, str] | None = None) -> ClientConnection:
    """As a browser would on a page of that origin. Raises InvalidStatus when it is refused."""
    return connect(
        address(visitor),
        additional_headers={"Cookie": cookies(visitor), **(headers or {})},
        origin=Origin(origin) if origin is not None else None,
        max_size=None,
    )


@contextmanager
def open_page(visitor: Visitor) -> Iterator[OpenPage]:
    with connected(visitor, visitor.portico.url) as socket:
        yield OpenPage(socket)


@contextmanager
def live_page(visitor: Visitor) -> Iterator[OpenPage]:
    with open_page(visitor) as page:
        page.sees(lambda page: page.state == "live")
        yield page


def held(gateway: Embedded, email: str, tool: str, risk: str = "high", agent: str = "", **arguments: Any) -> str:
    """The id of a call that waits."""
    wanted = {"email": email, "tool": tool, "risk": risk, "arguments": arguments or None}
    if agent:
        wanted["agent"] = agent
    return str(gateway.dial(hold=wanted)["id"])


def resolved_elsewhere(gateway: Embedded, email: str, confirmation: str, how: str, **body: Any) -> None:
    """Answered at the gateway itself, with another program."""
    base = "confirmations" if gateway.dialect == "guide" else "confirmation"
    answer = requests.post(
        f"{gateway.url}/api/v1/{base}/{confirmation}/{how}",
        json=body,
        headers={"Authorization": f"Bearer {gateway.token(email)}"},
        timeout=SOON,
    )
    answer.raise_for_status()
