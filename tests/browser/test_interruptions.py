"""A reader whose connection fails in every way, twenty times in one answer, and who misses nothing of it."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from embedded import ids
from tests.browser.conftest import Window
from tests.browser.line import Line
from tests.browser.test_pages import until
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


@pytest.mark.soak
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


def test_a_refused_line_and_a_silent_one_are_opened_again(window: Window, line: Line) -> None:
    page = window("Try as user", base_url=line.url)
    page.clock.install()
    page.goto(f"/agents/{ids.METRONOME}/")
    page.get_by_role("textbox", name="Message").fill(json.dumps(WANTED))
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/conversations/**")
    expected = told(WANTED)
    goes_on(page, expected)
    page.route("**/events/*", lambda route: route.fulfill(status=401), times=2)  # as a proxy does with a 502
    line.cut()
    page.wait_for_timeout(1000)
    page.clock.fast_forward(5000)
    page.wait_for_timeout(1000)
    page.clock.fast_forward(5000)
    goes_on(page, expected)
    line.stall()
    page.wait_for_timeout(500)
    before = shown(page)
    page.wait_for_timeout(1000)
    assert shown(page) == before
    page.clock.fast_forward(60_000)
    goes_on(page, expected)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("log")).to_contain_text("Stopped by you")


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
