"""The approvals in a real Chromium: live, and without anything moving under somebody's hands."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from embedded import ids
from tests.browser.conftest import Window
from tests.browser.line import Line
from tests.embedded import Embedded
from tests.portico import Portico
from tests.stories.approving import held, resolved_elsewhere

ANA, BO = "user@example.com", "admin@example.com"
LEFT = re.compile(r"[0-4]:[0-5]\d")


def row(page: Page, confirmation: str) -> Locator:
    return page.locator(f'li[data-confirmation="{confirmation}"]')


def opened(page: Page, confirmation: str) -> Locator:
    """The call as it stands beside the list, or in a chat."""
    return page.locator(f'section[data-confirmation="{confirmation}"]')


def is_live(page: Page) -> None:
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")


def is_looked_at(page: Page) -> None:
    """What is answered has to be on the screen for a moment."""
    page.wait_for_timeout(700)  # milliseconds


@pytest.fixture
def queue(window: Window) -> Page:
    """Bo's desk, with nothing on it."""
    page = window("Try as admin")
    page.get_by_role("link", name="Approvals").click()
    is_live(page)
    return page


def test_nothing_moves_under_somebodys_hands_and_nothing_typed_is_lost(
    queue: Page, window: Window, demo_gateway: Embedded
) -> None:
    ana = window("Try as user")  # so that her name is known
    first, mine = (held(demo_gateway, ANA, "delete_file", agent="File manager", n=n) for n in (1, 2))
    row(queue, mine).click()
    place = row(queue, mine).bounding_box()
    third = held(demo_gateway, ANA, "wipe", "critical", "File manager")
    expect(queue.get_by_role("button", name="1 new")).to_be_visible()
    resolved_elsewhere(demo_gateway, ANA, first, "reject", reason="no")
    expect(row(queue, first)).to_contain_text("Rejected by Ana Lima (user@example.com), who asked for it: no")
    expect(row(queue, first)).to_have_attribute("data-leaving", "gone")
    expect(row(queue, third)).to_have_count(0)
    assert place and place == row(queue, mine).bounding_box()
    field = opened(queue, mine).get_by_label("Reason")
    field.click()  # the hands leave the list
    expect(row(queue, first)).to_have_count(0)
    expect(row(queue, third)).to_be_visible()
    field.press_sequentially("too broa")
    field.press("ArrowLeft")
    ana.goto(f"/confirmations/{mine}/")
    ana.get_by_role("button", name="Claim").click()
    expect(opened(queue, mine)).to_contain_text("Ana Lima")
    expect(row(queue, mine)).to_contain_text("Ana Lima (user@example.com) looks into it")
    ana.get_by_role("button", name="Release").click()
    expect(row(queue, mine)).not_to_contain_text("looks into it")
    demo_gateway.dial(drop_streams=True)
    expect(queue.get_by_role("status", name="Live updates")).not_to_have_text("Live")
    is_live(queue)
    expect(field).to_be_focused()
    queue.keyboard.type("d")
    queue.keyboard.press("End")
    expect(field).to_have_value("too broda")
    queue.keyboard.press("Enter")  # rejects, as the first button of the form
    for place_of in (row(queue, mine), opened(queue, mine)):
        expect(place_of).to_contain_text("Rejected by you: too broda")
    expect(row(queue, mine)).to_have_count(0)
    expect(opened(queue, mine)).to_contain_text("Rejected by you: too broda")
    assert demo_gateway.report()["reasons"][mine] == "too broda"
    resolved_elsewhere(demo_gateway, ANA, third, "confirm")


