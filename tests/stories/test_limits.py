"""What one person may have open or begin; whoever meets a limit is told, loses nothing, and is alone in it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from django.conf import settings
from websockets.exceptions import ConnectionClosed

from accounts import throttle
from accounts.limits import Pace
from embedded import ids
from tests.embedded import Embedded
from tests.portico import OFFERED, Portico, Visitor
from tests.stories.approving import ANA, GIL, Arriving, arrivals, connected
from tests.stories.following import eventually, plain, run_of

MOST = 3


@pytest.fixture(scope="module")
def bounded() -> Iterator[Portico]:
    few = dict.fromkeys(("OPEN_SOCKETS", "OPEN_FOLLOWERS", "SECRETS_A_MINUTE", "DRAFTS_KEPT"), str(MOST))
    with Embedded.start() as embedded:
        server = Portico(embedded.url, GATEWAY_AGENTS=",".join(OFFERED), RUNS_A_MINUTE="5", **few).start()
        yield server
        server.close()


@pytest.fixture
def arrive(bounded: Portico) -> Iterator[Arriving]:
    with arrivals(bounded) as arriving:
        yield arriving


def first_frame(visitor: Visitor) -> dict[str, Any]:
    with connected(visitor, visitor.portico.url) as socket:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=10))
        return frame


def test_a_page_too_many_is_told_so_and_comes_back_when_another_closed(arrive: Arriving) -> None:
    ana, again, gil = arrive(ANA), arrive(ANA), arrive(GIL)
    with ExitStack() as pages:
        for _ in range(MOST):
            pages.enter_context(connected(ana, ana.portico.url))
        with connected(again, ana.portico.url) as socket:  # another session of the same person
            frame = json.loads(socket.recv(timeout=10))
            assert frame["type"] == "full" and frame["message"].startswith("Too many pages of Portico are open.")
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=10)
            assert socket.close_code == 4429
        assert first_frame(gil)["type"] != "full"
    eventually(lambda: first_frame(again)["type"] != "full")


def test_an_answer_is_watched_by_so_many_and_no_more(arrive: Arriving) -> None:
    gil = arrive(GIL)
    run = run_of(gil.posts(f"/agents/{ids.STORYTELLER}/", message="at length about rivers").text)
    with ExitStack() as open_ones:
        for _ in range(MOST):
            follower = open_ones.enter_context(gil.gets(f"/runs/{run}/events/", stream=True))
            assert follower.status_code == 200
        refused = gil.gets(f"/runs/{run}/events/")
        assert refused.status_code == 429 and refused.headers["retry-after"] == "30"

    def is_let_in() -> bool:
        with gil.gets(f"/runs/{run}/events/", stream=True) as follower:
            return follower.status_code == 200

    eventually(is_let_in)


def test_who_asks_too_fast_is_told_so_and_keeps_what_they_typed(arrive: Arriving) -> None:
    ana, bo = arrive(ANA), arrive("admin@example.com")
    pages = [ana.posts(f"/agents/{ids.ECHO}/", message=f"number {number}") for number in range(5)]
    assert all("/conversations/" in page.url for page in pages)
    path = f"/agents/{ids.ECHO}/"
    refused = ana.posts(path, message="one too many")
    assert refused.status_code == 429 and "Retry-After" in refused.headers
    assert "You ask faster than Portico can follow." in plain(refused.text) and 'role="alert"' in refused.text
    assert "one too many" in ana.reads(path)
    assert "one too many" not in ana.reads("/conversations/")
    conversation = pages[0].url.removeprefix(ana.portico.url)
    live = requests.post(
        f"{pages[0].url}messages/",
        data={"message": "at once", "csrfmiddlewaretoken": ana.csrf_token()},
        headers={"HX-Request": "true", "Referer": pages[0].url},
        cookies=ana.session.cookies,
        timeout=10,
    )
    assert live.status_code == 429 and live.text.startswith("You ask faster than Portico can follow.")
    sent = ana.posts(f"{conversation}messages/", page=conversation, message="typed in vain")
    assert sent.status_code == 429 and conversation in sent.text
    assert "typed in vain" in ana.reads(conversation)
    assert ana.posts(f"/runs/{run_of(pages[0].text)}/retry/", page=conversation).status_code == 429
    assert "/conversations/" in bo.posts(path, message="somebody else").url


def test_keys_are_stored_at_a_pace(arrive: Arriving) -> None:
    ana = arrive(ANA)
    path = "/credentials/connect/weather/"
    stored = [ana.posts(path, secret=f"wx-demo-{number}") for number in range(MOST)]
    assert all(page.status_code == 200 for page in stored)
    refused = ana.posts(path, secret="wx-demo-more")
    assert refused.status_code == 429
    assert "You store secrets faster than Portico can follow." in plain(refused.text)
    assert "wx-demo-more" not in refused.text


def test_a_draft_is_kept_for_an_agent_that_there_is_and_so_many(arrive: Arriving) -> None:
    olu = arrive("operator@example.com")
    for nobody in ("nobody", "../x", "%2e%2e", "x%0ay"):
        assert olu.posts(f"/agents/{nobody}/draft/", page="/agents/", message="for nobody").status_code == 404
    agents = re.findall(r'href="/agents/([^/"]+)/"', olu.reads("/agents/"))
    kept = [olu.posts(f"/agents/{agent}/draft/", page="/agents/", message="mine").status_code for agent in agents[:4]]
    assert kept == [204] * MOST + [429]
    assert olu.posts(f"/agents/{agents[0]}/draft/", page="/agents/", message="mine, longer").status_code == 204
    assert "mine, longer" in olu.reads(f"/agents/{agents[0]}/")


def test_a_pace_comes_back_with_the_minute_and_is_forgotten() -> None:
    now = 0.0
    pace = Pace(lambda: 60, lambda: now)
    assert [pace.allows(1) for _ in range(61)] == [True] * 60 + [False]
    assert pace.allows(2)
    now = 1.0
    assert [pace.allows(1) for _ in range(2)] == [True, False]
    now = 100.0
    for person in range(5000):
        pace.allows(person)
    now = 200.0
    pace.allows(1)
    assert len(pace._left) == 1


def test_searches_and_exports_have_a_pace_that_is_said_where_one_looks(paced: Portico) -> None:
    ana = Visitor(paced)
    ana.signs_in(ANA)
    conversation = ana.posts(f"/agents/{ids.ECHO}/", message="hello there").url.removeprefix(paced.url)
    assert [ana.gets("/conversations/?q=hello").status_code for _ in range(MOST + 1)] == [200] * MOST + [429]
    page = ana.gets("/conversations/?q=hello")
    assert "You search faster than Portico can follow." in plain(page.text) and 'role="alert"' in page.text
    assert 'value="hello"' in page.text and ana.gets("/conversations/").status_code == 200
    exports = ("/conversations/export.md", f"{conversation}export.json", "/confirmations/history/decisions.csv")
    assert [ana.gets(path).status_code for path in exports] == [200] * MOST
    for path in exports:
        refused = ana.gets(path)
        assert refused.status_code == 429 and "You export faster than Portico can follow." in plain(refused.text)
        assert "Retry-After" in refused.headers
    ana.session.close()


def test_signing_in_has_a_pace(paced: Portico) -> None:
    bo = Visitor(paced)
    assert [bo.signs_in("admin@example.com").status_code for _ in range(MOST + 1)] == [200] * MOST + [429]
    refused = bo.signs_in("admin@example.com")
    assert "You sign in faster than Portico can follow." in plain(refused.text)
    assert 'value="admin@example.com"' in refused.text
    bo.session.close()


@pytest.fixture(scope="module")
def paced() -> Iterator[Portico]:
    few = dict.fromkeys(("SEARCHES_A_MINUTE", "EXPORTS_A_MINUTE", "SIGN_INS_A_MINUTE"), str(MOST))
    with Embedded.start() as embedded:
        server = Portico(embedded.url, **few).start()
        yield server
        server.close()


def test_one_password_is_not_tried_on_everybody_from_one_address() -> None:
    for number in range(settings.SIGN_IN_FAILURES_AN_ADDRESS):
        assert not throttle.is_paused(f"p{number}@example.com", "203.0.113.9")
        throttle.count_failure(f"p{number}@example.com", "203.0.113.9")
    assert throttle.is_paused("somebody@example.com", "203.0.113.9")
    assert not throttle.is_paused("somebody@example.com", "203.0.113.10")


def test_an_address_however_long_is_counted_without_a_word_in_the_log() -> None:
    """Django warns of long keys, with the key: a line of the log for whoever tries one."""
    for email in ("a" * 300 + "@example.com", "é" * 100 + "@example.com"):
        for _ in range(settings.SIGN_IN_FAILURES):
            assert not throttle.is_paused(email, "10.0.0.9")
            throttle.count_failure(email, "10.0.0.9")
        assert throttle.is_paused(email.upper(), "10.0.0.9")
        throttle.forget_failures(email, "10.0.0.9")


def test_a_pause_outlives_a_thousand_other_failures() -> None:
    for _ in range(10):
        throttle.count_failure("victim@example.com", "203.0.113.20")
    for number in range(1000):
        throttle.count_failure(f"q{number}@example.com", f"198.51.100.{number % 250}")
    assert throttle.is_paused("victim@example.com", "203.0.113.20")


def test_a_proxy_that_names_no_address_is_not_paused_for_all_who_come_by_it() -> None:
    for number in range(120):
        throttle.count_failure(f"r{number}@example.com", "127.0.0.1")
    assert not throttle.is_paused("somebody-else@example.com", "127.0.0.1")


def test_an_account_that_many_addresses_guess_at_is_slowed_down_and_not_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "DELAY", 0.05)
    for number in range(50):
        assert throttle.slow_down("ceo@example.com")
        throttle.count_failure("ceo@example.com", f"192.0.2.{number}")
    assert not throttle.is_paused("ceo@example.com", "203.0.113.30")
    begun = time.monotonic()
    with ThreadPoolExecutor(20) as guessing:
        taken = list(guessing.map(throttle.slow_down, ["ceo@example.com"] * 20))
    assert time.monotonic() - begun >= 0.05 and True in taken and False in taken
    assert throttle.slow_down("Ceo@Example.com ")
