"""An approval is kept for a moment before it is sent: what takes it back, and that it is never sent twice or late."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Timer

import pytest
from django.db.models.functions import Now
from django.template import Context
from pytest_django import Settings

from accounts import processes
from accounts.models import User
from confirmations.items import Names, item_of
from confirmations.models import FirstApproval, Hold
from confirmations.standing import HOLD as KIND
from confirmations.standing import standings
from confirmations.templatetags.answering import May, what_is_possible
from gateway import Confirmation, Person
from tests.embedded import Embedded
from tests.portico import BOTH, ROOT, Portico, Visitor
from tests.servers import postgres_server, redis_server
from tests.stories.approving import ANA, BO, GIL, Arriving, arrivals, arrived, held, live_page, words
from tests.stories.following import eventually

HOLD = 1.5  # seconds


@pytest.fixture(scope="module")
def holding(gateway: Embedded) -> Iterator[Portico]:
    server = Portico(gateway.url, APPROVAL_HOLD=str(HOLD)).start()
    yield server
    server.close()


@pytest.fixture
def come(holding: Portico) -> Iterator[Arriving]:
    with arrivals(holding) as arrive:
        yield arrive


def sent(gateway: Embedded, call: str) -> int:
    """How many answers to this call the gateway received."""
    return sum(call in one["path"] and one["method"] == "POST" for one in gateway.received())


def shown(visitor: Visitor, call: str) -> str:
    return words(visitor.reads(f"/confirmations/{call}/"))


def test_an_approval_can_be_cancelled_by_whoever_gave_it(come: Arriving, gateway: Embedded) -> None:
    bo, ana, gil = come(BO), come(ANA), come(GIL)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="a.txt")
    with live_page(ana) as hers:
        page = bo.posts(f"/confirmations/{call}/confirm/", reason="fine")
        assert page.url.endswith(f"/confirmations/{call}/")
        assert "It is sent in 1.5 seconds, unless you cancel it" in words(page.text)
        hers.reads(call, "Approved by Bo Adler (admin@example.com), about to be sent")
        refused = ana.posts(f"/confirmations/{call}/cancel/")
        assert refused.status_code == 403 and "Only Bo Adler (admin@example.com) can cancel this approval" in words(
            refused.text
        )
        stranger = gil.posts(f"/confirmations/{call}/cancel/")
        assert stranger.status_code == 403 and "Bo" not in words(stranger.text)
        again = bo.posts(f"/confirmations/{call}/confirm/")
        assert "You have approved this already" in words(again.text)
        cancelled = bo.posts(f"/confirmations/{call}/cancel/")
        assert "your approval of delete_file was not sent" in words(cancelled.text)
        assert "Your approval was cancelled before it was sent: Bo Adler (admin@example.com) took it back" in words(
            cancelled.text
        )
        hers.reads(call, "not sent. Bo Adler (admin@example.com) took it back")
    late = bo.posts(f"/confirmations/{call}/cancel/")
    assert late.status_code == 409 and "no approval to cancel" in words(late.text)
    assert sent(gateway, call) == 0
    assert "ancelled before it was sent: Bo Adler (admin@example.com) took it back" in words(
        bo.reads("/confirmations/history/")
    )


def test_an_approval_of_a_call_that_the_gateway_lost_meanwhile_is_not_sent(come: Arriving, gateway: Embedded) -> None:
    bo = come(BO)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="a.txt")
    bo.posts(f"/confirmations/{call}/confirm/")
    gateway.dial(forget_holds=True)
    eventually(lambda: "cancelled before it was sent: Lost by the gateway" in shown(bo, call))
    assert sent(gateway, call) == 0


def test_an_approval_is_sent_once_when_its_time_comes(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="b.txt")
    with live_page(ana) as hers:
        given = time.monotonic()
        bo.posts(f"/confirmations/{call}/confirm/", reason="fine")
        hers.reads(call, "Approved by Bo Adler (admin@example.com): fine")
        assert time.monotonic() - given >= HOLD
    report = gateway.report()
    assert call in report["ran"] and report["reasons"][call] == "fine" and sent(gateway, call) == 1
    assert "Approved by you: fine" in shown(bo, call)


def test_a_rejection_by_anyone_wins_over_an_approval_that_is_kept(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="c.txt")
    bo.posts(f"/confirmations/{call}/confirm/")
    assert (
        "Bo Adler (admin@example.com) approved this. Until it is sent, a rejection by anyone still stops it"
        in shown(ana, call)
    )
    unreasoned = ana.posts(f"/confirmations/{call}/reject/", reason=" ")
    assert "a reason is needed to reject" in unreasoned.text and "Bo Adler (admin@example.com) approved this." in words(
        unreasoned.text
    )
    assert "Rejected: delete_file" in words(ana.posts(f"/confirmations/{call}/reject/", reason="no").text)
    told = shown(bo, call)
    assert "Rejected by Ana Lima (user@example.com), who asked for it: no" in told
    assert (
        "Your approval of delete_file was cancelled before it was sent: Ana Lima (user@example.com) rejected the call"
        in told
    )
    assert "cancelled before" not in words(bo.reads("/confirmations/"))  # told once
    lasting = "Your approval was cancelled before it was sent: Ana Lima (user@example.com) rejected the call."
    assert lasting in shown(bo, call) and "Your approval" not in shown(ana, call)
    assert gateway.report()["answers"][call] == "reject" and sent(gateway, call) == 1


def test_a_claim_shields_no_approval_that_is_kept(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="claimed.txt")
    bo.posts(f"/confirmations/{call}/claim/")
    refused = ana.posts(f"/confirmations/{call}/reject/", reason="no")
    assert refused.status_code == 409 and "Bo Adler (admin@example.com) is looking into this" in words(refused.text)
    bo.posts(f"/confirmations/{call}/confirm/")
    page = ana.reads(f"/confirmations/{call}/")
    assert "a rejection by anyone still stops it" in words(page)
    assert re.search('data-give="reject">Reject', page) and re.search('data-give="approve" disabled', page)
    assert "Rejected: delete_file" in words(ana.posts(f"/confirmations/{call}/reject/", reason="no").text)
    assert gateway.report()["answers"][call] == "reject" and sent(gateway, call) == 1


def test_the_end_of_the_session_takes_an_approval_back(come: Arriving, gateway: Embedded) -> None:
    bo, other_browser = come(BO), come(BO)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="d.txt")
    with live_page(other_browser) as page:
        bo.posts(f"/confirmations/{call}/confirm/")
        bo.posts("/logout/")
        page.reads(call, "not sent. The session that it was given in ended")
    assert "the session that it was given in ended" in shown(other_browser, call)
    assert sent(gateway, call) == 0


@pytest.mark.django_db
def test_of_several_approvals_that_were_kept_the_last_one_counts() -> None:
    """The one before was cancelled; whether this one arrived nobody said, and so the call still waits."""
    bea = User.objects.refresh("http://gateway.example", Person("u1", "bea@example.com", "Bea", "acme", ()))
    call = Confirmation("call-1", "delete_file", {}, "high", datetime(2026, 3, 1, tzinfo=UTC), "u2")
    facts = {"gateway": bea.gateway, "confirmation_id": call.id, "user": bea, "tool": call.tool, "sends_at": Now()}
    Hold.objects.create(**facts, state=Hold.State.CANCELLED, why="Bea took it back")
    assert standings(bea.gateway, [call])[call.id].hold is not None
    Hold.objects.create(**facts, state=Hold.State.SENT, why="The gateway did not say whether it arrived")
    last = standings(bea.gateway, [call])[call.id].hold
    assert last is not None and last.state == "unknown"
    Hold.objects.create(**facts, state=Hold.State.SENT)
    assert standings(bea.gateway, [call]) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("state", [Hold.State.WAITING, Hold.State.SENDING])
def test_the_first_of_two_approvals_is_not_offered_back_once_the_second_one_is_on_its_way(
    settings: Settings, state: Hold.State
) -> None:
    settings.APPROVAL_TWO_PEOPLE = ["high"]
    bea, cem = (
        User.objects.refresh("http://gateway.example", Person(name, f"{name}@example.com", name, "acme", ()))
        for name in ("Bea", "Cem")
    )
    call = Confirmation("call-1", "delete_file", {}, "high", datetime(2026, 3, 1, tzinfo=UTC), "u2")
    now = datetime(2026, 3, 1, tzinfo=UTC)

    def may(user: User) -> May:
        standing = standings(bea.gateway, [call])[call.id]
        item = item_of(call, Names(), limit=300, now=now, standing=standing)
        return what_is_possible(Context({"user": user}), item)

    facts = {"gateway": bea.gateway, "confirmation_id": call.id}
    FirstApproval.objects.create(**facts, user=bea)
    assert may(bea).cancel and may(bea).is_first and not may(cem).cancel
    with processes.in_hand(KIND, *facts.values()):
        Hold.objects.create(
            **facts, user=cem, tool=call.tool, state=state, sends_at=Now(), process=processes.this_process()
        )
        assert not may(bea).cancel and not any("another person" in note for note in may(bea).notes)
        assert may(cem).cancel == (state == Hold.State.WAITING) and not may(cem).is_first


@pytest.fixture
def odd_name(gateway: Embedded) -> Iterator[str]:
    """Bo's, as one reads it."""
    gateway.dial(person={"email": BO, "name": "Bo \u202eAdler"})
    yield f"Bo ⟨U+202E⟩Adler ({BO})"
    gateway.dial(person={"email": BO, "name": "Bo Adler"})


