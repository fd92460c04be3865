"""One approval, whole: what people read before they answer, and long after."""

from __future__ import annotations

import hashlib
import html
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests

from embedded.ids import FILE_MANAGER, FILES
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, OLU, SOON, held, live_page, resolved_elsewhere, words

Arriving = Callable[[str], Visitor]
HEADERS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def bo(visitor: Arriving) -> Visitor:
    return visitor(BO)


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Where callers wait for their tools."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


def calls(gateway: Embedded, threads: ThreadPoolExecutor, tool: str, **arguments: object) -> tuple[str, Future[str]]:
    """Ana's own call of a file tool that waits for approval: its id, and what she reads in the end."""
    before = set(gateway.report()["held"])
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    answer = threads.submit(mcp, gateway, call)
    deadline = time.monotonic() + SOON
    while not (new := set(gateway.report()["held"]) - before):
        assert time.monotonic() < deadline, "nobody was asked"
    return new.pop(), answer


def mcp(gateway: Embedded, message: dict[str, object]) -> str:
    headers = {"Authorization": f"Bearer {gateway.token(ANA)}", **HEADERS}
    url = f"{gateway.url}/api/v1/mcp-proxy/{FILES}/mcp"
    return requests.post(url, json=message, headers=headers, timeout=30).text


def read(markup: str) -> str:
    """As one reads it: marks within a word do not part it."""
    return words(re.sub(r"</?(?:mark|span)[^>]*>", "", markup))


def fragment(visitor: Visitor, path: str) -> str:
    answer = visitor.session.get(visitor.portico.url + path, headers={"HX-Request": "true"}, timeout=30)
    assert answer.status_code == 200, answer.text[:300]
    return answer.text


def test_the_gateways_facts_come_before_what_anybody_wrote(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    mcp(gateway, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})  # from now on the tools are described
    try:
        call = held(gateway, ANA, "delete_file", "high", "File manager", force=True, path="/report.pdf")
        part = fragment(bo, f"/confirmations/{call}/")
    finally:
        gateway.dial(forget_tools=True)
    assert part.count("<section") == 1 and "<html" not in part
    assert f'data-confirmation="{call}" data-state="waiting" data-risk="high"' in part
    for copied in (FILE_MANAGER, FILES, call, "acme"):
        assert f'data-copy="{copied}"' in part
    text = read(part)
    order = [
        "delete_file",
        "High risk",
        "Agent File manager",
        FILE_MANAGER,
        "For Ana Lima",
        "Tenant acme",
        "Provider Files",
    ]
    order += [
        FILES,
        "Asked just now",
        f"Confirmation {call}",
        "Written by the tool's provider",
        "Delete a file for good",
    ]
    order += ["Written by the agent, in the order of the tool's schema", "path string /report.pdf", "The file's path"]
    order += ["force not in schema true", "Raw JSON · 35 bytes", "SHA-256", "Compare with the last approved", "Reason"]
    at = [text.find(words_) for words_ in order]
    assert -1 not in at, order[at.index(-1)]
    assert at == sorted(at)


def test_the_hash_is_that_of_the_very_bytes_that_anybody_can_have(
    ana: Visitor, gil: Visitor, gateway: Embedded
) -> None:
    arguments: dict[str, Any] = {"z": 1.0, "ä": ["\u202e", {"b": None, "a": True}], "n": 0.1}
    call = held(gateway, ANA, "delete_file", **arguments)
    served = ana.gets(f"/confirmations/{call}/arguments.json")
    assert served.content == '{"n":0.1,"z":1,"ä":["\u202e",{"a":true,"b":null}]}'.encode()
    assert served.headers["Content-Disposition"].startswith("attachment")
    page = ana.reads(f"/confirmations/{call}/")
    told = hashlib.sha256(served.content).hexdigest()
    assert f'data-copy="{told}"' in page and f'data-arguments-hash="{told}"' in page
    assert f"Raw JSON · {len(served.content)} bytes" in words(page)
    raw = re.search(r'<pre class="plain"[^>]*aria-label="Raw JSON">(.*?)</pre>', page, re.S)
    assert raw and json.loads(html.unescape(re.sub("<[^>]+>", "", raw[1]))) == arguments
    for path in ("", "arguments.json", "compare/", "row/"):
        assert gil.gets(f"/confirmations/{call}/{path}").status_code == 403


