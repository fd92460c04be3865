"""Several calls of one kind, answered at once, and what became of each."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import requests

from tests.embedded import Embedded
from tests.portico import Visitor
from tests.stories.approving import ANA, BO, GIL, held, words

PATH = "/confirmations/bulk/"


@pytest.fixture
def bo(visitor: Any) -> Visitor:
    return visitor(BO)  # type: ignore[no-any-return]


def ticked(visitor: Visitor, *calls: str) -> list[str]:
    """What the rows' checkboxes send: id and hash of the arguments."""
    page = visitor.reads("/confirmations/")
    found = dict(re.findall(r'data-confirmation="([^"]+)".*?data-arguments-hash="([^"]+)"', page, re.S))
    return [f"{call}:{found[call]}" for call in calls]


def posts(
    visitor: Visitor, items: list[str], answer: str, reason: str = "", seen: Sequence[str] = ()
) -> requests.Response:
    token = visitor.csrf_token()
    return visitor.session.post(
        visitor.portico.url + PATH,
        data={"csrfmiddlewaretoken": token, "item": items, "seen": seen, "answer": answer, "reason": reason},
        headers={"Referer": visitor.portico.url + "/confirmations/"},
        timeout=30,
    )


def several(gateway: Embedded, number: int, tool: str = "delete_file", **more: Any) -> list[str]:
    return [held(gateway, ANA, tool, agent="File manager", path=f"/files/{n}", **more) for n in range(number)]


@pytest.mark.usefixtures("ana")  # so that her name is known
def test_the_page_says_what_is_the_same_and_what_differs(bo: Visitor, gateway: Embedded) -> None:
    calls = several(gateway, 3, force=True, note="a\u202eb")
    page = bo.gets(PATH, params={"item": ticked(bo, *calls), "answer": "reject"})
    text = words(page.text)
    same, differs = text.split("What differs")[0], text.split("What differs")[1]
    for fact in ("Reject 3 calls of delete_file", "High", "File manager", "Ana Lima", "force true", "a⟨U+202E⟩b"):
        assert fact in same
    assert all(f"/files/{n}" in differs and f"/files/{n}" not in same for n in range(3))
    assert "Approve 3" not in text
    assert all(call in gateway.report()["held"] for call in calls)


def test_an_argument_that_is_called_like_a_fact_is_said_to_be_the_agents(bo: Visitor, gateway: Embedded) -> None:
    calls = [
        held(gateway, ANA, "pay", agent="File manager", Agent="Treasury", For=someone) for someone in ("Bo", "Olu")
    ]
    page = bo.gets(PATH, params={"item": ticked(bo, *calls), "answer": "approve"}).text
    same, differs = page.split("What differs", 1)
    assert "Agent File manager" in words(same) and "Written by the agent Agent Treasury" in words(same)
    assert re.search("Call Written by the agent For 1 (Bo 2 Olu|Olu 2 Bo)", words(differs))
    assert 'data-label="Written by the agent: For"' in differs


def test_arguments_of_calls_without_an_agent_are_not_said_to_be_an_agents(bo: Visitor, gateway: Embedded) -> None:
    alone, other = (held(gateway, ANA, "pay", amount=amount) for amount in (1, 2))
    sent = held(gateway, ANA, "pay", agent="File manager", amount=3)

    def compared(*calls: str) -> str:
        return words(bo.gets(PATH, params={"item": ticked(bo, *calls), "answer": "approve"}).text)

    text = compared(alone, other)
    assert "Written by whoever called the tool amount" in text and "by the agent" not in text
    assert "Written by the agent or whoever called the tool amount" in compared(alone, sent)
    bo.posts(f"/confirmations/{alone}/confirm/", seen="", ask="")
    text = words(bo.reads(f"/confirmations/{other}/compare/"))
    assert "Written by whoever called the tool, both times" in text
    assert "without an agent was approved" in words(
        bo.reads(f"/confirmations/{held(gateway, ANA, 'pay_twice', amount=1)}/compare/")
    )


