"""The desk in a real Chromium, with the keyboard: a shift of decisions, many at once, and what a tab tells of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.conftest import Window, in_one_dialect, violations
from tests.embedded import Embedded
from tests.stories.approving import ANA, held, resolved_elsewhere

RISKS = ("critical", "high", "medium", "low")


NOTES_ITS_NOTICES = """
    window.notices = []
    window.Notification = class extends EventTarget {
        static permission = "granted"
        constructor(title, { body, tag }) {
            super()
            window.notices.push([title, body, tag])
            window.notice = this
        }
        close() {}
    }
    Object.defineProperty(document, "hidden", { get: () => true })
"""


@dataclass(frozen=True)
class Call:
    id: str
    tool: str
    risk: str
    number: int

    @property
    def is_approved(self) -> bool:
        return self.number % 3 != 0

    @property
    def reason(self) -> str:
        if self.is_approved:
            return f"checked {self.number}" if self.risk == "critical" else ""
        return f"too broad {self.number}"


def row(page: Page, confirmation: str) -> Locator:
    return page.locator(f'li[data-confirmation="{confirmation}"]')


def rows(page: Page) -> Locator:
    return page.locator("li[data-confirmation]:not([data-leaving])")


def opened(page: Page) -> Locator:
    return page.locator("[data-place] section[data-confirmation]")


@pytest.fixture
def desk(window: Window) -> Page:
    """Bo's desk, with nothing on it."""
    page = window("Try as admin")
    page.goto("/confirmations/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    expect(page.locator("li[data-confirmation]")).to_have_count(0)  # what the test before left fades first
    return page


def on_screen(page: Page, confirmation: str) -> None:
    expect(opened(page)).to_have_attribute("data-confirmation", confirmation)


def presses_until(page: Page, key: str, said: Locator, sentence: str) -> None:
    """As somebody does who is told to look once more: what is answered has to be on screen for 600 ms."""
    for _ in range(20):
        page.keyboard.press(key)
        page.wait_for_timeout(350)  # milliseconds
        if sentence in said.inner_text():
            return
    expect(said).to_contain_text(sentence)


@pytest.mark.soak
def test_a_shift_of_twenty_decisions_by_keyboard_alone(desk: Page, demo_gateway: Embedded) -> None:
    calls = {}
    for number in range(20):
        tool, risk = f"tool_{number % 4}", RISKS[number % 5 % 4]
        one = held(demo_gateway, ANA, tool, risk, "File manager", number=number)
        calls[one] = Call(one, tool, risk, number)
    expect(rows(desk)).to_have_count(20)
    order = [str(one.get_attribute("data-confirmation")) for one in rows(desk).all()]
    assert [calls[one].risk for one in order] == sorted((call.risk for call in calls.values()), key=RISKS.index)
    for expected in order:
        desk.keyboard.press("j")
        on_screen(desk, expected)
        expect(desk).to_have_url(re.compile(f"/confirmations/{expected}/$"))
        call = calls[expected]
        if not call.is_approved:
            desk.keyboard.press("r")
            expect(opened(desk).get_by_label("Reason")).to_be_focused()
            desk.keyboard.type(call.reason)
            presses_until(desk, "Enter", opened(desk), "Rejected by you")
            desk.keyboard.press("Escape")
        else:
            if call.risk == "critical":
                desk.keyboard.press("a")
                expect(opened(desk).get_by_label("Name of the tool")).to_be_focused()
                desk.keyboard.type(call.tool)
                desk.keyboard.press("Escape")
                desk.keyboard.press("a")
                expect(opened(desk).get_by_label("Reason")).to_be_focused()
                desk.keyboard.type(call.reason)
                desk.keyboard.press("Escape")
            presses_until(desk, "a", opened(desk), "Approved by you")
    report = demo_gateway.report()
    assert {one: report["answers"].get(one) for one in calls} == {
        one: "confirm" if call.is_approved else "reject" for one, call in calls.items()
    }
    assert {one: report["reasons"].get(one) or "" for one in calls} == {one: c.reason for one, c in calls.items()}


@pytest.mark.soak
@in_one_dialect
def test_two_hundred_calls_are_filtered_grouped_and_accessible(desk: Page, demo_gateway: Embedded) -> None:
    for number in range(200):
        held(demo_gateway, ANA, f"tool_{number % 3}", RISKS[number % 4], "File manager", number=number)
    expect(rows(desk)).to_have_count(200)
    desk.keyboard.press("j")
    expect(opened(desk)).to_have_count(1)
    assert violations(desk) == []
    desk.get_by_role("link", name="critical 50").click()
    expect(rows(desk)).to_have_count(50)
    expect(desk).to_have_url(re.compile(r"\?risk=critical$"))
    desk.keyboard.press("/")
    desk.keyboard.type("tool_1")
    desk.keyboard.press("Escape")
    expect(rows(desk)).to_have_count(17)
    held(demo_gateway, ANA, "tool_2", "critical", "File manager")
    late = held(demo_gateway, ANA, "tool_1", "critical", "File manager", late=True)
    expect(desk.get_by_role("button", name="1 new")).to_be_visible()
    later = held(demo_gateway, ANA, "tool_1", "critical", "File manager", late=2)
    desk.get_by_role("button", name="2 new").press("Enter")
    expect(row(desk, late).get_by_role("link")).to_be_focused()
    expect(row(desk, later)).to_be_visible()
    expect(desk.locator("[data-fresh]")).to_be_hidden()
    desk.reload()
    expect(rows(desk)).to_have_count(19)
    expect(row(desk, late).get_by_role("link")).to_have_attribute("href", re.compile(r"\?risk=critical&q=tool_1$"))
    desk.goto("/confirmations/?group=tool")
    expect(desk.get_by_role("heading", name=re.compile("^tool_"))).to_have_text(["tool_0", "tool_1", "tool_2"])
    expect(rows(desk).last).to_have_attribute("data-tool", "tool_2")
    new = held(demo_gateway, ANA, "tool_11", "low", "File manager")
    expect(desk.get_by_role("heading", name=re.compile("^tool_"))).to_have_text(
        ["tool_0", "tool_1", "tool_11", "tool_2"]
    )
    resolved_elsewhere(demo_gateway, ANA, new, "reject")
    expect(desk.get_by_role("heading", name="tool_11")).to_have_count(0)


@in_one_dialect
def test_only_calls_of_one_kind_are_answered_together(desk: Page, demo_gateway: Embedded) -> None:
    one, two = (held(demo_gateway, ANA, "send_mail", "medium", "File manager", to=to) for to in ("a", "b"))
    other = held(demo_gateway, ANA, "send_mail", "medium", "File manager", to=["c"])
    grave = held(demo_gateway, ANA, "send_mail", "critical", "File manager", to="d")
    expect(rows(desk)).to_have_count(4)
    why = desk.locator("[data-why-not]")
    for call in (grave, one, other, two):
        desk.keyboard.press("j" if call == grave else "Escape")
        row(desk, call).get_by_role("link").focus()
        desk.keyboard.press("Enter")
        on_screen(desk, call)
        desk.keyboard.press("x")
        if call == grave:
            expect(why).to_contain_text("answered by itself")
        if call == other:
            expect(why).to_contain_text("other fields")
            expect(row(desk, other).get_by_role("checkbox")).not_to_be_checked()
    desk.get_by_role("button", name="Approve 2…").click()
    dialog = desk.get_by_role("dialog", name="Answer several")
    for value in ("to", "a", "b"):
        expect(dialog).to_contain_text(value)
    presses_until(desk, "Escape", desk.locator("body"), "Approvals")
    expect(dialog).to_have_count(0)
    for call in (one, two):
        row(desk, call).get_by_role("checkbox").check()
    desk.get_by_role("button", name="Approve 2…").click()
    desk.wait_for_function("since => performance.now() - since > 650", arg=desk.evaluate("performance.now()"))
    dialog.get_by_role("button", name="Approve 2").click()
    told = dialog.get_by_role("list", name="What became of each call")
    expect(told.get_by_text("Approved: send_mail")).to_have_count(2)
    report = demo_gateway.report()
    assert {one, two} <= set(report["ran"]) and {other, grave} <= set(report["held"])
    dialog.get_by_role("link", name="Back to the approvals").click()
    expect(dialog).to_have_count(0)
    expect(row(desk, one)).to_contain_text("Approved by you")


@in_one_dialect
def test_every_key_does_its_part_until_they_are_switched_off(desk: Page, demo_gateway: Embedded) -> None:
    first, second = (held(demo_gateway, ANA, "send_mail", risk, "File manager", n=1) for risk in ("high", "low"))
    expect(rows(desk)).to_have_count(2)
    for key, call in (("j", first), ("j", second), ("k", first)):
        desk.keyboard.press(key)
        on_screen(desk, call)
    desk.keyboard.press("Enter")
    expect(opened(desk)).to_be_focused()
    desk.keyboard.press("d")
    expect(desk.get_by_role("heading", name="Compared with the last approved")).to_be_visible()
    desk.keyboard.press("?")
    keys = desk.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    desk.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    desk.keyboard.press("/")
    expect(desk.get_by_role("searchbox", name="Find")).to_be_focused()
    desk.keyboard.press("Escape")
    expect(row(desk, first).get_by_role("link")).to_be_focused()
    desk.get_by_text("Notify me").click()
    desk.get_by_role("checkbox", name="Keys").uncheck()
    for _ in range(2):  # and after a reload
        for key in ("j", "k", "?", "/", "a", "r", "x", "d"):
            desk.keyboard.press(key)
        on_screen(desk, first)
        expect(keys).to_be_hidden()
        expect(desk.get_by_role("searchbox", name="Find")).not_to_be_focused()
        expect(row(desk, first).get_by_role("checkbox")).not_to_be_checked()
        expect(row(desk, second)).to_contain_text("for Ana Lima")  # who may never have been here
        desk.reload()


@in_one_dialect
def test_one_tab_tells_of_what_is_new_without_its_arguments(desk: Page, demo_gateway: Embedded) -> None:
    desk.context.grant_permissions(["notifications"])
    desk.get_by_text("Notify me").click()
    desk.get_by_label("On the desktop").check()
    desk.get_by_label("Sound").check()
    desk.evaluate(NOTES_ITS_NOTICES)
    late = desk.context.new_page()  # another tab, which hears of everything later
    late.add_init_script(NOTES_ITS_NOTICES)
    deaf = ["deaf"]

    def between(page: WebSocketRoute) -> None:
        page.connect_to_server().on_message(lambda frame: None if deaf else page.send(frame))

    late.route_web_socket("**/ws/confirmations/", between)
    deaf.clear()
    late.goto("/confirmations/")
    expect(late.get_by_role("status", name="Live updates")).to_have_text("Live")
    deaf.append("deaf")
    call = held(demo_gateway, ANA, "wipe_disk", "critical", "File manager", path="/secret")
    held(demo_gateway, ANA, "tidy_up", "low", "File manager")
    said = re.compile(r"^(2 new approvals, 1 critical|1 new approval)$")  # together, or one after the other
    expect(desk.get_by_role("status", name="New approvals")).to_have_text(said)
    expect(desk).to_have_title(re.compile(r"^\(2\) "))
    desk.wait_for_function("() => window.notices.length === 2")
    told = {tag: (title, body) for title, body, tag in desk.evaluate("() => window.notices")}
    assert told[call] == ("An approval is needed", "wipe_disk · critical risk · File manager")
    before = demo_gateway.report()["answers"]
    desk.evaluate("() => window.notice.dispatchEvent(new Event('click'))")
    expect(opened(desk)).to_have_count(1)
    assert demo_gateway.report()["answers"] == before and call in demo_gateway.report()["held"]
    expect(rows(late)).to_have_count(0)
    desk.close()
    deaf.clear()
    demo_gateway.dial(drop_streams=True)  # all that waits is told again
    expect(rows(late)).to_have_count(2)
    third = held(demo_gateway, ANA, "tidy_up", "low", "File manager", n=3)
    late.wait_for_function("() => window.notices.length")
    assert [tag for _, _, tag in late.evaluate("() => window.notices")] == [third]  # the others were told of here


@in_one_dialect
def test_on_a_small_screen_the_open_call_takes_the_place_of_the_list(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as admin", viewport={"width": 360, "height": 740}, has_touch=True)
    call = held(demo_gateway, ANA, "send_mail", "medium", "File manager", to="a")
    page.goto("/confirmations/?risk=medium")
    row(page, call).get_by_role("link").click()
    on_screen(page, call)
    expect(row(page, call)).to_be_hidden()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="All approvals").click()
    expect(row(page, call).get_by_role("link")).to_be_focused()
    page.go_back()
    on_screen(page, call)
    page.goto(f"/confirmations/{call}/")
    expect(row(page, call)).to_be_hidden()
    expect(page.get_by_role("link", name="All approvals")).to_be_visible()
    page.goto("/confirmations/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    row(page, call).dispatch_event("touchstart")
    another = held(demo_gateway, ANA, "send_mail", "critical", "File manager", to="b")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    row(page, call).dispatch_event("touchend")
    expect(row(page, another)).to_be_visible()
