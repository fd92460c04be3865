"""What Portico adds to an agent's stream: a follower of the run log against the same client straight at the gateway."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
from collections.abc import Iterator
from typing import Any

import aiohttp

from embedded import ids
from tests.bench import UNBOUNDED
from tests.bench.followers import lateness
from tests.embedded import Embedded
from tests.portico import Portico, Visitor

ROUNDS = 20
PACE = {"rate": 50, "count": 50, "size": 20, "wait": 0.5}  # a second of deltas; followers are there before the first


def measure() -> Iterator[dict[str, Any]]:
    with Embedded.start() as gateway:
        portico = Portico.as_demo(gateway.url, **UNBOUNDED).start()
        visitor = Visitor(portico)
        try:
            visitor.signs_in("user@example.com")
            visitor.posts(f"/agents/{ids.METRONOME}/", message=json.dumps({**PACE, "count": 1}))
            yield from compare(gateway, portico, visitor)
        finally:
            visitor.session.close()
            portico.close()


def compare(gateway: Embedded, portico: Portico, visitor: Visitor) -> Iterator[dict[str, Any]]:
    token = gateway.token("user@example.com")
    relayed: list[list[float]] = []
    direct: list[list[float]] = []
    for _ in range(ROUNDS):  # interleaved, so that both meet the same noise
        direct.append(asyncio.run(straight(gateway.url, token)))
        page = visitor.posts(f"/agents/{ids.METRONOME}/", message=json.dumps(PACE))
        run = re.findall(r'data-run="([^"]+)"', page.text)[-1]
        relayed.append(asyncio.run(followed(portico.url, run, visitor)))
    assert all(len(seen) == PACE["count"] for seen in (*relayed, *direct)), "events were lost"
    yield line("relay_first_text", [seen[0] for seen in relayed], [seen[0] for seen in direct], goal=3.0)
    yield line(
        "relay_per_event",
        [late for seen in relayed for late in seen[1:]],
        [late for seen in direct for late in seen[1:]],
        goal=0.5,
    )


def line(name: str, relayed: list[float], direct: list[float], goal: float) -> dict[str, Any]:
    through, straight_ = statistics.median(relayed), statistics.median(direct)
    added = through - straight_
    return {
        "name": name,
        "value": round(added, 3),
        "unit": "ms added, p50",
        "baseline": round(straight_, 3),
        "ratio": round(through / straight_, 2),
        "goal": goal,
        "met": added <= goal,
    }


async def straight(url: str, token: str) -> list[float]:
    body = {"threadId": "t", "runId": "r", "messages": [{"id": "1", "role": "user", "content": json.dumps(PACE)}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/api/v1/agents/{ids.METRONOME}/invoke", json=body, headers={"Authorization": f"Bearer {token}"}
        ) as response,
    ):
        return await lateness(response)


async def followed(url: str, run: str, visitor: Visitor) -> list[float]:
    cookies = {cookie.name: cookie.value or "" for cookie in visitor.session.cookies}
    async with (
        aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        session.get(f"{url}/runs/{run}/events/") as response,
    ):
        return await lateness(response)
