"""One bar says which of one's approvals are about to be sent, and cancels one or all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, Arriving, arrivals, held, resolved_elsewhere, words
from tests.stories.following import eventually
from tests.stories.test_bulk import posts, ticked
from tests.stories.test_confirmations_trouble import base

DIALECTS_DIFFER = False

PAGES = ("/confirmations/", "/confirmations/{}/", "/confirmations/history/", "/confirmations/{}/compare/")
CANCEL = "/confirmations/sending/cancel/"


@pytest.fixture(scope="module")
def holding(gateway: Embedded) -> Iterator[Portico]:
    server = Portico(gateway.url, APPROVAL_HOLD="4").start()
    yield server
    server.close()


@pytest.fixture
def come(holding: Portico) -> Iterator[Arriving]:
    with arrivals(holding) as arrive:
        yield arrive


def bar(page: str) -> str:
    """What one reads of it; empty where it is hidden."""
    (found,) = re.findall(r"<section class=\"sending\"[^>]*>.*?</section>", page, re.S)
    return "" if re.match(r"<section[^>]* hidden>", found) else words(found)


def fields(page: str) -> list[str]:
    """The calls that the bar's form names."""
    return re.findall(r'name="call" value="([^"]+)"', page)


def cancels(visitor: Visitor, **chosen: list[str]) -> requests.Response:
    return visitor.session.post(
        visitor.portico.url + CANCEL,
        data={"csrfmiddlewaretoken": visitor.csrf_token(), **chosen},
        headers={"Referer": visitor.portico.url + "/confirmations/"},
        timeout=30,
    )


def test_every_page_of_the_desk_says_what_is_about_to_be_sent_and_cancels_it(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    one, two, other = (held(gateway, ANA, tool, agent="File manager", n=1) for tool in ("move", "copy", "wipe"))
    assert bar(bo.reads("/confirmations/")) == ""
    bo.posts(f"/confirmations/{one}/confirm/")
    assert re.match("1 approval sending in [1-4] s .*move Cancel move", bar(bo.reads(f"/confirmations/{other}/")))
    bo.posts(f"/confirmations/{two}/confirm/")
    for page in PAGES:
        told = bo.reads(page.format(other))
        assert re.match("2 approvals sending in [1-4] s .*Cancel all 2 .*Cancel move .*Cancel copy", bar(told)), page
        assert set(fields(told)) == {one, two}
        assert bar(ana.reads(page.format(other))) == ""
    alone = cancels(bo, call=[one, two], only=[one])
    assert "1 approval was cancelled and not sent." in words(alone.text) and fields(alone.text) == [two]
    rest = cancels(bo, call=[one, two])
    assert "1 approval was cancelled and not sent. It was too late for 1." in words(rest.text) and not bar(rest.text)
    assert "Your approval was cancelled before it was sent" in words(bo.reads(f"/confirmations/{two}/"))
    assert {one, two} <= set(gateway.report()["held"])


def test_nobody_cancels_what_another_person_approved(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "move", agent="File manager", n=2)
    bo.posts(f"/confirmations/{call}/confirm/")
    assert "It was too late for 1." in words(cancels(ana, call=[call]).text)
    assert fields(bo.reads("/confirmations/")) == [call]
    eventually(lambda: call in gateway.report()["ran"])
    eventually(lambda: bar(bo.reads("/confirmations/")) == "")


def test_one_that_cannot_be_cancelled_keeps_no_other_from_being_cancelled(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    theirs, mine = (held(gateway, ANA, tool, agent="File manager", n=3) for tool in ("move", "copy"))
    ana.posts(f"/confirmations/{theirs}/confirm/")
    bo.posts(f"/confirmations/{mine}/confirm/")
    gateway.dial(fail={"path": f"/api/v1/{base(gateway)}/{theirs}", "method": "GET", "status": 503})
    assert "1 approval was cancelled and not sent. It was too late for 1." in words(
        cancels(bo, call=[theirs, mine]).text
    )
    assert bar(bo.reads("/confirmations/")) == ""


def test_several_approved_at_once_are_one_line_and_cancelled_at_once(come: Arriving, gateway: Embedded) -> None:
    bo = come(BO)
    calls = [held(gateway, ANA, "move", "medium", "File manager", n=n) for n in range(4)]
    items = ticked(bo, *calls)
    items[3] = f"{calls[3]}:{'0' * 64}"
    result = posts(bo, items, "approve").text
    assert re.match("3 approvals sending in [1-4] s .*Cancel all 3", bar(result))
    assert words(result).count("It is sent in") == 0 and "This call changed since" in words(result)
    assert set(fields(result)) == set(calls[:3])
    headers = {"HX-Request": "true"}
    of = {"of": calls[:3]}
    assert "Cancel all 3" in words(bo.gets("/confirmations/sending/", params=of, headers=headers).text)
    cancelled = cancels(bo, call=calls[:3])
    assert "3 approvals were cancelled and not sent." in words(cancelled.text)
    told = words(bo.gets("/confirmations/sending/", params=of, headers=headers).text)
    assert told == "3 approvals were cancelled and not sent."
    assert set(calls) <= set(gateway.report()["held"])
    bo.posts(f"/confirmations/{calls[0]}/confirm/")
    eventually(lambda: calls[0] in gateway.report()["ran"])
    eventually(
        lambda: (
            words(bo.gets("/confirmations/sending/", params=of, headers=headers).text)
            == "1 approval was sent. 2 approvals were cancelled and not sent."
        )
    )


def test_what_became_of_several_says_why_and_counts_as_sent_only_what_the_gateway_took(
    come: Arriving, gateway: Embedded
) -> None:
    bo, ana = come(BO), come(ANA)
    calls = [held(gateway, ANA, "pay", "medium", "File manager", n=n) for n in range(4)]
    posts(bo, ticked(bo, *calls), "approve")
    for call in calls[:2]:
        ana.posts(f"/confirmations/{call}/reject/", reason="no")
    resolved_elsewhere(gateway, ANA, calls[2], "reject", reason="not that")
    headers, of = {"HX-Request": "true"}, {"of": calls}

    def told() -> str:
        return words(bo.gets("/confirmations/sending/", params=of, headers=headers).text)

    eventually(lambda: "1 approval was sent." in told())
    assert f"2 approvals were cancelled and not sent. Ana Lima ({ANA}) rejected the call." in told()
    eventually(lambda: "1 other: This was already resolved: rejected by" in told())
    item = words(bo.gets(f"/confirmations/{calls[2]}/", headers=headers).text)
    assert "What became of your approval: This was already resolved: rejected by" in item
    assert "2 approvals were sent" not in told() and gateway.report()["ran"].count(calls[3]) == 1
