"""A gateway for load: the Metronome's answers as fast or as evenly as wanted, everything else from the real one.

`python -m tests.bench.upstream EMBEDDED_URL PORT`. The answers wait for `POST /_gate`, so that all followers are there.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

import aiohttp
import uvloop
from aiohttp import web

from embedded import ids

INVOKE = f"/api/v1/agents/{ids.METRONOME}/invoke"
HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "content-encoding"}
BATCH = 64  # events a write when they go out flat out


class Upstream:
    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.gate = asyncio.Event()

    async def set_gate(self, request: web.Request) -> web.Response:
        """`{"open": true}` lets the answers go; false holds the next ones."""
        if (await request.json())["open"]:
            self.gate.set()
        else:
            self.gate.clear()
        return web.json_response({})

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        wanted = json.loads((await request.json())["messages"][-1]["content"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        await response.write(frame({"type": "RUN_STARTED", "threadId": "t", "runId": "r"}))
        await response.write(frame({"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}))
        await self.gate.wait()
        if wanted["rate"]:
            await paced(response, wanted["rate"], wanted["count"])
        else:
            await flat_out(response, wanted["count"])
        await response.write(frame({"type": "TEXT_MESSAGE_END", "messageId": "m"}))
        await response.write(frame({"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}))
        return response

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.request(
                request.method, self.behind + request.path_qs, data=await request.read(), headers=headers
            ) as answer,
        ):
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response


async def paced(response: web.StreamResponse, rate: float, count: int) -> None:
    """Agents do not speak in chorus: each begins at its own moment of the pause between two events."""
    clock = asyncio.get_running_loop().time
    start = clock() + random.random() / rate
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / rate - clock()))
        await response.write(delta())


async def flat_out(response: web.StreamResponse, count: int) -> None:
    for _ in range(0, count, BATCH):
        await response.write(delta() * BATCH)


def delta() -> bytes:
    return b'data: {"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"%.6f ......... "}\n\n' % time.time()


def frame(event: object) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


async def application(behind: str) -> web.Application:
    upstream = Upstream(behind)
    app = web.Application()
    app.router.add_post("/_gate", upstream.set_gate)
    app.router.add_post(INVOKE, upstream.invoke)
    app.router.add_route("*", "/{path:.*}", upstream.pass_on)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), print=None)