@pytest.mark.parametrize("pair", BOTH, indirect=True, scope="session")
def test_what_hides_in_a_name_is_shown_wherever_it_stands(come: Arriving, gateway: Embedded, odd_name: str) -> None:
    bo, ana = come(BO), come(ANA)
    call = held(gateway, ANA, "delete_file", agent="File manager", path="odd.txt")
    with live_page(ana) as hers:
        bo.posts(f"/confirmations/{call}/claim/")
        hers.reads(call, f"{odd_name} looks into it")
        refused = words(ana.posts(f"/confirmations/{call}/confirm/").text)
        assert refused.count(f"{odd_name} is looking into this") == 2  # the refusal, and how the call stands
        bo.posts(f"/confirmations/{call}/release/")
        bo.posts(f"/confirmations/{call}/confirm/")
        hers.reads(call, f"Approved by {odd_name}, about to be sent")
        assert f"{odd_name} has approved this already" in words(ana.posts(f"/confirmations/{call}/confirm/").text)
        assert f"Only {odd_name} can cancel" in words(ana.posts(f"/confirmations/{call}/cancel/").text)
        told = bo.posts(f"/confirmations/{call}/cancel/").text
        assert f"was cancelled before it was sent: {odd_name} took it back" in words(told)
        hers.reads(call, f"not sent. {odd_name} took it back")
    ana.posts(f"/confirmations/{call}/confirm/")
    assert "Rejected: delete_file" in words(bo.posts(f"/confirmations/{call}/reject/", reason="no").text)
    assert f"was cancelled before it was sent: {odd_name} rejected the call" in shown(ana, call)


