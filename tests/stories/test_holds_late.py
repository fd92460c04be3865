"""Approvals whose turn comes late, or whose sender may not send any more: sent, or the true reason is told."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db.models.functions import Now
from django.utils import timezone

from accounts import processes
from accounts.models import Process, User
from accounts.sessions import KEPT_AT, GatewaySession
from confirmations import holds, turns
from confirmations.decisions import Answerer
from confirmations.identity import Identity
from confirmations.models import Answering, FirstApproval, Hold
from confirmations.record import Evidence
from gateway import Person
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, arrived, held, live_page, resolved_elsewhere, words
from tests.stories.following import eventually
from tests.stories.test_holding import post, sent, shown

HOLD = 1.0  # seconds
HISTORY = "/confirmations/history/"


@pytest.fixture(scope="module")
def trouble() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def late(trouble: Embedded) -> Iterator[Portico]:
    server = Portico(trouble.url, APPROVAL_HOLD=str(HOLD)).start()
    yield server
    server.close()


@pytest.fixture
def bo(late: Portico) -> Iterator[Visitor]:
    visitor = arrived(late, BO)
    yield visitor
    visitor.session.close()


@pytest.fixture
def ana(late: Portico) -> Iterator[Visitor]:
    visitor = arrived(late, ANA)
    yield visitor
    visitor.session.close()


def answering(call: str) -> str:
    return f"/api/v1/confirmation/{call}/respond"


def test_approvals_that_wait_for_a_slow_gateway_are_all_sent(late: Portico, bo: Visitor, trouble: Embedded) -> None:
    calls = [held(trouble, ANA, "delete_file", agent="File manager", path=str(number)) for number in range(25)]
    for call in calls:
        trouble.dial(fail={"path": answering(call), "delay": 6})
    token = bo.csrf_token()
    with ThreadPoolExecutor(8) as hands:
        list(hands.map(lambda call: post(bo, token, call, "confirm"), calls))
    eventually(lambda: set(calls) <= set(trouble.report()["ran"]), 30)
    eventually(lambda: not unsent(late), 10)
    assert "cancelled before it was sent" not in words(bo.reads("/confirmations/"))


def unsent(portico: Portico) -> list[str]:
    with closing(database(portico)) as rows:
        return [row[0] for row in rows.execute("SELECT confirmation_id FROM confirmations_hold WHERE state != 'sent'")]


def database(portico: Portico) -> sqlite3.Connection:
    return sqlite3.connect(f"{portico.folder.name}/db.sqlite3", timeout=20, isolation_level=None)


def test_an_approval_that_a_locked_database_makes_late_is_sent(late: Portico, bo: Visitor, trouble: Embedded) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="locked")
    bo.posts(f"/confirmations/{call}/confirm/")
    with closing(database(late)) as rows:
        rows.execute("BEGIN EXCLUSIVE")
        until = time.monotonic() + HOLD + 4
        eventually(lambda: time.monotonic() > until, HOLD + 5)
        assert sent(trouble, call) == 0
        rows.execute("COMMIT")
    eventually(lambda: decisions(late, call) == [("approved", "confirmed")])
    assert call in trouble.report()["ran"] and sent(trouble, call) == 1


@contextmanager
def chain_away(portico: Portico) -> Iterator[None]:
    """No decision can be recorded meanwhile."""
    with closing(database(portico)) as rows:
        rows.execute("ALTER TABLE confirmations_chainhead RENAME TO away")
        try:
            yield
        finally:
            rows.execute("ALTER TABLE away RENAME TO confirmations_chainhead")


def decisions(portico: Portico, call: str) -> list[tuple[str, str]]:
    question = "SELECT kind, said FROM confirmations_decision WHERE confirmation_id = ?"
    with closing(database(portico)) as rows:
        return list(rows.execute(question, [call]))


def test_an_approval_sent_while_the_database_is_away_is_recorded_as_it_was(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="away")
    bo.posts(f"/confirmations/{call}/confirm/")
    with chain_away(late):
        eventually(lambda: call in trouble.report()["ran"])
        assert decisions(late, call) == []
    eventually(lambda: decisions(late, call) == [("approved", "confirmed")])
    assert sent(trouble, call) == 1


def test_a_rejection_sent_while_the_database_is_away_is_recorded_as_it_was(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="away too")
    token = bo.csrf_token()
    with chain_away(late):
        post(bo, token, call, "reject")
        assert trouble.report()["answers"][call] == "reject"
    eventually(lambda: decisions(late, call) == [("rejected", "rejected")])


def test_an_approval_that_the_token_would_not_outlive_is_sent_at_once(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="token")
    trouble.dial(token_lifetime=3600)
    try:
        lasting = arrived(late, BO)
        trouble.dial(token_lifetime=HOLD + 1.5)
        short = arrived(late, BO)
    finally:
        trouble.dial(token_lifetime=86400)
    assert "Approved: delete_file" in words(short.posts(f"/confirmations/{call}/confirm/", page="/profile/").text)
    assert call in trouble.report()["ran"]
    later = held(trouble, ANA, "delete_file", agent="File manager", path="token that lasts")
    assert "It is sent in 1 seconds" in words(lasting.posts(f"/confirmations/{later}/confirm/").text)
    for visitor in (lasting, short):
        visitor.session.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"roles": []}, "the roles of whoever gave it changed meanwhile"),
        ({"tenantId": "elsewhere"}, "the roles of whoever gave it changed meanwhile"),
        ({"isActive": False}, "the gateway no longer lets in whoever gave it"),
    ],
)
def test_whoever_may_not_approve_any_more_sends_nothing(
    bo: Visitor, ana: Visitor, trouble: Embedded, change: dict[str, object], why: str
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="may not")
    bo.posts(f"/confirmations/{call}/confirm/")
    trouble.dial(person={"email": BO, **change})
    try:
        eventually(lambda: f"approval was cancelled before it was sent: {why}" in shown(ana, call))
    finally:
        trouble.dial(person={"email": BO, "roles": ["admin"], "tenantId": "acme", "isActive": True})
    assert sent(trouble, call) == 0


def test_an_approval_that_could_not_be_sent_says_why_and_asks_nobody_to_try_again(
    bo: Visitor, ana: Visitor, trouble: Embedded
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="away")
    trouble.dial(fail={"path": "/api/v1/auth/me", "status": 502, "times": 9})
    bo.posts(f"/confirmations/{call}/confirm/")
    try:
        eventually(lambda: "cancelled before it was sent: the gateway could not be reached" in shown(ana, call))
    finally:
        trouble.dial(fail=None)
    assert "try again" not in shown(ana, call)
    assert sent(trouble, call) == 0


def test_who_signs_in_reads_of_an_approval_that_was_not_sent(late: Portico, bo: Visitor, trouble: Embedded) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="signed out")
    bo.posts(f"/confirmations/{call}/confirm/")
    bo.posts("/logout/")
    eventually(lambda: call in unsent(late))
    eventually(lambda: any(kind == "cancelled" for kind, _ in decisions(late, call)))
    landing = words(bo.signs_in(BO).text)
    assert "Your approval of delete_file was cancelled before it was sent: the session" in landing
    assert "cancelled before it was sent" not in words(bo.reads("/profile/"))


def test_whoever_is_signed_out_before_they_read_of_it_reads_of_it_after_signing_in(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    refused = {"status": 401, "body": {"error": "Unauthorized", "code": "TOKEN_EXPIRED", "message": "Token expired"}}
    call = held(trouble, ANA, "delete_file", agent="File manager", path="refused")
    trouble.dial(fail={"path": "/api/v1/auth/me", **refused})
    bo.posts(f"/confirmations/{call}/confirm/", page="/profile/")
    eventually(lambda: any(kind == "cancelled" for kind, _ in decisions(late, call)))
    trouble.dial(fail={"path": "/api/v1/stream/pending", **refused})
    assert "/login/" in bo.gets("/confirmations/").url
    landing = words(bo.signs_in(BO).text)
    assert "Your approval of delete_file was cancelled before it was sent: the gateway no longer lets in" in landing


@pytest.mark.parametrize("body", [{}, {"success": True}, {"success": True, "message": "OK"}])
@pytest.mark.parametrize("how", ["confirm", "reject"])
def test_an_answer_that_does_not_say_so_is_not_taken_for_a_success(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded, how: str, body: dict[str, object]
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="said nothing")
    trouble.dial(fail={"path": answering(call), "status": 200, "body": body})
    post(bo, bo.csrf_token(), call, how)
    eventually(lambda: decisions(late, call) == [("failed", "no answer")])
    recorded = words(bo.reads(HISTORY))
    assert "Failed: The gateway did not say whether your answer arrived" in recorded
    assert "look again in a moment" not in recorded  # that was good for the moment
    if how == "confirm":  # which nobody waited for: the item says it, to everybody, for as long as it waits
        panels = [words(who.gets(f"/confirmations/{call}/", headers={"HX-Request": "true"}).text) for who in (bo, ana)]
        assert "Your approval may not have arrived. The gateway did not say whether" in panels[0]
        assert "Bo Adler (admin@example.com) approved this, and it is not known whether that arrived." in panels[1]
        assert "Approved by you, not known to have arrived" in words(bo.gets(f"/confirmations/{call}/row/").text)


def test_an_answer_whose_record_still_says_that_nobody_answered_is_not_known_to_have_arrived(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="not written")
    trouble.dial(record_lag=30)
    try:
        page = bo.posts(f"/confirmations/{call}/reject/", reason="no")
    finally:
        trouble.dial(record_lag=0)
    assert "whether your answer arrived is not known" in words(page.text)
    assert decisions(late, call) == [("failed", "rejected")]


def loses(gateway: Embedded, call: str) -> None:
    """As a gateway that stops after it took an answer, before it wrote that down."""
    gateway.dial(forget_holds=True, drop_streams=True, fail=None)
    assert gateway.report()["held"] == []


UNRECORDED = "(the gateway took this answer and has no record of it)"


@pytest.mark.parametrize(
    ("how", "ended", "said"), [("confirm", "Approved", "confirmed"), ("reject", "Rejected", "rejected")]
)
def test_an_answer_that_the_gateway_took_and_lost_the_record_of_is_told_as_it_was_given(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded, how: str, ended: str, said: str
) -> None:
    trouble.dial(record_lag=30)
    call = held(trouble, ANA, "delete_file", agent="File manager", path="taken", how=how)
    trouble.dial(fail={"path": answering(call), "delay": 1.0})
    with live_page(bo) as his, ThreadPoolExecutor(1) as hand:
        posted = hand.submit(bo.posts, f"/confirmations/{call}/{how}/", reason="thought over")
        eventually(lambda: sent(trouble, call) == 1)
        trouble.dial(fail={"path": answering(call).removesuffix("/respond"), "status": 503, "times": 99})
        posted.result()
        eventually(lambda: decisions(late, call) == [(ended.lower(), said)])
        loses(trouble, call)
        his.reads(call, f"{ended} by you: thought over {UNRECORDED}")
    trouble.dial(record_lag=0)
    mine, hers = (words(who.reads(f"/confirmations/{call}/")) for who in (bo, ana))
    assert f"{ended} by you: thought over {UNRECORDED}" in mine
    assert f"{ended} by Bo Adler (admin@example.com): thought over {UNRECORDED}" in hers
    for page in (mine, hers):
        assert "nothing can run" not in page and "cannot be approved any more" not in page
    bo.posts(f"/confirmations/{call}/confirm/", page="/confirmations/")
    eventually(lambda: ("already resolved", "") in decisions(late, call))
    assert sent(trouble, call) == 1


def test_a_call_that_was_lost_after_an_approval_may_have_arrived_is_not_said_to_be_unable_to_run(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded
) -> None:
    trouble.dial(record_lag=30)
    call = held(trouble, ANA, "delete_perhaps", agent="File manager")
    with live_page(ana) as hers:
        bo.posts(f"/confirmations/{call}/confirm/", reason="go on")
        eventually(lambda: decisions(late, call) == [("failed", "confirmed")])
        loses(trouble, call)
        hers.reads(call, "The approval by Bo Adler (admin@example.com) may have arrived, so it may have run")
    trouble.dial(record_lag=0)
    for page in (
        words(who.reads(path))
        for who in (bo, ana)
        for path in (f"/confirmations/{call}/", f"{HISTORY}?tool=delete_perhaps")
    ):
        assert "it no longer holds this call, and has no answer on record" in page
        assert "so nothing can run" not in page


REFUSED = {  # how a gateway refuses an answer without saying what it made of the call
    "not known": {"status": 404, "body": {"error": "Confirmation request not found"}},
    "resolved": {"status": 409, "body": {"error": "Confirmation already resolved"}},
}


@pytest.mark.parametrize("how", ["confirm", "reject"])
@pytest.mark.parametrize("refused", REFUSED)
def test_an_answer_that_the_gateway_refused_is_not_said_to_have_been_taken_or_never_sent(
    late: Portico, bo: Visitor, trouble: Embedded, how: str, refused: str
) -> None:
    tool = f"refused_{refused.replace(' ', '_')}_{how}"
    call = held(trouble, ANA, tool, agent="File manager")
    trouble.dial(fail={"path": answering(call), **REFUSED[refused]})
    there = bo.posts(f"/confirmations/{call}/{how}/", reason="thought over").text
    eventually(lambda: len(outcomes(late, call)) == 1)
    said = outcomes(late, call) + [words(there)] * (how == "reject")
    for sentence in said:
        assert {
            "not known": "The gateway did not take your answer, since it says that it does not know this call",
            "resolved": "The gateway says that this call was already resolved, and does not say how",
        }[refused] in sentence
        assert "said that it took" not in sentence and "before it was sent" not in sentence
    resolved_elsewhere(trouble, ANA, call, how)
    history = words(bo.reads(f"{HISTORY}?tool={tool}"))
    assert "Answered outside Portico." in history
    assert "never heard what became of it" not in history


@pytest.mark.parametrize("how", ["confirm", "reject"])
@pytest.mark.parametrize("refused", REFUSED)
def test_an_answer_that_was_refused_because_another_came_first_is_told_as_that(
    late: Portico, bo: Visitor, trouble: Embedded, how: str, refused: str
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", first=refused, how=how)
    trouble.dial(fail={"path": answering(call), "delay": 1.0, **REFUSED[refused]})
    with ThreadPoolExecutor(1) as hand:
        posted = hand.submit(bo.posts, f"/confirmations/{call}/{how}/", reason="thought over")
        eventually(lambda: sent(trouble, call) == 1)
        resolved_elsewhere(trouble, ANA, call, "reject", reason="by another program")
        posted.result()
    eventually(lambda: len(outcomes(late, call)) == 1)
    [outcome] = outcomes(late, call)
    assert outcome.startswith("already resolved: Rejected by Ana Lima") and "by another program" in outcome
    assert "Cannot be sure" not in shown(bo, call)


ODD = {  # which no gateway should answer, after it may have acted
    "an agent's failure": {"status": 502, "body": {"code": "INVOKE_FAILED", "message": "fetch failed"}},
    "an agent's own error": {"status": 401, "body": {"code": "RUNTIME_ERROR", "details": "no"}},
    "credentials": {"status": 401, "body": {"code": "CREDENTIALS_REQUIRED", "missing": ["github"]}},
    "a status of its own": {"status": 418, "body": {"error": "I am something else"}},
}


@pytest.mark.parametrize("odd", ODD)
def test_whatever_a_gateway_says_to_an_answer_that_may_have_arrived_it_is_not_said_to_be_unsent(
    late: Portico, bo: Visitor, trouble: Embedded, odd: str
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", answered_with=odd)
    trouble.dial(fail={"path": answering(call), **ODD[odd]})
    bo.posts(f"/confirmations/{call}/confirm/")
    eventually(lambda: decisions(late, call) == [("failed", "no answer")])
    assert "The gateway did not say whether your answer arrived." in shown(bo, call)


@pytest.mark.parametrize("changed", [{"arguments": {"path": "/"}}, {"tool": "delete_all"}, {"risk": "critical"}])
def test_an_approval_of_a_call_that_changed_meanwhile_is_not_sent(
    late: Portico, bo: Visitor, ana: Visitor, trouble: Embedded, changed: dict[str, object]
) -> None:
    call = held(trouble, ANA, "delete_file", agent="File manager", path="as it was")
    bo.posts(f"/confirmations/{call}/confirm/", reason="go on")
    trouble.dial(call={"id": call, **changed})
    why = "cancelled before it was sent: the call changed after it was approved"
    eventually(lambda: outcomes(late, call) == [why])
    assert f"Your approval was {why}." in shown(bo, call)
    assert f"Bo Adler (admin@example.com)'s approval was {why}." in shown(ana, call)
    assert sent(trouble, call) == 0


def test_a_call_that_was_lost_after_somebody_had_answered_it_is_not_said_to_be_unable_to_run(
    late: Portico, bo: Visitor, trouble: Embedded
) -> None:
    call = held(trouble, ANA, "delete_answered", agent="File manager")
    trouble.dial(fail={"path": answering(call), "status": 409, "body": {"error": "Resolved", "status": "confirmed"}})
    bo.posts(f"/confirmations/{call}/confirm/")
    eventually(lambda: decisions(late, call) == [("already resolved", "already resolved")])
    loses(trouble, call)
    for page in (shown(bo, call), words(bo.reads(f"{HISTORY}?tool=delete_answered"))):
        assert "it no longer holds this call, and has no answer on record" in page
        assert "nothing can run" not in page


def outcomes(portico: Portico, call: str) -> list[str]:
    question = "SELECT outcome FROM confirmations_decision WHERE confirmation_id = ?"
    with closing(database(portico)) as rows:
        return [row[0] for row in rows.execute(question, [call])]


# What is told apart below the pages


@pytest.fixture
def bea(db: None) -> User:
    return User.objects.refresh("http://gateway.example", Person("u1", "bea@example.com", "Bea", "acme", ()))


@pytest.mark.django_db
def test_an_answer_of_a_living_process_may_take_its_time() -> None:
    with turns.alone("http://gateway.example", "call-1") as turn:
        Answering.objects.update(since=timezone.now() - timedelta(hours=1))
        turns.bury_dead()
        assert Answering.objects.filter(pk=turn).exists()
        assert turns.is_being_answered("http://gateway.example", "call-1")
    assert not turns.is_being_answered("http://gateway.example", "call-1")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.django_db
def test_a_process_on_this_machine_is_gone_when_the_system_says_so(other: subprocess.Popen[bytes]) -> None:
    mine = processes.this_process()
    assert not processes.is_gone(mine)
    row = Process(pk="other", place=mine.place, pid=other.pid)
    assert not processes.is_gone(row)
    assert processes.is_gone(Process(pk="same id", place=mine.place, pid=other.pid, born="long ago"))
    assert not processes.is_gone(Process(pk="elsewhere", place="another machine", pid=other.pid, born="long ago"))
    row.born = "1"
    other.kill()
    eventually(lambda: processes.is_gone(row))  # though nobody has reaped it


@pytest.mark.django_db
def test_a_process_elsewhere_is_given_up_when_its_beats_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SILENT", 1.0)
    row = Process.objects.create(pk="elsewhere", place="another machine", pid=1)

    def is_silent() -> bool:
        processes.listen()
        return processes.is_silent(row)

    assert not is_silent()
    eventually(is_silent)
    processes.forget_heard()  # as when the database was away
    assert not is_silent()
    eventually(is_silent)
    Process.objects.filter(pk=row.pk).update(beats=1)
    assert not is_silent()


@pytest.mark.django_db
def test_a_process_that_had_nothing_in_hand_is_heard_of_before_it_has() -> None:
    mine = processes.this_process()
    for _ in range(2):
        processes.beat()
    beats = Process.objects.get(pk=mine.pk).beats
    assert beats >= 2
    Process.objects.all().delete()  # somebody took this process for silent, as while its machine slept
    processes.beat()
    assert Process.objects.filter(pk=mine.pk).exists()


@pytest.mark.django_db
def test_what_lives_on_this_machine_is_not_given_up_for_its_silence(
    monkeypatch: pytest.MonkeyPatch, other: subprocess.Popen[bytes]
) -> None:
    monkeypatch.setattr(processes, "SILENT", 0.2)
    place = processes.this_process().place
    Process.objects.create(pk="here", place=place, pid=other.pid)
    Process.objects.create(pk="elsewhere", place="another machine", pid=other.pid)

    def state_of(process: str) -> str:
        processes.listen()
        return processes.states_of([process])[process]

    processes.listen()
    eventually(lambda: state_of("elsewhere") == "silent")
    assert state_of("here") == "alive"
    assert state_of("never seen") == "gone"


@pytest.mark.django_db
def test_approvals_that_a_process_on_this_machine_has_in_hand_are_not_given_up_for_its_silence(
    monkeypatch: pytest.MonkeyPatch, bea: User, other: subprocess.Popen[bytes]
) -> None:
    monkeypatch.setattr(processes, "SILENT", 0.2)
    processes.forget_heard()
    here = Process.objects.create(pk="here", place=processes.this_process().place, pid=other.pid)
    elsewhere = Process.objects.create(pk="elsewhere", place="another machine", pid=other.pid)
    for number, process in enumerate((here, elsewhere)):
        old(bea, Hold.State.WAITING, number, process=process)
        call = {"gateway": bea.gateway, "confirmation_id": f"answered {number}"}
        Answering.objects.create(**call, process=process, since=timezone.now())

    def left() -> list[Hold]:
        processes.listen()
        return [hold for hold, _ in holds.left()]

    assert left() == []
    eventually(lambda: [hold.process for hold in left()] == [elsewhere])
    turns.bury_dead()
    assert [turn.process for turn in Answering.objects.all()] == [here]
    other.kill()
    other.wait()
    eventually(lambda: len(left()) == 2)
    turns.bury_dead()
    assert not Answering.objects.exists()


def old(user: User, state: Hold.State, days: int, **facts: object) -> Hold:
    ended = Now() - timedelta(days=days)
    return Hold.objects.create(
        gateway=user.gateway,
        confirmation_id=f"call {Hold.objects.count()}",
        user=user,
        tool="delete_file",
        state=state,
        sends_at=ended,
        ended_at=None if state in Hold.OPEN else ended,
        **facts,
    )


def test_an_approval_is_sent_though_the_database_did_not_say_that_it_is_being_sent(bea: User) -> None:
    session = SessionStore()
    session[KEPT_AT] = {"token": "sealed"}
    session.save()
    kept = GatewaySession("token", "acme", (), None, 0.0)
    by = Answerer(bea, Identity.of(bea, kept), kept, session)
    call = Evidence("call 0", "delete_file", "a" * 64, "high", "", "", "u2", "acme")
    hold = old(bea, Hold.State.WAITING, 0, call=asdict(call))
    assert [holds.begin_sending(by, hold) for _ in range(2)] == [True, True]
    holds.bury(Hold.objects.get(pk=hold.pk), "its process died")
    assert not holds.begin_sending(by, hold)


def test_what_nobody_reads_any_more_is_forgotten(bea: User) -> None:
    State = Hold.State
    kept = [
        old(bea, State.WAITING, 40),
        old(bea, State.SENT, 0),
        old(bea, State.CANCELLED, 2, why="Bea was signed out"),  # she has not read it
    ]
    for state, days, is_told, why in (
        (State.SENT, 2, False, ""),
        (State.CANCELLED, 2, True, "read"),
        (State.CANCELLED, 40, False, "never read"),
    ):
        old(bea, state, days, is_told=is_told, why=why)
    for number, age in enumerate((0, 2)):
        first = FirstApproval.objects.create(gateway=bea.gateway, confirmation_id=f"call {number}", user=bea)
        FirstApproval.objects.filter(pk=first.pk).update(at=timezone.now() - timedelta(days=age))
    holds.purge()
    assert list(Hold.objects.order_by("pk")) == kept
    assert [first.confirmation_id for first in FirstApproval.objects.all()] == ["call 0"]
