"""A process that is told to end, or dies, leaves every answer in a true state; in both dialects."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import Any

import psycopg
import pytest
import requests
from ag_ui.core import RunAgentInput, UserMessage
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)

from agents import interrupts, runs
from agents.models import Run
from embedded import ids
from gateway import Gateway, MissingService, streams
from tests.embedded import Embedded
from tests.portico import BOTH, Portico, Visitor
from tests.runs.asking import begin, source_of, told
from tests.stories.following import events_of, eventually, plain, run_of, transcript, watched

SOON = {"rate": 40, "count": 120, "story": "geese"}  # three seconds
LATE = {"rate": 40, "count": 8000, "story": "tides"}


@pytest.fixture
def patient(gateway: Embedded) -> Iterator[Portico]:
    server = Portico(gateway.url, SHUTDOWN_GRACE="6").start()
    yield server
    server.kill()  # the grace of what still runs is not waited for
    server.close()


@pytest.mark.parametrize("pair", BOTH, indirect=True, scope="session")
def test_on_sigterm_answers_get_their_grace_and_then_they_are_marked(patient: Portico) -> None:
    ana = Visitor(patient)
    ana.signs_in("user@example.com")
    late_path, late = begin(ana, LATE)
    soon_path, soon = begin(ana, SOON)
    next(events_of(ana, soon))
    patient.stop()
    with closing(sqlite3.connect(f"{patient.folder.name}/db.sqlite3")) as database:
        ends = dict(database.execute("SELECT status, ended_at IS NOT NULL FROM agents_run"))
    assert ends == {"finished": 1, "interrupted": 1}  # before anybody looks at it again
    patient.start()
    assert source_of(ana, soon) == told(SOON)
    assert "Interrupted" not in transcript(ana.reads(soon_path))
    ends_as_interrupted(ana, late_path, late)
    ana.session.close()


def test_a_killed_process_leaves_its_answers_interrupted_at_the_next_start(patient: Portico) -> None:
    ana = Visitor(patient)
    ana.signs_in("user@example.com")
    path, run = begin(ana, LATE)
    for _, name, _ in events_of(ana, run):
        if name == "block":
            break
    patient.kill()
    patient.start()
    ends_as_interrupted(ana, path, run)
    ana.session.close()


def test_stop_pressed_again_while_the_first_one_is_kept_breaks_nothing(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    path, run = begin(ana, LATE)
    next(events_of(ana, run))
    path_of_database = f"{own_portico.folder.name}/db.sqlite3"
    with closing(sqlite3.connect(path_of_database)) as database, ThreadPoolExecutor(3) as threads:
        follower = threads.submit(watched, ana, run)
        database.execute("BEGIN IMMEDIATE")  # so that the end cannot be written yet
        stops = [threads.submit(ana.posts, f"/runs/{run}/cancel/", page=path)]
        eventually(lambda: own_gateway.report()["open_runs"] == 0)
        stops.append(threads.submit(ana.posts, f"/runs/{run}/cancel/", page=path))
        wait(stops, timeout=1)
        database.rollback()
        assert follower.result(15)[1] == "stopped"
        assert [stop.result(15).status_code for stop in stops] == [200, 200]
    assert "Stopped by you" in transcript(ana.reads(path))
    ana.session.close()


@pytest.mark.parametrize("away", [OperationalError, InterfaceError, InternalError, ProgrammingError])
async def test_an_end_is_kept_when_the_database_comes_back(
    gateway: Embedded, monkeypatch: pytest.MonkeyPatch, away: type[Error]
) -> None:
    tried: list[dict[str, Any]] = []

    async def save(_: runs.LiveRun, **columns: Any) -> None:
        tried.append(columns)
        if len(tried) < 25:
            raise away("it is being restarted, or read-only for a while")

    monkeypatch.setattr(runs.LiveRun, "_save", save)
    monkeypatch.setattr(runs, "END_AGAIN", (0.0, 0.0))
    run = await asked(gateway, ids.METRONOME, json.dumps({"rate": 1000, "count": 20, "story": "owls"}))
    await run.work()
    assert [columns["status"] for columns in tried] == ["finished"] * 25
    assert run.log.is_closed
    await streams.close()


def limit_exceeded() -> OperationalError:
    """What Django makes of PostgreSQL's refusal of a value that is too large."""
    refusal = OperationalError("total size of jsonb object elements exceeds the maximum")
    refusal.__cause__ = psycopg.errors.ProgramLimitExceeded()
    return refusal


