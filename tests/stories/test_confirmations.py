"""What people see of calls that wait for an approval, and what their answers do."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from websockets.exceptions import InvalidStatus

from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import (
    ANA,
    BO,
    GIL,
    OLU,
    SOON,
    connected,
    held,
    live_page,
    open_page,
    resolved_elsewhere,
    words,
)
from tests.stories.following import eventually

LEAVES = 10.0  # seconds in which a decided item is gone
Arriving = Callable[[str], Visitor]


@pytest.fixture
def bo(visitor: Arriving) -> Visitor:
    """The admin of Ana's organisation."""
    return visitor(BO)


@pytest.fixture
def olu(visitor: Arriving) -> Visitor:
    return visitor(OLU)


@pytest.fixture
def short_limit(gateway: Embedded) -> Iterator[None]:
    gateway.dial(hold_limit=1.5)
    yield
    gateway.dial(hold_limit=300)


def test_a_risky_call_appears_by_itself_for_whoever_asked_and_for_the_admin(
    ana: Visitor, bo: Visitor, gateway: Embedded
) -> None:
    with live_page(ana) as hers, live_page(bo) as his:
        wipe = held(gateway, ANA, "wipe_folder", "critical", "File manager", folder="/reports", force=True)
        for page in (hers, his):
            page.reads(wipe, "wipe_folder")
            for text in ("Critical", "File manager", "Ana Lima", "acme", "left"):
                assert text in page.items[wipe]
            assert page.count >= 1
    for visitor in (ana, bo):
        assert "wipe_folder" in words(visitor.reads("/confirmations/"))
        page_text = words(visitor.reads(f"/confirmations/{wipe}/"))
        for text in ("wipe_folder", "folder", "/reports", "force", "true", "Reject", "Approve"):
            assert text in page_text


def test_nobody_else_hears_of_it(ana: Visitor, bo: Visitor, olu: Visitor, gil: Visitor, gateway: Embedded) -> None:
    with live_page(bo) as his, live_page(olu) as olus, live_page(gil) as gils:
        secret = held(gateway, ANA, "pay_invoice", agent="File manager")
        his.reads(secret, "pay_invoice")
        of_olu, of_gil = held(gateway, OLU, "tidy_up"), held(gateway, GIL, "tidy_up")
        olus.reads(of_olu, "tidy_up")
        gils.reads(of_gil, "tidy_up")
        assert secret not in olus.ever | gils.ever
        his.reads(of_olu, "tidy_up")
        assert of_gil not in his.ever
    for stranger in (olu, gil):
        assert secret not in stranger.reads("/confirmations/")
    assert "only what you asked for yourself" in olu.reads("/confirmations/")


def test_an_approval_is_said_on_every_open_page_and_then_the_item_leaves(
    ana: Visitor, bo: Visitor, visitor: Arriving, gateway: Embedded
) -> None:
    with live_page(ana) as hers, live_page(bo) as his, live_page(visitor(BO)) as his_other_browser:
        call = held(gateway, ANA, "rename_file", "medium", "File manager", old="a.txt", new="b.txt")
        for page in (hers, his, his_other_browser):
            page.reads(call, "rename_file")
        answer = bo.posts(f"/confirmations/{call}/confirm/", page="/confirmations/", reason="looks fine")
        assert answer.url.endswith("/confirmations/") and "Approved: rename_file" in words(answer.text)
        hers.reads(call, "Approved by Bo Adler")
        his.reads(call, "Approved by you")
        his_other_browser.reads(call, "Approved by you")
        assert "Approve " not in hers.items[call].replace("Approved", "")
        for page in (hers, his, his_other_browser):
            page.sees(lambda page: call not in page.items, LEAVES)
            assert page.numbers == sorted(set(page.numbers))
    report = gateway.report()
    assert report["answers"][call] == "confirm" and call in report["ran"] and report["reasons"][call] == "looks fine"


