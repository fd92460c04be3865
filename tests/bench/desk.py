"""How long a call that waits takes from the gateway to an open page: a frame of the socket, against the bare event."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import aiohttp

from tests.bench import UNBOUNDED
from tests.embedded import Embedded
from tests.portico import Portico, Visitor

CALLS = 40
ADMIN, USER = "admin@example.com", "user@example.com"
WITHIN = 20.0  # ms
PATIENCE = 10.0  # seconds
BETWEEN = 0.05  # seconds, so that each call is a change of its own


def measure() -> Iterator[dict[str, Any]]:
    with Embedded.start() as gateway:
        portico = Portico.as_demo(gateway.url, **UNBOUNDED).start()
        visitor = Visitor(portico)
        try:
            visitor.signs_in(ADMIN)
            through, straight = asyncio.run(compare(gateway, visitor))
        finally:
            visitor.session.close()
            portico.close()
    value, baseline = statistics.median(through), statistics.median(straight)
    yield {
        "name": "desk_event_to_socket",
        "value": round(value, 3),
        "unit": "ms",
        "baseline": round(baseline, 3),
        "ratio": round(value / baseline, 2),
        "goal": WITHIN,
        "met": value <= WITHIN,
    }


async def compare(gateway: Embedded, visitor: Visitor) -> tuple[list[float], list[float]]:
    """(ms until the page's socket had it, ms until a bare client had the same event), a call each.

    Both count from the event's own timestamp, which is cut to the millisecond.
    """
    token = await asyncio.to_thread(gateway.token, ADMIN)
    cookies = {cookie.name: cookie.value or "" for cookie in visitor.session.cookies}
    page = visitor.portico.url
    through, straight = Arrivals(), Arrivals()
    asked: dict[str, float] = {}
    async with (
        aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as bare,
        browser.ws_connect(f"{page}/ws/confirmations/", origin=page, max_msg_size=0) as socket,
        bare.get(f"{gateway.url}/api/v1/stream") as stream,
    ):
        await asyncio.wait_for(socket.receive(), PATIENCE)  # the whole queue: the page is live
        reading = [
            asyncio.create_task(read_socket(socket, through)),
            asyncio.create_task(read_stream(stream, straight, asked)),
        ]
        try:
            for number in range(CALLS):
                hold = {"email": USER, "tool": "delete_file", "agent": "File manager", "arguments": {"n": number}}
                async with bare.post(f"{gateway.url}/_dials", json={"hold": hold}) as answer:
                    call = (await answer.json())["id"]
                await asyncio.wait_for(asyncio.gather(through.have(call), straight.have(call)), PATIENCE)
                await asyncio.sleep(BETWEEN)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)
    return late(through, asked), late(straight, asked)


def late(seen: Arrivals, asked: dict[str, float]) -> list[float]:
    return [1000 * (seen[call] - at) for call, at in asked.items()]


class Arrivals(dict[str, float]):
    """When each call arrived somewhere, in Unix seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.more = asyncio.Event()

    def note(self, call: str, at: float) -> None:
        self.setdefault(call, at)
        self.more.set()

    async def have(self, call: str) -> None:
        while call not in self:
            self.more.clear()
            await self.more.wait()


async def read_socket(socket: aiohttp.ClientWebSocketResponse, seen: Arrivals) -> None:
    async for message in socket:
        now = time.time()
        frame = json.loads(message.data)
        if frame["type"] == "item":
            seen.note(frame["id"], now)


async def read_stream(stream: aiohttp.ClientResponse, seen: Arrivals, asked: dict[str, float]) -> None:
    name = b""
    async for line in stream.content:
        now = time.time()
        if line.startswith(b"event: "):
            name = line[7:].strip()
        elif line.startswith(b"data: ") and name == b"CONFIRMATION_REQUIRED":
            event = json.loads(line[6:])
            asked[event["id"]] = datetime.fromisoformat(event["timestamp"]).timestamp()
            seen.note(event["id"], now)
