"""A page that is no longer kept right says so, offers nothing that would not work, and heals by itself."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from embedded import ids
from tests.browser.conftest import Come, Window, in_one_dialect, violations
from tests.browser.line import Line
from tests.browser.test_answering import approves, call_of, opens
from tests.embedded import Embedded
from tests.stories.approving import held

ANA = "user@example.com"
AWAY = re.compile(r"Not connected to the gateway for \d+ s\. What you see may be out of date\.")


@in_one_dialect
def test_a_desk_without_its_gateway_says_so_pauses_and_is_whole_again(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as admin", viewport={"width": 1280, "height": 720})
    call = held(demo_gateway, ANA, "send_money", agent="File manager")
    page.clock.install()
    opens(page, f"/confirmations/{call}/")
    section, alert = call_of(page, call), page.locator("[data-line=lost]")
    approve, reject = (section.get_by_role("button", name=name) for name in ("Approve", "Reject"))
    reason, left = section.get_by_label("Reason"), section.locator("[data-expires-at]")
    reason.fill("too mu")
    place = reject.bounding_box()

    def stays() -> bool:
        """Whether somebody who aims at Reject hits it."""
        now = reject.bounding_box()
        return bool(place and now and abs(now["y"] - place["y"]) < 4)

    demo_gateway.dial(fail={"path": "/api/v1/stream/pending", "status": 503, "times": 1000})
    demo_gateway.dial(refuse_streams=True, drop_streams=True)
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Reconnecting")
    page.clock.fast_forward(5000)
    expect(alert).to_have_role("alert")
    expect(alert).to_contain_text(AWAY)
    expect(alert).to_be_in_viewport()
    expect(reject).to_be_enabled()
    assert stays()
    paused = left.text_content() or ""
    assert violations(page) == []
    page.clock.fast_forward(12_000)
    for button in (approve, reject):
        expect(button).to_be_disabled()
    expect(left).to_have_text(paused)
    expect(section.locator("[data-said]")).to_contain_text("What you typed stays here")
    reason.press("End")
    page.keyboard.type("ch")
    page.keyboard.press("Enter")
    expect(reason).to_have_value("too much")
    demo_gateway.dial(refuse_streams=False, fail=None)
    expect(alert).to_be_hidden()
    assert stays()
    expect(section.locator("[data-said]")).to_have_text("")
    expect(left).not_to_have_text(paused)
    expect(reason).to_have_value("too much")
    reject.click()
    expect(section).to_contain_text("Rejected by you: too much")


@in_one_dialect
def test_nothing_is_said_to_be_sent_that_the_gateway_could_not_be_told(come: Come, demo_gateway: Embedded) -> None:
    bo, ana = come("admin"), come("user")
    ana.goto(f"/agents/{ids.FILE_MANAGER}/")
    ana.get_by_role("textbox", name="Message").fill("please delete report.pdf")
    ana.get_by_role("button", name="Send").click()
    asked = ana.get_by_role("log").get_by_role("region", name="delete_file")
    expect(asked.get_by_role("button", name="Reject")).to_be_visible()
    [call] = demo_gateway.report()["held"]
    opens(bo, f"/confirmations/{call}/")
    approves(bo, call)
    for section in (call_of(bo, call), asked):
        expect(section).to_contain_text("It is sent in")
    demo_gateway.dial(fail={"path": "/api/v1/", "status": 503, "times": 1000}, refuse_streams=True, drop_streams=True)
    for section in (call_of(bo, call), asked):
        expect(section).to_contain_text("not sent. The gateway could not be reached")
        for untrue in ("being sent", "It is sent in", "Until it is sent", "Cancel approval"):
            expect(section).not_to_contain_text(untrue)
    demo_gateway.dial(fail=None, refuse_streams=False)
    expect(call_of(bo, call)).to_contain_text("Your approval was cancelled before it was sent")
    expect(call_of(bo, call).get_by_role("button", name="Approve", exact=True)).to_be_enabled()
    assert call not in demo_gateway.report()["ran"]


@in_one_dialect
def test_what_was_sent_just_before_the_gateway_went_away_is_not_said_to_be_on_its_way(
    come: Come, demo_gateway: Embedded
) -> None:
    bo = come("admin")
    call = held(demo_gateway, ANA, "send_money", agent="File manager")
    opens(bo, f"/confirmations/{call}/")
    demo_gateway.dial(fail={"path": f"/api/v1/confirmation/{call}/respond", "delay": 2.0})
    approves(bo, call)
    section = call_of(bo, call)
    expect(section).to_contain_text("You approved this; it is being sent.")
    demo_gateway.dial(fail={"path": "/api/v1/", "status": 503, "times": 1000}, refuse_streams=True, drop_streams=True)
    expect(section).to_contain_text("The approval was sent. What became of it cannot be read right now.")
    expect(section).not_to_contain_text("being sent")
    expect(section.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    demo_gateway.dial(fail=None, refuse_streams=False)
    expect(section).to_contain_text("Approved by you")
    assert call in demo_gateway.report()["ran"]


@in_one_dialect
def test_a_desk_whose_line_is_cut_or_dies_in_silence_says_so_and_comes_back(
    window: Window, line: Line, demo_gateway: Embedded
) -> None:
    page = window("Try as admin", base_url=line.url)
    waits = held(demo_gateway, ANA, "send_money", agent="File manager")
    page.clock.install()
    opens(page, f"/confirmations/{waits}/")
    alert, approve = page.locator("[data-line=lost]"), page.get_by_role("button", name="Approve", exact=True)
    line.cut(is_down=True)
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Reconnecting")
    page.clock.fast_forward(17_000)
    expect(alert).to_contain_text(re.compile(r"Not connected to Portico for \d+ s"))
    expect(approve).to_be_disabled()
    line.cut(is_down=False)
    page.clock.fast_forward(10_000)
    expect(alert).to_be_hidden()
    expect(approve).to_be_enabled()
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    line.stall()
    call = held(demo_gateway, ANA, "send_mail", agent="File manager")
    row = page.locator(f'li[data-confirmation="{call}"]')
    page.clock.fast_forward(15_000)
    expect(row).to_have_count(0)
    page.clock.fast_forward(20_000)
    expect(row).to_be_visible()
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")


@in_one_dialect
def test_a_desk_that_was_signed_out_offers_nothing_and_says_so_where_one_looks(
    window: Window, demo_gateway: Embedded
) -> None:
    page = window("Try as admin", viewport={"width": 360, "height": 740})
    call = held(demo_gateway, ANA, "send_money", agent="File manager")
    opens(page, f"/confirmations/{call}/")
    section, banner = call_of(page, call), page.locator("[data-line=ended]")
    section.get_by_role("button", name="Claim for 2 minutes").click()
    expect(section.get_by_role("button", name="Release")).to_be_visible()
    section.get_by_label("Reason").fill("no")
    demo_gateway.dial(expire_tokens=True, drop_streams=True)
    expect(banner).to_have_role("alert")
    expect(banner).to_contain_text("You were signed out. What you see is no longer kept up to date.")
    for name in ("Approve", "Reject", "Release"):
        expect(section.get_by_role("button", name=name)).to_be_hidden()
    expect(section.locator("[data-expires-at]")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 740})
    row = page.locator(f'li[data-confirmation="{call}"]')
    expect(row.get_by_role("checkbox")).to_be_disabled()
    who = row.locator(".call__who")
    expect(who).to_have_text(re.compile("^File manager · for "), use_inner_text=True)
    section.get_by_label("Reason").press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert not [one for one in demo_gateway.received() if call in one["path"] and one["method"] == "POST"]
    page.goto(f"/confirmations/{call}/")
    page.get_by_role("button", name="Try as admin").click()
    expect(section.get_by_label("Reason")).to_have_value("no")
    expect(section.get_by_role("button", name="Reject")).to_be_visible()


def asks_for_a_long_answer(page: Page, words: int) -> Locator:
    """In a chat that is live, and where it has begun: the field of the next message."""
    page.goto(f"/agents/{ids.METRONOME}/")
    message = page.get_by_role("textbox", name="Message")
    message.fill(json.dumps({"rate": 40, "count": words, "story": "ferries"}))
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-tail][aria-busy]")).to_be_visible()
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    return message


@in_one_dialect
def test_a_chat_that_was_signed_out_says_that_its_answer_goes_on(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as user")
    message = asks_for_a_long_answer(page, 400)
    message.fill("half a th")
    demo_gateway.dial(expire_tokens=True, drop_streams=True)
    banner = page.locator("[data-line=ended]")
    expect(banner).to_contain_text("You were signed out; this answer goes on. Sign in again to see it.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator("[data-tail][aria-busy]")).to_have_count(0)
    message.press("End")
    page.keyboard.type("ought")
    banner.get_by_role("link", name="Sign in again").click()
    page.get_by_role("button", name="Try as user").click()
    expect(message).to_have_value("half a thought")
    expect(page.get_by_role("article", name="Metronome").locator("[data-tail]")).to_have_count(0)


@in_one_dialect
def test_a_chat_that_was_signed_out_is_whole_again_once_somebody_signed_in_in_another_tab(
    window: Window, demo_gateway: Embedded
) -> None:
    page = window("Try as user")
    message = asks_for_a_long_answer(page, 200)
    demo_gateway.dial(expire_tokens=True, drop_streams=True)
    banner = page.locator("[data-line=ended]")
    expect(banner).to_contain_text("this answer goes on")
    message.fill("half a thought")
    other = page.context.new_page()
    other.goto("/login/")
    other.get_by_role("button", name="Try as admin").click()
    expect(other.get_by_role("status", name="Live updates")).to_have_text("Live")
    expect(banner).to_be_visible()  # somebody else
    other.context.clear_cookies()
    other.goto("/login/")
    other.get_by_role("button", name="Try as user").click()
    expect(banner).to_be_hidden()
    expect(message).to_have_value("half a thought")
    expect(page.get_by_role("article", name="Metronome").locator("[data-tail]")).to_have_count(0)
    expect(page.get_by_role("article", name="Metronome")).to_contain_text("ferries")


@in_one_dialect
@pytest.mark.parametrize("typed", ["the name of a tool", "a reason for several"])
def test_a_desk_that_was_signed_out_stays_where_coming_back_would_lose_what_was_typed(
    window: Window, demo_gateway: Embedded, typed: str
) -> None:
    page = window("Try as admin")
    is_one = typed == "the name of a tool"
    call = held(demo_gateway, ANA, "send_money", "critical" if is_one else "medium", agent="File manager")
    opens(page, f"/confirmations/{call}/")
    if not is_one:
        page.locator(f'li[data-confirmation="{call}"]').get_by_role("checkbox").check()
        page.get_by_role("button", name="Reject 1…").click()
    field = page.get_by_label("Name of the tool") if is_one else page.get_by_role("dialog").get_by_label("Reason")
    field.fill("send_mon")
    demo_gateway.dial(expire_tokens=True, drop_streams=True)
    expect(page.locator("[data-line=ended]")).to_contain_text("You were signed out.")
    with page.expect_event("console", lambda said: said.text == "somebody signed in"):
        page.evaluate("new BroadcastChannel('portico-session').onmessage = () => console.log('somebody signed in')")
        other = page.context.new_page()
        other.goto("/login/")
        other.get_by_role("button", name="Try as admin").click()
    expect(other.get_by_role("status", name="Live updates")).to_have_text("Live")
    expect(field).to_have_value("send_mon")


@in_one_dialect
def test_a_chat_whose_line_is_cut_says_since_when_while_an_answer_comes(window: Window, line: Line) -> None:
    page = window("Try as user", base_url=line.url)
    page.clock.install()
    asks_for_a_long_answer(page, 400)
    line.cut(is_down=True)
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Reconnecting")
    page.clock.fast_forward(5000)
    alert = page.locator("[data-line=lost]")
    expect(alert).to_contain_text(re.compile(r"Not connected to Portico for \d+ s"))
    line.cut(is_down=False)
    page.clock.fast_forward(30_000)
    expect(alert).to_be_hidden()
    expect(page.get_by_role("article", name="Metronome")).to_contain_text("ferries")


@in_one_dialect
def test_what_was_pasted_when_signed_out_is_to_be_pasted_again(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as user")
    page.goto("/credentials/connect/weather/")
    page.get_by_label("API key").fill("wx-1")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    demo_gateway.dial(expire_tokens=True, drop_streams=True)
    banner = page.locator("[data-line=ended]")
    expect(banner).to_contain_text("what you pasted was not sent")
    banner.get_by_role("link", name="Sign in again").click()
    page.get_by_role("button", name="Try as user").click()
    expect(page.get_by_text("secrets are not kept: paste it once more.")).to_be_visible()
    expect(page.get_by_label("API key")).to_have_value("")


@in_one_dialect
@pytest.mark.parametrize("code", [1000, 1012, 3000, 4999])
def test_a_line_that_ends_with_whatever_code_comes_back(window: Window, code: int) -> None:
    page = window("Try as admin")
    ended: list[WebSocketRoute] = []

    def end_the_first(line: WebSocketRoute) -> None:
        if ended:
            line.connect_to_server()
        else:
            ended.append(line)
            line.close(code=code)

    page.route_web_socket("**/ws/confirmations/", end_the_first)
    page.goto("/confirmations/")
    expect(page.get_by_role("status", name="Live updates")).to_have_text("Live")
    assert ended
