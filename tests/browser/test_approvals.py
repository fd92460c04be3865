"""The approvals in a real Chromium: live, and without anything moving under somebody's hands."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from embedded import ids
from tests.browser.conftest import Window
from tests.embedded import Embedded
from tests.stories.approving import held, resolved_elsewhere

ANA, BO = "user@example.com", "admin@example.com"
LEFT = re.compile(r"[0-4]:[0-5]\d")


def item(page: Page, confirmation: str) -> Locator:
    return page.locator(f'[data-confirmation="{confirmation}"]')


def is_live(page: Page) -> None:
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")


@pytest.fixture
def queue(window: Window) -> Page:
    """Bo's queue."""
    page = window("Try as admin")
    page.get_by_role("link", name="Approvals").click()
    is_live(page)
    return page


def test_nothing_moves_under_the_hands_of_somebody_who_types(
    queue: Page, window: Window, demo_gateway: Embedded
) -> None:
    window("Try as user")  # so that her name is known
    first, mine = (held(demo_gateway, ANA, "delete_file", agent="File manager", n=n) for n in (1, 2))
    field = item(queue, mine).get_by_label("Reason")
    field.click()
    field.press_sequentially("too broa")
    field.press("ArrowLeft")
    place = item(queue, mine).bounding_box()
    third = held(demo_gateway, ANA, "wipe", "critical", "File manager")
    expect(item(queue, third)).to_be_visible()
    resolved_elsewhere(demo_gateway, ANA, first, "reject", reason="no")
    expect(item(queue, first)).to_contain_text("Rejected by Ana Lima: no")
    decided = item(queue, mine).bounding_box()
    while item(queue, first).get_attribute("data-leaving") != "gone":
        field.press("Shift")  # hands that are not at rest
        queue.wait_for_timeout(200)
    demo_gateway.dial(drop_streams=True)
    expect(queue.get_by_role("status", name="Live updates")).not_to_have_text("Live")
    is_live(queue)
    assert place and decided == item(queue, mine).bounding_box()
    expect(field).to_be_focused()
    queue.keyboard.type("d")
    queue.keyboard.press("End")
    expect(field).to_have_value("too broda")
    queue.keyboard.press("Enter")  # rejects, as the first button of the form
    expect(item(queue, mine)).to_contain_text("Rejected by you: too broda")
    expect(item(queue, mine)).to_be_focused()
    for gone in (first, mine):
        expect(item(queue, gone)).to_have_count(0)
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
    expect(article).to_contain_text("b.txt")
    expect(article.locator("[data-expires-at]")).to_have_text(LEFT)
    expect(queue.locator("[data-pending-count]")).to_have_text("1")
    expect(queue).to_have_title(re.compile(r"^\(1\) Approvals"))
    expect(queue.locator("[data-count=medium]")).to_contain_text("1")
    article.get_by_role("button", name="Approve").click()
    expect(item(queue, call)).to_contain_text("Approved by you")
    expect(item(ana, call)).to_contain_text("Approved by Bo Adler")
    expect(queue.locator("[data-pending-count]")).to_be_hidden()
    for page in (queue, ana):
        expect(item(page, call)).to_have_count(0)
        expect(page.get_by_text("Nothing waits for you")).to_be_visible()


def test_a_reason_is_asked_for_before_anything_is_sent(queue: Page, demo_gateway: Embedded) -> None:
    call = held(demo_gateway, ANA, "delete_file", agent="File manager")
    form = item(queue, call)
    form.get_by_role("button", name="Reject").click()
    expect(form.get_by_label("Reason")).to_be_focused()
    form.get_by_label("Reason").fill("   ")
    form.get_by_role("button", name="Reject").click()
    expect(form.get_by_role("alert")).to_contain_text("a reason is needed to reject")
    assert call in demo_gateway.report()["held"]
    form.get_by_role("button", name="Approve").click()
    expect(form).to_contain_text("Approved by you")


def test_the_person_who_chats_is_asked_inside_the_chat(window: Window, demo_gateway: Embedded) -> None:
    ana = window("Try as user")
    ana.goto(f"/agents/{ids.FILE_MANAGER}/")
    ana.get_by_role("textbox", name="Message").fill("please delete report.pdf")
    ana.get_by_role("button", name="Send").click()
    log = ana.get_by_role("log", name="Conversation")
    asked = log.get_by_role("article", name="delete_file")
    expect(asked).to_contain_text("report.pdf")
    expect(asked).to_have_count(1)
    expect(asked.locator("[data-expires-at]")).to_have_text(LEFT)
    ana.reload()
    expect(asked).to_have_count(1)
    asked.get_by_label("Reason").fill("still needed")
    asked.get_by_role("button", name="Reject").click()
    expect(log).to_contain_text("Rejected by you: still needed")
    expect(log.locator("[data-inline-approval]")).to_have_count(0)
    assert "report.pdf" in str(demo_gateway.report()["files"])
