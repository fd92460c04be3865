"""What became of an approval stays on the step that asked for it: live, after a reload, and in what is taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ag_ui.core import SubagentStartedEvent, ToolCallStartEvent
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from agents import approvals, pages, pieces, readable
from agents.answer import Answer
from agents.approvals import Ended
from agents.left import left_behind
from agents.models import Approval, Conversation, Message, Run
from agents.transcript import tool_part
from confirmations.endings import tell_record
from confirmations.items import Names
from embedded import ids
from gateway import Confirmation, clock
from gateway.canonical import fingerprint
from gateway.types import Person
from tests.embedded import Embedded
from tests.portico import Visitor
from tests.stories.approving import ANA, BO, held, live_page, resolved_elsewhere
from tests.stories.following import eventually, plain, transcript, watched
from tests.stories.test_chat import ask

Arrive = Callable[..., Visitor]
A_TIME = r"\d\d:\d\d"


def asks_for_an_approval(ana: Visitor, gateway: Embedded, file: str) -> tuple[str, str, str]:
    """(path of the conversation, run, call that waits)."""
    before = set(gateway.report()["held"])
    path, run = ask(ana, ids.FILE_MANAGER, f"please throw away {file}")
    eventually(lambda: len(gateway.report()["held"]) > len(before))
    [call] = set(gateway.report()["held"]) - before
    return path, run, call


def decides(who: Visitor, call: str, how: str, reason: str = "") -> None:
    item = f"/confirmations/{call}/"
    assert who.posts(f"{item}{how}/", page=item, reason=reason, tool_name="delete_file").status_code == 200


def everywhere(ana: Visitor, path: str) -> list[str]:
    return [transcript(ana.reads(path)), ana.reads(f"{path}export.md")]


def test_an_approval_stays_on_its_step_with_who_gave_it_and_when(ana: Visitor, gateway: Embedded) -> None:
    path, run, call = asks_for_an_approval(ana, gateway, "budget.xlsx")
    decides(ana, call, "confirm")
    assert "Done" in watched(ana, run)[0]
    eventually(lambda: bool(re.search(rf"Approved by you, {A_TIME}", transcript(ana.reads(path)))))
    assert re.search(f'<a href="/confirmations/{call}/" [^>]*>Approved by you, ', ana.reads(path))
    assert re.search(r"\*Approved by you, \d{4}-\d\d-\d\d \d\d:\d\d UTC\*", ana.reads(f"{path}export.md"))
    [answer] = json.loads(ana.reads(f"{path}export.json"))["messages"][0]["answers"]
    [kept] = answer["approvals"]
    assert (kept["confirmation"], kept["state"], kept["by"]["name"]) == (call, "approved", f"Ana Lima ({ANA})")
    assert kept["call"] in {part.get("id") for part in answer["parts"]}


def test_a_rejection_stays_with_the_name_and_the_reason_of_whoever_gave_it(
    ana: Visitor, visitor: Arrive, gateway: Embedded
) -> None:
    path, run, call = asks_for_an_approval(ana, gateway, "report.pdf")
    decides(visitor(BO), call, "reject", "still <b>needed</b>")
    watched(ana, run)
    told = rf"Rejected by Bo Adler \({BO}\), {A_TIME}: still <b>needed</b>"
    eventually(lambda: bool(re.search(told, transcript(ana.reads(path)))))
    assert "still <b>" not in ana.reads(path)
    exported = ana.reads(f"{path}export.md")
    assert f"*Rejected by Bo Adler ({BO}), " in exported
    assert "Tool call `delete_file` (rejected)" in exported


def test_an_approval_that_was_given_outside_of_portico_stays_as_well(ana: Visitor, gateway: Embedded) -> None:
    path, _, call = asks_for_an_approval(ana, gateway, "report.pdf")
    with live_page(ana) as page:
        page.sees(lambda page: call in page.items)
        resolved_elsewhere(gateway, ANA, call, "reject", reason="by another program")
        page.reads(call, "by another program")
    eventually(lambda: "Rejected by you, " in transcript(ana.reads(path)))
    assert "by another program" in transcript(ana.reads(path))


def test_a_call_that_went_with_its_answer_says_so_on_its_step(ana: Visitor, gateway: Embedded) -> None:
    path, run, call = asks_for_an_approval(ana, gateway, "report.pdf")
    with live_page(ana) as page:
        ana.posts(f"/runs/{run}/cancel/", page=path)
        page.sees(lambda page: bool(page.news))  # and the page brings it
    for shown in everywhere(ana, path):
        assert re.search(r"Stopped, .*: the answer that asked for it was stopped", shown)
        assert "ejected" not in shown
    assert "(stopped)" in ana.reads(f"{path}export.md")
    assert f'data-approval="{call}"' in ana.reads(path)


def test_a_step_reads_rejected_whatever_its_agent_makes_of_it(ana: Visitor, gateway: Embedded) -> None:
    path, run = ask(ana, ids.SHOWCASE, "use a tool")
    assert "Done" in watched(ana, run)[0]
    arguments = {"what": "bridges, islands and how to cross them", "place": "Königsberg"}
    call = held(gateway, ANA, "look_up", agent="Showcase", **arguments)
    decides(ana, call, "reject", "not there")
    shown = transcript(ana.reads(path))
    assert re.search(rf"Rejected .*Rejected by you, {A_TIME}: not there", shown)
    assert "Done" not in shown


def test_a_call_that_nobody_answered_reads_timed_out(ana: Visitor, gateway: Embedded) -> None:
    path, run = ask(ana, ids.SHOWCASE, "use a tool")
    watched(ana, run)
    arguments = {"what": "bridges, islands and how to cross them", "place": "Königsberg"}
    with live_page(ana) as page:
        gateway.dial(hold_limit=0.5)
        call = held(gateway, ANA, "look_up", agent="Showcase", **arguments)
        gateway.dial(hold_limit=300)
        page.reads(call, "Timed out", 8)
    eventually(lambda: "nobody answered in time" in transcript(ana.reads(path)))
    shown = transcript(ana.reads(path))
    assert re.search(rf"Timed out .*Timed out, {A_TIME}: nobody answered in time", shown)
    assert "Done" not in shown


def test_what_ended_while_nobody_looked_is_found_out_and_said(ana: Visitor, gateway: Embedded) -> None:
    gateway.dial(hold_limit=0.6)
    path, run, _ = asks_for_an_approval(ana, gateway, "report.pdf")
    assert "Timed out" in watched(ana, run)[0]
    gateway.dial(hold_limit=300)
    timed_out = rf"Timed out, {A_TIME}: nobody answered in time"
    eventually(lambda: bool(re.search(timed_out, transcript(ana.reads(path)))))


# -- below the pages ----------------------------------------------------------------------------------------------


@pytest.fixture
def bea() -> User:
    return User.objects.refresh("http://gateway.example", Person("u1", "bea@example.com", "Bea", "acme", ()))


def a_run(user: User, *arguments: dict[str, Any], status: Run.Status = Run.Status.RUNNING) -> Run:
    conversation = Conversation.objects.create(user=user, agent_id="a1", agent_name="Agent", title="t")
    message = Message.objects.create(conversation=conversation, text="go on")
    parts = [
        {**tool_part(f"call-{number}", "wipe"), "arguments": json.dumps(one)} for number, one in enumerate(arguments)
    ]
    return Run.objects.create(message=message, parts=parts, status=status)


def ended(confirmation: str, arguments: dict[str, Any], state: str = "approved", **more: Any) -> Ended:
    now = datetime.now(UTC)
    facts = {"agent_id": "a1", "end_user": "u1", "asked_at": now, "at": now, "who": "u1", **more}
    return Ended("http://gateway.example", confirmation, "wipe", fingerprint(arguments), state=state, **facts)


@pytest.mark.django_db(transaction=True)
def test_each_of_two_calls_that_are_alike_has_an_end_of_its_own(bea: User) -> None:
    run = a_run(bea, {"n": 1}, {"n": 1})
    approvals.keep(ended("c1", {"n": 1}), is_first_hand=True)
    approvals.keep(ended("c2", {"n": 1}, "rejected", reason="tw\0ice \ud83d"), is_first_hand=True)
    approvals.keep(ended("c2", {"n": 1}, "approved"), is_first_hand=False)  # a record that is read late changes nothing
    found = approvals.of_runs([run.id])[run.id]
    assert found["call-1"].reason == "tw\ufffdice \ufffd"  # which every database takes
    assert [(step, one.state) for step, one in sorted(found.items())] == [
        ("call-0", "approved"),
        ("call-1", "rejected"),
    ]


@pytest.mark.django_db(transaction=True)
def test_an_end_is_never_put_on_somebody_elses_call_nor_on_one_of_another_time_or_agent(bea: User) -> None:
    other = User.objects.refresh("http://gateway.example", Person("u2", "al@example.com", "Al", "acme", ()))
    run = a_run(other, {"n": 1})
    mine = a_run(bea, {"n": 1}, status=Run.Status.FINISHED)
    now = datetime.now(UTC)
    Run.objects.filter(id=mine.id).update(ended_at=now - timedelta(minutes=5), created_at=now - timedelta(minutes=6))
    elsewhere = a_run(bea, {"n": 1})
    Conversation.objects.filter(id=elsewhere.message.conversation_id).update(agent_id="a2")
    approvals.keep(ended("c1", {"n": 1}), is_first_hand=True)
    assert approvals.of_runs([run.id, mine.id, elsewhere.id]) == {}
    late = a_run(bea, {"n": 2}, {"n": 1})  # its call is told after the approval has ended
    assert set(approvals.settle(late.id, late.parts)) == {"call-1"}


@pytest.fixture(params=[-600, -20, 20, 600])
def ahead(request: pytest.FixtureRequest) -> timedelta:
    """By how much the clock of this gateway is."""
    by = timedelta(seconds=request.param)
    clock.hear("http://other-time.example", datetime.now(UTC) + by)
    return by


@pytest.mark.django_db(transaction=True)
def test_times_that_a_gateway_tells_are_compared_and_kept_by_our_clock(ahead: timedelta) -> None:
    url, now = "http://other-time.example", datetime.now(UTC)
    cem = User.objects.refresh(url, Person("u1", "cem@example.com", "Cem", "acme", ()))
    for since_its_end in (timedelta(seconds=2), timedelta(minutes=2)):
        run = a_run(cem, {"left": since_its_end.seconds}, status=Run.Status.STOPPED)
        Run.objects.filter(id=run.id).update(ended_at=now - since_its_end)
    calls = [
        Confirmation(str(left), "wipe", {"left": left}, "high", now + ahead - timedelta(seconds=4), "u1", agent_id="a1")
        for left in (2, 120)
    ]
    assert left_behind(url, calls) == {"2"}  # what was asked for after a run had ended is another's
    call = replace(calls[0], id="no run of Portico's", arguments={})
    tell_record(url, call, replace(call, status="confirmed", resolved_at=now + ahead), "approved", Names())
    assert abs(Approval.objects.get().at - now) < clock.AGREE


@pytest.mark.django_db(transaction=True)
def test_a_transcript_asks_once_for_the_approvals_of_all_its_answers(bea: User) -> None:
    def queries(answers: int) -> int:
        conversation = a_run(bea, {"n": 1}, status=Run.Status.FINISHED).message.conversation
        for number in range(answers):
            message = Message.objects.create(conversation=conversation, text=f"{number}")
            parts = [{**tool_part(f"call-{n}", "wipe"), "result": "gone"} for n in range(3)]
            Run.objects.create(message=message, parts=parts, status=Run.Status.FINISHED)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            pages.window(conversation)
        return len(asked)

    assert queries(2) == queries(12)


def test_the_open_step_says_it_at_once_wherever_it_stands() -> None:
    answer = Answer("a1")
    started = SubagentStartedEvent(subagent_run_id="s", name="Clerk")
    number = 0
    for who in (None, "s"):
        call = ToolCallStartEvent(tool_call_id=f"c-{who}", tool_call_name="wipe", subagent_run_id=who)
        answer.feed([call] if who is None else [started, call])
        number = answer.log.number
        approval = Approval(
            confirmation_id="x", step=f"c-{who}", tool="wipe", state="approved", at=datetime.now(UTC), is_own=True
        )
        answer.decide({f"c-{who}": approval})
        eventually(lambda: not answer.parts() or not answer.is_behind)
        told = answer.log.after(number).decode()
        assert "Approved by you, " in told
        assert "Running" in told


@pytest.mark.parametrize(
    ("state", "result", "step"),
    [
        ("rejected", "Deleted.", "rejected"),
        ("rejected", None, "rejected"),
        ("timed_out", "Deleted.", "timed out"),
        ("timed_out", None, "timed out"),
        ("stopped", None, "went with its run"),
        ("lost", None, "lost"),
        ("lost", "Deleted.", "done"),
        ("approved", "Deleted.", "done"),
        ("approved", None, "running"),
        ("unsure", "Deleted.", "done"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_step_reads_as_its_approval_ended(state: str, result: str | None, step: str, inside: bool) -> None:
    part = {**tool_part("c", "wipe"), "result": result}
    found = {
        "c": Approval(
            confirmation_id="x", step="c", tool="wipe", state=state, at=datetime.now(UTC), who="u2", who_name="Al"
        )
    }
    assert pieces.state_of_call(part, {}, found, is_open=True) == step
    outer = {"kind": "agent", "key": "a", "id": "a", "name": "Clerk", "about": "", "state": "running", "problem": ""}
    shown = plain(pieces.of_part({**outer, "parts": [part]} if inside else part, "a1", {}, found, is_open=True))
    assert pieces.STATES[step][2] in shown
    assert found["c"].sentence[0] in shown
    assert found["c"].sentence[0] in readable.part({**outer, "parts": [part]} if inside else part, {}, found)
