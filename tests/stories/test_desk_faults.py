"""The desk while something under it dies and comes back: nothing is lost, nothing is shown twice."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
import requests

from tests.embedded import Embedded
from tests.portico import BOTH, ROOT, Portico, Visitor, free_port
from tests.servers import postgres_server, redis_server
from tests.stories.approving import ANA, BO, OpenPage, held, live_page, open_page, resolved_elsewhere, words
from tests.stories.following import eventually

BACK = 35.0  # seconds in which a page has to be right again by itself


@pytest.fixture(scope="module", params=BOTH)
def frail(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with Embedded.start(dialect=request.param) as embedded:
        yield embedded


@pytest.fixture(scope="module")
def bo(frail: Embedded) -> Iterator[Visitor]:
    server = Portico(frail.url).start()
    visitor = Visitor(server)
    visitor.signs_in(BO)
    yield visitor
    visitor.session.close()
    server.close()


def is_live(page: OpenPage) -> bool:
    return page.state == "live"


def test_three_calls_wait_while_the_gateway_is_killed(frail: Embedded, bo: Visitor) -> None:
    with live_page(bo) as page:
        before = {held(frail, ANA, f"tool_{n}", agent="File manager") for n in range(3)}
        page.sees(lambda page: before <= page.items.keys())
        frail.kill()
        page.sees(lambda page: page.state == "reconnecting")
        assert before <= page.items.keys()
        frail.launch(frail.port)
        page.sees(is_live, BACK)
        page.sees(lambda page: all(page.states.get(call) == "lost" for call in before))
        after = held(frail, ANA, "tool_after", agent="File manager")
        page.sees(lambda page: page.states.get(after) == "waiting")
        page.sees(lambda page: page.items.keys() == {after}, 15)


def test_what_the_gateway_lists_and_does_not_hold_is_called_lost(frail: Embedded, bo: Visitor) -> None:
    with live_page(bo) as page:
        calls = {held(frail, ANA, f"tool_{n}", agent="File manager") for n in range(3)}
        page.sees(lambda page: calls <= page.items.keys())
        frail.dial(forget_holds=True, drop_streams=True)
        page.sees(lambda page: all(page.states.get(call) == "lost" for call in calls), BACK)
        page.sees(lambda page: not calls & page.items.keys(), 15)
    lost = bo.reads(f"/confirmations/{calls.pop()}/")
    assert "Lost by the gateway" in lost
    assert ">Approve<" not in lost


def test_a_stream_that_falls_silent_is_opened_anew_and_hides_nothing_meanwhile(frail: Embedded) -> None:
    frail.dial(heartbeat=0.5)
    server = Portico(frail.url, DJANGO_SETTINGS_MODULE="tests.restless").start()
    bo = Visitor(server)
    bo.signs_in(BO)
    with live_page(bo) as page:
        frail.dial(mute_streams=True)
        silent = held(frail, ANA, "asked_in_silence", agent="File manager")
        page.sees(lambda page: page.states.get(silent) == "waiting")
        page.sees(lambda page: page.state == "reconnecting")
        frail.dial(mute_streams=False)
        page.sees(is_live, BACK)
        told = held(frail, ANA, "told_again", agent="File manager")
        page.sees(lambda page: {silent, told} <= page.items.keys())
    frail.dial(heartbeat=30)
    bo.session.close()
    server.close()


def test_a_line_that_breaks_twenty_times_shows_each_call_once(frail: Embedded, bo: Visitor) -> None:
    for left in frail.report()["held"]:  # by other stories
        resolved_elsewhere(frail, BO, left, "reject")
    calls: list[str] = []
    with live_page(bo) as page:
        page.sees(lambda page: not page.items, BACK)
        for number in range(20):
            calls.append(held(frail, ANA, f"tool_{number}", agent="File manager"))
            frail.dial(drop_streams=True)
        page.sees(lambda page: is_live(page) and page.items.keys() == set(calls), BACK)
        assert page.count == len(calls)
        assert page.numbers == sorted(page.numbers)


def test_a_page_that_comes_back_twenty_times_has_the_whole_queue(frail: Embedded, bo: Visitor) -> None:
    with live_page(bo) as page:
        already = set(page.items)
    calls = set()
    for number in range(20):
        calls.add(held(frail, ANA, f"tool_{number}", agent="File manager"))
        with open_page(bo) as page:
            page.sees(lambda page: already | calls == page.items.keys())


@contextmanager
def two_processes(gateway: Embedded, redis_url: str, database_url: str) -> Iterator[tuple[Portico, Portico]]:
    settings = {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
    first, second = (Portico(gateway.url, **settings) for _ in range(2))
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=first.environment, check=True)
    first.start()
    second.start()
    try:
        yield first, second
    finally:
        first.close()
        second.close()


def by_way_of(visitor: Visitor, portico: Portico) -> Visitor:
    """The same browser, at another process."""
    other = Visitor(portico)
    other.session.cookies.update(visitor.session.cookies)
    return other


def test_processes_and_redis_may_die_under_an_open_desk(frail: Embedded) -> None:
    port = free_port()
    redis_url = f"redis://127.0.0.1:{port}/0"
    with postgres_server() as database_url, two_processes(frail, redis_url, database_url) as (first, second):
        here = Visitor(first)
        here.signs_in(BO)
        there = by_way_of(here, second)
        with live_page(there) as page:
            with redis_server(port):
                told = held(frail, ANA, "told_by_the_other", agent="File manager")
                page.sees(lambda page: told in page.items)
                here.posts(f"/confirmations/{told}/confirm/")
                page.reads(told, "Approved by you")
                first.kill()
                killed = held(frail, ANA, "outlives_a_process", agent="File manager")
                page.sees(lambda page: killed in page.items)
                first.start()
                here.posts(f"/confirmations/{killed}/reject/", reason="no")
                page.reads(killed, "Rejected by you: no")
            eventually(lambda: here.gets("/readyz").json()["redis"] == "away")
            without = held(frail, ANA, "outlives_redis", agent="File manager")
            page.sees(lambda page: without in page.items)
            here.posts(f"/confirmations/{without}/reject/", reason="no need")
            page.reads(without, "Rejected by you: no need")
            with redis_server(port):
                eventually(lambda: all(visitor.gets("/readyz").ok for visitor in (here, there)), BACK)
                here.posts("/logout/")
                assert page.closes(BACK) == 4401  # the other process may not have found Redis again yet
        for visitor in (here, there):
            visitor.session.close()


def test_what_was_being_sent_when_a_process_or_its_database_went_is_on_record(frail: Embedded) -> None:
    server = Portico(frail.url, DJANGO_SETTINGS_MODULE="tests.impatient").start()
    bo = Visitor(server)
    bo.signs_in(BO)
    call = held(frail, ANA, "half_sent", agent="File manager")
    route = f"/{call}/{'reject' if frail.dialect == 'guide' else 'respond'}"
    frail.dial(fail={"path": f"/api/v1/confirmation{'s' * (frail.dialect == 'guide')}{route}", "delay": 60})
    with ThreadPoolExecutor(1) as hand:
        sent = hand.submit(bo.posts, f"/confirmations/{call}/reject/", reason="too broad")
        eventually(lambda: any(one["path"].endswith(route) for one in frail.received()))
        server.kill()
        assert isinstance(sent.exception(), requests.ConnectionError)
    frail.dial(fail=None)
    server.start()
    eventually(lambda: "whether it arrived is not known" in bo.reads("/confirmations/history/?tool=half_sent"))
    bo.posts(f"/confirmations/{call}/reject/", reason="too broad, still")
    assert "Rejected by you: too broad, still" in bo.reads(f"/confirmations/{call}/")

    unrecorded = held(frail, ANA, "unrecorded", agent="File manager")
    with closing(sqlite3.connect(f"{server.folder.name}/db.sqlite3", timeout=20)) as database:
        database.execute("ALTER TABLE confirmations_chainhead RENAME TO away")
        assert bo.posts(f"/confirmations/{unrecorded}/reject/", reason="no").status_code == 500
        database.execute("ALTER TABLE away RENAME TO confirmations_chainhead")
    assert frail.report()["answers"][unrecorded] == "reject"
    eventually(lambda: "Rejected by you" in words(bo.reads("/confirmations/history/?tool=unrecorded")))
    assert "whether it arrived is not known" not in bo.reads("/confirmations/history/?tool=unrecorded")
    bo.session.close()
    server.close()
