"""Answers in a real Chromium: only to what has been on the screen for a moment, and nothing typed is lost."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

from embedded import ids
from tests.browser.conftest import Come, Window, in_one_dialect
from tests.embedded import Embedded
from tests.stories.approving import held

ANA = "user@example.com"
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
    clock = 0  # seconds that the gateway's clock is ahead

    def shift(line: WebSocketRoute) -> None:
        server = line.connect_to_server()

        def tell(message: str | bytes) -> None:
            frame = json.loads(message)
            line.send(json.dumps(frame | {"clock": frame["clock"] + 1000 * clock} if "clock" in frame else frame))

        server.on_message(tell)

    page.route_web_socket("**/ws/confirmations/", shift)
    page.goto(f"/confirmations/{call}/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    section = page.locator(f'section[data-confirmation="{call}"]')
    buttons = section.locator("[data-answer] button")
    for name in ("Approve", "Reject"):
        expect(section.get_by_role("button", name=name)).to_be_enabled()
    clock = 301
    page.reload()
    expect(section.locator("[data-expires-at]")).to_have_text("Time is up")
    expect(page.locator("li [data-expires-at]")).to_have_text("Time is up")
    assert buttons.count() == page.locator("[data-answer] button:disabled").count() >= 2
    page.keyboard.press("a")
    assert not [one for one in demo_gateway.received() if call in one["path"] and one["method"] == "POST"]
    clock = 0  # as it is known better
    other = held(demo_gateway, ANA, "wipe_folder", agent="File manager")
    expect(page.locator(f'li[data-confirmation="{other}"]')).to_be_attached()
    expect(section.get_by_role("button", name="Reject")).to_be_enabled()
    assert page.locator("[data-answer] button:disabled").count() == 0


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
AGENT = "File manager"


def call_of(page: Page, call: str) -> Locator:
    return page.locator(f'section[data-confirmation="{call}"]')


def opens(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")


def approves(page: Page, call: str, key: str = "") -> None:
    """With the pointer, or a key; once more where a name that was learned meanwhile has just changed the call."""
    button = call_of(page, call).get_by_role("button", name="Approve")
    for _ in range(3):
        page.wait_for_function(LONG_ENOUGH, arg=page.evaluate("performance.now()"))
        button.press(key) if key else button.click()
        if not page.get_by_text("Not approved: this just").count():
            return


@in_one_dialect
def test_a_rejection_within_the_pause_of_anothers_approval_always_wins(come: Come, demo_gateway: Embedded) -> None:
    approver, rejecter = come("admin"), come("operator")
    for wait in (0, 150, 350, 550):  # ms after the panel says that somebody approved it
        call = held(demo_gateway, ANA, "send_money", agent=AGENT, amount=wait)
        for page in (approver, rejecter):
            opens(page, f"/confirmations/{call}/")
        rejecter.get_by_label("Reason").fill(f"no, {wait}")
        rejecter.evaluate(f"window.pressed = ({REJECTS})(['{call}', {wait}]); undefined")
        approves(approver, call)
        expect(call_of(rejecter, call)).to_contain_text(f"Rejected by you: no, {wait}")
        assert call not in demo_gateway.report()["ran"]
        expect(call_of(approver, call)).to_contain_text("Rejected by Olu Ojo")
        expect(call_of(approver, call)).to_contain_text("Your approval was cancelled before it was sent: Olu Ojo")


@in_one_dialect
@pytest.mark.parametrize(
    ("width", "height", "risk"),
    [(1280, 720, "high"), (1280, 1400, "high"), (1280, 1400, "critical"), (1280, 720, "critical"), (360, 740, "high")],
)
def test_a_pointer_that_aims_at_reject_hits_it_whatever_anothers_approval_adds(
    come: Come, demo_gateway: Embedded, width: int, height: int, risk: str
) -> None:
    approver, rejecter = come("admin"), come("operator", width=width, height=height)
    call = held(demo_gateway, ANA, "send_money", risk, AGENT, to="bob", amount=5, note="for the roof")
    for page in (approver, rejecter):
        opens(page, f"/confirmations/{call}/")
    section = call_of(rejecter, call)
    section.get_by_label("Reason").fill("no")
    place = section.get_by_role("button", name="Reject").bounding_box()
    assert place
    for field, typed in (("Name of the tool", "send_money"), ("Reason", "yes")) if risk == "critical" else ():
        call_of(approver, call).get_by_label(field).fill(typed)
    approves(approver, call)
    expect(section).to_contain_text("approved this. Until it is sent")
    expect(section.get_by_role("button", name="Copy confirmation id")).to_be_visible()
    now = section.get_by_role("button", name="Reject").bounding_box()
    assert now and abs(now["y"] - place["y"]) < 1
    rejecter.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(section).to_contain_text("Rejected by you: no")
    assert call not in demo_gateway.report()["ran"]


@in_one_dialect
def test_no_gap_is_left_above_the_answer_of_a_long_call_that_is_told_anew(come: Come, demo_gateway: Embedded) -> None:
    claimer, reader = come("admin"), come("operator", height=2000)
    call = held(demo_gateway, ANA, "send_report", agent=AGENT, text="words and more words " * 2000, lines=[*range(20)])
    for page in (claimer, reader):
        opens(page, f"/confirmations/{call}/")
    section = call_of(reader, call)
    place = section.get_by_role("button", name="Reject").bounding_box()
    call_of(claimer, call).get_by_role("button", name="Claim").click()
    expect(section).to_contain_text("is looking into this until")
    compare, said = (
        one.bounding_box()
        for one in (section.get_by_role("link", name="Compare"), section.get_by_text("is looking into this until"))
    )
    now = section.get_by_role("button", name="Reject").bounding_box()
    assert place and now and compare and said
    assert abs(now["y"] - place["y"]) < 1
    assert said["y"] - compare["y"] - compare["height"] < 40


@in_one_dialect
def test_a_rejection_by_the_keyboard_of_a_small_window_wins_while_it_is_typed(
    come: Come, demo_gateway: Embedded
) -> None:
    approver, rejecter = come("admin"), come("operator", width=360, height=740)
    for after in range(100, 901, 200):  # ms after the approval
        call = held(demo_gateway, ANA, "send_money", agent=AGENT, amount=after)
        for page in (approver, rejecter):
            opens(page, f"/confirmations/{call}/")
        rejecter.keyboard.press("r")
        rejecter.keyboard.type("no, ")
        approves(approver, call)
        rejecter.keyboard.type(f"at {after}", delay=after / 6)
        rejecter.keyboard.press("Enter")
        expect(call_of(rejecter, call)).to_contain_text(f"Rejected by you: no, at {after}")
        assert call not in demo_gateway.report()["ran"]


@in_one_dialect
def test_a_call_that_was_told_anew_while_a_button_was_held_down_shows_how_it_stands_now(
    come: Come, demo_gateway: Embedded
) -> None:
    bo, ana = come("admin"), come("user")
    call = held(demo_gateway, ANA, "send_money", agent=AGENT, amount="12")
    opens(ana, f"/confirmations/{call}/")
    call_of(ana, call).get_by_text("12", exact=True).hover()
    ana.mouse.down()  # as to mark what stands there
    opens(bo, f"/confirmations/{call}/")
    approves(bo, call)
    expect(ana.locator(f'li[data-confirmation="{call}"]')).to_contain_text("Approved by Bo Adler (admin@example.com)")
    expect(ana.locator(f'li[data-confirmation="{call}"]')).to_have_attribute("data-state", "approved")
    ana.mouse.up()
    expect(call_of(ana, call)).to_contain_text("Approved by Bo Adler (admin@example.com)")


@in_one_dialect
def test_a_rejection_in_the_chat_wins_over_an_approval_that_waits_to_be_sent(
    come: Come, demo_gateway: Embedded
) -> None:
    bo, ana = come("admin"), come("user")
    ana.goto(f"/agents/{ids.FILE_MANAGER}/")
    ana.get_by_role("textbox", name="Message").fill("please delete report.pdf")
    ana.get_by_role("button", name="Send").click()
    asked = ana.get_by_role("log").get_by_role("region", name="delete_file")
    asked.get_by_label("Reason").fill("still needed")
    [call] = demo_gateway.report()["held"]
    ana.evaluate("id => document.dispatchEvent(new CustomEvent('confirmations:gone', { detail: { id } }))", call)
    expect(asked).to_have_count(0)
    expect(ana.get_by_role("textbox", name="Message")).to_be_focused()
    opens(bo, f"/confirmations/{call}/")
    approves(bo, call)
    expect(asked).to_contain_text("approved this. Until it is sent")
    expect(asked.get_by_label("Reason")).to_have_value("still needed")
    asked.get_by_role("button", name="Reject").click()
    expect(ana.get_by_role("log")).to_contain_text(re.compile(r"Rejected by you, \d\d:\d\d: still needed"))
    assert call not in demo_gateway.report()["ran"]


@in_one_dialect
def test_a_card_in_the_chat_offers_nothing_once_the_result_stands_below(come: Come, demo_gateway: Embedded) -> None:
    bo, ana = come("admin"), come("user")
    deaf: list[str] = []

    def between(page: WebSocketRoute) -> None:
        page.connect_to_server().on_message(lambda frame: None if deaf else page.send(frame))

    ana.route_web_socket("**/ws/confirmations/", between)
    ana.goto(f"/agents/{ids.FILE_MANAGER}/")
    ana.get_by_role("textbox", name="Message").fill("please delete report.pdf")
    ana.get_by_role("button", name="Send").click()
    asked = ana.get_by_role("log").get_by_role("region", name="delete_file")
    expect(asked).to_be_visible()
    [call] = demo_gateway.report()["held"]
    opens(bo, f"/confirmations/{call}/")
    approves(bo, call)
    expect(asked).to_contain_text("approved this. Until it is sent")
    deaf.append("of what comes next")
    expect(asked).to_contain_text("It is being sent.")
    expect(ana.get_by_role("log")).to_contain_text("Deleted")
    expect(ana.get_by_role("log")).to_contain_text("Approved by Bo Adler")  # in the card, or already on the step
    expect(asked.get_by_role("button", name="Reject")).to_have_count(0)


@in_one_dialect
def test_a_rejection_of_several_wins_over_an_approval_of_one_of_them(come: Come, demo_gateway: Embedded) -> None:
    bo, olu = come("admin"), come("operator")
    one, two = (held(demo_gateway, ANA, "send_mail", "medium", AGENT, to=to) for to in "ab")
    opens(olu, "/confirmations/")
    for call in (one, two):
        olu.locator(f'li[data-confirmation="{call}"]').get_by_role("checkbox").check()
    olu.get_by_role("button", name="Reject 2…").click()
    dialog = olu.get_by_role("dialog", name="Answer several")
    dialog.get_by_label("Reason").fill("no mail")
    opens(bo, f"/confirmations/{one}/")
    approves(bo, one)
    expect(call_of(bo, one).get_by_role("button", name="Cancel approval")).to_be_visible()
    dialog.get_by_role("button", name="Reject 2").click()
    expect(dialog.get_by_text("Rejected: send_mail")).to_have_count(2)
    assert {one, two}.isdisjoint(demo_gateway.report()["ran"])


@in_one_dialect
def test_a_rejection_that_fails_is_said_though_its_panel_changed_or_another_call_is_read(
    come: Come, demo_gateway: Embedded
) -> None:
    bo, olu = come("admin"), come("operator")
    call, other = (held(demo_gateway, ANA, "send_money", agent=AGENT, amount=amount) for amount in (1, 2))
    on_its_way: list[Route] = []
    olu.route("**/reject/", lambda route: on_its_way.append(route))  # noqa: PLW0108  (needs a function)
    opens(olu, f"/confirmations/{call}/")
    opens(bo, f"/confirmations/{call}/")
    row = olu.locator(f'li[data-confirmation="{call}"]')

    olu.get_by_label("Reason").fill("no")
    olu.get_by_role("button", name="Reject").click()
    call_of(bo, call).get_by_role("button", name="Claim").click()
    expect(row).to_contain_text("looks into it")
    on_its_way.pop().abort()
    expect(call_of(olu, call)).to_contain_text("is looking into this")  # it waited for the answer to come back
    expect(call_of(olu, call).get_by_role("alert")).to_have_text("Your answer could not be sent. Please try again.")
    expect(call_of(olu, call).get_by_label("Reason")).to_have_value("no")

    call_of(bo, call).get_by_role("button", name="Release").click()
    expect(row).not_to_contain_text("looks into it")
    opens(olu, f"/confirmations/{call}/")
    call_of(olu, call).get_by_role("button", name="Reject").click()
    olu.locator(f'li[data-confirmation="{other}"]').get_by_role("link").click()
    expect(call_of(olu, other)).to_be_visible()
    on_its_way.pop().abort()
    expect(olu.get_by_role("alert")).to_contain_text("Your answer to send_money was not taken: it could not be sent.")
    olu.get_by_role("alert").get_by_role("link", name="send_money").click()
    expect(call_of(olu, call).get_by_label("Reason")).to_have_value("no")


@in_one_dialect
def test_what_failed_looks_like_a_failure_where_one_looks(come: Come, demo_gateway: Embedded) -> None:
    bo = come("admin", height=600)
    call = held(demo_gateway, ANA, "wipe_disk", "critical", AGENT, **{f"field {n}": "x" for n in range(12)})
    opens(bo, f"/confirmations/{call}/")
    section = call_of(bo, call)
    approves(bo, call)
    alert = section.get_by_role("alert")
    for sentence in ("type the name of its tool: wipe_disk", "Please say why"):
        expect(alert).to_contain_text(sentence)
    expect(alert).to_be_in_viewport()
    expect(section.get_by_label("Name of the tool")).to_be_focused()
    bo.keyboard.type("wipe_disk")
    section.get_by_role("button", name="Approve").press("Enter")
    expect(section.get_by_label("Reason")).to_be_focused()
    for path in ("confirm", "compare"):
        bo.route(f"**/{path}/", lambda route: route.abort())
    section.get_by_label("Reason").fill("old")
    section.get_by_role("button", name="Approve").click()
    expect(section.get_by_text("Your answer could not be sent. Please try again.")).to_be_in_viewport()
    section.get_by_role("link", name="Compare").click()
    expect(section.get_by_text("The comparison cannot be shown right now.")).to_be_in_viewport()
    for notice in section.locator("[data-failed]").all():
        expect(notice).to_have_role("alert")
        plain = section.evaluate("one => getComputedStyle(one).backgroundColor")
        assert notice.evaluate("one => getComputedStyle(one).backgroundColor") != plain
        expect(notice.locator("svg")).to_be_visible()


@in_one_dialect
def test_after_an_approval_the_keyboard_is_where_it_can_be_taken_back_but_no_double_click_does_it(
    come: Come, demo_gateway: Embedded
) -> None:
    bo = come("admin")
    call = held(demo_gateway, ANA, "send_money", agent=AGENT)
    opens(bo, f"/confirmations/{call}/")
    section = call_of(bo, call)
    approves(bo, call, "Enter")
    cancel = section.get_by_role("button", name="Cancel approval")
    expect(cancel).to_be_focused()
    cancel.click(click_count=2)
    expect(section).to_contain_text("was cancelled before it was sent")
    approves(bo, call)
    expect(cancel).to_be_visible()
    assert section.evaluate(  # its time is up, by some clock
        """section => {
          document.dispatchEvent(new CustomEvent("confirmations:clock", { detail: { offset: 301000 } }))
          const [reject, cancel] = section.querySelectorAll("[data-give=reject], [formaction$='/cancel/']")
          return [section.querySelector("[data-expires-at]").textContent, reject.disabled, cancel.disabled]
        }"""
    ) == ["Time is up", True, False]
    cancel.dispatch_event("click", {"detail": 2})
    expect(section.locator("[data-said]")).to_contain_text("Press once more to cancel")
    expect(section).to_contain_text("Approved by you")
    assert call in demo_gateway.report()["ran"]


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


@in_one_dialect
def test_what_is_typed_in_the_card_of_a_sub_agent_stays_while_the_agent_talks_on(
    come: Come, demo_gateway: Embedded
) -> None:
    ana = come("user")
    ana.goto(f"/agents/{ids.SHOWCASE}/")
    ana.get_by_role("textbox", name="Message").fill("ask a patient sub-agent")
    ana.get_by_role("button", name="Send").click()
    log = ana.get_by_role("log")
    call = held(demo_gateway, ANA, "find_book", agent="Showcase", title="Seven bridges")
    card = log.locator(f'section[data-confirmation="{call}"]')
    field = card.get_by_label("Reason")
    field.click()
    card.evaluate("card => (window.card = card)")
    step = log.locator("details.step", has=ana.locator("code", has_text="find_book")).last
    step.locator("summary").click()
    field.click()
    ana.evaluate("() => { window.left = 0; window.card.addEventListener('focusout', () => window.left++) }")
    text = log.locator(".subagent .markdown").last
    for word in ("too ", "broa"):
        shelves = text.inner_text()
        field.press_sequentially(word, delay=60)
        field.press("ArrowLeft")
        expect(text).not_to_have_text(shelves)
    field.press_sequentially("X")
    expect(field).to_have_value("toobroXa ")
    expect(field).to_be_focused()
    assert ana.evaluate("() => window.card.isConnected && window.left === 0")
    expect(step).to_have_attribute("open", "")
    approve = card.get_by_role("button", name="Approve")
    shelves = text.inner_text()
    expect(text).not_to_have_text(shelves)
    approve.click()  # it was looked at all the time, however often what stands around it was told anew
    expect(log.get_by_role("link", name="Approved by you")).to_be_visible()
