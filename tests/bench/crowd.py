"""The desk with many: sockets, changes, streams of the gateway, and two hundred calls on a page.

The crowd stands in a process of its own and reads sockets as bytes, so that its own work is not counted as Portico's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any

import aiohttp
import psutil
import requests
import uvloop
from playwright.sync_api import sync_playwright

from gateway import Gateway, streams
from gateway.streams import Alive
from tests.bench import UNBOUNDED
from tests.browser.conftest import QUIET
from tests.embedded import ROOT, Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import address, cookies, live_page

ADMIN, USER = "admin@example.com", "user@example.com"
FANOUT, IDLE, UPSTREAMS, BURST, SHOWN = 1_000, 3_000, 1_000, 500, 200
CHANGES = 20
WATCHED = 10  # seconds
AT_ONCE = 50  # sockets or streams that are being opened


def measure() -> Iterator[dict[str, Any]]:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with desk() as (gateway, portico, visitor):
        yield from fanout(gateway, portico, visitor)
    with desk() as (gateway, _, visitor):
        yield burst(gateway, visitor)
    with desk() as (_, portico, visitor):
        yield from idle(portico, visitor)
    with desk() as (gateway, _, visitor):
        yield event_to_page(gateway, visitor)
        gateway.dial(reset=True)
        yield page(gateway, visitor)
    yield from upstreams()


@contextmanager
def desk() -> Iterator[tuple[Embedded, Portico, Visitor]]:
    with Embedded.start() as gateway:
        portico = Portico.as_demo(gateway.url, **UNBOUNDED).start()
        visitor = Visitor(portico)
        visitor.signs_in(ADMIN)
        try:
            yield gateway, portico, visitor
        finally:
            visitor.session.close()
            portico.close()


def line(name: str, unit: str, value: float, baseline: float, goal: float, **more: float) -> dict[str, Any]:
    ratio = round(value / baseline, 2) if baseline else None
    told = {"name": name, "value": round(value, 3), "unit": unit, "baseline": round(baseline, 3), "ratio": ratio}
    return {**told, "goal": goal, "met": value <= goal, **more}


def percentile(values: list[float], percent: float) -> float:
    return sorted(values)[min(len(values) - 1, round(percent / 100 * len(values)))]


def hold(gateway: Embedded, number: int) -> str:
    wanted = {"email": USER, "tool": "delete_file", "agent": "File manager", "arguments": {"n": number}}
    return str(gateway.dial(hold=wanted)["id"])


# -- sockets ------------------------------------------------------------------------------------------------------


@contextmanager
def crowd(visitor: Visitor, number: int) -> Iterator[subprocess.Popen[str]]:
    """That many open sockets of one person; for each time on its input it prints how many ms later each heard."""
    told = json.dumps({"address": address(visitor), "cookies": cookies(visitor), "number": number})
    command = [sys.executable, "-m", "tests.bench.crowd", "sockets", told]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def fanout(gateway: Embedded, portico: Portico, visitor: Visitor) -> Iterator[dict[str, Any]]:
    """Counted from the moment in which the call was asked for; the baseline is the same with one socket."""
    assert portico.process
    process = psutil.Process(portico.process.pid)
    late: dict[int, list[float]] = {1: [], FANOUT: []}
    for number in late:
        with crowd(visitor, number) as sockets:
            assert sockets.stdin
            assert sockets.stdout
            began = sum(process.cpu_times()[:2])
            for change in range(CHANGES):
                sockets.stdin.write(f"{time.time()}\n")
                sockets.stdin.flush()
                hold(gateway, change)
                late[number] += json.loads(sockets.stdout.readline())
        gateway.dial(reset=True)
    cpu = (sum(process.cpu_times()[:2]) - began) / CHANGES / FANOUT  # what a busy machine leaves as it is
    for percent, goal in ((50, 25.0), (99, 50.0)):
        through, base = percentile(late[FANOUT], percent), percentile(late[1], 50)
        yield line(
            f"desk_fanout_1000_p{percent}",
            "ms after the first socket's",
            through - base,
            base,
            goal,
            cpu_us=round(1e6 * cpu),
        )


async def open_sockets(told: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    host, port = told["address"].split("/")[2].split(":")
    arrived: list[float] = []
    everybody = asyncio.Event()
    is_counting = False

    class Socket(asyncio.Protocol):
        def __init__(self) -> None:
            self.is_open = asyncio.Event()
            self.has_heard = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            key = base64.b64encode(os.urandom(16)).decode()
            head = (
                f"GET /ws/confirmations/ HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"
                f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\nCookie: {told['cookies']}\r\n\r\n"
            )
            transport.write(head.encode())  # type: ignore[attr-defined]

        def data_received(self, data: bytes) -> None:
            if is_counting and not self.has_heard and b'"type": "item"' in data:
                self.has_heard = True
                arrived.append(time.time())
                if len(arrived) == told["number"]:
                    everybody.set()
            elif not is_counting and b'"type": "queue"' in data:
                self.is_open.set()

    sockets: list[Socket] = []
    few = asyncio.Semaphore(AT_ONCE)

    async def join() -> None:
        async with few:
            _, socket = await loop.create_connection(Socket, host, int(port))
            sockets.append(socket)
            await socket.is_open.wait()

    await asyncio.gather(*(join() for _ in range(told["number"])))
    sys.stdout.write("open\n")
    sys.stdout.flush()
    while asked := await asyncio.to_thread(sys.stdin.readline):
        is_counting = True
        await asyncio.wait_for(everybody.wait(), 30)
        sys.stdout.write(json.dumps([1000 * (at - float(asked)) for at in arrived]) + "\n")
        sys.stdout.flush()
        is_counting = False
        arrived.clear()
        everybody.clear()
        for socket in sockets:
            socket.has_heard = False


def idle(portico: Portico, visitor: Visitor) -> Iterator[dict[str, Any]]:
    assert portico.process
    process = psutil.Process(portico.process.pid)
    with live_page(visitor):
        before = process.memory_info().rss
        with crowd(visitor, IDLE):
            kb = (process.memory_info().rss - before) / IDLE / 1024
            began = sum(process.cpu_times()[:2])
            time.sleep(WATCHED)
            share = 100 * (sum(process.cpu_times()[:2]) - began) / WATCHED
    yield line("desk_idle_3000_memory", "KB each", kb, 0, 32.0)
    yield line("desk_idle_3000_cpu", "% of a core", share, 0, 3.0)


def burst(gateway: Embedded, visitor: Visitor) -> dict[str, Any]:
    """How many of them an open page lacks at the end."""
    with live_page(visitor) as page_open:
        asked = asyncio.run(hold_at_once(gateway))
        with suppress(AssertionError):  # the line says it
            page_open.sees(lambda seen: asked <= seen.ever, 60)
        return line("desk_burst_500", "lost", len(asked - page_open.ever), 0, 0)


async def hold_at_once(gateway: Embedded) -> set[str]:
    async with aiohttp.ClientSession() as session:

        async def one(number: int) -> str:
            wanted = {"email": USER, "tool": "delete_file", "agent": "File manager", "arguments": {"n": number}}
            async with session.post(f"{gateway.url}/_dials", json={"hold": wanted}) as answer:
                return str((await answer.json())["id"])

        return set(await asyncio.gather(*(one(number) for number in range(BURST))))


# -- the page -----------------------------------------------------------------------------------------------------


def event_to_page(gateway: Embedded, visitor: Visitor) -> dict[str, Any]:
    """From asking for a call to its row in Chromium; the baseline is the same to the frame of a socket beside it."""
    rows: list[float] = []
    frames: list[float] = []
    with sync_playwright() as play, live_page(visitor) as beside:
        chromium = play.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=QUIET
        )
        tab = chromium.new_page(base_url=visitor.portico.url)
        kept = [{"name": c.name, "value": c.value or "", "url": visitor.portico.url} for c in visitor.session.cookies]
        tab.context.add_cookies(kept)  # type: ignore[arg-type]
        tab.goto("/confirmations/")
        tab.locator("[data-live][data-state=live]").wait_for()
        tab.evaluate("""() => {
            window.came = {}
            const note = row => row.dataset?.confirmation && (window.came[row.dataset.confirmation] ??= Date.now())
            new MutationObserver(all => all.forEach(one => one.addedNodes.forEach(note)))
                .observe(document.querySelector("[data-desk]"), { childList: true })
        }""")
        for number in range(2 * CHANGES):
            asked = 1000 * time.time()
            call = hold(gateway, number)
            beside.sees(lambda seen, call=call: call in seen.ever)  # type: ignore[misc]
            frames.append(1000 * time.time() - asked)
            rows.append(tab.wait_for_function("id => window.came[id]", arg=call).json_value() - asked)
        chromium.close()
    return line("desk_event_to_page_p95", "ms", percentile(rows, 95), percentile(frames, 95), 100.0)


def page(gateway: Embedded, visitor: Visitor) -> dict[str, Any]:
    """Whole answers, one after the other; the baseline is the profile page, which asks nobody."""
    for number in range(SHOWN):
        hold(gateway, number)

    def answers(path: str) -> float:
        def one() -> float:
            began = time.perf_counter()
            assert visitor.gets(path).status_code == requests.codes.ok
            return 1000 * (time.perf_counter() - began)

        return statistics.median(one() for _ in range(21))

    alone = answers("/confirmations/")
    with live_page(visitor):
        value, baseline = answers("/confirmations/"), answers("/profile/")
    return line("page_queue_200", "ms", value, baseline, 60.0, without_a_socket=round(alone, 3))


# -- streams of the gateway ---------------------------------------------------------------------------------------


def upstreams() -> Iterator[dict[str, Any]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.crowd", "serve"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        command = [sys.executable, "-m", "tests.bench.crowd", "listen", url]
        rounds = [json.loads(subprocess.check_output(command, cwd=ROOT, text=True)) for _ in range(3)]
        server.kill()
    for figure, unit, goal in (("open", "s", 1.0), ("memory", "KB each", 16.0), ("cpu", "% of a core", 3.0)):
        value = statistics.median(one[figure] for one in rounds)
        yield line(f"desk_upstreams_1000_{figure}", unit, value, 0, goal)


async def serve() -> None:
    """Whoever asks hears that they are connected, and a heartbeat a second."""

    def event(name: str) -> bytes:
        told = f'event: {name}\ndata: {{"timestamp": "2026-01-01T00:00:00.000Z", "userId": "u"}}\n\n'.encode()
        return f"{len(told):x}\r\n".encode() + told + b"\r\n"

    listening: set[asyncio.StreamWriter] = set()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + event("connected"))
        listening.add(writer)
        await reader.read()
        listening.discard(writer)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4 * UPSTREAMS)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        await asyncio.sleep(1)
        for writer in list(listening):
            writer.write(event("heartbeat"))


async def listen(url: str) -> None:
    process = psutil.Process()
    beats = 0

    async def follow(leaving: AsyncExitStack, number: int) -> asyncio.Task[None]:
        events = await leaving.enter_async_context(Gateway(url, f"a.token.{number}").confirmation_events())
        assert isinstance(await anext(events), Alive)

        async def hear() -> None:
            nonlocal beats
            async for _ in events:
                beats += 1

        return asyncio.create_task(hear())

    few = asyncio.Semaphore(AT_ONCE)

    async def arrive(leaving: AsyncExitStack, number: int) -> asyncio.Task[None]:
        async with few:
            return await follow(leaving, number)

    async with AsyncExitStack() as leaving:
        tasks = [await follow(leaving, 0)]
        before = process.memory_info().rss
        began = time.perf_counter()
        tasks += await asyncio.gather(*(arrive(leaving, number) for number in range(1, UPSTREAMS + 1)))
        told = {"open": time.perf_counter() - began}
        cpu, beats = sum(process.cpu_times()[:2]), 0
        await asyncio.sleep(WATCHED)
        told["cpu"] = 100 * (sum(process.cpu_times()[:2]) - cpu) / WATCHED
        told["memory"] = (process.memory_info().rss - before) / UPSTREAMS / 1024
        assert beats > (WATCHED - 2) * UPSTREAMS, "heartbeats were lost"
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    await streams.close()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    match sys.argv[1:]:
        case ["sockets", what]:
            uvloop.run(open_sockets(json.loads(what)))
        case ["serve"]:
            uvloop.run(serve())
        case ["listen", where]:
            uvloop.run(listen(where))
