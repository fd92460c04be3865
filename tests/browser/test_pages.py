"""Every page at both widths and in both themes: nothing that axe calls serious, nothing that scrolls sideways."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from embedded import ids
from tests.browser.conftest import Window, in_one_dialect, violations
from tests.browser.test_whole_job import begin
from tests.embedded import Embedded

SIZES: dict[str, dict[str, Any]] = {
    "wide and light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "narrow and dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


def is_fine(page: Page) -> None:
    serious = [one for one in violations(page) if one.startswith(("serious", "critical"))]
    assert not serious, (page.url, serious)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} scrolls sideways"


def until(page: Page, look: Callable[[], bool]) -> None:
    """Look until it is so; the page's own policy forbids the evaluated waits that Playwright offers."""
    for _ in range(300):
        if look():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen in time")


@in_one_dialect
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_page_is_fit_for_everybody(window: Window, demo_gateway: Embedded, size: dict[str, Any]) -> None:
    page = window(**size)
    is_fine(page)
    page.get_by_label("Email").fill("somebody@example.com")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    is_fine(page)
    page.get_by_role("button", name="Try as admin").click()
    expect(page.get_by_role("heading", name="Agents")).to_be_visible()
    is_fine(page)
    for path in (
        *(
            "/profile/",
            "/credentials/services/",
            "/credentials/services/new/",
            "/credentials/",
            "/credentials/connect/weather/",
            "/credentials/connect/notion/",
        ),
        *(
            "/confirmations/",
            "/confirmations/history/",
            f"/agents/{ids.GITHUB_HELPER}/",
            f"/agents/{ids.RETIRED_HELPER}/",
        ),
    ):
        page.goto(path)
        is_fine(page)
    begin(page, "Unlucky", "please die in the middle")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    is_fine(page)
    begin(page, "Storyteller", "a short word on moss")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    is_fine(page)
    held = demo_gateway.dial(
        hold={
            "email": "user@example.com",
            "tool": "send_invoice",
            "arguments": {"to": "somebody@example.com", "note": "x" * 400, "lines": [{"amount": 12.5}]},
            "risk": "critical",
            "agent": "File manager",
        }
    )["id"]
    page.goto("/confirmations/")
    item = page.get_by_role("list", name="Pending confirmations").get_by_role("article", name="send_invoice")
    expect(item).to_be_visible()
    is_fine(page)
    page.get_by_text("Notify me").click()
    sheet = page.locator("[data-tools] .sheet").bounding_box()
    assert sheet and sheet["x"] >= 0 and sheet["x"] + sheet["width"] <= size["viewport"]["width"]
    is_fine(page)
    page.get_by_text("Notify me").click()
    item.get_by_role("link").click()
    opened = page.get_by_role("region", name="send_invoice")
    opened.get_by_label("Reason").fill("not today")
    is_fine(page)
    page.wait_for_timeout(700)  # milliseconds: what is answered has to be on the screen for 600
    opened.get_by_role("button", name="Reject").click()
    expect(opened).to_contain_text("Rejected by you: not today")
    is_fine(page)
    page.get_by_role("status", name="Live updates").hover()
    expect(item).to_have_count(0)
    page.goto(f"/confirmations/{held}/")
    is_fine(page)
    page.goto("/confirmations/history/")
    expect(page.get_by_role("table")).to_contain_text("send_invoice")
    is_fine(page)


def test_the_whole_job_can_be_done_by_keyboard(window: Window) -> None:
    page = window()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.get_by_label("Email").focus()
    page.keyboard.type("user@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("demo")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Echo", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/agents/{ids.ECHO}/")  # with its scripts: what Enter does is theirs to say
    page.get_by_role("textbox", name="Message").focus()
    page.keyboard.type("line one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("line two")
    page.keyboard.press("Enter")
    page.wait_for_url("**/conversations/**")
    answer = page.get_by_role("article", name="Echo")
    expect(answer).to_contain_text("line two")
    page.get_by_role("textbox", name="Message").focus()
    page.keyboard.type("and again")
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="Echo")).to_have_count(2)
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")


def test_what_is_already_there_does_not_move_while_text_streams(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Storyteller", "everything about beekeeping")
    heading = page.get_by_role("log").get_by_role("heading").first
    expect(heading).to_be_visible()
    log = page.locator("[data-log]")
    until(page, lambda: log.evaluate("log => log.scrollHeight > log.clientHeight + 200"))
    log.evaluate("log => log.scrollTop = 0")
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    before = heading.bounding_box()
    blocks = page.locator(".markdown").count()
    until(page, lambda: page.locator(".markdown").count() > blocks + 1)
    assert heading.bounding_box() == before
    page.get_by_role("button", name="Jump to latest").click()
    expect(page.get_by_role("button", name="Jump to latest")).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("log")).to_contain_text("Stopped by you")


def test_a_message_that_cannot_be_sent_stays_in_the_box(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Echo", "hello")
    expect(page.get_by_role("article", name="Echo")).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("textbox", name="Message").fill("words that must not be lost")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_contain_text("still here")
    expect(page.get_by_role("textbox", name="Message")).to_have_value("words that must not be lost")
    page.context.set_offline(False)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article", name="Echo")).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


ENDS = """element => {
    const found = []
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) {
        const { currentNode } = texts
        for (const { 0: line, index } of currentNode.data.matchAll(/[^\\n]+/g)) {
            const word = line.split(" ")[0]
            const of = (from, to) => {
                const range = document.createRange()
                range.setStart(currentNode, index + from)
                range.setEnd(currentNode, index + to)
                return range.getBoundingClientRect()
            }
            const [first, last] = [of(0, word.length), of(line.length - 1, line.length)]
            found.push([word, first.left > last.left ? "right" : "left"])
        }
    }
    return found
}"""


def test_arabic_reads_from_the_right_and_english_from_the_left(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Echo", "مرحبا (hello).\n\nhello (مرحبا).\n\nعنوان طويل")
    article = page.get_by_role("article", name="Echo")
    expect(article).to_contain_text("عنوان طويل")
    page.get_by_role("textbox", name="Message").fill("مرحبا")
    said = page.locator(".message--mine .said")
    ends = [*said.evaluate(ENDS), *article.get_by_text("عنوان طويل", exact=True).evaluate(ENDS)]
    assert ends == [["مرحبا", "right"], ["hello", "left"], ["عنوان", "right"], ["عنوان", "right"]]


def test_what_gets_the_focus_is_not_below_the_button_that_floats(window: Window) -> None:
    page = window("Try as user", viewport={"width": 360, "height": 740})
    begin(page, "File manager", "get rid of notes.txt for me")
    call = page.get_by_role("log").get_by_role("region", name="delete_file")
    expect(call).to_be_visible()
    reason = call.get_by_label("Reason")
    call.get_by_role("link", name="Compare with the last approved").focus()
    reason.evaluate("""field => {
        const log = field.closest("[data-log]")
        log.scrollTop += field.getBoundingClientRect().bottom - log.getBoundingClientRect().bottom + 4
    }""")
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    page.keyboard.press("Tab")
    expect(reason).to_be_focused()
    assert reason.evaluate("""field => {
        const { left, top, width, height } = field.getBoundingClientRect()
        return document.elementFromPoint(left + width / 2, top + height / 2) === field
    }""")
