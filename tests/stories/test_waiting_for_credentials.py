"""Answers that wait for a credential: for what can be connected, and never for what cannot."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from agents import runs
from embedded import ids
from gateway import Gateway, RequiredService
from tests.embedded import Embedded
from tests.portico import OFFERED, Portico, Visitor
from tests.stories.following import events_of, eventually, plain, run_of, transcript, watched
from tests.stories.test_chat import ask

WAITING = 10  # runs: more than an event loop has threads of its own on small machines


@pytest.fixture(scope="module")
def upstream() -> Iterator[Embedded]:
    with Embedded.start() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def boss(upstream: Embedded) -> Gateway:
    boss = Gateway(upstream.url, upstream.token("admin@example.com"))
    boss.create_service("legacy_box", "Legacy box", "basic")
    boss.create_service("calendar", "Calendar", "oauth")
    return boss


@pytest.fixture(scope="module")
def house(upstream: Embedded) -> Iterator[Portico]:
    """It knows the gateway by a name, which has to be looked up."""
    server = Portico(upstream.url.replace("127.0.0.1", "localhost"), GATEWAY_AGENTS=",".join(OFFERED)).start()
    yield server
    server.close()


@pytest.fixture
def ana(house: Portico) -> Iterator[Visitor]:
    ana = Visitor(house)
    ana.signs_in("user@example.com")
    yield ana
    ana.session.close()


CANNOT = {
    ("legacy_box",): "cannot connect Legacy box, since it takes no user names and passwords. Ask your operator",
    ("calendar",): "cannot connect Calendar, since it names no page to sign in at. Ask your operator",
    ("pigeons",): "cannot connect pigeons, since it offers you no such service. Ask your operator to set it up",
    ("weather", "pigeons"): "cannot connect pigeons, since it offers you no such service. Ask your operator",
    ("legacy_box", "pigeons"): "nor pigeons, since it offers you no such service. Ask your operator to set them up",
    ("a/b",): "cannot connect a/b, since it is no name that an address can hold.",
}


@pytest.mark.parametrize("needed", CANNOT)
def test_nobody_waits_for_what_cannot_be_connected(
    ana: Visitor, boss: Gateway, upstream: Embedded, needed: tuple[str, ...]
) -> None:
    agent = boss.create_agent("Needy", "http://127.0.0.1:9/", required=[RequiredService(one) for one in needed])
    path, run = ask(ana, agent.agent.id, "what is the news of today?")
    text, status = watched(ana, run)
    assert status == "failed"
    assert CANNOT[needed] in text and "Retry" in text
    page = ana.reads(path)
    assert "what is the news of today?" in transcript(page) and CANNOT[needed] in transcript(page)
    assert "data-follow" not in page
    assert "data-stop hidden" in page
    checks = [one for one in upstream.received() if one["path"].endswith(f"{agent.agent.id}/credentials-check")]
    assert len(checks) <= 2  # when it was said, and by the page


def test_once_the_operator_has_set_it_up_the_message_can_be_sent_again(ana: Visitor, boss: Gateway) -> None:
    agent = boss.create_agent("Needy", "http://127.0.0.1:9/", required=[RequiredService("falcons")])
    path, run = ask(ana, agent.agent.id, "what is the news of today?")
    assert watched(ana, run)[1] == "failed"
    boss.create_service("falcons", "Falcons", "key")
    again = run_of(ana.posts(f"/runs/{run}/retry/", page=path).text)
    eventually(lambda: "Connect Falcons" in transcript(ana.reads(path)))
    ana.posts(f"/runs/{again}/cancel/", page=path)
    assert transcript(ana.reads(path)).count("what is the news of today?") == 1


@pytest.mark.parametrize("answer", [{"status": 500}, {"status": 200}])
def test_what_the_gateway_cannot_say_now_is_waited_for(
    ana: Visitor, boss: Gateway, upstream: Embedded, answer: dict[str, object]
) -> None:
    agent = boss.create_agent("Needy", "http://127.0.0.1:9/", required=[RequiredService("herons")])
    for path in ("credential-providers/by-service/herons", "credentials/check/herons"):
        upstream.dial(fail={"path": f"/api/v1/{path}", "times": 100, **answer})
    path, run = ask(ana, agent.agent.id, "hello")
    eventually(lambda: "herons is needed. How to connect it is not known now" in transcript(ana.reads(path)))
    assert "data-follow" in ana.reads(path)
    upstream.dial(fail=None)
    ana.reads(path)
    assert watched(ana, run)[1] == "failed"  # now the gateway says that there is none


def test_many_that_wait_hold_up_nobody_while_the_gateway_hangs(ana: Visitor, upstream: Embedded) -> None:
    check = f"/api/v1/agents/{ids.WEATHER_DESK}/credentials-check"
    with ThreadPoolExecutor(4) as threads:
        waiting = list(threads.map(lambda number: ask(ana, ids.WEATHER_DESK, f"the sky {number}?"), range(WAITING)))
    for path, _ in waiting:
        eventually(lambda path=path: "Connect Weather" in transcript(ana.reads(path)))  # type: ignore[misc]
    upstream.dial(fail={"path": check, "delay": 25, "times": 1000})
    before = sum(one["path"] == check for one in upstream.received())
    ana.reads(waiting[0][0])  # whoever is here has their waiting answers look again
    eventually(lambda: sum(one["path"] == check for one in upstream.received()) >= before + 4)
    started = monotonic()
    _, run = ask(ana, ids.ECHO, "are you there?")
    assert watched(ana, run)[1] == "finished"
    other, run = ask(ana, ids.GITHUB_HELPER, "what is new?")
    eventually(lambda: "Connect GitHub" in transcript(ana.reads(other)))
    ana.posts(f"/runs/{run}/cancel/", page=other)
    path, stopped = waiting[-1]
    events = events_of(ana, stopped)
    ana.posts(f"/runs/{stopped}/cancel/", page=path)
    assert list(events)[-1][2]["status"] == "stopped"
    assert monotonic() - started < 15
    upstream.dial(fail=None)
    assert "Stopped by you" in plain(ana.reads(path))
    for path, run in waiting[:-1]:
        ana.posts(f"/runs/{run}/cancel/", page=path)


def test_those_that_wait_do_not_ask_at_one_moment() -> None:
    followed = {runs.until_next_look(is_followed=True) for _ in range(50)}
    alone = {runs.until_next_look(is_followed=False) for _ in range(50)}
    assert len(followed) > 40 and len(alone) > 40
    assert max(followed) < 10
    assert min(alone) > 20
