"""One approval in a real Chromium: whole and inert whatever an agent wrote, however large, at every size."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any, Literal

from playwright.sync_api import Page, Request, expect

from gateway import deep
from tests.browser.conftest import Window, in_one_dialect, violations
from tests.embedded import Embedded
from tests.stories.approving import ANA, held, resolved_elsewhere

HOSTILE = {
    "html": "<script>window.hit=1</script><img src=https://evil.example/x onerror='window.hit=1'><style>*{}</style>",
    "markdown": "![](https://evil.example/pixel) [press](https://evil.example) <https://evil.example>",
    "svg": "<svg onload='window.hit=1'><use href='https://evil.example/#a'/></svg>",
    "template": "{{ 7|add:7 }} {% include 'x' %} </pre></dd></dl></section>",
    "bidi": "\u202egnp.exe\u2066 \u200b\u200d\ufeff p\u0430ypal",
    "nul": "a\x00b\r\x1b[31m",
    "<b>key</b>\u202e": {"nested": ["</script>", "\u202e"]},
    "zalgo": "z" + "\u0335\u0336\u0337\u0338\u0339" * 40,
    "url": "https://good.example@p\u0430ypal.com/ javascript:alert(1) data:text/html,x",
}
AT_ONCE = 3.0  # seconds, on a busy machine


def opened(page: Page, confirmation: str) -> None:
    page.goto(f"/confirmations/{confirmation}/")
    expect(page.locator(f'section[data-confirmation="{confirmation}"]')).to_be_visible()


def reached(gateway: Embedded, arguments: str) -> str:
    """The id of a held call whose arguments are given in JSON."""
    text = f'{{"hold":{{"email":"{ANA}","tool":"deceive","agent":"File manager","arguments":{arguments}}}}}'
    return str(gateway.dial_raw(text)["id"])


def raw_json(page: Page) -> str:
    page.get_by_text("Raw JSON").click()
    return page.locator('[aria-label="Raw JSON"]').text_content() or ""


def test_hostile_arguments_are_whole_and_do_nothing(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as user")
    strangers: list[str] = []

    def note(request: Request) -> None:
        if "evil.example" in request.url:
            strangers.append(request.url)

    page.on("request", note)
    call = reached(demo_gateway, json.dumps(HOSTILE))
    opened(page, call)
    assert json.loads(raw_json(page)) == HOSTILE
    section = page.locator(f'section[data-confirmation="{call}"]')
    expect(section).to_contain_text("⟨U+202E⟩gnp.exe⟨U+2066⟩ ⟨U+200B⟩⟨U+200D⟩⟨U+FEFF⟩ p⟨\u0430 U+0430⟩ypal")
    expect(section).to_contain_text("a⟨U+0000⟩b⟨U+000D⟩⟨U+001B⟩[31m")
    expect(section).to_contain_text("{{ 7|add:7 }} {% include 'x' %} </pre></dd></dl></section>")
    expect(section.locator("img, script, style, svg[onload], a[href*='evil']")).to_have_count(0)
    assert page.evaluate("window.hit") is None and not strangers
    resolved_elsewhere(demo_gateway, ANA, call, "reject", reason="no")


@in_one_dialect
def test_a_large_and_deep_call_is_whole_and_can_be_answered(window: Window, demo_gateway: Embedded) -> None:
    nested: Any = "core"
    for _ in range(2000):
        nested = [nested]
    given: dict[str, Any] = {"line": "y" * 1_000_000, "words": "word " * 1_000_000 + "end", "deep": nested}
    page = window("Try as user")
    call = reached(demo_gateway, deep.dumps(given))
    opened(page, call)
    is_quick(page)
    assert deep.dumps(deep.loads(raw_json(page))) == deep.dumps(given)
    is_quick(page)
    expect(page.locator(".argument")).to_have_count(len(given))
    expect(page.locator(".argument dt").last).to_have_text(list(given)[-1])
    section = page.locator(f'section[data-confirmation="{call}"]')
    section.get_by_label("Reason").fill("too much")
    page.wait_for_timeout(700)  # milliseconds: what is answered has to have been on the screen
    section.get_by_role("button", name="Reject").click()
    expect(section).to_have_attribute("data-state", "rejected")
    assert demo_gateway.report()["reasons"][call] == "too much"


def is_quick(page: Page) -> None:
    """Nothing keeps it from drawing."""
    begun = time.monotonic()
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert time.monotonic() - begun < AT_ONCE


def test_the_detail_is_accessible_at_every_size_and_compared_by_hand(window: Window, demo_gateway: Embedded) -> None:
    before = held(demo_gateway, ANA, "delete_file", "critical", "File manager", path="/q1.pdf", url="http://10.0.0.1/")
    resolved_elsewhere(demo_gateway, ANA, before, "confirm")
    call = reached(demo_gateway, json.dumps(HOSTILE))
    again = held(demo_gateway, ANA, "delete_file", "critical", "File manager", path="/q2.pdf", url="http://10.0.0.1/")
    sizes: list[tuple[int, Literal["light", "dark"]]] = [(1280, "light"), (360, "dark")]
    for width, scheme in sizes:
        page = window("Try as user", viewport={"width": width, "height": 800}, color_scheme=scheme)
        for shown in (call, again):
            opened(page, shown)
            if shown == again:
                page.get_by_role("link", name="Compare with the last approved").press("Enter")
                expect(page.locator(".comparison del")).to_have_text("q1")
                expect(page.locator(".comparison ins")).to_have_text("q2")
                assert page.url.endswith(f"/confirmations/{again}/")
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    for open_one in (call, again):
        resolved_elsewhere(demo_gateway, ANA, open_one, "reject", reason="no")


def test_ids_and_the_very_json_are_copied(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as user", permissions=["clipboard-read", "clipboard-write"])
    call = held(demo_gateway, ANA, "delete_file", agent="File manager", b="\u202e", a=1.0)
    opened(page, call)
    page.get_by_role("button", name="Copy confirmation id").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == call
    page.get_by_role("link", name="Copy JSON").click()
    expect(page.get_by_role("link", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == '{"b":"\u202e","a":1.0}'
    resolved_elsewhere(demo_gateway, ANA, call, "reject", reason="no")


@in_one_dialect
def test_a_page_follows_an_approved_call_until_the_tool_has_answered(window: Window, demo_gateway: Embedded) -> None:
    page = window("Try as user")
    call = held(demo_gateway, ANA, "delete_file", agent="File manager", path="/slow.txt")
    resolved_elsewhere(demo_gateway, ANA, call, "confirm")
    made = {"toolName": "delete_file", "confirmationId": call, "createdAt": datetime.now(UTC).isoformat()}
    ids = {"id": "entry", "userId": "u", "endUserId": "u", "providerId": "p"}
    for told in ({"status": "pending"}, {"status": "completed", "result": {"content": [{"text": "Deleted"}]}}):
        body = {"data": [{**made, **ids, **told}], "pagination": {"limit": 100, "offset": 0, "total": 1}}
        demo_gateway.dial(fail={"path": "/api/v1/audit/logs", "status": 200, "body": body})
    opened(page, call)
    after = page.get_by_role("region", name="What became of it")
    expect(after).to_contain_text("It was let through")
    expect(after).to_contain_text("It ran.")
    expect(after).to_contain_text("Deleted")
    demo_gateway.dial(fail=None)