REFUSALS = [
    DataError("out of range"),
    IntegrityError("JSON_VALID"),
    ValueError("NUL"),
    RecursionError(),
    limit_exceeded(),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: type(one).__name__)
async def test_an_answer_that_cannot_be_kept_ends_all_the_same_and_says_so(
    gateway: Embedded, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    kept: list[dict[str, Any]] = []

    async def save(_: runs.LiveRun, **columns: Any) -> None:
        if "parts" in columns:
            raise refusal
        kept.append(columns)

    monkeypatch.setattr(runs.LiveRun, "_save", save)
    run = await asked(gateway, ids.METRONOME, json.dumps({"rate": 1000, "count": 20, "story": "owls"}))
    await runs.start(run)
    assert run.task
    await run.task
    assert [(columns["status"], columns["problem"]) for columns in kept] == [
        ("failed", "The end of this answer could not be saved.")
    ]
    assert run.log.is_closed
    assert b"event: end" in run.log.after(0)
    assert not runs.is_here(run.id)
    await streams.close()


async def test_a_database_that_is_away_while_a_run_waits_does_not_end_it(
    gateway: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, Any]] = []

    async def save(_: runs.LiveRun, **columns: Any) -> None:
        if columns["status"] in Run.OPEN:
            raise OperationalError("away")
        kept.append(columns)

    monkeypatch.setattr(runs.LiveRun, "_save", save)
    run = await asked(gateway, ids.METRONOME, json.dumps({"rate": 1000, "count": 20, "story": "owls"}))
    run.missing = (MissingService("weather", ""),)
    run.nudged.set()
    await run.work()
    assert [columns["status"] for columns in kept] == ["finished"]
    await streams.close()


async def test_a_question_that_cannot_be_shown_ends_the_run_all_the_same(
    gateway: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, Any]] = []

    async def save(_: runs.LiveRun, **columns: Any) -> None:
        kept.append(columns)

    monkeypatch.setattr(runs.LiveRun, "_save", save)
    monkeypatch.setattr(interrupts, "rendered", lambda *_: 1 / 0)
    run = await asked(gateway, ids.SHOWCASE, "ask me")
    await run.work()
    assert [columns["status"] for columns in kept] == ["failed"]
    assert run.log.is_closed
    await streams.close()


async def asked(gateway: Embedded, agent: str, words: str) -> runs.LiveRun:
    """A run that has yet to begin, with no row."""
    question = UserMessage(id="1", content=words)
    return runs.LiveRun(
        id=uuid.uuid4(),
        user_id=1,
        agent_id=agent,
        conversation_path="/",
        gateway=Gateway(gateway.url, await asyncio.to_thread(gateway.token, "user@example.com")),
        question=RunAgentInput(
            thread_id="t", run_id="r", state={}, messages=[question], tools=[], context=[], forwarded_props={}
        ),
        missing=(),
    )


def ends_as_interrupted(visitor: Visitor, path: str, run: str) -> None:
    """With a part of the text, in order from its beginning, and another attempt to be had."""
    shown = transcript(visitor.reads(path))
    assert "Interrupted: Portico was restarted" in shown
    assert "Retry" in shown
    kept = source_of(visitor, run)
    assert kept
    assert told(LATE).startswith(kept)
    again = visitor.posts(f"/runs/{run}/retry/", page=path)
    assert 'aria-busy="true"' in again.text


def test_a_message_and_its_deletion_at_one_moment_leave_no_run_behind(ana: Visitor, gateway: Embedded) -> None:
    for number in range(6):
        path, run = begin(ana, {"rate": 100, "count": 5, "story": f"geese {number}"})
        assert watched(ana, run)[1] == "finished"
        slow = json.dumps({"rate": 20, "count": 2000, "story": "geese"})
        with ThreadPoolExecutor(2) as threads:
            sending = threads.submit(ana.posts, f"{path}messages/", page=path, message=slow)
            deleting = threads.submit(ana.posts, f"{path}delete/", page=path)
            assert (sending.result().status_code, deleting.result().status_code) in {(200, 200), (404, 200)}
        eventually(lambda: gateway.report()["open_runs"] == 0)
        ana.posts(f"{path}undo/", page=path)
        shown = plain(ana.reads(path))
        assert slow in shown or "geese" in shown
        assert "Stop" not in re.findall(r"<button[^>]*>([^<]*)", ana.reads(path))