@pytest.mark.soak
@pytest.mark.parametrize("pair", BOTH, indirect=True, scope="session")
def test_answers_at_the_last_moment_leave_one_story(come: Arriving, gateway: Embedded) -> None:
    bo, ana = come(BO), come(ANA)
    tokens = bo.csrf_token(), ana.csrf_token()
    for early in (0.1, 0.05, 0.02, 0.0, -0.02):  # seconds before the approval is sent
        for who, token, how in ((ana, tokens[1], "reject"), (bo, tokens[0], "cancel")):
            call = held(gateway, ANA, "delete_file", agent="File manager", path=f"{how} {early}")
            bo.posts(f"/confirmations/{call}/confirm/")
            at = Timer(HOLD - early, post, [who, token, call, how])
            at.start()
            at.join()
            eventually(lambda call=call: "about to be" not in shown(ana, call))  # type: ignore[misc]
            eventually(lambda call=call: "being sent" not in shown(ana, call))  # type: ignore[misc]
            answer = gateway.report()["answers"].get(call)
            assert sent(gateway, call) == (1 if answer else 0)
            assert (call in gateway.report()["ran"]) == (answer == "confirm")
            said = {"confirm": "Approved by Bo Adler", "reject": "Rejected by you", None: "took it back"}[answer]
            assert said in shown(ana, call)