def test_a_rejection_tells_everybody_why(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    with live_page(ana) as hers:
        call = held(gateway, ANA, "delete_file", path="*")
        hers.reads(call, "delete_file")
        bo.posts(f"/confirmations/{call}/reject/", page="/confirmations/", reason="too broad")
        hers.reads(call, "Rejected by Bo Adler (admin@example.com): too broad")
    report = gateway.report()
    assert report["answers"][call] == "reject" and report["reasons"][call] == "too broad"
    assert "Rejected by Bo Adler (admin@example.com): too broad" in words(ana.reads(f"/confirmations/{call}/"))


def test_who_rejects_has_to_say_why_and_keeps_what_was_typed(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="old.txt")
    for nothing in ("   ", "\u200b \u2060"):
        refused = ana.posts(f"/confirmations/{call}/reject/", reason=nothing)
        assert refused.status_code == 400 and "a reason is needed to reject" in refused.text
    lengthy = "no " * 700
    refused = ana.posts(f"/confirmations/{call}/reject/", reason=lengthy)
    assert refused.status_code == 400 and lengthy.strip() in refused.text and "2000 characters" in refused.text
    assert call in gateway.report()["held"]


def test_a_second_answer_learns_what_the_first_one_was(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="x")
    ana.posts(f"/confirmations/{call}/confirm/")
    late = bo.posts(f"/confirmations/{call}/reject/", reason="no")
    assert late.status_code == 200 and "This was already resolved: approved by Ana Lima" in words(late.text)
    assert gateway.report()["answers"][call] == "confirm"


def test_two_opposite_answers_at_once_leave_one_story(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    for _ in range(5):
        call = held(gateway, ANA, "delete_file", path="both")
        with ThreadPoolExecutor(2) as people:
            yes = people.submit(ana.posts, f"/confirmations/{call}/confirm/")
            no = people.submit(bo.posts, f"/confirmations/{call}/reject/", reason="never")
            pages = [words(yes.result().text), words(no.result().text)]
        assert sum("already resolved" in page for page in pages) == 1
        sent = [one for one in gateway.received() if call in one["path"] and one["method"] == "POST"]
        assert len(sent) == 1
        how = "Approved" if gateway.report()["answers"][call] == "confirm" else "Rejected"
        assert how in words(ana.reads(f"/confirmations/{call}/")) and how in words(bo.reads(f"/confirmations/{call}/"))


@pytest.fixture
def slow_to_write(gateway: Embedded) -> Iterator[None]:
    """The gateway answers first and writes it down half a second later, as a busy one does."""
    gateway.dial(record_lag=0.5)
    yield
    gateway.dial(record_lag=0)


@pytest.mark.usefixtures("slow_to_write")
def test_a_record_that_is_written_late_never_reads_as_lost(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    with live_page(ana) as hers, live_page(bo) as his:
        call = held(gateway, ANA, "delete_file", "high", "File manager", path="late.txt")
        hers.reads(call, "delete_file")
        his.reads(call, "delete_file")
        resolved_elsewhere(gateway, BO, call, "confirm")
        hers.reads(call, "Approved by Bo Adler")
        his.reads(call, "Approved by you")
        assert not [told for told in hers.told + his.told if "Lost" in told or "nothing can run" in told]


@pytest.mark.usefixtures("slow_to_write")
def test_opposite_answers_within_that_time_leave_one_story_too(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    test_two_opposite_answers_at_once_leave_one_story(ana, bo, gateway)


def has_received(gateway: Embedded, path: str) -> bool:
    return any(one["path"] == path for one in gateway.received())


def test_when_the_gateway_takes_two_opposite_answers_the_desk_cannot_be_sure(
    ana: Visitor, bo: Visitor, gateway: Embedded
) -> None:
    ana.reads("/confirmations/")  # so that her name is known
    tokens = bo.csrf_token()
    gateway.dial(record_lag=2.0, race=True)
    base = "confirmations" if gateway.dialect == "guide" else "confirmation"
    try:
        for how, other, mine in (("confirm", "reject", "approval"), ("reject", "confirm", "rejection")):
            call = held(gateway, ANA, "delete_file", agent="File manager", path=how)
            path = f"/api/v1/{base}/{call}/{how if gateway.dialect == 'guide' else 'respond'}"
            gateway.dial(fail={"path": path, "delay": 1.5})
            with ThreadPoolExecutor(1) as hand:
                sent = hand.submit(
                    bo.session.post,
                    f"{bo.portico.url}/confirmations/{call}/{how}/",
                    data={"csrfmiddlewaretoken": tokens, "reason": "from Portico"},
                    headers={"Referer": f"{bo.portico.url}/confirmations/"},
                    timeout=SOON * 2,
                )
                eventually(partial(has_received, gateway, path))
                resolved_elsewhere(gateway, ANA, call, other, reason="from outside")
                answer = sent.result()
            assert f"The gateway took your {mine} of delete_file, and another answer" in words(answer.text)
            for who in (ana, bo):
                page = words(who.reads(f"/confirmations/{call}/"))
                assert (
                    f"Cannot be sure: the gateway took Bo Adler (admin@example.com)'s {mine} and another answer" in page
                )
            assert "Cannot be sure" in words(bo.reads("/confirmations/history/"))
    finally:
        gateway.dial(record_lag=0, race=False, fail=None)


def test_an_answer_given_with_another_program_is_noticed(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    with live_page(ana) as hers, live_page(bo) as his:
        first = held(gateway, ANA, "send_mail", agent="File manager", to="all@example.com")
        second = held(gateway, ANA, "send_mail", agent="File manager", to="one@example.com")
        for page in (hers, his):
            page.reads(second, "send_mail")
        resolved_elsewhere(gateway, BO, first, "reject", reason="spam")
        resolved_elsewhere(gateway, ANA, second, "confirm")
        hers.reads(first, "Rejected by Bo Adler (admin@example.com): spam")
        his.reads(first, "Rejected by you: spam")
        hers.reads(second, "Approved by you")
        his.reads(second, "Approved by Ana Lima")


def test_a_call_nobody_answers_times_out_on_the_page(
    bo: Visitor, ana: Visitor, gateway: Embedded, short_limit: None
) -> None:
    with live_page(bo) as his:
        call = held(gateway, ANA, "delete_file", agent="File manager", path="slow")
        his.reads(call, "Timed out", 8)
        his.sees(lambda page: call not in page.items, LEAVES)
    assert "Timed out" in words(ana.reads(f"/confirmations/{call}/"))


def test_what_the_gateway_lost_cannot_be_approved(bo: Visitor, ana: Visitor, gateway: Embedded) -> None:
    with live_page(bo) as his:
        call = held(gateway, ANA, "delete_file", agent="File manager", path="lost")
        his.reads(call, "delete_file")
        gateway.dial(forget_holds=True)
        his.reads(call, "Lost by the gateway", seconds=2 * SOON)
        assert "Lost by the gateway" in words(ana.reads(f"/confirmations/{call}/"))
        answer = bo.posts(f"/confirmations/{call}/confirm/")
        assert answer.status_code == 409 and "Lost by the gateway" in words(answer.text)
    assert call not in gateway.report()["answers"]


def test_another_persons_call_is_shut(ana: Visitor, gil: Visitor, olu: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="private.txt")
    for stranger in (gil, olu):
        doors = [
            stranger.gets(f"/confirmations/{call}/"),
            stranger.posts(f"/confirmations/{call}/confirm/"),
            stranger.posts(f"/confirmations/{call}/reject/", reason="mine now"),
        ]
        for door in doors:
            assert door.status_code == 403 and "private.txt" not in door.text
            assert "does not allow" in words(door.text)
        assert "delete_file" not in stranger.reads("/confirmations/history/")
    assert call in gateway.report()["held"]


def test_an_unknown_call_is_said_to_be_gone(ana: Visitor) -> None:
    page = ana.gets("/confirmations/no-such-call-at-all00/")
    assert page.status_code == 404 and "gone" in words(page.text)
    answer = ana.posts("/confirmations/no-such-call-at-all00/confirm/", page="/confirmations/")
    assert "does not know this call any more" in words(answer.text)


def test_a_decision_is_a_form_with_a_token(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="csrf")
    assert ana.gets(f"/confirmations/{call}/confirm/").status_code == 405
    forged = ana.session.post(f"{ana.portico.url}/confirmations/{call}/confirm/", timeout=SOON)
    assert forged.status_code == 403
    assert call in gateway.report()["held"]


def test_a_form_that_htmx_posts_swaps_its_own_item(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="swap")
    headers = {"HX-Request": "true", "X-CSRFToken": ana.csrf_token(), "Referer": f"{ana.portico.url}/confirmations/"}

    def posts(how: str, **fields: str) -> tuple[str, str]:
        answer = ana.session.post(
            f"{ana.portico.url}/confirmations/{call}/{how}/", data=fields, headers=headers, timeout=SOON
        )
        assert answer.status_code == 200 and "<html" not in answer.text
        return answer.text, answer.headers.get("HX-Retarget", "")

    again, place = posts("reject", reason="")
    assert place == "closest [data-answering]" and "a reason is needed" in again and "<form" in again
    anew, place = posts("reject", reason="", seen="0" * 64)  # of something else than what the form would vouch for
    assert not place and "a reason is needed" in anew and 'class="detail' in anew and "swap" in words(anew)
    item, place = posts("reject", reason="because")
    assert not place and "Rejected by you: because" in words(item) and f'data-confirmation="{call}"' in item
    item, _ = posts("confirm")
    assert "This was already resolved: rejected by you: because" in words(item)


def test_when_the_gateway_swallows_an_answer_the_page_does_not_pretend(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="swallowed")
    path = "confirmations/%s/confirm" if gateway.dialect == "guide" else "confirmation/%s/respond"
    gateway.dial(fail={"path": f"/api/v1/{path % call}", "status": 500})
    answer = ana.posts(f"/confirmations/{call}/confirm/", page="/confirmations/")
    assert "did not say whether your answer arrived" in words(answer.text)
    assert "Approved: delete_file" in words(ana.posts(f"/confirmations/{call}/confirm/").text)


def test_hidden_and_turning_characters_are_written_out_and_nothing_is_cut(ana: Visitor, gateway: Embedded) -> None:
    lengthy = "x" * 20_000 + "THE END"
    call = held(
        gateway,
        ANA,
        "run\u200b_script",
        path="invoice\u202efdp.exe",
        script=f"echo hi\n<script>alert(1)</script>{lengthy}",
        **{"na\u200bme": "v\u00a0w", "tail": "a.txt "},
    )
    page = re.sub("</?(mark|span)[^>]*>", "", ana.reads(f"/confirmations/{call}/"))
    for text in (
        "invoice⟨U+202E⟩fdp.exe",
        "run⟨U+200B⟩_script",
        "na⟨U+200B⟩me",
        "v⟨U+00A0⟩w",
        "a.txt⟨U+0020⟩",
        lengthy,
    ):
        assert text in page
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page
    assert not re.search("[\u202e\u200b]", words(page))
    assert "1 hidden character, made visible here" in words(page)


def test_the_gravest_call_comes_first_on_the_page(gil: Visitor, gateway: Embedded) -> None:
    low, critical, high = (held(gateway, GIL, "order", risk, n=risk) for risk in ("low", "critical", "high"))
    page = gil.reads("/confirmations/")
    assert page.index(critical) < page.index(high) < page.index(low)


def test_history_is_ones_own_and_for_an_admin_the_tenants(
    ana: Visitor, bo: Visitor, gil: Visitor, gateway: Embedded
) -> None:
    tool = "history_tool"
    call = held(gateway, ANA, tool)
    ana.posts(f"/confirmations/{call}/reject/", reason="not today")
    assert "not today" in words(ana.reads("/confirmations/history/"))
    his = words(bo.reads("/confirmations/history/"))
    assert "not today" in his and "Ana Lima" in his
    assert tool not in gil.reads("/confirmations/history/")


def test_strangers_and_foreign_pages_get_no_socket(ana: Visitor, visitor: Arriving, portico: Portico) -> None:
    other_port = f"http://127.0.0.1:{portico.port + 1}"
    tries: list[tuple[Visitor, str | None]] = [
        (visitor(""), portico.url),
        (ana, "https://evil.example.test"),
        (ana, other_port),
        (ana, None),
        (ana, "null"),
    ]
    forged = visitor("")
    forged.session.cookies.set("sessionid", "made-up")
    for who, origin in [*tries, (forged, portico.url)]:
        with pytest.raises(InvalidStatus) as refused:
            connected(who, origin)
        assert refused.value.response.status_code == 403


def test_signing_out_closes_the_open_page_at_once(visitor: Arriving) -> None:
    leaving, staying = visitor(BO), visitor(BO)
    with live_page(leaving) as page, live_page(staying) as other:
        leaving.posts("/logout/")
        assert page.closes() == 4401
        assert "sign in again" in page.ended
        other.socket.ping().wait(SOON)


def test_another_sign_in_in_the_same_browser_closes_it_too(visitor: Arriving) -> None:
    browser = visitor(BO)
    with live_page(browser) as page:
        browser.signs_in(GIL)
        assert page.closes() == 4401


def test_what_a_page_says_on_the_socket_changes_nothing(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="spoken")
    with open_page(ana) as page:
        page.reads(call, "delete_file")
        for text in ("{", json.dumps({"type": "confirm", "id": call}), "[]"):
            page.socket.send(text)
        page.socket.send(b"\x00\x01")
        more = held(gateway, ANA, "next_one")
        page.reads(more, "next_one")
    assert call in gateway.report()["held"]


def test_a_critical_call_wants_its_name_and_a_reason(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "wipe\u200b_folder", "critical", folder="/reports")
    needs = "To approve this, type the name of its tool and a reason. To reject it, a reason is enough."
    assert needs in words(ana.reads(f"/confirmations/{call}/"))  # before, and not one after the other
    for fields, why in (
        ({"reason": "sure"}, "please type the name of its tool: wipe⟨U+200B⟩_folder"),
        ({"reason": "sure", "tool_name": "wipe_folder"}, "please type the name of its tool"),
        ({"tool_name": "wipe\u200b_folder"}, "a reason is needed to approve a critical call"),
        ({}, "type the name of its tool: wipe⟨U+200B⟩_folder · Please say why: a reason is needed"),
    ):
        refused = ana.posts(f"/confirmations/{call}/confirm/", **fields)
        assert refused.status_code == 400 and why in words(refused.text)
        assert all(html.escape(typed) in refused.text for typed in fields.values())
    assert call in gateway.report()["held"]
    ana.posts(f"/confirmations/{call}/confirm/", reason="sure", tool_name="wipe⟨U+200B⟩_folder")
    assert call in gateway.report()["ran"]


def test_an_answer_is_given_to_what_was_shown(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="a.txt")
    other = held(gateway, ANA, "delete_file", path="b.txt")
    seen = re.findall(r'name="seen" value="([0-9a-f]{64})"', ana.reads(f"/confirmations/{call}/"))
    assert len(seen) == 1
    refused = ana.posts(f"/confirmations/{other}/confirm/", reason="typed", seen=seen[0])
    assert refused.status_code == 409 and "This call changed since it was shown to you" in words(refused.text)
    assert 'value="typed"' in refused.text
    assert other in gateway.report()["held"]
    ana.posts(f"/confirmations/{other}/reject/", reason="typed", seen=seen[0])  # is safe, whatever it was
    assert gateway.report()["answers"][other] == "reject"
    assert "Approved" in words(ana.posts(f"/confirmations/{call}/confirm/", seen=seen[0]).text)


def test_without_a_script_a_page_asks_once_more(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="/asked/twice")
    path = f"/confirmations/{call}/"
    form = dict(re.findall(r'name="(seen|ask)" value="([^"]+)"', ana.reads(path)))
    asked = ana.posts(f"{path}confirm/", reason="well", **form)
    assert "Approve this call?" in words(asked.text)
    assert re.search("Written by whoever called the tool.* path (string )?/asked/twice", words(asked.text))
    assert call in gateway.report()["held"]
    assert 'value="well"' in ana.reads(path)  # whoever goes back finds what they typed
    unreasoned = ana.posts(f"{path}reject/", reason="", **form)
    assert unreasoned.status_code == 400 and "a reason is needed to reject" in unreasoned.text
    form = dict(re.findall(r'name="(seen|ask|reason)" value="([^"]+)"', asked.text))
    assert "ask" not in form
    ana.posts(f"{path}confirm/", **form)
    report = gateway.report()
    assert call in report["ran"] and report["reasons"][call] == "well"


def test_without_a_script_a_rejection_goes_at_once(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, ANA, "delete_file", path="/asked/never")
    path = f"/confirmations/{call}/"
    form = dict(re.findall(r'name="(seen|ask)" value="([^"]+)"', ana.reads(path)))
    assert form["ask"] == "first"
    ana.posts(f"{path}reject/", reason="no", **form)
    report = gateway.report()
    assert report["answers"][call] == "reject" and report["reasons"][call] == "no"


def test_a_call_whose_run_broke_off_is_marked(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    with live_page(bo) as his:
        before = set(gateway.report()["held"])
        ana.posts(f"/agents/{ids.FILE_MANAGER}/", message="please throw away meeting-notes.md")
        eventually(lambda: bool(set(gateway.report()["held"]) - before))
        [call] = set(gateway.report()["held"]) - before
        his.reads(call, "delete_file")
        assert "is over" not in his.items[call]
        gateway.dial(drop_runs=True)
        his.reads(call, "The run that asked for this is over", 4 * SOON)
    assert "nobody waits for the answer, and approving it still runs it" in words(bo.reads(f"/confirmations/{call}/"))
    bo.posts(f"/confirmations/{call}/reject/", reason="nobody waits")


def test_an_answer_that_was_taken_is_told_though_nothing_can_be_read_after_it(bo: Visitor, gateway: Embedded) -> None:
    over = {"error": "Unauthorized", "message": "Token expired", "code": "TOKEN_EXPIRED"}
    for way, fields, verdict in (
        ("confirm", {}, "Approved by you"),
        ("reject", {"reason": "no"}, "Rejected by you: no"),
    ):
        call = held(gateway, ANA, "send_at_the_end", agent="File manager", way=way)
        gateway.dial(fail={"path": "/api/v1/audit/logs", "status": 401, "body": over, "times": 100})
        gateway.dial(fail={"path": "/api/v1/admin/users", "status": 401, "body": over, "times": 100})
        answer = bo.session.post(
            f"{bo.portico.url}/confirmations/{call}/{way}/",
            data={"csrfmiddlewaretoken": bo.csrf_token(), **fields},
            headers={"HX-Request": "true", "Referer": f"{bo.portico.url}/confirmations/"},
            timeout=30,
        )
        gateway.dial(fail=None)
        assert answer.status_code == 200 and verdict in words(answer.text), (way, answer.headers)
        assert gateway.report()["answers"][call] == way