def test_nothing_is_said_to_a_deleted_conversation_and_the_text_is_kept(ana: Visitor) -> None:
    path, run = begin(ana, {"rate": 100, "count": 5, "story": "herons"})
    assert watched(ana, run)[1] == "finished"
    ana.posts(f"{path}delete/", page=path)
    assert ana.posts(f"{path}messages/", page=path, message="too late").status_code == 404


@pytest.mark.soak
def test_an_end_is_kept_however_long_the_database_does_not_take_it(own_portico: Portico) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    wanted = {"rate": 50, "count": 100, "story": "eclipses"}
    path, run = begin(ana, wanted)
    with closing(sqlite3.connect(f"{own_portico.folder.name}/db.sqlite3", isolation_level=None)) as database:
        database.execute("ALTER TABLE agents_run RENAME TO away")
        threading.Event().wait(40)  # the answer took two seconds of it
        database.execute("ALTER TABLE away RENAME TO agents_run")
        ending = "SELECT status FROM agents_run WHERE id = ?"
        eventually(lambda: database.execute(ending, [run.replace("-", "")]).fetchone() == ("finished",), 20)
    page = plain(ana.reads(path))
    assert "Portico was restarted" not in page and source_of(ana, run) == told(wanted)
    ana.session.close()


def test_a_message_is_kept_before_anything_is_asked_of_the_gateway(own_portico: Portico, own_gateway: Embedded) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    path, run = begin(ana, {"rate": 100, "count": 5, "story": "herons"})
    assert watched(ana, run)[1] == "finished"
    own_gateway.dial(fail={"path": f"/api/v1/agents/{ids.METRONOME}/credentials-check", "delay": 30, "times": 9})
    ana.gets(path)  # has a form token, and asks too
    with (
        ThreadPoolExecutor(1) as threads,
        closing(sqlite3.connect(f"{own_portico.folder.name}/db.sqlite3")) as database,
    ):
        lost = threads.submit(ana.posts, f"{path}messages/", path, message="keep this")
        said = "SELECT count(*) FROM agents_message WHERE text = 'keep this'"
        eventually(lambda: database.execute(said).fetchone() == (1,), 5)
        own_portico.kill()
        with pytest.raises(requests.ConnectionError):
            lost.result()
    own_portico.start()
    own_gateway.dial(fail=None)
    page = plain(ana.reads(path))
    assert "keep this" in page and "Portico was restarted while the agent was answering." in page
    ana.session.close()


def test_a_conversation_that_grew_too_long_is_sent_from_its_newest_part_on(own_gateway: Embedded) -> None:
    server = Portico(own_gateway.url, GATEWAY_AGENTS=ids.ECHO, CONVERSATION_LIMIT="4000").start()
    ana = Visitor(server)
    ana.signs_in("user@example.com")
    page = ana.posts(f"/agents/{ids.ECHO}/", message="number 0 " + "x" * 500)
    path = page.url.removeprefix(server.url)
    for number in range(1, 6):
        assert watched(ana, run_of(page.text))[1] == "finished"
        assert "not sent to the agent" not in page.text or number > 2
        page = ana.posts(f"{path}messages/", page=path, message=f"number {number} " + "x" * 500)
    assert watched(ana, run_of(page.text))[1] == "finished"
    assert re.search("This conversation is long: the first ([2-4]) messages were not sent", plain(ana.reads(path)))
    asked = [one["body"] for one in own_gateway.received() if one["path"].endswith("/invoke")][-1]
    sent = json.dumps(asked)
    assert "number 5" in sent and "number 4" in sent and "number 0" not in sent
    assert sum(len(json.dumps(one)) for one in asked["messages"]) < 6000
    ana.session.close()
    server.close()
