"""Looking into a call while others leave it alone, and calls that need two people."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, GIL, OLU, Arriving, arrivals, held, live_page, words
from tests.stories.test_bulk import posts as answers_several
from tests.stories.test_bulk import ticked


@pytest.fixture(scope="module")
def strict(gateway: Embedded) -> Iterator[Portico]:
    server = Portico(gateway.url, APPROVAL_TWO_PEOPLE="medium").start()
    yield server
    server.close()


@pytest.fixture
def come(strict: Portico, gateway: Embedded) -> Iterator[Arriving]:
    gateway.dial(person={"email": OLU, "roles": ["admin"]})  # a second admin of the organisation
    with arrivals(strict) as arrive:
        yield arrive
    gateway.dial(person={"email": OLU, "roles": ["tenant_admin"]})


def shown(visitor: Visitor, call: str) -> str:
    return words(visitor.reads(f"/confirmations/{call}/"))


def buttons(visitor: Visitor, call: str) -> dict[str, bool]:
    """The buttons of the answer, and whether each can be pressed."""
    form = visitor.reads(f"/confirmations/{call}/").split("data-answering")[1].split("</form>")[0]
    return {words(name): " disabled" not in tag for tag, name in re.findall(r"<button([^>]*)>(.*?)</button>", form)}


def test_who_looks_into_a_call_is_left_alone_until_they_release_it(come: Arriving, gateway: Embedded) -> None:
    bo, ana, olu, gil = come(BO), come(ANA), come(OLU), come(GIL)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="a.txt")
    with live_page(ana) as hers:
        claimed = bo.posts(f"/confirmations/{call}/claim/", reason="half typed")
        assert "This is yours for two minutes" in words(claimed.text) and "half typed" in claimed.text
        hers.reads(call, "Bo Adler (admin@example.com) looks into it")
        assert "Bo Adler (admin@example.com) is looking into this until" in shown(ana, call)
        assert buttons(ana, call) == {"Reject": False, "Approve": False}
        assert buttons(olu, call) == {"Reject": False, "Approve": False, "Take over": True}
        for how in ("confirm", "reject"):
            refused = ana.posts(f"/confirmations/{call}/{how}/", reason="kept")
            assert refused.status_code == 409 and "kept" in refused.text
            assert "Bo Adler (admin@example.com) is looking into this until" in words(refused.text)
        assert gil.posts(f"/confirmations/{call}/claim/").status_code == 403
        assert ana.posts(f"/confirmations/{call}/claim/", take_over="1").status_code == 409  # no admin
        taken = olu.posts(f"/confirmations/{call}/claim/", take_over="1")
        assert "This is yours for two minutes" in words(taken.text)
        hers.reads(call, "Olu Ojo (operator@example.com) looks into it")
        assert "Olu Ojo (operator@example.com) is looking into this" in words(
            bo.posts(f"/confirmations/{call}/confirm/").text
        )
        olu.posts(f"/confirmations/{call}/release/")
        hers.sees(lambda page: "looks into it" not in page.items[call])
    assert "Approved: delete_file" in words(ana.posts(f"/confirmations/{call}/confirm/").text)
    assert "Approved by Ana Lima" in words(bo.posts(f"/confirmations/{call}/claim/").text)


def test_a_claim_ends_by_itself(come: Arriving, gateway: Embedded, strict: Portico) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="b.txt")
    with live_page(ana) as hers:
        bo.posts(f"/confirmations/{call}/claim/")
        hers.reads(call, "Bo Adler (admin@example.com) looks into it")
        with closing(sqlite3.connect(f"{strict.folder.name}/db.sqlite3", timeout=20)) as database, database:
            database.execute(  # two minutes later
                "UPDATE confirmations_claim SET until = datetime(until, '-120 seconds') WHERE confirmation_id = ?",
                [call],
            )
        hers.sees(lambda page: "looks into it" not in page.items[call])
    assert "Approved: delete_file" in words(ana.posts(f"/confirmations/{call}/confirm/").text)


def test_a_call_of_a_grave_risk_needs_two_people_other_than_the_one_who_asked(
    come: Arriving, gateway: Embedded
) -> None:
    bo, ana, olu = come(BO), come(ANA), come(OLU)
    call = held(gateway, ANA, "rename_file", "medium", "File manager", path="c.txt")
    assert "Portico's own: the gateway takes one approval, also from elsewhere" in shown(bo, call)
    assert buttons(ana, call)["Approve"] is False
    barred = ana.posts(f"/confirmations/{call}/confirm/")
    assert barred.status_code == 409 and "neither can be the one who asked for it" in words(barred.text)
    with live_page(ana) as hers:
        first = bo.posts(f"/confirmations/{call}/confirm/", reason="first")
        assert "It is sent when another person approves this call as well" in words(first.text)
        hers.reads(call, "Approved once, by Bo Adler")
        assert "another person has to approve it as well" in words(bo.posts(f"/confirmations/{call}/confirm/").text)
        assert call in gateway.report()["held"]
        assert "Bo Adler (admin@example.com) approved this; your approval is the second one" in shown(olu, call)
        olu.posts(f"/confirmations/{call}/confirm/", reason="second")
        hers.reads(call, "Approved by Olu Ojo (operator@example.com): second")
    assert call in gateway.report()["ran"]
    assert "First of two approvals" in words(bo.reads("/confirmations/history/"))


def test_no_other_way_leads_past_the_rule_of_two_people(come: Arriving, gateway: Embedded) -> None:
    bo, again, ana, olu = come(BO), come(BO), come(ANA), come(OLU)
    call = held(gateway, ANA, "rename_file", "medium", "File manager", path="e.txt")
    item = ticked(bo, call)
    asker, second = "neither can be the one who asked for it", "another person has to approve it as well"
    assert asker in words(answers_several(ana, item, "approve").text)
    assert asker in words(ana.posts(f"/confirmations/{call}/confirm/", seen="", ask="").text)
    assert "It is sent when another person approves" in words(answers_several(bo, item, "approve").text)
    for browser in (bo, again):
        refused = browser.posts(f"/confirmations/{call}/confirm/", tool_name="rename_file", reason="again")
        assert refused.status_code == 409 and second in words(refused.text)
        assert second in words(answers_several(browser, item, "approve", "again").text)
    assert asker in words(answers_several(ana, item, "approve").text)
    assert call in gateway.report()["held"]
    assert not [one for one in gateway.received() if call in one["path"] and one["method"] == "POST"]
    assert "Approved: rename_file" in words(answers_several(olu, item, "approve", "second").text)
    assert call in gateway.report()["ran"]


def test_a_rejection_by_anyone_forgets_the_first_approval(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "rename_file", "medium", "File manager", path="d.txt")
    bo.posts(f"/confirmations/{call}/confirm/")
    assert "Rejected: rename_file" in words(ana.posts(f"/confirmations/{call}/reject/", reason="no").text)
    assert "Rejected by Ana Lima (user@example.com), who asked for it: no" in shown(bo, call)
    assert "Your approval, the first of two, was not sent." in shown(bo, call)
    assert "Your approval" not in shown(ana, call)
    assert gateway.report()["answers"][call] == "reject"


@pytest.mark.parametrize("pair", ["released"], indirect=True, scope="session")
def test_the_first_of_two_approvals_can_be_taken_back_by_whoever_gave_it(come: Arriving, gateway: Embedded) -> None:
    bo, olu = come(BO), come(OLU)
    call = held(gateway, ANA, "rename_file", "medium", "File manager", path="back.txt")
    bo.posts(f"/confirmations/{call}/confirm/", reason="fine")
    assert "Claim for" not in shown(bo, call) and buttons(bo, call)["Take back approval"]
    assert "There is no approval to cancel" in words(olu.posts(f"/confirmations/{call}/cancel/").text)
    assert "Taken back: your approval of rename_file counts no more" in words(
        bo.posts(f"/confirmations/{call}/cancel/").text
    )
    rows = bo.reads("/confirmations/history/decisions.jsonl?tool=rename_file").splitlines()
    mine = [row for row in map(json.loads, rows) if row["confirmation_id"] == call]
    assert {row["kind"] for row in mine} == {"first approval", "cancelled"} and mine[0]["who"] == mine[1]["who"]
    assert "took the first of two approvals back" in str(mine)
    olu.posts(f"/confirmations/{call}/confirm/")
    assert call in gateway.report()["held"]  # it is the first one again
    bo.posts(f"/confirmations/{call}/confirm/")
    assert call in gateway.report()["ran"]
    assert "took the first of two approvals back" in words(bo.reads("/confirmations/history/"))


@pytest.mark.parametrize("pair", ["released"], indirect=True, scope="session")
@pytest.mark.parametrize("changed", [{"arguments": {"path": "/"}}, {"tool": "rename_all"}])
def test_two_approvals_of_a_call_that_changed_between_them_send_nothing(
    come: Arriving, gateway: Embedded, changed: dict[str, object]
) -> None:
    bo, olu = come(BO), come(OLU)
    call = held(gateway, ANA, "rename_file", "medium", "File manager", path="as it was")
    bo.posts(f"/confirmations/{call}/confirm/", reason="of what it was")
    gateway.dial(call={"id": call, **changed})
    assert "yours would be the first approval" in shown(olu, call)
    second = words(olu.posts(f"/confirmations/{call}/confirm/", reason="of what it is").text)
    assert "It is sent when another person approves this call as well" in second
    assert call in gateway.report()["held"]
    assert "Olu Ojo (operator@example.com) approved this; your approval is the second one" in shown(bo, call)
    history = bo.reads("/confirmations/history/decisions.jsonl").splitlines()
    told = [row["outcome"] for row in map(json.loads, history) if row["confirmation_id"] == call]
    why = "cancelled before it was sent: the call changed after it was approved"
    assert sorted(told) == [why, "first of two approvals", "first of two approvals"]
    bo.posts(f"/confirmations/{call}/confirm/", reason="of what it is, too")
    assert call in gateway.report()["ran"]
