"""A shift at the desk of two processes that die at random: what stands at the end is what the gateway says."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest
import requests

from tests.embedded import Embedded
from tests.portico import BOTH, ROOT, Portico, Visitor
from tests.servers import postgres_server, redis_server
from tests.stories.approving import ANA, BO, held, words
from tests.stories.following import eventually

DECISIONS, A_SECOND = 50, 5
RISKS = ("low", "medium", "high")
PATIENCE = 40.0  # seconds until a killed process serves again
BURIED = 75.0  # seconds until what a process was about when it was killed is taken for dead
NOT_KNOWN = "whether it arrived is not known"
WORDS = {"confirmed": "Approved by", "rejected": "Rejected by"}


class Desk:
    """Two processes of Portico behind one address, as a browser sees them: the one that answers."""

    def __init__(self, processes: tuple[Portico, Portico]) -> None:
        self.processes = processes
        self.dice = random.Random(5)
        self.kills = 0

    @contextmanager
    def in_trouble(self) -> Iterator[None]:
        """One process or the other is killed, again and again, and started anew."""
        over = threading.Event()

        def trouble() -> None:
            while not over.wait(self.dice.uniform(0.5, 2)):
                victim = self.dice.choice(self.processes)
                victim.kill()
                self.kills += 1
                victim.start()

        with ThreadPoolExecutor(1) as hand:
            troubled = hand.submit(trouble)
            try:
                yield
            finally:
                over.set()
            troubled.result()


class Reviewer:
    """Somebody at the desk who presses again when the line breaks, as people do."""

    def __init__(self, desk: Desk, email: str) -> None:
        self.desk = desk
        self.browsers = [Visitor(process) for process in desk.processes]
        self.browsers[0].signs_in(email)
        self.token = self.browsers[0].csrf_token()
        self.browsers[1].session.cookies.update(self.browsers[0].session.cookies)

    def answers(self, call: str, word: str) -> None:
        deadline = time.monotonic() + PATIENCE
        browsers = self.browsers[:: random.choice((1, -1))]
        for browser in self.again_and_again(browsers):
            address = f"{browser.portico.url}/confirmations/{call}/{word}/"
            form = {"csrfmiddlewaretoken": self.token, "reason": "as agreed"}
            try:
                browser.session.post(address, data=form, headers={"Referer": address}, timeout=PATIENCE)
                return
            except requests.ConnectionError:
                assert time.monotonic() < deadline, "no process answers"

    @staticmethod
    def again_and_again(browsers: list[Visitor]) -> Iterator[Visitor]:
        pause = threading.Event()
        while True:
            yield from browsers
            pause.wait(0.1)

    def clears(self, gateway: Embedded, calls: list[str]) -> set[str]:
        """Answers what still waits, since whoever was about to answer it died; gives what that was."""
        waiting = set(calls) & set(gateway.report()["held"])
        for call in waiting:
            self.answers(call, "reject")
        return waiting

    def reads(self, call: str) -> str:
        return words(self.browsers[0].reads(f"/confirmations/{call}/"))

    def leaves(self) -> None:
        for browser in self.browsers:
            browser.session.close()


@pytest.fixture(params=BOTH)
def busy(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with Embedded.start(dialect=request.param) as embedded:
        yield embedded


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_shift_under_random_kills_ends_as_the_gateway_says(busy: Embedded) -> None:
    with postgres_server() as database_url, redis_server() as redis_url, ExitStack() as leaving:
        settings = {"REDIS_URL": redis_url, "DATABASE_URL": database_url}
        processes = Portico(busy.url, **settings), Portico(busy.url, **settings)
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env=processes[0].environment, check=True)
        for process in processes:
            leaving.callback(process.close)
            process.start()
        desk = Desk(processes)
        bo, ana = Reviewer(desk, BO), Reviewer(desk, ANA)
        with desk.in_trouble():
            calls = work_through(busy, desk, bo, ana)
        assert desk.kills
        eventually(lambda: not bo.clears(busy, calls), BURIED)
        bo_token = busy.token(BO)
        for call in calls:
            record = at_the_gateway(busy, bo_token, call)
            assert WORDS[record] in bo.reads(call)
        decided = {call: at_the_gateway(busy, bo_token, call) for call in calls}
        eventually(lambda: recorded(database_url).keys() >= decided.keys(), BURIED)
        assert {call: kinds for call, kinds in recorded(database_url).items() if not agree(decided[call], kinds)} == {}
        verify = [sys.executable, "manage.py", "verify_decisions"]
        subprocess.run(verify, cwd=ROOT, env=processes[0].environment, check=True, stdout=subprocess.DEVNULL)
        for person in (bo, ana):
            person.leaves()


def work_through(gateway: Embedded, desk: Desk, *people: Reviewer) -> list[str]:
    """Ids of the calls; each was answered by one or two of these people, one way or the other."""
    calls: list[str] = []
    pace = threading.Event()
    with ThreadPoolExecutor(16) as hands:
        answers = []
        start = time.monotonic()
        for number in range(DECISIONS):
            call = held(gateway, ANA, "tidy", desk.dice.choice(RISKS), agent="File manager", n=number)
            calls.append(call)
            for person in desk.dice.sample(people, desk.dice.choice((1, 1, 2))):
                answers.append(hands.submit(person.answers, call, desk.dice.choice(("confirm", "reject"))))
            pace.wait(max(0.0, start + (number + 1) / A_SECOND - time.monotonic()))
        for answer in answers:
            answer.result()
    return calls


def at_the_gateway(gateway: Embedded, token: str, call: str) -> str:
    """The status of its record."""
    base = "confirmations" if gateway.dialect == "guide" else "confirmation"
    address = f"{gateway.url}/api/v1/{base}/{call}"
    return str(requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=5).json()["status"])


def recorded(database_url: str) -> dict[str, set[str]]:
    """What became of the decisions on each call, by Portico's own record."""
    kinds: dict[str, set[str]] = {}
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT confirmation_id, kind, outcome FROM confirmations_decision")
        for call, kind, outcome in rows:
            kinds.setdefault(call, set()).add(NOT_KNOWN if NOT_KNOWN in outcome else kind)
    return kinds


def agree(status: str, kinds: set[str]) -> bool:
    """One of them is what happened, or says that this process died too early to know."""
    return bool(kinds & {{"confirmed": "approved", "rejected": "rejected"}[status], NOT_KNOWN})
