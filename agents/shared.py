"""Run logs that any process can follow: a Redis stream a run, whose ids are the numbers of the events.

The run's own process writes what its log says, behind the run's back: Redis never slows an answer, and one that was
away is told what it missed. Other processes mirror the stream, once for all their followers. Whatever is wrong with
Redis, they hear of the end: where they hear nothing, they look at the row.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error

from accounts.bus import TROUBLE
from accounts.whole_replies import WholeReplies
from agents.models import Run
from agents.runlog import RunLog, Whole, encoded

logger = logging.getLogger(__name__)

SNAPSHOT_EVERY = 0.25  # seconds
SNAPSHOT_SHARE = 20  # the time a snapshot took, times this, passes before the next one
KEPT_BEHIND = 500  # events that stay in the stream behind the snapshot, for followers that are a little late
FORGOTTEN = 3600  # seconds after its end, when the database has it all
KEPT_AT_MOST = 24 * 3600  # seconds after the last event: also where the run's process died
BLOCK = 5000  # milliseconds that a read waits for more
TIMEOUT = 5  # seconds to connect
STUCK = 10.0  # seconds for one round of words to Redis, a read that waits among them
WHOLE_WITHIN = 5.0  # seconds for a snapshot
AWAY, LONGEST_AWAY = 1.0, 4.0  # seconds until Redis is tried again
GIVEN_UP = 10.0  # seconds after its end in which Redis is told of it, once it is back
ROWS_EVERY = 2.0  # seconds between two looks at the rows of runs of which nothing was heard since the last one
PAGE_WAITS, REMEMBERED_AWAY = 1, 5.0  # seconds that a page waits for Redis, and until one waits again
NOTHING = Whole(0, "", "")
CONNECTIONS = 10_000  # a mirror holds one; redis-py's own limit is 100

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()
_mirrors: dict[UUID, Mirror] = {}
_looking: asyncio.Task[None] | None = None
_away_until = 0.0  # monotonic seconds; for pages


def _stream(run_id: UUID) -> str:
    return f"portico:run:{run_id}"


def _whole(run_id: UUID) -> str:
    return f"portico:run:{run_id}:whole"


def _client() -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, protocol=2, max_connections=CONNECTIONS, socket_connect_timeout=TIMEOUT
        )
    return _clients[loop]


async def close() -> None:
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


# -- the run's own process ----------------------------------------------------------------------------------------


async def share(run_id: UUID, log: RunLog, whole: Callable[[], Whole]) -> None:
    """Write a log into its stream until it is closed and all of it is written. Survives a Redis that goes away.

    One that is still away a little after the end is not told of it: the database has it all, and followers look there.
    """
    number = 0
    snapshot_at = 0.0  # monotonic seconds
    pause = 0.0  # seconds; none while Redis takes what it is told
    given_up_at = math.inf  # monotonic seconds
    has_complained = False
    while True:
        if log.number == number and not log.is_closed:
            await log.changed()
        if log.is_closed and given_up_at == math.inf:
            given_up_at = time.monotonic() + GIVEN_UP
        try:
            async with asyncio.timeout(STUCK):
                if time.monotonic() >= snapshot_at or not log.has_all_after(number):
                    started = time.monotonic()
                    try:
                        number = await _write_whole(run_id, log, whole(), number)
                    finally:
                        ended = time.monotonic()
                        snapshot_at = ended + max(SNAPSHOT_EVERY, SNAPSHOT_SHARE * (ended - started))
                number = await _write_frames(run_id, log, number)
                if log.is_closed and log.number == number:
                    await _client().expire(_stream(run_id), FORGOTTEN)
                    await _client().expire(_whole(run_id), FORGOTTEN)
                    return
            pause = 0.0
        except TROUBLE as exc:
            if not has_complained:
                logger.warning("run %s is not shared until Redis takes it: %r", run_id, exc)
            has_complained = True
            if time.monotonic() >= given_up_at:
                return
            pause = min(2 * pause or AWAY, LONGEST_AWAY)
            await asyncio.sleep(pause)
            number = await _number_there(run_id, number)
            if number > log.number:  # somebody else wrote there
                number = await _begin_anew(run_id)


async def _begin_anew(run_id: UUID) -> int:
    with suppress(*TROUBLE):
        async with asyncio.timeout(TIMEOUT):
            await _client().delete(_stream(run_id))
    return 0


async def _write_whole(run_id: UUID, log: RunLog, whole: Whole, number: int) -> int:
    """The answer so far; events far behind it are dropped from the stream. Gives the number that is written."""
    await _client().set(_whole(run_id), json.dumps(whole), ex=KEPT_AT_MOST)
    await _client().expire(_stream(run_id), KEPT_AT_MOST)
    await _client().xtrim(_stream(run_id), minid=f"{max(0, min(whole.number, number) - KEPT_BEHIND)}-0")
    return number if log.has_all_after(number) else whole.number


async def _write_frames(run_id: UUID, log: RunLog, number: int) -> int:
    frames = log.frames_after(number)
    async with _client().pipeline(transaction=False) as batch:
        for offset, frame in enumerate(frames, 1):
            batch.xadd(_stream(run_id), {"frame": frame}, id=f"{number + offset}-0")
        await batch.execute()
    return number + len(frames)


async def _number_there(run_id: UUID, number: int) -> int:
    """The number of the last event that arrived in Redis, as far as it can say."""
    try:
        async with asyncio.timeout(TIMEOUT):
            newest: Any = await _client().xrevrange(_stream(run_id), count=1)
        return int(newest[0][0].partition(b"-")[0]) if newest else 0
    except TROUBLE:
        return number


async def end_for(run_id: UUID, data: object) -> None:
    """Write the end of a run whose own process died, for those who follow it."""
    number = await _number_there(run_id, 0) + 1
    try:
        async with asyncio.timeout(STUCK):
            await _client().xadd(_stream(run_id), {"frame": encoded(number, "end", data)}, id=f"{number}-0")
            await _client().expire(_stream(run_id), FORGOTTEN)
            await _client().expire(_whole(run_id), FORGOTTEN)
    except TROUBLE as exc:
        logger.warning("the end of run %s was not told: %r", run_id, exc)


# -- the other processes ------------------------------------------------------------------------------------------


class Mirror:
    """Another process's log, for the followers in this one."""

    def __init__(self, run_id: UUID) -> None:
        self.log = RunLog()
        self.was_heard_of = False  # since somebody last looked
        self._run_id = run_id
        self._task = asyncio.create_task(self._read(), name=f"mirror of {run_id}")

    async def whole(self) -> Whole:
        """The newest snapshot; an empty one where there is none, or none that can be read."""
        try:
            async with asyncio.timeout(WHOLE_WITHIN):
                return _as_whole(await _client().get(_whole(self._run_id)))
        except TROUBLE:
            return NOTHING

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _read(self) -> None:
        """Until its end is heard, or `_look_at_rows` has seen it."""
        last = "0-0"
        has_complained = False
        while not self.log.is_closed:
            try:
                async with asyncio.timeout(STUCK):
                    told: Any = await _client().xread({_stream(self._run_id): last}, block=BLOCK)
                for entry, fields in told[0][1] if told else ():
                    last = entry.decode()
                    self._take(int(last.partition("-")[0]), fields.get(b"frame", b""))
            except TROUBLE as exc:
                if not has_complained:
                    logger.warning("run %s cannot be followed in Redis: %r", self._run_id, exc)
                has_complained = True
                await asyncio.sleep(AWAY)

    def _take(self, number: int, frame: bytes) -> None:
        if not frame.startswith(b"id: %d\n" % number):  # it is none of ours
            return
        self.was_heard_of = True
        if number != self.log.number + 1:
            self.log.begin_at(number)
        self.log.add(frame)
        if b"\nevent: end\n" in frame[:60]:
            self.log.close()