def test_an_approval_by_hand_is_said_in_place_in_both_windows(
    queue: Page, window: Window, demo_gateway: Embedded
) -> None:
    ana = window("Try as user")
    ana.goto("/confirmations/")
    is_live(ana)
    call = held(demo_gateway, ANA, "rename_file", "medium", "File manager", new="b.txt")
    article = queue.get_by_role("list", name="Pending confirmations").get_by_role("article", name="rename_file")
    expect(article.locator("[data-expires-at]")).to_have_text(LEFT)
    expect(queue.locator("[data-pending-count]")).to_have_text("1")
    expect(queue).to_have_title(re.compile(r"^\(1\) Approvals"))
    expect(queue.locator("[data-icon]")).to_have_attribute("href", "/confirmations/icon/1.svg")
    expect(queue.locator("[data-count=medium]")).to_contain_text("1")
    article.get_by_role("link").click()
    region = queue.get_by_role("region", name="rename_file")
    expect(region).to_contain_text("b.txt")
    expect(queue).to_have_url(re.compile(f"/confirmations/{call}/$"))
    expect(queue).to_have_title("(1) rename_file · Portico")
    queue.go_back()
    expect(region).to_have_count(0)
    expect(queue).to_have_title("(1) Approvals · Portico")
    queue.go_forward()
    expect(region).to_have_count(1)
    is_looked_at(queue)
    region.get_by_role("button", name="Approve").click()
    expect(region).to_contain_text("Approved by you")
    expect(row(ana, call)).to_contain_text("Approved by Bo Adler")
    expect(queue.locator("[data-pending-count]")).to_be_hidden()
    queue.get_by_role("status", name="Live updates").hover()
    for page in (queue, ana):
        expect(row(page, call)).to_have_count(0)
        expect(page.get_by_text("Nothing waits for you")).to_be_visible()


def test_the_person_who_chats_is_asked_inside_the_chat(window: Window, demo_gateway: Embedded) -> None:
    ana = window("Try as user")
    ana.goto(f"/agents/{ids.FILE_MANAGER}/")
    ana.get_by_role("textbox", name="Message").fill("please delete report.pdf")
    ana.get_by_role("button", name="Send").click()
    log = ana.get_by_role("log", name="Conversation")
    asked = log.get_by_role("region", name="delete_file")
    expect(asked).to_contain_text("report.pdf")
    expect(asked).to_have_count(1)
    expect(asked.locator("[data-expires-at]")).to_have_text(LEFT)
    ana.reload()
    expect(asked).to_have_count(1)
    asked.get_by_label("Reason").fill("still needed")
    is_looked_at(ana)
    asked.get_by_role("button", name="Reject").click()
    said = log.get_by_role("link", name=re.compile(r"^Rejected by you, \d\d:\d\d: still needed$"))
    for _ in range(2):
        expect(said).to_have_count(1)
        expect(log.locator("details.step", has_text="delete_file")).to_contain_text("Rejected")
        expect(log.locator("[data-inline-approval]")).to_have_count(0)
        ana.reload()
    said.click()
    expect(opened(ana, said.page.url.rstrip("/").rsplit("/", 1)[1])).to_contain_text("Rejected by you: still needed")
    assert "report.pdf" in str(demo_gateway.report()["files"])


def test_what_ended_while_the_page_was_away_is_said_in_its_place(
    window: Window, line: Line, demo: Portico, demo_gateway: Embedded
) -> None:
    page = window("Try as admin", base_url=line.url)
    page.goto("/confirmations/")
    is_live(page)
    call, other = (held(demo_gateway, ANA, "delete_file", agent="File manager", n=n) for n in (1, 2))
    expect(row(page, other)).to_be_visible()  # before the pointer is on the list, under which nothing new appears
    row(page, call).get_by_role("link").click()
    expect(opened(page, call).get_by_role("button", name="Approve")).to_be_enabled()
    line.cut(is_down=True)
    demo.kill()  # and with it what it knew of calls that were decided
    resolved_elsewhere(demo_gateway, ANA, call, "reject", reason="no")
    resolved_elsewhere(demo_gateway, ANA, other, "confirm")
    demo.start()
    line.cut(is_down=False)
    expect(row(page, call)).to_contain_text("Rejected by")
    expect(opened(page, call)).to_contain_text("no")
    expect(opened(page, call).get_by_role("button", name="Approve")).to_have_count(0)
    expect(row(page, other)).to_contain_text("Approved by")
    page.get_by_role("status", name="Live updates").hover()
    opened(page, call).click()
    for one in (call, other):
        expect(row(page, one)).to_have_count(0)
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