def post(visitor: Visitor, token: str, call: str, how: str) -> None:
    visitor.session.post(
        f"{visitor.portico.url}/confirmations/{call}/{how}/",
        data={"csrfmiddlewaretoken": token, "reason": "at the last moment"},
        headers={"Referer": visitor.portico.url + "/confirmations/"},
        timeout=20,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_approval_dies_with_the_process_that_kept_it(own_gateway: Embedded, how: signal.Signals) -> None:
    portico = Portico(own_gateway.url, APPROVAL_HOLD="3").start()
    bo = arrived(portico, BO)
    call = held(own_gateway, ANA, "delete_file", agent="File manager", path="e.txt")
    bo.posts(f"/confirmations/{call}/confirm/")
    portico.stop(how)
    portico.environment["CONFIRMATION_LIMIT"] = "14"
    portico.start()
    why = "the process of Portico that kept it died" if how == signal.SIGKILL else "Portico was stopped"
    eventually(lambda: f"Your approval was cancelled before it was sent: {why}" in shown(bo, call))
    eventually(lambda: why in words(bo.reads("/confirmations/history/")))  # written by the next look at the holds
    assert sent(own_gateway, call) == 0
    # With less than 15 seconds left there is no time to keep anything.
    assert "Approved: delete_file" in words(bo.posts(f"/confirmations/{call}/confirm/").text)
    assert call in own_gateway.report()["ran"] and sent(own_gateway, call) == 1
    bo.session.close()
    portico.close()


def test_two_processes_keep_one_story(own_gateway: Embedded) -> None:
    with redis_server() as redis_url, postgres_server() as database_url:
        settings = {"REDIS_URL": redis_url, "DATABASE_URL": database_url, "APPROVAL_HOLD": "1"}
        first, second = (Portico(own_gateway.url, **settings) for _ in range(2))
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=first.environment, check=True)
        first.start()
        second.start()
        bo, ana = arrived(first, BO), arrived(second, ANA)
        tokens = bo.csrf_token(), ana.csrf_token()
        with live_page(ana) as hers:
            for number in range(4):
                call = held(own_gateway, ANA, "delete_file", agent="File manager", path=str(number))
                with ThreadPoolExecutor(2) as people:
                    people.submit(post, bo, tokens[0], call, "confirm")
                    people.submit(post, ana, tokens[1], call, "reject")
                hers.reads(call, "Rejected by you: at the last moment")
                assert own_gateway.report()["answers"][call] == "reject" and sent(own_gateway, call) == 1
            call = held(own_gateway, ANA, "delete_file", agent="File manager", path="sent")
            bo.posts(f"/confirmations/{call}/confirm/", reason="fine")
            hers.reads(call, "about to be sent")
            hers.reads(call, "Approved by Bo Adler (admin@example.com): fine")
            assert sent(own_gateway, call) == 1
            call = held(own_gateway, ANA, "delete_file", agent="File manager", path="killed")
            bo.posts(f"/confirmations/{call}/confirm/")
            first.kill()
            hers.reads(call, "not sent. The process of Portico that kept it died", 10)
            assert sent(own_gateway, call) == 0
        for visitor in (bo, ana):
            visitor.session.close()
        first.close()
        second.close()