def test_the_record_says_what_each_of_several_looked_like(bo: Visitor, gateway: Embedded) -> None:
    calls = several(gateway, 2, "seen_together")
    items = ticked(bo, *calls)
    alone = {call: re.findall(r'name="seen" value="(\w+)"', bo.reads(f"/confirmations/{call}/"))[0] for call in calls}
    page = bo.gets(PATH, params={"item": items, "answer": "approve"}).text
    seen = re.findall(r'name="seen" value="([^"]+)"', page)
    assert dict(one.split(":") for one in seen) == alone
    stale = [f"{calls[0]}:{alone[calls[1]]}", f"{calls[1]}:{alone[calls[1]]}"]
    told = words(posts(bo, items, "approve", "these", stale).text)
    assert "This call changed since it was shown to you" in told and told.count("Approved: seen_together") == 1
    posts(bo, items[:1], "approve", "these", seen)
    rows = bo.reads("/confirmations/history/decisions.jsonl?tool=seen_together").splitlines()
    assert {row["confirmation_id"]: row["shown"] for row in map(json.loads, rows)} == alone


def test_each_is_answered_and_told_about_by_itself(bo: Visitor, ana: Visitor, gateway: Embedded) -> None:
    calls = several(gateway, 4)
    items = ticked(bo, *calls)
    unreasoned = posts(bo, items, "reject")
    assert unreasoned.status_code == 400 and "a reason is needed to reject" in unreasoned.text
    ana.posts(f"/confirmations/{calls[0]}/confirm/")
    items[1] = f"{calls[1]}:{'0' * 64}"
    told = words(posts(bo, items, "reject", "not these").text)
    assert "This was already resolved: approved by Ana Lima" in told
    assert told.count("Rejected: delete_file") == 3  # also the one that changed: a rejection is safe
    report = gateway.report()
    assert [report["answers"].get(call) for call in calls] == ["confirm", "reject", "reject", "reject"]
    assert report["reasons"][calls[3]] == "not these"
    (changed,) = several(gateway, 1)
    refused = words(posts(bo, [f"{changed}:{'0' * 64}"], "approve").text)
    assert "This call changed since it was shown to you" in refused and changed in gateway.report()["held"]
    again = words(posts(bo, ticked(bo, changed), "approve").text)
    assert "Approved: delete_file" in again and changed in gateway.report()["ran"]


def test_only_calls_of_one_kind_go_together(bo: Visitor, gateway: Embedded) -> None:
    one = several(gateway, 1)[0]
    others = [
        (several(gateway, 1, "rename_file")[0], "of one tool and risk"),
        (held(gateway, ANA, "delete_file", "low", "File manager", path="x"), "of one tool and risk"),
        (held(gateway, ANA, "delete_file", "high", "File manager", path=["x"]), "of one shape"),
        (held(gateway, ANA, "delete_file", "critical", "File manager", path="x"), "answered by itself"),
    ]
    for other, why in others:
        items = ticked(bo, one, other)
        refused = posts(bo, items, "approve")
        assert refused.status_code == 400 and why in words(refused.text)
        assert why in words(bo.gets(PATH, params={"item": items}).text)
    many = [f"{one}:{number:064x}" for number in range(26)]
    assert "At most 25 calls" in words(posts(bo, many, "approve").text)
    assert "Please select the calls" in words(posts(bo, [], "approve").text)
    report = gateway.report()
    assert all(call in report["held"] for call in (one, *(other for other, _ in others)))


def test_somebody_elses_calls_are_shut(visitor: Any, bo: Visitor, gateway: Embedded) -> None:
    calls = several(gateway, 2)
    items = ticked(bo, *calls)
    gil = visitor(GIL)
    assert "None of these calls waits any more" in words(gil.gets(PATH, params={"item": items}).text)
    told = posts(gil, items, "approve").text
    assert words(told).count("does not allow you") == 2 and "/files/" not in html.unescape(told)
    assert all(call in gateway.report()["held"] for call in calls)


def test_what_was_answered_before_the_session_ended_is_told_and_the_rest_is_not_said_to_be(
    bo: Visitor, gateway: Embedded
) -> None:
    for answer, done, word in (("reject", "reject", "Rejected"), ("approve", "confirm", "Approved")):
        calls = several(gateway, 4, f"{answer}_with_an_end")
        items = ticked(bo, *calls)
        over = {"error": "Unauthorized", "message": "Token expired", "code": "TOKEN_EXPIRED"}
        room = "confirmations" if gateway.dialect == "guide" else "confirmation"
        for late in calls[2:]:
            gateway.dial(fail={"path": f"/api/v1/{room}/{late}", "status": 401, "body": over, "times": 100})
        told = words(posts(bo, items, answer, "these").text)
        assert told.count(f"{word}: {answer}_with_an_end") == 2
        assert told.count("Not answered: your session ended before it. Please sign in again.") == 2
        gateway.dial(fail=None)
        assert [gateway.report()["answers"].get(call) for call in calls] == [done, done, None, None]
