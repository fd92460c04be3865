"""Two processes of Portico with one Redis and one PostgreSQL: any of them serves anybody."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import redis

from embedded import ids
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor, wait_until_up
from tests.servers import Line, postgres_server, redis_server
from tests.stories.approving import open_page
from tests.stories.following import events_of, eventually, plain, run_of, transcript, watched


@pytest.fixture(scope="module")
def gateway_of_two() -> Iterator[Embedded]:
    with Embedded.start() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def redis_of_two() -> Iterator[str]:
    with redis_server() as address:
        yield address


@pytest.fixture(scope="module")
def line(redis_of_two: str) -> Iterator[Line]:
    """The second process reaches Redis by it."""
    line = Line(int(redis_of_two.removesuffix("/0").rpartition(":")[2]))
    yield line
    line.close()


@pytest.fixture(scope="module")
def both(gateway_of_two: Embedded, redis_of_two: str, line: Line) -> Iterator[tuple[Portico, Portico]]:
    with postgres_server() as database_url:
        settings = {"DATABASE_URL": database_url, "GATEWAY_AGENTS": ids.STORYTELLER}
        first, second = (
            Portico(gateway_of_two.url, **settings, REDIS_URL=address)
            for address in (redis_of_two, f"redis://127.0.0.1:{line.port}/0")
        )
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=first.environment, check=True)
        yield first, second
        first.close()
        second.close()


@pytest.fixture
def two(both: tuple[Portico, Portico]) -> tuple[Portico, Portico]:
    for portico in both:
        if portico.process is None:
            portico.start()
    return both


def at(visitor: Visitor, portico: Portico) -> Visitor:
    """The same browser, by way of the other process."""
    other = Visitor(portico)
    other.session.cookies.update(visitor.session.cookies)
    return other


def test_any_process_serves_any_follower_and_can_stop_the_run(
    two: tuple[Portico, Portico], gateway_of_two: Embedded
) -> None:
    here = Visitor(two[0])
    here.signs_in("user@example.com")
    there = at(here, two[1])
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message="short, about ferries")
    path, run = page.url.removeprefix(two[0].url), run_of(page.text)
    first = [event for event in events_of(there, run) if event[1] != "end"]
    assert [event for event in events_of(here, run) if event[1] == "snapshot"]  # it has ended: whole
    assert "ferries" in "".join(json.dumps(data) for _, _, data in first)
    assert "ferries" in transcript(there.reads(path))

    page = there.posts(f"/agents/{ids.STORYTELLER}/", message="all there is to know about lighthouses")
    path, run = page.url.removeprefix(two[1].url), run_of(page.text)
    for _, name, _ in events_of(here, run):
        if name == "block":
            break
    eventually(lambda: "lighthouses" in plain(here.reads(path).split("data-parts", 1)[1]))
    here.posts(f"/runs/{run}/cancel/", page=path)
    eventually(lambda: gateway_of_two.report()["open_runs"] == 0)
    assert "Stopped by you" in transcript(here.reads(path))
    here.session.close()
    there.session.close()


def test_an_answer_whose_process_is_killed_is_interrupted_within_30_seconds(two: tuple[Portico, Portico]) -> None:
    here = Visitor(two[0])
    here.signs_in("user@example.com")
    there = at(here, two[1])
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message="everything about storms")
    path, run = page.url.removeprefix(two[0].url), run_of(page.text)
    events = events_of(there, run)
    for _, name, _ in events:
        if name == "block":
            break
    assert two[0].process
    two[0].process.send_signal(signal.SIGSTOP)  # it lives, and does not answer
    stopped = there.posts(f"/runs/{run}/cancel/", page=path)
    assert "It is not stopped yet" in plain(stopped.text)
    two[0].kill()
    ends = [data for _, name, data in events if name == "end"]
    assert ends[-1]["status"] == "interrupted"
    shown = transcript(there.reads(path))
    assert "Interrupted: Portico was restarted" in shown
    assert "storms" in shown
    again = there.posts(f"/runs/{run}/retry/", page=path)
    there.posts(f"/runs/{run_of(again.text)}/cancel/", page=path)
    here.session.close()
    there.session.close()


def test_messages_at_one_moment_begin_one_run(two: tuple[Portico, Portico]) -> None:
    here = Visitor(two[0])
    here.signs_in("user@example.com")
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message="short, about wells")
    path = page.url.removeprefix(two[0].url)
    watched(here, run_of(page.text))
    gil = Visitor(two[1])
    gil.signs_in("other@example.com")
    with open_page(at(here, two[1])) as elsewhere, open_page(gil) as foreign:
        for opened in (elsewhere, foreign):
            opened.sees(lambda opened: bool(opened.state))
        watched(here, run_of(here.posts(f"{path}messages/", page=path, message="short, about pumps").text))
        elsewhere.sees(lambda opened: opened.news == [path.split("/")[2]])
        with pytest.raises(AssertionError):
            foreign.sees(lambda opened: bool(opened.news), seconds=0.3)
    visitors = [at(here, portico) for portico in (*two, *two)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: one.posts(f"{path}messages/", page=path, message="everything of tides"), visitors))
    shown = here.reads(path)
    assert shown.count("data-follow=") == 1
    assert shown.count("message--mine") == 3
    here.posts(f"/runs/{run_of(shown)}/cancel/", page=path)
    for one in (here, gil, *visitors):
        one.session.close()


def test_signing_out_in_one_process_ends_what_follows_in_the_other(two: tuple[Portico, Portico]) -> None:
    here = Visitor(two[0])
    here.signs_in("user@example.com")
    there = at(here, two[1])
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message="everything about rivers")
    events = events_of(there, run_of(page.text))
    next(events)
    here.posts("/logout/")
    assert all(name != "end" for _, name, _ in events)
    here.session.close()
    there.session.close()


def test_a_redis_that_goes_away_costs_no_answer(gateway_of_two: Embedded) -> None:
    with redis_server() as redis_url:
        portico = Portico(gateway_of_two.url, REDIS_URL=redis_url, GATEWAY_AGENTS=ids.STORYTELLER).start()
        ana = Visitor(portico)
        ana.signs_in("user@example.com")
    page = ana.posts(f"/agents/{ids.STORYTELLER}/", message="short, about wells")
    text, status = watched(ana, run_of(page.text))
    assert status == "finished"
    assert "wells" in text
    ana.session.close()
    portico.close()


@contextmanager
def full(address: str) -> Iterator[redis.Redis]:
    """A Redis that takes nothing more, as `noeviction` has it."""
    with redis.Redis.from_url(address) as client:
        client.config_set("maxmemory", 1)
        try:
            yield client
        finally:
            client.config_set("maxmemory", 0)


def followed_elsewhere(two: tuple[Portico, Portico], about: str, then: Callable[[str], None]) -> tuple[str, str]:
    """What somebody at the other process sees of a run; `then` happens to Redis before they look."""
    here = Visitor(two[0])
    here.signs_in("user@example.com")
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message=f"short, about {about}")
    run = run_of(page.text)
    then(run)
    there = at(here, two[1])
    try:
        return watched(there, run)
    finally:
        here.session.close()
        there.session.close()


def test_a_full_redis_keeps_no_end_from_who_follows_at_another_process(two: tuple[Portico, Portico]) -> None:
    with full(two[0].environment["REDIS_URL"]):
        text, status = followed_elsewhere(two, "quarries", lambda _: None)
    assert status == "finished"
    assert "quarries" in text


TROUBLES = ["full", "frozen", "silent", "nonsense", "unfinished nonsense", "an HTTP server"]
NONSENSE = {
    "nonsense": b"+OK\r\n:seven\r\n",
    "unfinished nonsense": b"$5\r\nab",
    "an HTTP server": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
}


@contextmanager
def troubled(trouble: str, address: str, line: Line) -> Iterator[None]:
    with ExitStack() as well, redis.Redis.from_url(address) as client:
        if trouble == "full":
            well.enter_context(full(address))
        elif trouble == "frozen":
            pid = client.info()["process_id"]
            well.callback(os.kill, pid, signal.SIGCONT)
            os.kill(pid, signal.SIGSTOP)
        elif trouble == "silent":
            line.is_silent = True
            well.callback(setattr, line, "is_silent", False)
        else:
            line.says = NONSENSE[trouble]
            well.callback(setattr, line, "says", b"")
        yield


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_is_wrong_with_redis_the_end_is_seen_soon_after_it_is_kept(
    two: tuple[Portico, Portico], redis_of_two: str, line: Line, trouble: str
) -> None:
    here = Visitor(two[0])
    here.signs_in("user@example.com")
    there = at(here, two[1])
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message="short, about harbours")
    run = run_of(page.text)
    with ThreadPoolExecutor(2) as threads:
        early = events_of(there, run)
        next(early)
        with troubled(trouble, redis_of_two, line):
            own = threads.submit(watched, here, run)
            late = threads.submit(watched, there, run)
            assert own.result()[1] == "finished"
            kept_at = time.monotonic()
            *_, (_, _, end) = early
            assert end["status"] == "finished"
            text, status = late.result()
            assert (status, "harbours" in text) == ("finished", True)
            assert time.monotonic() - kept_at < 6
    eventually(lambda: there.gets("/readyz").status_code == 200)
    here.session.close()
    there.session.close()


@pytest.mark.parametrize("number", ["5-0", "999999999999-7"])
def test_what_others_wrote_into_redis_keeps_no_end_from_anybody(two: tuple[Portico, Portico], number: str) -> None:
    def spoil(run: str) -> None:
        with redis.Redis.from_url(two[0].environment["REDIS_URL"]) as client:
            client.set(f"portico:run:{run}:whole", "[1, 2]")
            with suppress(redis.ResponseError):  # it may have got further
                client.xadd(f"portico:run:{run}", {"word": "nonsense"}, id=number)

    text, status = followed_elsewhere(two, "orchards", spoil)
    assert status == "finished"
    assert "orchards" in text


@pytest.mark.soak
def test_two_processes_without_redis_know_of_each_other_and_say_so(gateway_of_two: Embedded, tmp_path: Path) -> None:
    first = Portico(gateway_of_two.url, GATEWAY_AGENTS=ids.STORYTELLER).start()
    second = Portico(gateway_of_two.url, GATEWAY_AGENTS=ids.STORYTELLER, DATABASE_URL=first.environment["DATABASE_URL"])
    log = tmp_path / "log"
    command = [sys.executable, "-m", "config.serve", "--port", str(second.port)]
    with log.open("wb") as lines:
        second.process = subprocess.Popen(command, cwd=ROOT, env=second.environment, stderr=lines)
    wait_until_up(second.url, second.process)
    here = Visitor(first)
    here.signs_in("user@example.com")
    there = at(here, second)
    page = here.posts(f"/agents/{ids.STORYTELLER}/", message="short, about mills")
    path, run = page.url.removeprefix(first.url), run_of(page.text)
    assert "data-follow" in there.reads(path)
    events = list(events_of(there, run))
    assert [name for _, name, _ in events][-2:] == ["snapshot", "end"]
    assert events[-1][2]["status"] == "finished"
    assert transcript(here.reads(path)) == transcript(there.reads(path))

    page = here.posts(f"{path}messages/", page=path, message="everything about storms")
    run = run_of(page.text)
    stopped = there.posts(f"/runs/{run}/cancel/", page=path)
    assert "It is not stopped yet" in plain(stopped.text)
    eventually(lambda: "storms" in transcript(there.reads(path)).split("everything about storms")[1])
    assert "Portico was restarted" not in there.reads(path)
    assert first.process
    eventually(lambda: f"(process id {first.process.pid})" in log.read_text())  # type: ignore[union-attr]
    assert all("without Redis" in here.gets(f"{one.url}/readyz").json()["processes"] for one in (first, second))
    own = there.posts(f"/agents/{ids.STORYTELLER}/", message="everything about deserts")
    path_there = own.url.removeprefix(second.url)
    with ThreadPoolExecutor(1) as threads:
        followed = threads.submit(lambda: list(events_of(there, run)))
        eventually(lambda: "deserts" in transcript(here.reads(path_there)).split("everything about deserts")[1])
        first.kill()
        assert followed.result()[-1][2]["status"] == "interrupted"
    assert "Interrupted: Portico was restarted" in transcript(there.reads(path))
    assert "Interrupted" not in transcript(there.reads(path_there))
    there.posts(f"/runs/{run_of(own.text)}/cancel/", page=path_there)
    assert "Stopped by you" in transcript(there.reads(path_there))
    eventually(lambda: "processes" not in there.gets("/readyz").json())
    here.session.close()
    there.session.close()
    second.close()
    first.close()
