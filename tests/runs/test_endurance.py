"""Answers that are long, fast, or silent for long: all of it arrives, and what it costs is bounded."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from ag_ui.core import RunAgentInput, TextMessageContentEvent, UserMessage
from django.utils.html import escape

from agents.markdown import LONGEST, Blocks, render
from agents.runlog import KEPT
from embedded import ids
from gateway import Gateway, streams
from gateway.errors import StreamSilent
from tests.embedded import Embedded
from tests.memory import forget_peak, peak, resident
from tests.portico import Portico, Visitor
from tests.runs.asking import begin, pid_of, reading_nothing, source_of, told
from tests.stories.following import events_of, eventually, plain, watched

BOUND = 15  # times an answer's own size: it is kept as text, as HTML and as JSON, and each is copied once on its way


@pytest.fixture
def cuts_off_silence(gateway: Embedded) -> Iterator[float]:
    """The gateway hangs up on an agent that is silent for so many seconds, a scaled 300."""
    gateway.dial(agent_silence=0.5)
    yield 0.5
    gateway.dial(agent_silence=300.0)


def test_ten_thousand_deltas_a_second_all_arrive(ana: Visitor, portico: Portico) -> None:
    wanted = {"rate": 10_000, "count": 30_000, "story": "ferries"}
    before = resident(pid_of(portico))
    forget_peak(pid_of(portico))
    _, run = begin(ana, wanted)
    numbers = [number for number, name, _ in events_of(ana, run) if name != "snapshot"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert source_of(ana, run) == told(wanted)
    assert peak(pid_of(portico)) - before < BOUND * KEPT


def test_heartbeats_carry_an_agent_through_its_silence(ana: Visitor, cuts_off_silence: float) -> None:
    wanted = {"rate": 100, "count": 20, "story": "owls", "wait": 5 * cuts_off_silence, "beat": cuts_off_silence / 4}
    _, run = begin(ana, wanted)
    assert watched(ana, run)[1] == "finished"
    assert source_of(ana, run) == told(wanted)


def test_an_agent_that_is_silent_without_them_is_given_up(ana: Visitor, cuts_off_silence: float) -> None:
    _, run = begin(ana, {"rate": 100, "count": 20, "story": "owls", "wait": 5 * cuts_off_silence})
    assert watched(ana, run)[1] == "interrupted"


async def test_heartbeats_reach_us_too(gateway: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 0.5  # seconds, a scaled 330
    monkeypatch.setattr(streams, "RUN_SILENCE", limit)
    wanted = {"rate": 100, "count": 20, "story": "owls", "wait": 5 * limit}
    assert await said(gateway, wanted | {"beat": limit / 4}) == told(wanted)
    with pytest.raises(StreamSilent):
        await said(gateway, wanted)
    await streams.close()


async def said(gateway: Embedded, wanted: dict[str, Any]) -> str:
    question = UserMessage(id="1", content=json.dumps(wanted))
    run = RunAgentInput(
        thread_id="t", run_id="r", state={}, messages=[question], tools=[], context=[], forwarded_props={}
    )
    token = await asyncio.to_thread(gateway.token, "user@example.com")
    text = ""
    async with Gateway(gateway.url, token).run_agent(ids.METRONOME, run) as batches:
        async for events in batches:
            text += "".join(event.delta for event in events if isinstance(event, TextMessageContentEvent))
    return text


SHAPES = {
    "one line": "word " * 80_000,
    "one code block": "```python\n" + "value = 1  # why\n" * 20_000 + "```\n",
    "one list": "- item\n" * 50_000,
    "many paragraphs": "A paragraph of *some* words.\n\n" * 12_000,
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_long_text_is_shown_whole_whatever_its_shape(text: str) -> None:
    blocks = Blocks()
    shown = [blocks.add(text[start : start + 500]) for start in range(0, len(text), 500)]
    assert max(map(len, shown)) < 2 * LONGEST
    html = "".join([*shown, blocks.finish().rest])
    assert len(text) > LONGEST
    assert [letters(plain(whole)) == letters(text) for whole in (html, render(text))] == [True, True]


def letters(text: str) -> str:
    """Without what Markdown, a page and a code block add or take."""
    return re.sub(r"```python|Copy code|[^a-z0-9]", "", text)


def test_an_answer_without_end_is_broken_off_where_portico_keeps_no_more(own_gateway: Embedded) -> None:
    server = Portico(own_gateway.url, GATEWAY_AGENTS=ids.METRONOME, ANSWER_LIMIT="400000").start()
    ana = Visitor(server)
    ana.signs_in("user@example.com")
    endless = {"rate": 20_000, "count": 10**9, "size": 1000}
    path, run = begin(ana, endless)
    _, status = watched(ana, run)
    assert status == "interrupted"
    page = plain(ana.reads(path))
    assert "The answer is longer than Portico keeps. What came before is kept" in page and "Retry" in page
    assert 100_000 < len(source_of(ana, run)) <= 400_000
    eventually(lambda: own_gateway.report()["open_runs"] == 0)

    events = [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}]
    events += [{"type": "TOOL_CALL_START", "toolCallId": f"c{number}", "toolCallName": "x"} for number in range(500)]
    events += [{"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    path_of_agent = f"/api/v1/agents/{ids.METRONOME}/invoke"
    own_gateway.dial(fail={"path": path_of_agent, "status": 200, "content_type": "text/event-stream", "body": body})
    assert len(body) < 100_000
    path, run = begin(ana, {"count": 1})
    assert watched(ana, run)[1] == "interrupted"  # short events, and far too many parts
    assert "The answer is longer than Portico keeps." in plain(ana.reads(path))
    ana.session.close()
    server.close()


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_twenty_minutes_of_silence_with_heartbeats(ana: Visitor) -> None:
    wanted = {"rate": 100, "count": 2000, "story": "glaciers", "wait": 1200, "beat": 20}
    _, run = begin(ana, wanted)
    assert watched(ana, run)[1] == "finished"
    assert source_of(ana, run) == told(wanted)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_an_answer_of_fifty_megabytes_is_whole_and_bounded(visitor: Callable[..., Visitor], portico: Portico) -> None:
    wanted = {"rate": 5000, "count": 23_500, "story": "lighthouses", "words": 400}
    expected = told(wanted)
    size = len(expected.encode())
    assert size > 50_000_000
    ana = visitor("user@example.com")
    before = resident(pid_of(portico))
    forget_peak(pid_of(portico))
    path, run = begin(ana, wanted)
    with ExitStack() as leaving:
        for _ in range(5):  # who read nothing cost about nothing
            leaving.enter_context(reading_nothing(ana, run))
        text, status = watched(ana, run)
    assert status == "finished"
    assert text.count("About lighthouses") == expected.count("About lighthouses")
    assert source_of(ana, run) == expected
    page = ana.session.get(portico.url + path, timeout=100).text
    assert escape(expected[-10_000:].strip()) in page
    assert "<h1>About lighthouses</h1>" in page
    assert peak(pid_of(portico)) - before < (BOUND + 5) * size  # and what is made once for all who are behind


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_after_500_runs_a_process_holds_what_it_held_after_50(own_gateway: Embedded) -> None:
    server = Portico(own_gateway.url, GATEWAY_AGENTS=ids.METRONOME, RUNS_A_MINUTE="1000").start()
    ana = Visitor(server)
    ana.signs_in("user@example.com")
    held: dict[int, int] = {}
    for number in range(1, 501):
        path, run = begin(ana, {"rate": 2000, "count": 400, "story": f"subject {number}"})
        assert watched(ana, run)[1] == "finished"
        assert f"subject {number}" in plain(ana.reads(path))
        if number in (50, 500):
            held[number] = resident(pid_of(server))
    assert held[500] <= 1.1 * held[50], held
    ana.session.close()
    server.close()
