"""The load: reads many streams in a process of its own and says how late each delta was.

Reads one JSON document on stdin: `{"requests": [{method, url, headers, body}]}`. Writes `ready` once all are open, then
one JSON document: `{"late": [ms at each percentile 0 … 100], "seen", "seconds", "cpu"}`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

import aiohttp
import uvloop

STAMP = re.compile(rb"(\d{10}\.\d{6}) \.")


async def lateness(response: aiohttp.ClientResponse) -> list[float]:
    """Milliseconds between the agent's sending and our reading, for each delta; several may come in one event."""
    late: list[float] = []
    rest = b""
    async for chunk in response.content.iter_any():
        now = time.time()
        *frames, rest = (rest + chunk).split(b"\n\n")
        for frame in frames:
            if b"event: block" not in frame:  # which has the same text once more
                late += [1000 * (now - float(stamp)) for stamp in STAMP.findall(frame)]
    return late


async def follow(session: aiohttp.ClientSession, wanted: dict[str, Any], opened: asyncio.Semaphore) -> list[float]:
    async with session.request(
        wanted["method"], wanted["url"], headers=wanted["headers"], data=wanted.get("body")
    ) as response:
        response.raise_for_status()
        opened.release()
        return await lateness(response)


async def main() -> None:
    document = json.load(sys.stdin)
    opened = asyncio.Semaphore(0)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:
        following = [asyncio.create_task(follow(session, wanted, opened)) for wanted in document["requests"]]
        for _ in following:
            await opened.acquire()
        print("ready", flush=True)
        started, cpu = time.monotonic(), time.process_time()
        late = sorted(one for seen in await asyncio.gather(*following) for one in seen)
    at = [late[min(len(late) - 1, len(late) * percent // 100)] for percent in range(101)] if late else []
    told = {"late": at, "seen": len(late), "seconds": time.monotonic() - started, "cpu": time.process_time() - cpu}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
