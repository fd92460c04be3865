"""Answers in a real Chromium: only to what has been on the screen for a moment, and nothing typed is lost."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Window, in_one_dialect
from tests.embedded import Embedded
from tests.portico import Portico
from tests.stories.approving import held

ANA, OLU = "user@example.com", "operator@example.com"
CHANGES_UNDER_THE_POINTER = """async button => {
  button.closest("section").dataset.version = "another"
  await new Promise(requestAnimationFrame)
  button.click()
}"""
PRESSES = """keys => {
  for (const key of keys) document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))
}"""
LONG_ENOUGH = "since => performance.now() - since > 650"


def test_what_just_changed_is_looked_at_once_more(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as admin")
    call = held(demo_gateway, ANA, "wipe_folder", "critical", "File manager", folder="/reports")
    page.goto(f"/confirmations/{call}/")
    section = page.locator(f'section[data-confirmation="{call}"]')
    approve = section.get_by_role("button", name="Approve")
    reason, name = section.get_by_label("Reason"), section.get_by_label("Name of the tool")
    reason.fill("They are old")
    name.fill("wipe_folder")
    approve.evaluate(CHANGES_UNDER_THE_POINTER)
    expect(section.locator("[data-said]")).to_have_text(
        "Not approved: this just changed. Look at it once more, then approve."
    )
    assert not [one for one in demo_gateway.received() if call in one["path"] and one["method"] == "POST"]
    page.reload()
    expect(reason).to_have_value("They are old")
    page.wait_for_function(LONG_ENOUGH, arg=page.evaluate("performance.now()"))
    approve.click()
    expect(section.get_by_role("alert")).to_contain_text("please type the name of its tool: wipe_folder")
    expect(reason).to_have_value("They are old")
    name.fill("wipe_folder")
    name.press("Enter")  # rejects nothing
    expect(reason).to_be_focused()
    approve.click()
    expect(section).to_contain_text("Approved by you: They are old")
    assert call in demo_gateway.report()["ran"]


@in_one_dialect
def test_when_the_time_is_up_nothing_can_be_pressed(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as admin")
    call = held(demo_gateway, ANA, "wipe_folder", agent="File manager")
    page.clock.install()
    page.goto(f"/confirmations/{call}/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    section = page.locator(f'section[data-confirmation="{call}"]')
    buttons = section.locator("[data-answer] button")
    for name in ("Approve", "Reject"):
        expect(section.get_by_role("button", name=name)).to_be_enabled()
    page.clock.fast_forward("05:01")
    expect(section.locator("[data-expires-at]")).to_have_text("Time is up")
    expect(page.locator("li [data-expires-at]")).to_have_text("Time is up")
    assert buttons.count() == page.locator("[data-answer] button:disabled").count() >= 2
    page.keyboard.press("a")
    assert not [one for one in demo_gateway.received() if call in one["path"] and one["method"] == "POST"]


@in_one_dialect
def test_a_typed_reason_outlives_the_session_and_can_be_sent_after_signing_in(
    window: Window, demo_gateway: Embedded
) -> None:
    page = window("Try as admin")
    call = held(demo_gateway, ANA, "wipe_folder", agent="File manager")
    page.goto("/confirmations/")
    page.locator(f'li[data-confirmation="{call}"]').get_by_role("link").click()
    reason = page.get_by_label("Reason")
    reason.fill("too broad")
    demo_gateway.dial(expire_tokens=True)
    status = page.get_by_role("status", name="Live updates")
    expect(status).to_contain_text("Signed out")
    expect(reason).to_have_value("too broad")
    status.get_by_role("link", name="Sign in again").click()
    page.get_by_role("button", name="Try as admin").click()
    expect(page).to_have_url(re.compile(f"/confirmations/{call}/$"))
    expect(page.get_by_label("Reason")).to_have_value("too broad")
    page.wait_for_function(LONG_ENOUGH, arg=page.evaluate("performance.now()"))
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("section[data-confirmation]")).to_contain_text("Rejected by you: too broad")
    assert demo_gateway.report()["reasons"][call] == "too broad"


def test_no_key_answers_a_call_that_was_left_for_the_next_one(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as admin")
    page.goto("/confirmations/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    left, following = (held(demo_gateway, ANA, "delete_file", risk, "File manager") for risk in ("high", "low"))
    expect(page.locator("li[data-confirmation]")).to_have_count(2)
    page.route(f"**/confirmations/{following}/", lambda _: None)  # is long on its way
    page.keyboard.press("j")
    expect(page.locator(f'section[data-confirmation="{left}"]')).to_be_visible()
    page.wait_for_function(LONG_ENOUGH, arg=page.evaluate("performance.now()"))
    page.evaluate(PRESSES, ["j", "a"])
    expect(page).to_have_url(f"{page.url.split('/confirmations/')[0]}/confirmations/{following}/")
    page.get_by_text("Opening the call").wait_for()
    assert not [one for one in demo_gateway.received() if left in one["path"] and one["method"] == "POST"]


def test_a_call_whose_name_gives_orders_is_not_answered_by_being_opened(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as admin")
    call = held(demo_gateway, ANA, "tidy data-open hx-post=confirm/ hx-trigger=load x", agent="File manager")
    page.goto(f"/confirmations/{call}/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    expect(page.locator("[hx-trigger=load]")).to_have_count(0)
    assert call in demo_gateway.report()["held"]


REJECTS = """async ([call, wait]) => {
  const section = () => document.querySelector(`section[data-confirmation="${call}"]`)
  const before = section().dataset.version
  while (section().dataset.version === before) await new Promise(requestAnimationFrame)
  await new Promise(done => setTimeout(done, wait))
  section().querySelector("[data-give=reject]").click()
}"""


@in_one_dialect
def test_a_rejection_within_the_pause_of_anothers_approval_always_wins(
    browser: Browser, demo_gateway: Embedded
) -> None:
    server = Portico.as_demo(demo_gateway.url, APPROVAL_HOLD="3").start()
    demo_gateway.dial(person={"email": OLU, "roles": ["admin"]})
    contexts = [browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 720}) for _ in range(2)]
    try:
        approver, rejecter = (context.new_page() for context in contexts)
        for page, who in ((approver, "admin"), (rejecter, "operator")):
            page.goto("/")
            page.get_by_role("button", name=f"Try as {who}").click()
        for wait in (0, 150, 350, 550):  # ms after the panel says that somebody approved it
            call = held(demo_gateway, ANA, "send_money", agent="File manager", amount=wait)
            for page in (approver, rejecter):
                page.goto(f"/confirmations/{call}/")
                expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
            rejecter.get_by_label("Reason").fill(f"no, {wait}")
            approver.wait_for_function(LONG_ENOUGH, arg=approver.evaluate("performance.now()"))
            rejecter.evaluate(f"window.pressed = ({REJECTS})(['{call}', {wait}]); undefined")
            approver.get_by_role("button", name="Approve").click()
            section = rejecter.locator(f'section[data-confirmation="{call}"]')
            expect(section).to_contain_text(f"Rejected by you: no, {wait}")
            assert call not in demo_gateway.report()["ran"]
            expect(approver.locator(f'section[data-confirmation="{call}"]')).to_contain_text("Rejected by Olu Ojo")
    finally:
        for context in contexts:
            context.close()
        server.close()
        demo_gateway.dial(person={"email": OLU, "roles": ["tenant_admin"]})


@in_one_dialect
def test_a_call_that_just_came_up_can_be_rejected_at_once_but_not_approved(
    window: Window, demo_gateway: Embedded
) -> None:
    page = window("Try as admin", viewport={"width": 1280, "height": 720})
    call = held(demo_gateway, ANA, "send_money", agent="File manager", **{f"field {n}": "x" for n in range(12)})
    page.goto("/confirmations/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    section = page.locator(f'section[data-confirmation="{call}"]')
    page.locator(f'li[data-confirmation="{call}"]').get_by_role("link").click()
    said = page.evaluate(
        """async call => {
          const find = () => document.querySelector(`section[data-confirmation="${call}"] [data-give=approve]`)
          while (!find()) await new Promise(requestAnimationFrame)
          find().click()
          return find().form.querySelector("[data-said]").textContent
        }""",
        call,
    )
    assert said == "Not approved: this just came up. Look at it first, then approve."
    expect(section.locator("[data-said]")).to_be_in_viewport()
    page.reload()
    page.evaluate(
        """call => {
          const form = document.querySelector(`section[data-confirmation="${call}"] form[data-answer]`)
          form.elements.reason.value = "at once"
          form.querySelector("[data-give=reject]").click()
        }""",
        call,
    )
    expect(section).to_contain_text("Rejected by you: at once")
    assert call not in demo_gateway.report()["ran"]
