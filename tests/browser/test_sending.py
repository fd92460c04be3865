"""The bar of approvals that are about to be sent, in a real Chromium."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import Come, in_one_dialect, violations
from tests.browser.test_answering import LONG_ENOUGH, approves, opens
from tests.embedded import Embedded
from tests.stories.approving import held

ANA = "user@example.com"


def calls(gateway: Embedded, number: int, tool: str = "send_mail") -> list[str]:
    return [held(gateway, ANA, tool, "medium", "File manager", n=n) for n in range(number)]


def approves_with_keys(page: Page, number: int) -> None:
    for _ in range(number):
        page.keyboard.press("j")
        expect(page.get_by_role("button", name="Approve", exact=True)).to_be_enabled()
        for _ in range(3):  # once more where a name that was learned meanwhile has just changed the call
            page.wait_for_function(LONG_ENOUGH, arg=page.evaluate("performance.now()"))  # since it is there to be read
            page.keyboard.press("a")
            if not page.get_by_text("Not approved: this just").count():
                break
        expect(page.get_by_role("button", name="Cancel approval")).to_be_visible()


@in_one_dialect
def test_one_bar_says_what_is_being_sent_and_a_key_cancels_all_of_it(come: Come, demo_gateway: Embedded) -> None:
    bo = come("admin")
    waiting = calls(demo_gateway, 3)
    opens(bo, "/confirmations/")
    bar = bo.get_by_role("region", name="Approvals being sent")
    expect(bar).to_have_count(0)
    approves_with_keys(bo, 2)
    expect(bar).to_contain_text("2 approvals sending in")
    assert violations(bo) == []
    answers = []
    bo.route("**/sending/cancel/", lambda route: answers.append((route, route.fetch())))
    with bo.expect_response("**/sending/?*"):  # told by the socket before the answer comes
        bo.keyboard.press("c")
    bo.keyboard.press("j")
    ((route, answer),) = answers
    route.fulfill(response=answer)
    expect(bar).to_contain_text("2 approvals were cancelled and not sent.")
    expect(bo.get_by_text("not sent. Bo Adler")).to_have_count(2)
    assert set(waiting) <= set(demo_gateway.report()["held"])

    approves(bo, opened_call(bo))
    expect(bar).to_contain_text(re.compile(r"1 approval sending in [1-3] s"))
    bo.goto("/confirmations/history/")
    expect(bar).to_contain_text(re.compile(r"1 approval sending in [12] s"))
    expect(bar).to_have_count(0)  # by itself, when it is sent
    assert len(demo_gateway.report()["ran"]) == 1


HOLD_BACK = """() => {
  const real = window.fetch
  window.looks = []
  const heldBack = answer => new Promise(done => looks.push(() => done(answer)))
  window.fetch = (url, more) => url.includes("/sending/?") ? real(url, more).then(heldBack) : real(url, more)
}"""


@in_one_dialect
def test_of_several_looks_at_what_is_being_sent_the_latest_counts(come: Come, demo_gateway: Embedded) -> None:
    bo, elsewhere = come("admin"), come("admin")
    calls(demo_gateway, 2)
    for page in (bo, elsewhere):
        opens(page, "/confirmations/")
    bo.evaluate(HOLD_BACK)
    approves_with_keys(elsewhere, 2)
    bo.wait_for_function("() => looks.length >= 2")
    bo.evaluate("() => looks.forEach(answer => answer())")  # the first is of the time when there was one approval
    expect(bo.get_by_role("region", name="Approvals being sent")).to_contain_text("2 approvals sending in")


def opened_call(page: Page) -> str:
    return str(page.locator("[data-place] section").get_attribute("data-confirmation"))


@in_one_dialect
def test_several_approved_at_once_are_cancelled_in_the_dialog_by_one_button(come: Come, demo_gateway: Embedded) -> None:
    bo = come("admin", width=360, height=740)
    waiting = calls(demo_gateway, 4)
    opens(bo, "/confirmations/")
    for call in waiting:
        bo.locator(f'li[data-confirmation="{call}"]').get_by_role("checkbox").check()
    dialog = bo.get_by_role("dialog", name="Answer several")

    def approves_all() -> None:
        bo.get_by_role("button", name="Approve 4…").click()
        button = dialog.get_by_role("button", name="Approve 4")
        expect(button).to_be_enabled()
        bo.wait_for_function(LONG_ENOUGH, arg=bo.evaluate("performance.now()"))
        button.click()

    approves_all()
    expect(dialog).to_contain_text(re.compile(r"4 approvals sending in [1-3] s"))
    expect(dialog).not_to_contain_text("It is sent in")
    dialog.get_by_role("button", name="Cancel all 4").click()
    expect(dialog).to_contain_text("4 approvals were cancelled and not sent.")
    expect(dialog.get_by_role("link", name="Back to the approvals")).to_be_focused()
    dialog.get_by_role("link", name="Back to the approvals").press("Enter")
    assert set(waiting) <= set(demo_gateway.report()["held"])
    expect(bo.get_by_role("checkbox", checked=True)).to_have_count(0)
    for call in waiting:
        bo.locator(f'li[data-confirmation="{call}"]').get_by_role("checkbox").check()
    approves_all()
    expect(dialog).to_contain_text("4 approvals were sent.")
    assert set(waiting) <= set(demo_gateway.report()["ran"])