@asynccontextmanager
async def mirrored(run_id: UUID) -> AsyncIterator[Mirror]:
    """The mirror of a run, shared by all its followers in this process."""
    global _looking  # noqa: PLW0603
    mirror = _mirrors.get(run_id)
    if mirror is None:
        mirror = _mirrors[run_id] = Mirror(run_id)
    if _looking is None or _looking.done():
        _looking = asyncio.create_task(_look_at_rows(), name="rows of mirrors", context=contextvars.Context())
    mirror.log.followers += 1
    try:
        yield mirror
    finally:
        mirror.log.followers -= 1
        if mirror.log.followers == 0:
            _mirrors.pop(run_id, None)
            await mirror.stop()


async def _look_at_rows() -> None:
    """While anybody follows: a run that is silent and has ended in the database is cut, its rest is read there."""
    while _mirrors:
        await asyncio.sleep(ROWS_EVERY)
        silent = {run_id: mirror for run_id, mirror in _mirrors.items() if not mirror.was_heard_of}
        for mirror in _mirrors.values():
            mirror.was_heard_of = False
        try:
            still_open = await _open_among(list(silent))
        except Error:  # the next look tells
            continue
        for run_id, mirror in silent.items():
            if run_id not in still_open and not mirror.log.is_closed:
                mirror.log.cut()


@database_sync_to_async
def _open_among(run_ids: list[UUID]) -> set[UUID]:
    return (
        set(Run.objects.filter(id__in=run_ids, status__in=Run.OPEN).values_list("id", flat=True)) if run_ids else set()
    )


@cache
def plain_client() -> redis.Redis:
    options = {"socket_timeout": PAGE_WAITS, "socket_connect_timeout": PAGE_WAITS, "parser_class": WholeReplies}
    return redis.Redis.from_url(settings.REDIS_URL, **options)


def whole_now(run_id: UUID) -> Whole:
    """For a page: the answer so far of a run in another process. An empty one where nothing is known."""
    global _away_until  # noqa: PLW0603
    if time.monotonic() < _away_until:
        return NOTHING
    try:
        return _as_whole(plain_client().get(_whole(run_id)))
    except TROUBLE as exc:
        _away_until = time.monotonic() + REMEMBERED_AWAY
        logger.warning("Redis is away: %r", exc)
        return NOTHING


def _as_whole(kept: Any) -> Whole:
    try:
        number, html, tail = json.loads(kept or "null") or NOTHING
    except (ValueError, TypeError, RecursionError):
        return NOTHING
    is_whole = isinstance(number, int) and isinstance(html, str) and isinstance(tail, str)
    return Whole(number, html, tail) if is_whole else NOTHING
