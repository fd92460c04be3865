"""Too much of anything is told before it is sent, and nothing of it is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from embedded import ids
from tests.browser.conftest import Window, in_one_dialect, violations
from tests.browser.test_whole_job import begin
from tests.embedded import Embedded
from tests.stories.approving import ANA, held

pytestmark = [in_one_dialect]


def paste(page: Page, field: str, text: str) -> None:
    """At once and as a paste does it: `maxlength` cuts that off, and not what a script sets."""
    page.get_by_role("textbox", name=field).focus()
    page.evaluate("text => document.execCommand('insertText', false, text)", text)


@pytest.mark.parametrize("place", ["agent", "conversation"])
def test_a_message_that_is_too_long_stays_whole_and_is_not_sent(window: Window, place: str) -> None:
    page = window("Try as user")
    page.goto(f"/agents/{ids.ECHO}/")
    message, send = page.get_by_role("textbox", name="Message"), page.get_by_role("button", name="Send")
    if place == "conversation":
        message.fill("hello")
        send.click()
        page.wait_for_url("**/conversations/**")
        expect(send).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.method == "POST" else None)
    paste(page, "Message", "\U0001f600" * 95_000)
    expect(page.get_by_text("95,000 of 100,000 characters")).to_be_visible()
    paste(page, "Message", "x" * 5_001)
    expect(page.get_by_role("alert")).to_contain_text("Too long by 1 characters: at most 100,000 can be sent.")
    message.press("Enter")
    send.click()
    assert message.evaluate("field => field.value.length") == 195_001
    assert not [url for url in asked if not url.endswith("/draft/")]
    assert not violations(page)
    message.press("Backspace")
    expect(page.get_by_text("100,000 of 100,000 characters")).to_be_visible()
    message.press("Enter")
    expect(page.get_by_role("article", name="Echo").last).to_be_visible()


def test_a_reason_that_is_too_long_stays_whole_and_answers_nothing(window: Window, demo_gateway: Embedded) -> None:
    bo = window("Try as admin")
    call = held(demo_gateway, ANA, "delete_file", path="too long")
    bo.goto(f"/confirmations/{call}/")
    paste(bo, "Reason", "r" * 2_003)
    said = bo.locator("[data-answer] [data-said]")
    expect(said).to_contain_text("Too long by 3 characters: at most 2,000 can be sent.")
    for answer in ("Reject", "Approve"):
        expect(bo.get_by_role("button", name=answer, exact=True)).to_be_enabled()
        bo.get_by_role("button", name=answer, exact=True).click()
    assert bo.get_by_role("textbox", name="Reason").input_value() == "r" * 2_003
    assert demo_gateway.report()["answers"] == {}
    for _ in range(3):
        bo.get_by_role("textbox", name="Reason").press("Backspace")
    expect(said).to_have_text("2,000 of 2,000 characters")
    bo.get_by_role("button", name="Reject", exact=True).click()
    expect(bo.get_by_text("Rejected by you").first).to_be_visible()


def test_a_text_that_is_not_kept_stays_in_this_tab_and_the_page_says_so(window: Window) -> None:
    page = window("Try as user")
    page.goto(f"/agents/{ids.ECHO}/")
    page.route("**/draft/", lambda route: route.fulfill(status=429, body="Too much is being kept."))
    page.get_by_role("textbox", name="Message").fill("half a thought")
    expect(page.get_by_text("Kept in this tab alone. Too much is being kept.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("half a thought")
    page.unroute("**/draft/")
    page.get_by_role("textbox", name="Message").press("End")
    page.get_by_role("textbox", name="Message").press_sequentially(", whole")
    with page.expect_response("**/draft/"):
        page.get_by_role("textbox", name="Message").blur()
    expect(page.get_by_text("Kept in this tab alone")).to_be_hidden()
    page.reload()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("half a thought, whole")


def test_a_text_stays_in_this_tab_while_portico_cannot_be_reached(window: Window) -> None:
    page = window("Try as user")
    page.goto(f"/agents/{ids.ECHO}/")
    page.route("**/draft/", lambda route: route.abort())
    page.get_by_role("textbox", name="Message").fill("half a thought")
    expect(page.get_by_text("Kept in this tab alone: it could not be saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("half a thought")


def test_a_message_that_was_not_sent_is_there_after_a_reload(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Echo", "hello")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.route("**/messages/", lambda route: route.abort())
    page.get_by_role("textbox", name="Message").fill("and then?")
    with page.expect_response("**/draft/"):
        page.get_by_role("textbox", name="Message").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Your message was not sent")
    page.reload()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("and then?")


def test_an_answer_that_may_not_be_watched_says_so_and_goes_on_when_it_may(window: Window) -> None:
    page = window("Try as user")
    page.route("**/events/**", lambda route: route.fulfill(status=429))
    page.goto(f"/agents/{ids.STORYTELLER}/")
    page.get_by_role("textbox", name="Message").fill("at length about rivers")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Not live: too many answers are being watched.")).to_be_visible()
    page.unroute("**/events/**")
    expect(page.get_by_text("Not live: too many answers are being watched.")).to_be_hidden()
