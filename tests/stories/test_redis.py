"""A Redis that is full, frozen, silent or shared with others costs nobody a sign-in, a page or a word."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache as cache_of
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache

from accounts import bus, throttle
from config.cache import RedisOrMemory
from tests.servers import Line, redis_server
from tests.stories.following import eventually


@pytest.fixture
def shared() -> Iterator[str]:
    with redis_server() as address:
        yield address


@pytest.fixture
def kept(shared: str, monkeypatch: pytest.MonkeyPatch) -> BaseCache:
    """The cache of a process, with this Redis."""
    own = RedisOrMemory(shared, {"TIMEOUT": 300})
    monkeypatch.setattr(throttle, "cache", own)
    return own


def fill(address: str) -> redis.Redis:
    client = redis.Redis.from_url(address)
    client.config_set("maxmemory", "2mb")
    with suppress(redis.ResponseError):
        for number in range(100):
            client.set(f"of others {number}", "x" * 100_000)
    for number in range(2000):
        try:
            client.set(f"small {number}", "x" * 10)
        except redis.ResponseError:
            break
    return client


@pytest.mark.parametrize("before", [0, 3])
def test_wrong_passwords_are_counted_while_redis_is_full(kept: BaseCache, shared: str, before: int) -> None:
    for _ in range(before):
        throttle.count_failure("eve@example.com", "10.0.0.1")
    with fill(shared):
        for failures in range(before, 10):
            assert not throttle.is_paused("eve@example.com", "10.0.0.1"), failures
            throttle.count_failure("eve@example.com", "10.0.0.1")
        assert throttle.is_paused("eve@example.com", "10.0.0.1")
        assert not throttle.is_paused("ana@example.com", "10.0.0.1")
    throttle.forget_failures("eve@example.com", "10.0.0.1")
    assert not throttle.is_paused("eve@example.com", "10.0.0.1")


def test_a_counter_that_expires_between_two_words_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(cache._connections["default"]), "add", lambda *_: False)  # type: ignore[attr-defined]
    throttle.count_failure("late@example.com", "10.0.0.1")
    assert not throttle.is_paused("late@example.com", "10.0.0.1")
    throttle.forget_failures("late@example.com", "10.0.0.1")


def test_nothing_that_redis_holds_is_run_or_trusted_blindly(kept: BaseCache, shared: str) -> None:
    kept.set("names", {"a": ["Ana"]})
    key = kept._shared.make_and_validate_key("names")  # type: ignore[attr-defined]
    with redis.Redis.from_url(shared) as client:
        assert json.loads(client.get(key)) == {"a": ["Ana"]}
        assert kept.get("names") == {"a": ["Ana"]}
        client.set(key, b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.")
        assert kept.get("names") is None


def test_a_frozen_redis_costs_one_short_wait_and_not_one_a_page(kept: BaseCache, shared: str) -> None:
    pid = redis.Redis.from_url(shared).info()["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for _ in range(20):
            kept.get("anything")
            kept.set("anything", 1)
        assert time.monotonic() - begun < 4
        assert kept.get("anything") == 1
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
async def heard(shared: str, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    settings.REDIS_URL = shared
    words: list[Any] = []
    monkeypatch.setitem(bus._hearers, "test", words.append)
    monkeypatch.setattr(bus, "PING_EVERY", 0.2)
    monkeypatch.setattr(bus, "SILENCE", 0.4)
    bus._client.cache_clear()
    bus._channel.cache_clear()
    bus.start()
    await until(bus.is_heard)
    yield words
    await bus.stop()
    bus._client().close()
    bus._client.cache_clear()
    bus._channel.cache_clear()


async def until(look: Callable[[], bool]) -> None:
    await asyncio.to_thread(eventually, look, 8)


ODD = (
    *("{}", "", "[1, 2]", "[[], 1]", '["test"]', '"x"', "null", "[" * 5000, '["stop run", 5]', '["stop run", "x"]'),
    b"\xff\xfe",
)


async def test_no_word_of_others_ends_what_processes_tell_each_other(heard: list[Any], shared: str) -> None:
    with redis.Redis.from_url(shared) as client:
        for word in ODD:
            client.publish(bus.channel(), word)
            client.publish("portico", word)
    await asyncio.to_thread(bus.tell, "test", "still here")
    await until(lambda: heard == ["still here"])
    assert bus.is_heard()


async def test_a_connection_that_falls_silent_is_noticed_and_made_anew(heard: list[Any], shared: str) -> None:
    pid = redis.Redis.from_url(shared).info()["process_id"]
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    for word in ("nobody", "waits"):
        bus.tell("test", word)
    assert time.monotonic() - began < bus.TIMEOUT / 2
    await until(lambda: heard == ["nobody", "waits"])  # of itself, in the end
    await until(lambda: not bus.is_heard())
    heard.clear()
    os.kill(pid, signal.SIGCONT)
    await until(bus.is_heard)
    bus._away_until = 0.0
    await asyncio.to_thread(bus.tell, "test", "again")
    await until(lambda: heard == ["again"])


async def test_who_listened_again_before_others_could_tell_makes_up_for_what_they_missed(
    heard: list[Any], shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up: list[str] = []

    async def make_up() -> None:
        made_up.append("here, as in any process that hears it")

    monkeypatch.setattr(bus, "_catch_ups", [make_up])
    with redis.Redis.from_url(shared) as client, client.pubsub(ignore_subscribe_messages=True) as other:
        other.subscribe(bus.channel())
        bus._away_until = time.monotonic() + 0.5  # as just after Redis came back
        bus.tell("test", "told to nobody else")
        await until(lambda: heard == ["told to nobody else"])
        await until(lambda: (other.get_message(timeout=0.1) or {}).get("data") == b'["missed", null]')
    await until(lambda: len(made_up) == 1)


@pytest.mark.parametrize(
    "answer",
    [b"+OK\r\n", b":1\r\n", b"*1\r\n" * 5000, b"$3\r\n[1]\r\n", b"#t\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"],
)
async def test_a_server_that_is_no_redis_costs_nobody_a_word_or_a_sign_in(
    shared: str, monkeypatch: pytest.MonkeyPatch, settings: Any, answer: bytes
) -> None:
    line = Line(int(shared.rpartition(":")[2].partition("/")[0]))
    line.says = answer
    settings.REDIS_URL = f"redis://127.0.0.1:{line.port}/0"
    words: list[Any] = []
    monkeypatch.setitem(bus._hearers, "test", words.append)
    monkeypatch.setattr("config.cache.REMEMBERED_AWAY", 0.0)
    monkeypatch.setattr(bus, "REMEMBERED_AWAY", 0.0)
    bus._client.cache_clear()
    bus._channel.cache_clear()
    try:
        for word in ("still", "here", "and heard"):
            bus.tell("test", word)
        await until(lambda: words == ["still", "here", "and heard"])
        monkeypatch.setattr(throttle, "cache", RedisOrMemory(settings.REDIS_URL, {}))
        for _ in range(3):
            await asyncio.to_thread(throttle.count_failure, "eve@example.com", "10.0.0.1")
            assert await asyncio.to_thread(throttle.is_paused, "eve@example.com", "10.0.0.1") in (True, False)
    finally:
        bus._client().close()
        bus._client.cache_clear()
        bus._channel.cache_clear()
        line.close()


class Endless(BaseRequestHandler):
    """A reply that goes on and on."""

    piece, pause = b"", 0.0

    def handle(self) -> None:
        with suppress(OSError):
            self.request.sendall(b"+")
            while True:
                self.request.sendall(self.piece)
                time.sleep(self.pause)


@pytest.mark.parametrize(("piece", "pause"), [(b"a", 0.2), (b"a" * 65536, 0.0), (b"", 0.2)])
def test_a_reply_without_end_costs_one_wait_and_not_one_a_page(
    settings: Any, monkeypatch: pytest.MonkeyPatch, piece: bytes, pause: float
) -> None:
    endless = type("Endless", (Endless,), {"piece": piece, "pause": pause})
    with ThreadingTCPServer(("127.0.0.1", 0), endless) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        settings.REDIS_URL = f"redis://127.0.0.1:{server.server_address[1]}/0"
        kept = RedisOrMemory(settings.REDIS_URL, {})
        monkeypatch.setattr(bus, "_client", cache_of(bus._client.__wrapped__))
        begun = time.monotonic()
        for number in range(20):
            kept.set("number", number)
            assert kept.get("number") == number
        with suppress(*bus.TROUBLE):
            bus._client().publish("word", "1")
        assert time.monotonic() - begun < 10
        server.shutdown()


def test_two_installations_on_one_redis_do_not_hear_each_other(settings: Any) -> None:
    names = set()
    for url, key in (("redis://h:6379/0", "a"), ("redis://h:6379/1", "a"), ("redis://h:6379/0", "b")):
        settings.REDIS_URL, settings.SECRET_KEY = url, key
        names.add(bus.channel())
    assert len(names) == 3
