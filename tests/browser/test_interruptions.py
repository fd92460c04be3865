"""A reader whose connection fails in every way, twenty times in one answer, and who misses nothing of it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from embedded import ids
from tests.browser.conftest import Window
from tests.browser.test_pages import until
from tests.portico import Portico
from tests.runs.asking import told

WANTED = {"rate": 22, "count": 1400, "story": "ferries"}  # about a minute
AWAY = 10_000  # milliseconds without a network
WAYS = ["reload", "cut", "tab", "elsewhere"]
INTERRUPTIONS = [*WAYS, "offline", *WAYS, "down", *WAYS, "offline", *WAYS, "cut"]
WORDS = """parts => {
    const copy = parts.cloneNode(true)
    for (const one of copy.querySelectorAll("noscript")) one.remove()
    return copy.textContent
}"""


class Line:
    """The line between the browser and Portico, which can be cut as lines are: resets, and then nobody answers."""

    def __init__(self, port: int) -> None:
        self.behind = port
        self.is_down = False
        self.ends: set[asyncio.StreamWriter] = set()
        self.carrying: set[asyncio.Task[Any]] = set()
        self.up = threading.Event()
        self.thread = threading.Thread(target=asyncio.run, args=[self.serve()])  # Playwright's loop runs in ours
        self.thread.start()
        assert self.up.wait(5)

    async def serve(self) -> None:
        self.loop, self.closed = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self.carry, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            self.up.set()
            await self.closed.wait()
            self.reset(is_down=True)
            await asyncio.gather(*self.carrying)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task
        self.carrying.add(task)
        task.add_done_callback(self.carrying.discard)
        further = await asyncio.open_connection("127.0.0.1", self.behind)
        self.ends |= {writer, further[1]}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(pump(reader, further[1]))
                both.create_task(pump(further[0], writer))
        except* OSError:
            pass
        finally:
            self.ends -= {writer, further[1]}
            writer.close()
            further[1].close()

    def cut(self, *, is_down: bool = False) -> None:
        """Reset every connection; while it is down, new ones too."""
        self.loop.call_soon_threadsafe(lambda: self.reset(is_down=is_down))

    def reset(self, *, is_down: bool) -> None:
        self.is_down = is_down
        for end in self.ends:
            end.transport.abort()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.closed.set)
        self.thread.join()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


@pytest.fixture
def line(demo: Portico) -> Iterator[Line]:
    line = Line(demo.port)
    yield line
    line.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    "demo_gateway", ["released", pytest.param("guide", marks=pytest.mark.soak)], indirect=True, scope="session"
)
def test_twenty_interruptions_lose_and_double_nothing(window: Window, line: Line) -> None:
    page = window("Try as user", base_url=line.url)
    page.goto(f"/agents/{ids.METRONOME}/")
    page.get_by_role("textbox", name="Message").fill(json.dumps(WANTED))
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/conversations/**")
    expected = told(WANTED)
    tabs: list[Page] = []
    for way in INTERRUPTIONS:
        goes_on(page, expected)
        interrupt(page, line, way, tabs)
    assert len(INTERRUPTIONS) >= 20
    assert page.get_by_role("button", name="Stop").is_visible(), "the answer ended before the last interruption"
    goes_on(page, expected)

    run = page.get_by_role("article", name="Metronome").get_attribute("data-run")
    for one in (page, tabs[-1]):
        expect(one.get_by_role("button", name="Send")).to_be_visible(timeout=90_000)
        assert letters(shown(one)) == letters(expected)
    assert page.request.get(f"{line.url}/runs/{run}/answer.md").body() == expected.encode()
    conversation = page.request.get(f"{page.url}export.json").json()
    [message] = conversation["messages"]
    [answer] = message["answers"]
    assert (answer["status"], [part["text"] for part in answer["parts"]]) == ("finished", [expected])
    seen = shown(page)
    assert shown(tabs[-1]) == seen
    page.reload()
    assert shown(page) == seen


def interrupt(page: Page, line: Line, way: str, tabs: list[Page]) -> None:
    match way:
        case "reload":
            page.reload()
        case "cut":
            line.cut()
        case "tab":
            while tabs:
                tabs.pop().close()
            tabs.append(page.context.new_page())
            tabs[0].goto(page.url)
            grows(tabs[0])
            page.bring_to_front()
        case "elsewhere":
            page.goto("/agents/")
            page.go_back()
        case "offline":
            page.context.set_offline(True)
            line.cut()  # Chromium leaves what it reads already as it is
            stands_still(page)
            page.context.set_offline(False)
        case "down":
            line.cut(is_down=True)
            stands_still(page)
            line.cut(is_down=False)


def stands_still(page: Page) -> None:
    """Nothing arrives for as long as the network is away."""
    page.wait_for_timeout(AWAY / 10)
    before = shown(page)
    page.wait_for_timeout(AWAY * 9 / 10)
    assert shown(page) == before


def goes_on(page: Page, expected: str) -> None:
    """Text comes live, and all that is there is what the agent said, from its beginning."""
    grows(page)
    assert letters(expected).startswith(letters(shown(page)))


def grows(page: Page) -> None:
    before = len(shown(page))
    until(page, lambda: len(shown(page)) > before)


def shown(page: Page) -> str:
    """The words of the answer, and no more of them when a block is coloured or laid out, or scripts are missing."""
    text = page.locator("[data-parts]").evaluate(WORDS)
    return re.sub(r"Copy code|\s+", "", str(text))


def letters(text: str) -> str:
    """What is the same in a text's Markdown and on its page."""
    return re.sub(r"```python|[^a-z]", "", text)
