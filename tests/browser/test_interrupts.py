"""Answering what an agent waits for, in a real Chromium: by keyboard, on a narrow screen, without a word lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from embedded import ids
from tests.browser.conftest import Window, in_one_dialect, violations
from tests.browser.test_approvals import is_looked_at

NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}


def asked(page: Page, words: str) -> None:
    """Ask the showcase, and wait until it waits."""
    page.goto(f"/agents/{ids.SHOWCASE}/")
    page.get_by_role("textbox", name="Message").fill(words)
    page.get_by_role("textbox", name="Message").press("Enter")
    expect(page.get_by_text("Waiting for a decision")).to_be_visible()
    page.wait_for_load_state()  # scripts and all


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_an_approval_is_given_by_keyboard_with_an_argument_changed(window: Window) -> None:
    page = window("Try as user")
    asked(page, "approve")
    region = page.get_by_role("region", name="May I send 250 crowns to Olu?")
    amount = region.get_by_label("amount")
    expect(amount).to_have_value("250")
    amount.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("20")
    for _ in range(3):
        page.keyboard.press("Tab")  # the other argument, Decline, Approve
    expect(region.get_by_role("button", name="Approve")).to_be_focused()
    page.keyboard.press("Enter")
    log = page.get_by_role("log", name="Conversation")
    expect(log).to_contain_text('"editedArgs": {"amount": 20, "to": "Olu"}')
    expect(log.get_by_role("article", name="Showcase")).to_have_count(2)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_several_are_answered_after_a_reload(window: Window, size: dict[str, int], scheme: str) -> None:
    page = window("Try as user", viewport=size, color_scheme=scheme)
    asked(page, "several")
    assert violations(page) == []
    assert fits(page)
    page.reload()
    colour = page.get_by_role("region", name="Which colour do you like?")
    colour.get_by_label("Colour").fill("g")
    page.get_by_role("button", name="Send answers").click()
    colour.get_by_role("alert").first.wait_for()
    expect(colour.get_by_label("Colour")).to_have_value("g")
    assert violations(page) == []
    assert fits(page)
    colour.get_by_label("Colour").fill("green")
    page.get_by_role("region", name="May I send 250 crowns to Olu?").get_by_role("radio", name="Decline").check()
    form = page.get_by_role("region", name="Please book your room")
    form.get_by_label("Your name").fill("Ana Lima")
    form.get_by_label("Nights").fill("2")
    form.get_by_label("Room").select_option("double")
    form.get_by_label("With breakfast").check()
    page.get_by_role("button", name="Send answers").click()
    log = page.get_by_role("log", name="Conversation")
    expect(log).to_contain_text('"name": "Ana Lima", "nights": 2, "room": "double", "breakfast": true')
    expect(log).to_contain_text("Declined")
    assert violations(page) == []


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_a_list_grows_and_nothing_that_was_typed_is_lost(window: Window, size: dict[str, int], scheme: str) -> None:
    page = window("Try as user", viewport=size, color_scheme=scheme)
    asked(page, "plan a trip")
    form = page.get_by_role("region", name="Who travels, and when?")
    with page.expect_response("**/answers/") as kept:
        form.get_by_label("E-mail").press_sequentially("ana@example.com", delay=5)
    assert kept.value.status == 204
    page.reload()
    expect(form.get_by_label("E-mail")).to_have_value("ana@example.com")
    first = form.get_by_role("group", name="Traveller 1")
    first.get_by_label("Name").fill("Ana")
    form.get_by_role("button", name="Add another to Travellers").click()
    second = form.get_by_role("group", name="Traveller 2")
    expect(second.get_by_label("Name")).to_be_focused()
    expect(first.get_by_label("Name")).to_have_value("Ana")
    assert violations(page) == []
    assert fits(page)
    assert page.evaluate("document.scrollingElement.scrollTop + document.body.scrollTop") == 0
    page.keyboard.type("Bo")
    page.keyboard.press("Enter")  # sends, and grows no list
    expect(form.get_by_label("Leaves on")).to_be_focused()
    expect(form.get_by_role("alert")).to_have_text(["This is needed."])
    expect(form.get_by_role("group", name="Traveller 3")).to_have_count(0)
    assert violations(page) == []
    form.get_by_label("Leaves on").fill("2027-01-31")
    form.get_by_label("dog").check()
    page.get_by_role("button", name="Send answer").click()
    log = page.get_by_role("log", name="Conversation")
    expect(log).to_contain_text('"extras": ["dog"], "travellers": [{"name": "Ana"}, {"name": "Bo"}]}')


@in_one_dialect
def test_a_question_closes_when_it_expires(window: Window) -> None:
    page = window("Try as user")
    page.clock.install()
    asked(page, "expire in 60 seconds, one of two")
    late = page.get_by_role("region", name="Was it in time?")
    other = page.get_by_role("region", name="Which colour do you like?")
    late.get_by_label("Colour").fill("blue")
    page.clock.run_for(50_000)
    expect(late.get_by_text("Can be answered until")).to_be_visible()
    page.clock.run_for(15_000)
    expect(late.get_by_text("Expired at")).to_be_visible()
    expect(late.get_by_label("Colour")).to_be_disabled()
    expect(other.get_by_label("Colour")).to_be_enabled()
    expect(page.get_by_role("button", name="Send answer")).to_be_visible()
    page.clock.run_for(3600_000)
    expect(page.get_by_text("It is too late to answer")).to_be_visible()
    expect(page.get_by_role("button", name="Send answer")).to_be_hidden()
    assert violations(page) == []


def test_a_call_says_that_it_waits_and_that_it_was_rejected(window: Window) -> None:
    page = window("Try as user")
    page.goto(f"/agents/{ids.FILE_MANAGER}/")
    page.get_by_role("textbox", name="Message").fill("please delete report.pdf")
    page.get_by_role("textbox", name="Message").press("Enter")
    call = page.get_by_role("log").locator("summary").filter(has_text="delete_file")
    expect(call.get_by_text("Waiting for approval")).to_be_visible()
    expect(call.get_by_text("Running")).to_be_hidden()
    page.get_by_label("Reason").fill("not this one")
    is_looked_at(page)
    page.get_by_role("button", name="Reject").click()
    expect(call.get_by_text("Rejected")).to_be_visible()
    expect(call.get_by_text("Waiting for approval")).to_have_count(0)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_what_an_agent_does_is_shown_alike_live_and_reloaded(window: Window, size: dict[str, int]) -> None:
    page = window("Try as user", viewport=size)
    page.goto(f"/agents/{ids.SHOWCASE}/")
    page.get_by_role("textbox", name="Message").fill("ask a sub-agent")
    page.get_by_role("textbox", name="Message").press("Enter")
    parts = page.locator("[data-parts]").last
    expect(page.get_by_text("the clerk could not stamp it")).to_be_visible()
    wishes = ("show state", "make a plan", "use steps", "send custom events", "speak in roles", "tell usage")
    for number, words in enumerate(wishes, start=2):
        expect(page.get_by_role("button", name="Send")).to_be_visible()  # until then Enter sends nothing
        page.get_by_role("textbox", name="Message").fill(words)
        page.get_by_role("textbox", name="Message").press("Enter")
        expect(page.get_by_role("article", name="Showcase")).to_have_count(number)
    expect(page.locator("[data-follow]")).to_have_count(0)
    expect(parts).to_contain_text("1,200 tokens in")
    live = page.locator("[data-parts]").all_inner_texts()
    assert violations(page) == []
    assert fits(page)
    page.reload()
    assert page.locator("[data-parts]").all_inner_texts() == live
    librarian = page.get_by_role("log").locator("summary").filter(has_text="Librarian")
    librarian.press("Enter")
    expect(page.get_by_text("I look on the third shelf.")).to_be_visible()
