"""A gateway whose clock is ten minutes off: nobody has a page open, so that nothing but plain answers tell its time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.embedded import Embedded
from tests.portico import OFFERED, Portico, Visitor
from tests.stories.approving import ANA, BO, held, live_page, words


@pytest.fixture(scope="module", params=["-600", "600"])
def shifted(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with Embedded.start(more=(f"--clock-ahead={request.param}",)) as embedded:
        yield embedded


@pytest.fixture(scope="module")
def front(shifted: Embedded) -> Iterator[Portico]:
    server = Portico(shifted.url, GATEWAY_AGENTS=",".join(OFFERED), APPROVAL_HOLD="5").start()
    yield server
    server.close()


@pytest.fixture
def bo(front: Portico) -> Iterator[Visitor]:
    visitor = Visitor(front)
    visitor.signs_in(BO)
    yield visitor
    visitor.session.close()


def test_a_waiting_call_is_shown_with_the_time_that_is_left(shifted: Embedded, bo: Visitor) -> None:
    call = held(shifted, ANA, "delete_file", agent="File manager", path="/a.txt")
    desk, item = bo.reads("/confirmations/"), bo.reads(f"/confirmations/{call}/")
    for page in (desk, item):
        assert f'data-confirmation="{call}" data-state="waiting"' in page
        assert re.search(r"\b(5:0[01]|4:5\d)\b", words(page)), words(page)[-900:]
    history = bo.reads("/confirmations/history/")
    assert "Timed out: nobody answered" not in words(desk) + words(item) + words(history)
    assert "Waiting" in words(history[history.index(call) :][:3000])


def test_how_long_ago_something_was_is_told_by_one_clock(shifted: Embedded, bo: Visitor) -> None:
    call = held(shifted, ANA, "delete_file", agent="File manager", path="/ago.txt")
    bo.posts(f"/confirmations/{call}/reject/", reason="no")
    item, history = (words(bo.reads(path)) for path in (f"/confirmations/{call}/", "/confirmations/history/"))
    assert "Asked just now" in item and "Rejected by you: no just now" in item
    entry = history[history.index("delete_file") :].split("Number")[0]
    assert "ago" not in entry and entry.count("just now") == 2


def test_an_approval_can_be_cancelled(shifted: Embedded, bo: Visitor) -> None:
    call = held(shifted, ANA, "delete_file", agent="File manager", path="/b.txt")
    bo.posts(f"/confirmations/{call}/confirm/")
    assert shifted.report()["answers"].get(call) is None
    assert "was not sent" in words(bo.posts(f"/confirmations/{call}/cancel/").text)
    assert shifted.report()["answers"].get(call) is None


def test_a_page_that_opens_first_of_all_shows_what_waits(shifted: Embedded, front: Portico) -> None:
    call = held(shifted, ANA, "delete_file", agent="File manager", path="/c.txt")
    ana = Visitor(front)
    ana.signs_in(ANA)
    shifted.dial(mute_streams=True)  # no heartbeat tells the time
    try:
        with live_page(ana) as page:
            page.sees(lambda page: call in page.items and page.count > 0)
    finally:
        shifted.dial(mute_streams=False)
    ana.session.close()


def test_a_token_that_lives_for_five_minutes_signs_in(shifted: Embedded, front: Portico) -> None:
    shifted.dial(token_lifetime=300)
    try:
        visitor = Visitor(front)
        assert visitor.signs_in(ANA).url == f"{front.url}/profile/"
        assert visitor.gets("/confirmations/").url == f"{front.url}/confirmations/"
        visitor.session.close()
    finally:
        shifted.dial(token_lifetime=86400)
