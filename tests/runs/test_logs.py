"""What a follower may rely on, of a run log in memory and of one in Redis that another process follows."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from channels.exceptions import StopConsumer
from django.conf import settings

from agents import pieces, runs, shared
from agents.consumers import PIECE, FollowRun
from agents.models import Conversation, Message, Run
from agents.runlog import KEPT, UNKNOWN, RunLog, Whole, encoded
from embedded import ids
from tests.embedded import Embedded
from tests.memory import forget_peak, peak, resident
from tests.portico import Portico, Visitor, free_port
from tests.runs.asking import begin, pid_of, reading_nothing, source_of, told
from tests.servers import redis_server
from tests.stories.following import events_of, frames_of, plain, watched
from tests.stories.test_chat import ask

SHORT = {"rate": 60, "count": 120, "story": "canals"}  # two seconds
LARGE = {"rate": 1000, "count": 5000, "story": "harbours", "words": 400, "wait": 3}  # 10 MB: more than any log keeps


@dataclass(frozen=True, slots=True)
class House:
    """Whose process works on the runs, and whose serves their followers."""

    here: Portico
    ana: Visitor  # as she asks
    follower: Visitor  # as she reads


@pytest.fixture(scope="module", params=["memory", "redis"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with ExitStack() as leaving:
        gateway = leaving.enter_context(Embedded.start())
        chosen = {"GATEWAY_AGENTS": ids.METRONOME}
        if request.param == "redis":
            chosen["REDIS_URL"] = leaving.enter_context(redis_server())
        here = there = Portico(gateway.url, **chosen).start()
        leaving.callback(here.close)
        if request.param == "redis":
            there = Portico(gateway.url, **chosen, DATABASE_URL=here.environment["DATABASE_URL"]).start()
            leaving.callback(there.close)
        ana, follower = Visitor(here), Visitor(there)
        leaving.callback(ana.session.close)
        leaving.callback(follower.session.close)
        ana.signs_in("user@example.com")
        follower.session.cookies.update(ana.session.cookies)
        yield House(here, ana, follower)


def test_a_page_has_its_number_and_then_comes_only_what_is_newer(house: House) -> None:
    path, run = begin(house.ana, SHORT)
    for _, name, _ in events_of(house.follower, run):
        if name == "block":
            break
    page = house.follower.reads(path)
    after = int(re.findall(r'data-after="(\d+)"', page)[-1])
    shown = page.split("data-parts>", 1)[1].split('<div class="tail"', 1)[0]
    newer = list(events_of(house.follower, run, after))
    assert after > 0
    assert [number for number, _, _ in newer] == list(range(after + 1, newer[-1][0] + 1))
    blocks = "".join(data["html"] for _, name, data in newer if name == "block")
    whole = plain(house.follower.reads(path).split("data-parts>", 1)[1].split("</article>", 1)[0])
    assert (plain(shown) + plain(blocks)).replace(" ", "") == whole.replace(" ", "")


def test_whoever_comes_back_with_an_id_goes_on_after_it(house: House) -> None:
    _, run = begin(house.ana, SHORT)
    with ThreadPoolExecutor(1) as thread:
        undisturbed = thread.submit(lambda: list(events_of(house.follower, run)))
        parts = list(zip(events_of(house.follower, run), range(20), strict=False))
        first = [event for event, _ in parts]
        response = house.follower.gets(
            f"/runs/{run}/events/?after=0", stream=True, headers={"Last-Event-ID": str(first[-1][0])}
        )
        with response:
            rest = [frame for frame in frames_of(response) if frame.startswith("id: ")]
        everything = undisturbed.result()
    numbers = [number for number, _, _ in first] + [int(frame.split("\n")[0][4:]) for frame in rest]
    assert numbers == [number for number, _, _ in everything] == list(range(1, len(numbers) + 1))
    assert "event: end\n" in rest[-1]


def test_two_followers_are_told_the_same(house: House) -> None:
    _, run = begin(house.ana, SHORT)
    with ThreadPoolExecutor(3) as threads:
        first, second, third = threads.map(lambda after: list(events_of(house.follower, run, after)), (0, 0, UNKNOWN))
    assert first == second
    assert third[0][1] == "snapshot"  # what that page shows has no number
    assert third[1:] == first[third[0][0] :]
    assert first[-1][1:] == ("end", {"status": "finished", "html": ""})


@pytest.mark.parametrize(
    ("words", "status"), [("die in the middle", "interrupted"), ("error event", "failed"), ("garbage", "finished")]
)
def test_the_end_says_how_it_ended_and_nothing_follows(house: House, words: str, status: str) -> None:
    path, run = ask(house.ana, ids.UNLUCKY, words)
    *_, (number, name, data) = events_of(house.follower, run)
    assert (name, data["status"]) == ("end", status)
    assert house.follower.gets(f"/runs/{run}/events/?after={number}").status_code == 204
    [(_, snapshot, whole), (last, end, again)] = events_of(house.follower, run)
    assert (snapshot, end, last, again) == ("snapshot", "end", number, data)
    assert plain(whole["html"]) in plain(house.follower.reads(path))


@pytest.mark.django_db
def test_while_redis_is_away_a_page_shows_what_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")  # nobody is there
    conversation = Conversation(agent_id="agent")
    parts = [{"kind": "text", "key": "t", "id": "m", "text": "So far **so** good."}]
    run = Run(message=Message(conversation=conversation), parts=parts)
    shared.plain_client.cache_clear()
    whole = runs.whole_so_far(run)
    shared.plain_client.cache_clear()
    assert (whole.number, plain(whole.html)) == (UNKNOWN, "So far so good.")


@pytest.fixture
async def nobody_there(monkeypatch: pytest.MonkeyPatch, settings: Any) -> AsyncIterator[None]:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(shared, "AWAY", 0.01)
    monkeypatch.setattr(shared, "GIVEN_UP", 0.2)
    yield
    await shared.close()


@pytest.mark.usefixtures("nobody_there")
async def test_a_run_that_redis_does_not_take_is_complained_of_once_and_given_up_after_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = RunLog()
    log.append_text("hello")
    async with asyncio.timeout(5):
        log.append("end", {})
        log.close()
        await shared.share(uuid.uuid4(), log, lambda: Whole(1, "", "hello"))
    assert [record.getMessage()[-60:].count("Connect") for record in caplog.records] == [1]


SPOILT = ["null", "nonsense", "[1, 2]", "[1, 2, 3]", '{"a": 1}', "5", "[" * 5000, b"\xff"]


@pytest.mark.parametrize("kept", SPOILT)
def test_a_snapshot_in_redis_that_is_none_is_taken_for_none(kept: str | bytes) -> None:
    assert shared._as_whole(kept) == Whole(0, "", "")


@pytest.mark.parametrize("frame", [b"", b"nonsense", b"id: 8\nevent: text\ndata: {}\n\n"])
async def test_a_frame_in_redis_that_is_none_is_passed_over(frame: bytes) -> None:
    mirror = object.__new__(shared.Mirror)
    mirror.log = RunLog()
    mirror._take(7, frame)
    assert mirror.log.number == 0


async def test_nothing_is_rendered_for_a_browser_that_left(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[object] = []

    def render(*told: object) -> list[str]:
        rendered.append(told)
        return []

    monkeypatch.setattr(pieces, "of_answer", render)
    log = RunLog()
    log.append_text("so far")
    log.append("end", {})
    log.begin_at(5)  # what is newer than this browser has is kept no more
    log.close()
    writing, is_free = asyncio.Event(), asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        writing.set()
        await is_free.wait()  # as a line that takes nothing

    async def run_as_it_is() -> Run:
        return Run(status=Run.Status.FINISHED, message=Message(conversation=Conversation(agent_id="agent")))

    follower = FollowRun()
    follower.asked = {"headers": [], "query_string": b"after=1"}
    follower.send_asgi = send
    monkeypatch.setattr(follower, "_run", run_as_it_is)
    monkeypatch.setattr(follower, "_wake_besides", lambda ended: ended.wait())
    following = asyncio.create_task(follower._follow_log(LogOnly(log), asyncio.Event()))
    await writing.wait()
    with suppress(StopConsumer):
        await follower.http_disconnect({})
    is_free.set()
    await following
    assert rendered == []


@dataclass
class LogOnly:
    log: RunLog
    made: int = 0

    async def whole(self) -> Whole:
        self.made += 1
        return Whole(self.log.number - 1, "so far", "")


async def test_an_answer_is_made_once_for_all_who_are_behind_and_for_none_who_read_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = RunLog()
    log.begin_at(500)  # what is newer than these browsers have is kept no more
    log.append("step", {"key": "last", "html": "the last words"})
    log.append("end", {})
    log.close()
    run = LogOnly(log)
    lines = [asyncio.Event() for _ in range(4)]
    written: list[bytes] = [b""] * len(lines)

    async def follow(place: int) -> None:
        async def send(message: dict[str, Any]) -> None:
            await lines[place].wait()
            written[place] += message.get("body", b"")

        follower = FollowRun()
        follower.asked = {"headers": [], "query_string": b"after=1"}
        follower.send_asgi = send
        monkeypatch.setattr(follower, "_wake_besides", lambda ended: ended.wait())
        await follower._follow_log(run, asyncio.Event())

    async with asyncio.timeout(5):
        stalled = asyncio.create_task(follow(0))
        for line in lines[1:]:
            line.set()
        await asyncio.gather(*(follow(place) for place in (1, 2, 3)))
        assert run.made == 1
        assert written[0] == b""
        lines[0].set()
        await stalled
    assert run.made == 1
    assert [told.count(b"event: snapshot") for told in written] == [1] * 4
    assert all(told.endswith(encoded(501, "end", {})) for told in written)


async def test_what_is_written_waits_for_a_line_that_takes_little_piece_by_piece() -> None:
    sizes: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        sizes.append(len(message["body"]))

    follower = FollowRun()
    follower.send_asgi = send
    await follower._write(b"x" * (5 * PIECE + 1))
    assert sizes == [PIECE] * 5 + [1]
    with suppress(StopConsumer):
        await follower.http_disconnect({})
    await follower._write(b"x" * (5 * PIECE + 1))
    assert len(sizes) == 6  # nobody is there any more


def test_a_stopped_run_says_so_to_whoever_follows(house: House) -> None:
    path, run = begin(house.ana, SHORT)
    events = events_of(house.follower, run)
    next(events)
    house.follower.posts(f"/runs/{run}/cancel/", page=path)
    *_, (_, name, data) = events
    assert (name, data["status"]) == ("end", "stopped")


def test_whoever_is_further_behind_than_the_log_gets_it_whole_and_goes_on(house: House) -> None:
    _, run = begin(house.ana, LARGE)
    size = 0
    for _, _, data in events_of(house.follower, run):
        size += len(data.get("delta", "") or data.get("html", ""))
        if size > 1.2 * KEPT:
            break
    events = list(events_of(house.follower, run, after=1))
    assert events[0][1] == "snapshot"
    newest = max(place for place, (_, name, _) in enumerate(events) if name == "snapshot")
    numbers = [number for number, _, _ in events[newest:]]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) > 2, "it had ended before anybody could fall behind"
    assert events[-1][2]["status"] == "finished"
    assert source_of(house.follower, run) == told(LARGE)


def test_a_slow_line_costs_the_run_nothing_and_catches_up(house: House) -> None:
    expected = told(LARGE)
    before = resident(pid_of(house.here))
    forget_peak(pid_of(house.here))
    _, run = begin(house.ana, LARGE)
    with reading_nothing(house.follower, run) as line:
        assert watched(house.follower, run)[1] == "finished"  # while the other one has read nothing at all
        assert peak(pid_of(house.here)) - before < 15 * len(expected)
        rest = bytearray()
        while chunk := line.recv(1024 * 1024):
            rest += chunk
    names = re.findall(rb"^event: (\w+)$", rest, re.MULTILINE)
    assert names[0] != b"snapshot"  # it was there from the beginning,
    assert b"snapshot" in names  # was left behind,
    assert names.index(b"end") == len(names) - 1  # and came to the end
    assert source_of(house.ana, run) == expected
