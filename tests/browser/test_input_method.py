"""Keys of an input method, which confirm what is being written: they send, answer, open and submit nothing."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.conftest import Window, in_one_dialect
from tests.browser.test_desk import opened, row, rows
from tests.browser.test_interrupts import asked
from tests.embedded import Embedded
from tests.stories.approving import ANA, held

pytestmark = in_one_dialect
SAFARI = {"keyCode": 229}  # in a keydown that comes after `compositionend`, with `isComposing` false
SIGNS: list[dict[str, Any]] = [SAFARI, {"isComposing": True}, {"isComposing": True, "keyCode": 229}]
PRESS = """(field, [key, signs]) => ["keydown", "keyup"].forEach(name =>
    field.dispatchEvent(new KeyboardEvent(name, {key, code: key, bubbles: true, cancelable: true, ...signs})))"""


class Acts:
    """What a page asks of the server because somebody did something; drafts are kept by themselves."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        is_act = request.is_navigation_request() or request.method == "POST"
        if is_act and "/draft" not in request.url and 'name="keep"' not in (request.post_data or ""):
            self.requests.append(f"{request.method} {request.url}")


def confirms(field: Locator, *keys: str) -> None:
    """As an input method does that was used for the text in this field, by every browser's account of it."""
    page = field.page
    field.focus()
    for key in keys or ("Enter",):
        for signs in SIGNS:
            field.evaluate(PRESS, [key, signs])
    field.evaluate(PRESS, ["Process", {"code": "Enter"}])
    if keys and "Enter" not in keys:
        return
    session = page.context.new_cdp_session(page)  # from here on real keys, with all that a browser does of its own
    for event in ({"key": "Enter", "windowsVirtualKeyCode": 229}, {"key": "Process", "windowsVirtualKeyCode": 229}):
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", "code": "Enter", "text": "\r", **event})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", "code": "Enter", **event})
    session.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    page.keyboard.press("Enter")
    session.send("Input.insertText", {"text": "日本"})
    session.detach()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def test_nothing_is_sent_renamed_or_searched_in_a_conversation(window: Window) -> None:
    page = window("Try as user")
    page.goto("/agents/")
    page.get_by_role("link", name="Echo", exact=True).click()
    acts = Acts(page)
    confirms(page.get_by_role("textbox", name="Message"))
    assert not acts.requests
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="Echo")).to_contain_text("You said: ")
    acts.requests.clear()
    message = page.get_by_role("textbox", name="Message")
    confirms(message)
    assert "日本" in message.input_value()
    confirms(page.get_by_role("searchbox").first)
    page.locator(".menu--talk summary").click()
    name = page.get_by_label("Name", exact=True)
    confirms(name)
    confirms(name, "Escape")
    expect(name).to_be_visible()  # the menu is open
    assert not acts.requests
    name.press("Enter")
    expect(page.locator(".talk__head p")).to_contain_text("日本")


def test_no_question_of_an_agent_is_answered(window: Window) -> None:
    page = window("Try as user")
    asked(page, "several")
    acts = Acts(page)
    confirms(page.get_by_role("region", name="Which colour do you like?").get_by_label("Colour"))
    assert not acts.requests
    expect(page.get_by_text("Waiting for a decision")).to_be_visible()


def test_nobody_is_signed_in(window: Window) -> None:
    page = window()
    page.goto("/login/")
    page.get_by_label("Email").fill("user@example.com")
    page.get_by_label("Password").fill("demo")
    acts = Acts(page)
    confirms(page.get_by_label("Email"))
    assert not acts.requests


def test_nothing_is_decided_opened_or_filtered_at_the_desk(window: Window, demo_gateway: Embedded) -> None:
    first, second = (held(demo_gateway, ANA, "delete_file", number=number) for number in (1, 2))
    page = window("Try as admin")
    page.goto("/confirmations/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    expect(rows(page)).to_have_count(2)
    acts = Acts(page)
    for place in (page.locator("body"), row(page, first).get_by_role("link")):
        for key in ("j", "k", "a", "r", "x", "d", "/", "?", "Escape"):
            confirms(place, key)
    expect(page).to_have_url(re.compile("/confirmations/$"))
    expect(opened(page)).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)
    find = page.get_by_role("searchbox")
    confirms(find)
    confirms(find, "Escape")
    expect(find).to_be_focused()
    find.fill("")
    expect(rows(page)).to_have_count(2)
    row(page, first).get_by_role("link").click()
    reason = opened(page).get_by_label("Reason")
    confirms(reason)
    confirms(reason, "Escape")
    expect(reason).to_be_focused()
    assert "日本" in reason.input_value()
    for one in (first, second):
        row(page, one).get_by_role("checkbox").check()
    page.get_by_role("button", name="Reject 2…").click()
    reason = page.get_by_role("dialog").get_by_label("Reason")
    confirms(reason)
    confirms(reason, "Escape")
    expect(reason).to_be_visible()
    assert not acts.requests
    for one in (first, second):
        expect(row(page, one)).to_have_attribute("data-state", "waiting")


def test_no_field_is_left_while_the_name_of_a_tool_is_confirmed(window: Window, demo_gateway: Embedded) -> None:
    critical = held(demo_gateway, ANA, "削除", "critical")
    page = window("Try as admin")
    page.goto(f"/confirmations/{critical}/")
    name = opened(page).get_by_label("Name of the tool")
    acts = Acts(page)
    confirms(name)
    expect(name).to_be_focused()
    assert not acts.requests
