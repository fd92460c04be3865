"""What the processes of one Portico tell each other, over Redis pub/sub; without `REDIS_URL` there is one process.

Pub/sub knows no databases: the channel is named after Redis's database and this installation's key, so that nobody
else's words are heard. What is heard all the same and is none of ours is passed over. A word is `(kind, payload)`,
where the payload is JSON without secrets. Every process hears every word, its own too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import redis
import redis.asyncio
from django.conf import settings

from accounts.whole_replies import WholeReplies

logger = logging.getLogger(__name__)

TIMEOUT = 1  # seconds for one word to Redis
REMEMBERED_AWAY = 2.0  # seconds until a Redis that was away is told again: a frozen one must not hold up every page
PING_EVERY, SILENCE = 4.0, 4.0  # seconds: a connection that died silently is noticed after both
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two attempts to hear again

TROUBLE = (redis.RedisError, OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""Away, full or frozen; and what the client makes of a server that is no Redis. A time-out is an OSError."""

Hearer = Callable[[Any], None]
CatchUp = Callable[[], Awaitable[None]]

MISSED = "missed"  # the kind of a word that says: there were others, which could not be told

_hearers: dict[str, Hearer] = {}
_catch_ups: list[CatchUp] = []
_listening: asyncio.Task[None] | None = None
_is_heard = False
_away_until = 0.0  # seconds of the monotonic clock
_has_untold = False  # something that the other processes did not hear of
_telling = ThreadPoolExecutor(1, thread_name_prefix="bus-tell")


def channel() -> str:
    database = redis.Redis.from_url(settings.REDIS_URL).connection_pool.connection_kwargs.get("db", 0)
    return f"portico-{hashlib.sha256(f'{settings.SECRET_KEY} {database}'.encode()).hexdigest()[:12]}"


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
    """Tell every process, from any thread. Without Redis, or while it is away, only this one hears it.

    It hears its own words also while it cannot listen to those of others.

    Whoever tells does not wait for Redis; words are told in their order.
    """
    if is_shared():
        _telling.submit(_tell, kind, json.dumps([kind, payload]))
    else:
        _hearers[kind](payload)


def _tell(kind: str, word: str) -> None:
    global _away_until, _has_untold  # noqa: PLW0603
    is_told = False
    if time.monotonic() >= _away_until:
        try:
            is_told = bool(_client().publish(_channel(), word))
        except TROUBLE:
            _away_until = time.monotonic() + REMEMBERED_AWAY
            logger.warning("Redis is away: %s is heard by this process alone", kind)
    _has_untold = _has_untold or not is_told
    if not (is_told and _is_heard):  # else this process is among those who hear it
        _hear_word(word)


def _make_up() -> None:
    """Redis is there again: whoever listened before this process could tell again has missed what it had to tell."""
    global _has_untold  # noqa: PLW0603
    if _has_untold and time.monotonic() >= _away_until:
        _has_untold = False
        tell(MISSED, None)


def _hear_missed(_: None) -> None:
    if _listening is not None:
        asyncio.run_coroutine_threadsafe(_catch_up(), _listening.get_loop())


_hearers[MISSED] = _hear_missed
_channel = cache(channel)


@cache
def _client() -> redis.Redis:
    options = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "parser_class": WholeReplies}
    return redis.Redis.from_url(settings.REDIS_URL, **options)


def start() -> None:
    """Listen on this loop until `stop`; once a process."""
    global _listening  # noqa: PLW0603
    if is_shared() and _listening is None:
        _listening = asyncio.create_task(_listen(), name="bus")


async def stop() -> None:
    """When the last word is told, or Redis is found to be away."""
    global _listening  # noqa: PLW0603
    await asyncio.wrap_future(_telling.submit(lambda: None))
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
            async with client.pubsub() as words:
                await words.subscribe(_channel())
                await _answer(words)
                pause = FIRST_PAUSE
                _is_heard = True
                if has_missed:
                    await _catch_up()
                while True:
                    _make_up()
                    if (message := await words.get_message(timeout=PING_EVERY)) is not None:
                        _hear(message)
                    else:
                        await words.ping()
                        _hear(await _answer(words))
        except TROUBLE as exc:
            logger.warning("Redis is away: %r", exc)
        except Exception:
            logger.exception("the words of other processes are listened for anew")
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


async def _answer(words: redis.asyncio.client.PubSub) -> dict[str, Any]:
    """Whatever Redis says next. Raises TimeoutError: a connection can die without a word."""
    message: dict[str, Any] | None = await words.get_message(timeout=SILENCE)
    if message is None:
        raise TimeoutError("Redis does not answer")
    return message


def _hear(message: Mapping[str, Any]) -> None:
    if message["type"] == "message":
        _hear_word(message["data"])


def _hear_word(word: str | bytes) -> None:
    try:
        kind, payload = json.loads(word)
        hearer = _hearers[kind]
    except (ValueError, TypeError, KeyError, RecursionError):
        logger.warning("a word that is none of ours was passed over")
        return
    try:
        hearer(payload)
    except Exception:
        logger.exception("a word of kind %s was not understood", kind)
