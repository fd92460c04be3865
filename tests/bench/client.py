"""The upstream side of the relay alone: how fast many streams open, what each one costs, how fast deltas are decoded.

The server of bytes and every client stand in processes of their own, so that neither's work is counted as the other's.
The baseline is aiohttp by itself against the same server.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import psutil
import uvloop
from ag_ui.core import EventType, RunAgentInput, TextMessageContentEvent

from gateway import Gateway, streams
from tests.embedded import ROOT

STREAMS = 1_000
DELTAS = 200_000
ROUNDS = 5
RUN = RunAgentInput(thread_id="t", run_id="r", state={}, messages=[], tools=[], context=[], forwarded_props={})
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def measure() -> Iterator[dict[str, Any]]:
    with subprocess.Popen(command("serve"), cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in JOBS}
        for _ in range(ROUNDS):  # interleaved, so that all meet the same noise
            for kind, results in rounds.items():
                done = subprocess.run(command(kind, url), cwd=ROOT, capture_output=True, check=True, text=True)
                results.append(json.loads(done.stdout))
        server.kill()
    yield line("relay_client_open", "s for 1,000 streams", rounds, "open", "seconds", at_most=1.0)
    yield line("relay_client_memory", "KB a stream", rounds, "open", "kb", at_most=16.0)
    yield line("relay_client_decode", "AG-UI text deltas a second", rounds, "decode", "rate", at_least=100_000)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.client", *arguments]


def line(
    name: str,
    unit: str,
    rounds: dict[str, list[dict[str, float]]],
    kind: str,
    figure: str,
    *,
    at_most: float = float("inf"),
    at_least: float = 0,
) -> dict[str, Any]:
    value, baseline = (statistics.median(one[figure] for one in rounds[job]) for job in (kind, f"bare-{kind}"))
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "baseline": round(baseline, 3),
        "ratio": round(value / baseline, 2),
        "goal": at_least or at_most,
        "met": at_least <= value <= at_most,
    }


# -- the server ---------------------------------------------------------------------------------------------------


def frame(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def chunk(content: bytes) -> bytes:
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


STARTED = frame({"type": "RUN_STARTED", "threadId": "t", "runId": "r"})
FINISHED = frame({"type": "RUN_FINISHED", "threadId": "t", "runId": "r"})


async def serve() -> None:
    """`/flat/…` sends all deltas as fast as they are taken; everything else one event, and then nothing."""
    deltas = [frame({"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": f"word {n} "}) for n in range(DELTAS)]
    pieces = [chunk(b"".join(deltas[start : start + 1000])) for start in range(0, DELTAS, 1000)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(HEADERS + chunk(STARTED))
            if b"/flat/" in head.split(b"\r\n")[0]:
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                writer.write(chunk(FINISHED) + b"0\r\n\r\n")
            while await reader.read(65536):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4 * STREAMS)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


# -- the clients --------------------------------------------------------------------------------------------------


async def opened(url: str) -> dict[str, float]:
    """1,000 runs, each with its first event read."""
    gateway = Gateway(url, "a.login.token")

    async def follow(leaving: AsyncExitStack) -> None:
        batches = await leaving.enter_async_context(gateway.run_agent("silent", RUN))
        assert (await anext(batches))[0].type == EventType.RUN_STARTED

    async with AsyncExitStack() as leaving:
        await follow(leaving)
        return await cost(lambda: follow(leaving))


async def bare_opened(url: str) -> dict[str, float]:
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
        ) as session,
        AsyncExitStack() as leaving,
    ):

        async def follow() -> None:
            response = await leaving.enter_async_context(session.post(f"{url}/silent", data=RUN.model_dump_json()))
            await response.content.readany()

        await follow()
        return await cost(follow)


async def cost(follow: Callable[[], Awaitable[None]]) -> dict[str, float]:
    """Seconds until STREAMS are open, and KB each once as many again are.

    The first burst alone leaves the process what it needed for a moment only; the second one takes its place there.
    """
    process = psutil.Process()
    before = process.memory_info().rss
    began = time.perf_counter()
    await asyncio.gather(*(follow() for _ in range(STREAMS)))
    seconds = time.perf_counter() - began
    await asyncio.gather(*(follow() for _ in range(STREAMS)))
    return {"seconds": seconds, "kb": (process.memory_info().rss - before) / (2 * STREAMS) / 1024}


async def decoded(url: str) -> dict[str, float]:
    """Every delta, as run events in which those that came together are joined."""
    read = 0
    began = time.perf_counter()
    async with Gateway(f"{url}/flat", "a.login.token").run_agent("agent", RUN) as batches:
        async for events in batches:
            read += sum(event.delta.count("word") for event in events if isinstance(event, TextMessageContentEvent))
    rate = read / (time.perf_counter() - began)
    assert read == DELTAS, "deltas were lost"
    return {"rate": rate}


async def bare_decoded(url: str) -> dict[str, float]:
    """The same bytes, read and counted."""
    read = 0
    began = time.perf_counter()
    async with aiohttp.ClientSession() as session, session.post(f"{url}/flat/", data=RUN.model_dump_json()) as response:
        async for content in response.content.iter_any():
            read += content.count(b"\n\n")
            if content.endswith(FINISHED):
                break
    return {"rate": read / (time.perf_counter() - began)}


JOBS = {"open": opened, "bare-open": bare_opened, "decode": decoded, "bare-decode": bare_decoded}


async def report(kind: str, url: str) -> None:
    result = await JOBS[kind](url)
    await streams.close()
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(serve() if sys.argv[1] == "serve" else report(sys.argv[1], sys.argv[2]))