def test_what_is_written_to_deceive_is_shown_for_what_it_is(ana: Visitor, gateway: Embedded) -> None:
    call = held(
        gateway,
        ANA,
        "dele\u0442e_file",
        **{
            "p\u0430th": "<img src=//evil.example onerror=alert(1)>[x](javascript:alert(1))\u200b\u202e\x00",
            "url": "https://good.example@p\u0430ypal.com:8443/ http://2130706433/",
        },
    )
    page = ana.reads(f"/confirmations/{call}/")
    text = read(page)
    assert "<img src=//" not in page and "javascript:alert" in text and 'href="http' not in page
    for said in (
        "dele⟨\u0442 U+0442⟩e_file",
        "In the tool's name: 1 word mixes Latin and Cyrillic letters",
        "p⟨\u0430 U+0430⟩th",
        "In the name: 1 word mixes Latin and Cyrillic letters",
        "⟨U+200B⟩⟨U+202E⟩⟨U+0000⟩",
        "3 hidden characters, made visible here",
        "“good.example” before the @ is a name to sign in with",
        "p⟨\u0430 U+0430⟩ypal.com",
        "xn--pypal-4ve.com",
        "port 8443",
        "an IP address, 127.0.0.1",
    ):
        assert said in text, said


def test_a_call_is_compared_with_the_last_one_that_was_approved(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    tool = "compare_me"
    first = held(gateway, ANA, tool, agent="File manager", path="/q1 final.pdf", n=1, old=True)
    path = f"/confirmations/{first}/compare/"
    assert "None yet: no call of this tool by this agent was approved" in words(ana.reads(path))
    resolved_elsewhere(gateway, BO, first, "confirm")
    rejected = held(gateway, ANA, tool, agent="File manager", path="/rejected.pdf")
    resolved_elsewhere(gateway, BO, rejected, "reject", reason="no")
    by_herself = held(gateway, ANA, tool, path="/by-herself.pdf")
    resolved_elsewhere(gateway, ANA, by_herself, "confirm")
    call = held(gateway, ANA, tool, agent="File manager", path="/q2 final.pdf", n=1, new=["x"])
    path = f"/confirmations/{call}/compare/"
    part = fragment(bo, path)
    assert part.lstrip().startswith("<section") and "<html" not in part
    assert "<del>q1</del> final.pdf" in part and "<ins>q2</ins> final.pdf" in part
    text = words(part)
    for said in (
        "Approved by you",
        "asked for Ana Lima",
        first,
        "1 the same, 1 changed, 1 added, 1 gone",
        "n same Both 1",
    ):
        assert said in text, said
    assert "Approved by Bo Adler" in words(ana.reads(path)) and "/by-herself.pdf" not in text
    assert f'href="{path}"' in ana.reads(f"/confirmations/{call}/")


def test_an_approved_call_is_followed_to_what_the_tool_made_of_it(
    ana: Visitor, bo: Visitor, gateway: Embedded, elsewhere: ThreadPoolExecutor
) -> None:
    missing, answer = calls(gateway, elsewhere, "delete_file", path="/nowhere.txt")
    ana.posts(f"/confirmations/{missing}/confirm/")
    assert "isError" in answer.result(SOON)
    for reader in (ana, bo):
        text = words(reader.reads(f"/confirmations/{missing}/"))
        assert "It ran, and the tool answered with an error." in text
        assert "Written by the tool" in text and "/nowhere.txt" in text.split("Written by the tool")[-1]
    there, answer = calls(gateway, elsewhere, "rename_file", path="/report.pdf", new_path="/renamed.pdf")
    try:
        bo.posts(f"/confirmations/{there}/confirm/")
        assert "Renamed" in answer.result(SOON)
        text = words(ana.reads(f"/confirmations/{there}/"))
        assert "Approved by Bo Adler" in text and "It ran." in text
        assert "Renamed /report.pdf to /renamed.pdf" in text.split("Written by the tool")[-1]
    finally:
        again, answer = calls(gateway, elsewhere, "rename_file", path="/renamed.pdf", new_path="/report.pdf")
        ana.posts(f"/confirmations/{again}/confirm/")
        answer.result(SOON)


def test_where_the_gateway_does_not_tell_the_page_says_so(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="/untold.txt")  # no caller, and so no entry of a call
    ana.posts(f"/confirmations/{call}/confirm/")
    assert "The gateway does not tell what became of it." in words(ana.reads(f"/confirmations/{call}/"))
    gateway.dial(fail={"path": "/api/v1/audit/logs", "status": 500, "times": 5})
    try:
        assert "The gateway does not tell what became of it." in words(ana.reads(f"/confirmations/{call}/"))
    finally:
        gateway.dial(fail=None)


def test_every_end_stays_readable_at_its_own_address(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    rejected = held(gateway, ANA, "delete_file", agent="File manager", path="/keep.txt")
    resolved_elsewhere(gateway, BO, rejected, "reject", reason="too\u202ebroad")
    gateway.dial(hold_limit=0.2)
    try:
        late = held(gateway, ANA, "delete_file", path="/late.txt")
        deadline = time.monotonic() + SOON
        while late in gateway.report()["held"]:
            assert time.monotonic() < deadline
    finally:
        gateway.dial(hold_limit=300)
    for call, state, said in (
        (rejected, "rejected", "Rejected by Bo Adler (admin@example.com): too⟨U+202E⟩broad"),
        (late, "timed_out", "Timed out: nobody answered in time"),
    ):
        page = ana.reads(f"/confirmations/{call}/")
        assert f'data-confirmation="{call}" data-state="{state}"' in page
        assert said in words(page) and "/confirm/" not in page and "Written by " in words(page)


def test_a_lost_call_cannot_be_approved_and_says_why(own_portico: Portico, own_gateway: Embedded) -> None:
    ana = Visitor(own_portico)
    ana.signs_in(ANA)
    call = held(own_gateway, ANA, "delete_file", path="/lost.txt")
    own_gateway.dial(forget_holds=True)
    page = ana.reads(f"/confirmations/{call}/")
    assert f'data-confirmation="{call}" data-state="lost"' in page and "/confirm/" not in page
    assert "Lost by the gateway" in words(page) and "the gateway would say yes, and run nothing" in words(page)
    resolved_elsewhere(own_gateway, ANA, call, "confirm")  # it says yes
    ended = words(ana.reads(f"/confirmations/{call}/"))
    assert "Approved by you" in ended and "The gateway does not tell what became of it." in ended


def test_an_admin_reads_the_names_of_people_who_never_came_here(own_gateway: Embedded, own_portico: Portico) -> None:
    bo = Visitor(own_portico)
    bo.signs_in(BO)
    call = held(own_gateway, ANA, "mail", agent="File manager")
    assert "for Ana Lima" in words(bo.reads("/confirmations/"))
    assert "Ana Lima" in words(bo.reads(f"/confirmations/{call}/"))
    with live_page(bo) as page:
        page.reads(call, "for Ana Lima")
        told_live = held(own_gateway, OLU, "mail", agent="File manager")
        page.reads(told_live, "for Olu Ojo")
    resolved_elsewhere(own_gateway, ANA, call, "confirm")
    late = words(bo.posts(f"/confirmations/{call}/reject/", reason="no").text)
    assert "This was already resolved: approved by Ana Lima" in late
    olu = Visitor(own_portico)
    olu.signs_in(OLU)
    assert "Ana Lima" not in olu.reads("/confirmations/")
    asked = [one["user"] for one in own_gateway.received() if one["path"] == "/api/v1/admin/users"]
    assert asked == [BO]  # once for all that
    for person in (bo, olu):
        person.session.close()
