"""What the processes of one Portico tell each other, over Redis pub/sub; without `REDIS_URL` there is one process.

A word is `(kind, payload)`, where the payload is JSON without secrets. Every process hears every word, its own too.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import redis
import redis.asyncio
from django.conf import settings

logger = logging.getLogger(__name__)

CHANNEL = "portico"
TIMEOUT = 5  # seconds for one word to Redis
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two attempts to hear again

Hearer = Callable[[Any], None]
CatchUp = Callable[[], Awaitable[None]]

_hearers: dict[str, Hearer] = {}
_catch_ups: list[CatchUp] = []
_listening: asyncio.Task[None] | None = None
_is_heard = False


def hears(kind: str) -> Callable[[Hearer], Hearer]:
    """Register what to do with words of this kind; called on the loop of the process."""

    def register(hearer: Hearer) -> Hearer:
        _hearers[kind] = hearer
        return hearer

    return register


def catches_up(catch_up: CatchUp) -> CatchUp:
    """Register what to do when words are heard again after some may have been missed."""
    _catch_ups.append(catch_up)
    return catch_up


def is_shared() -> bool:
    """Whether there may be other processes."""
    return bool(settings.REDIS_URL)


def is_heard() -> bool:
    """Whether this process hears the words of others; always, where there are none."""
    return _is_heard or not is_shared()


def tell(kind: str, payload: Any) -> None:
    """Tell every process, from any thread. Without Redis, or while it is away, only this one hears it."""
    if is_shared():
        try:
            _client().publish(CHANNEL, json.dumps([kind, payload]))
            return
        except redis.RedisError:
            logger.warning("Redis is away: %s is heard by this process alone", kind)
    _hearers[kind](payload)


@cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)


def start() -> None:
    """Listen on this loop until `stop`; once a process."""
    global _listening  # noqa: PLW0603
    if is_shared() and _listening is None:
        _listening = asyncio.create_task(_listen(), name="bus")


async def stop() -> None:
    global _listening  # noqa: PLW0603
    if _listening is not None:
        _listening.cancel()
        await asyncio.wait([_listening])
        _listening = None


async def _listen() -> None:
    global _is_heard  # noqa: PLW0603
    pause = FIRST_PAUSE
    has_missed = False
    while True:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL, protocol=2, socket_connect_timeout=TIMEOUT)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as words:
                await words.subscribe(CHANNEL)
                pause = FIRST_PAUSE
                _is_heard = True
                if has_missed:
                    await _catch_up()
                async for word in words.listen():
                    _hear(word["data"])
        except (redis.RedisError, OSError) as exc:
            logger.warning("Redis is away: %r", exc)
        finally:
            _is_heard = False
            has_missed = True
            await client.aclose()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _catch_up() -> None:
    for catch_up in _catch_ups:
        try:
            await catch_up()
        except Exception:
            logger.exception("what was missed while Redis was away could not be made up for")


def _hear(data: bytes) -> None:
    kind, payload = json.loads(data)
    try:
        _hearers[kind](payload)
    except Exception:
        logger.exception("a word of kind %s was not understood", kind)
