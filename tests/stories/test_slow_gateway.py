"""A gateway that takes its time: what is sent meanwhile costs no thread, and nobody else's turn."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, OLU, SOON, arrived, held, live_page, open_page, words
from tests.stories.following import eventually
from tests.stories.test_bulk import posts, ticked
from tests.stories.test_holding import post, sent
from tests.stories.test_holds_late import HOLD, ana, bo, database, decisions, late, trouble, unsent

__all__ = ["ana", "bo", "late", "trouble"]  # fixtures

LATE = 0.6  # seconds that every answer of the gateway takes
AT_ONCE = 40


@contextmanager
def slow(gateway: Embedded, seconds: float = LATE) -> Iterator[None]:
    """Every call that it gets."""
    gateway.dial(fail={"path": "/api/v1/", "delay": seconds, "times": 1_000_000})
    try:
        yield
    finally:
        gateway.dial(fail=None)


def several(gateway: Embedded, number: int) -> list[str]:
    return [held(gateway, ANA, "delete_file", agent="File manager", path=str(at)) for at in range(number)]


def threads_of(portico: Portico) -> int:
    assert portico.process is not None
    status = Path(f"/proc/{portico.process.pid}/status").read_text()
    return int(status.split("Threads:")[1].split()[0])


def seconds_of(visitor: Visitor, path: str) -> float:
    began = time.monotonic()
    visitor.reads(path)
    return time.monotonic() - began


def test_approvals_sent_at_once_hold_no_thread_and_cost_nobody_a_turn(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded
) -> None:
    alone, waits, *calls = several(trouble, AT_ONCE + 2)
    token = bo.csrf_token()
    item = f"/confirmations/{waits}/"
    with slow(trouble):
        desk_alone, item_alone = (seconds_of(ana, path) for path in ("/confirmations/", item))
        began = time.monotonic()
        post(bo, token, alone, "confirm")
        eventually(lambda: not unsent(late), 60)
        one_takes = time.monotonic() - began
        threads_alone = threads_of(late)

        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as hands:
            list(hands.map(lambda call: post(bo, token, call, "confirm"), calls))
        eventually(lambda: not trouble.report()["answers"].keys().isdisjoint(calls), 60)
        assert len(unsent(late)) > AT_ONCE / 2
        assert threads_of(late) < threads_alone + AT_ONCE / 4
        desk, waiting = (seconds_of(ana, path) for path in ("/confirmations/", item))
        eventually(lambda: not unsent(late), 60)
        all_take = time.monotonic() - began
    assert set(calls) <= set(trouble.report()["ran"])
    assert {tuple(decisions(late, call)) for call in calls} == {(("approved", "confirmed"),)}
    assert all_take < 3 * one_takes
    assert desk < 2 * desk_alone and waiting < 2 * item_alone


@pytest.mark.soak
def test_several_that_are_answered_at_once_hold_no_thread_and_do_not_wait_for_each_other(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    one, *calls = several(trouble, 26)
    ticked_one, *items = ticked(bo, one, *calls)
    with slow(trouble), ThreadPoolExecutor(1) as hand:
        began = time.monotonic()
        posts(bo, [ticked_one], "reject", "no")
        one_takes = time.monotonic() - began
        threads_alone = threads_of(late)
        began = time.monotonic()
        page = hand.submit(posts, bo, items, "reject", "no")
        eventually(lambda: sum(sent(trouble, call) for call in calls) > len(calls) / 2, 60)
        assert threads_of(late) < threads_alone + len(calls) / 2  # each would hold one; pools of a few may grow
        told = page.result()
        assert time.monotonic() - began < 3 * one_takes
    assert words(told.text).count("Rejected: delete_file") == len(calls)
    assert all(decisions(late, call) == [("rejected", "rejected")] for call in calls)


@pytest.mark.soak
def test_an_approval_waits_for_an_answer_that_comes_to_nothing_and_is_sent(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded
) -> None:
    (call,) = several(trouble, 1)
    token = ana.csrf_token()
    bo.posts(f"/confirmations/{call}/confirm/")
    trouble.dial(fail={"path": f"/api/v1/confirmation/{call}", "method": "GET", "delay": 10, "status": 503})
    post(ana, token, call, "reject")
    assert sent(trouble, call) == 0
    eventually(lambda: decisions(late, call) == [("approved", "confirmed")])
    assert sent(trouble, call) == 1


@pytest.mark.soak
def test_a_rejection_within_the_pause_wins_however_slow_the_gateway_is(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded
) -> None:
    (call,) = several(trouble, 1)
    token = ana.csrf_token()
    bo.posts(f"/confirmations/{call}/confirm/")
    with slow(trouble, 2 * HOLD):
        post(ana, token, call, "reject")
        eventually(lambda: call not in unsent(late), 60)
    assert trouble.report()["answers"][call] == "reject" and sent(trouble, call) == 1
    assert [kind for kind, _ in decisions(late, call)] == ["rejected", "already resolved"]
    assert "This was already resolved: rejected by Ana Lima" in words(bo.reads("/confirmations/"))


def test_a_gateway_that_is_silent_to_many_keeps_nobody_elses_page_waiting(late: Portico, trouble: Embedded) -> None:
    many = []
    try:
        for number in range(20):  # each with a live list of their own
            trouble.dial(person={"email": OLU, "tenantId": f"tenant {number}"})
            many.append(arrived(late, OLU))
    finally:
        trouble.dial(person={"email": OLU, "tenantId": "acme"})
    bo = arrived(late, BO)
    listed = "/api/v1/stream/pending"
    before = sum(one["path"] == listed for one in trouble.received())
    trouble.dial(fail={"path": listed, "delay": 20, "times": len(many)})
    with ExitStack() as pages:
        for one in many:
            pages.enter_context(open_page(one))
        eventually(lambda: sum(one["path"] == listed for one in trouble.received()) >= before + len(many), SOON)
        with live_page(bo) as page:
            (call,) = several(trouble, 1)
            page.reads(call, "delete_file")
    for one in (bo, *many):
        one.session.close()


def test_the_end_of_the_process_says_of_each_approval_what_is_known_of_it(own_gateway: Embedded) -> None:
    portico = Portico(own_gateway.url, APPROVAL_HOLD="3").start()
    bo = arrived(portico, BO)
    kept, looked_up, answered, read_back, unanswered, rejected = several(own_gateway, 6)
    token = bo.csrf_token()
    for call in (looked_up, answered, read_back, unanswered):
        bo.posts(f"/confirmations/{call}/confirm/")
        delay, method = {looked_up: (60, "GET"), unanswered: (60, "POST")}.get(call, (3, "POST"))
        own_gateway.dial(fail={"path": f"/api/v1/confirmation/{call}", "method": method, "delay": delay})
    for call in (answered, read_back, unanswered):
        eventually(lambda call=call: sent(own_gateway, call) == 1)  # type: ignore[misc]
    own_gateway.dial(fail={"path": f"/api/v1/confirmation/{read_back}", "method": "GET", "delay": 60})
    own_gateway.dial(fail={"path": f"/api/v1/confirmation/{rejected}", "method": "POST", "delay": 3})
    with ThreadPoolExecutor(1) as hand:
        hand.submit(post, bo, token, rejected, "reject")
        eventually(lambda: sent(own_gateway, rejected) == 1)
        post(bo, token, kept, "confirm")
        portico.stop(signal.SIGTERM)
    assert {call: why_not_sent(portico, call) for call in (kept, looked_up)} == dict.fromkeys(
        (kept, looked_up), "cancelled before it was sent: Portico was stopped"
    )
    assert decisions(portico, answered) == decisions(portico, read_back) == [("approved", "confirmed")]
    assert decisions(portico, rejected) == [("rejected", "rejected")]
    assert "whether it arrived is not known" in why_not_sent(portico, unanswered)
    assert [sent(own_gateway, call) for call in (kept, looked_up, answered, read_back, unanswered)] == [0, 0, 1, 1, 1]
    bo.session.close()
    portico.close()


@pytest.mark.soak
def test_a_locked_database_keeps_no_process_from_ending_and_nothing_is_sent_after_that(own_gateway: Embedded) -> None:
    portico = Portico(own_gateway.url, APPROVAL_HOLD="5").start()
    bo = arrived(portico, BO)
    (call,) = several(own_gateway, 1)
    bo.posts(f"/confirmations/{call}/confirm/")
    with closing(database(portico)) as rows:
        rows.execute("BEGIN EXCLUSIVE")
        portico.stop(signal.SIGTERM)  # who supervises it does not wait for longer than that, either
        rows.execute("COMMIT")
    portico.start()
    eventually(lambda: "cancelled before it was sent: the process of Portico" in why_not_sent(portico, call))
    assert sent(own_gateway, call) == 0
    bo.session.close()
    portico.close()


def why_not_sent(portico: Portico, call: str) -> str:
    question = "SELECT outcome FROM confirmations_decision WHERE confirmation_id = ?"
    with closing(database(portico)) as rows:
        return " ".join(row[0] for row in rows.execute(question, [call]))
