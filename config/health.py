"""For whoever watches the process: does it run, and can it serve? Routed before Django, which may be what is broken."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import shutil
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.templatetags.static import static

from accounts import bus, processes
from accounts.sessions import opened, sealed
from accounts.streaming import guarded
from accounts.whole_replies import WholeReplies
from gateway import Gateway
from gateway.waiting import unblocked

WITHIN = 0.7  # seconds for all that is looked at: probes give up after one
LEAST_SPACE = 5 * 1024**2  # bytes
FATAL = {
    "database": ("away", "silent", "without its tables"),
    "redis": ("away", "silent"),
    "keys": ("unusable", "silent"),
    "static files": ("missing", "silent"),
}
"""What makes every page fail. The rest is told, but Portico explains it itself, or works without."""

OTHERS = (
    "another process uses this database without Redis: what happens in the other one is shown late,"
    " and an answer there cannot be stopped from here"
)

Send = Callable[[dict[str, Any]], Awaitable[None]]
ASGI = dict[str, Any]


class Look:
    """One thing that is looked at. A look that hangs is not begun a second time."""

    def __init__(self, see: Callable[[], str], look: Callable[[Callable[[], str]], asyncio.Future[str]]) -> None:
        self._begin = partial(look, see)
        self._looking: asyncio.Future[str] | None = None
        self._bad_since: float | None = None  # seconds of the monotonic clock

    async def state(self) -> tuple[str, float]:
        """What it is in a word or two, and for how many seconds it has not been ok."""
        looking = self._looking = self._looking or self._begin()
        await asyncio.wait([looking], timeout=WITHIN)
        state = "silent"
        if looking.done():
            state = "away" if looking.exception() else looking.result()
            if self._looking is looking:  # whoever waited for the same look may have begun another
                self._looking = None
        now = time.monotonic()
        self._bad_since = None if state == "ok" else (self._bad_since or now)
        return state, now - self._bad_since if self._bad_since is not None else 0.0


def aside(see: Callable[[], str]) -> asyncio.Future[str]:
    """In a thread that does not keep the process from ending, should it hang."""
    seen: concurrent.futures.Future[str] = concurrent.futures.Future()

    def look() -> None:
        try:
            seen.set_result(see())
        except Exception as exc:
            seen.set_exception(exc)

    Thread(target=look, name="readyz", daemon=True).start()
    return asyncio.wrap_future(seen)


def on_the_loop(see: Callable[[], str]) -> asyncio.Future[str]:
    return asyncio.create_task(unblocked(see))


_has_tables = False


def _database() -> str:
    global _has_tables  # noqa: PLW0603
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _has_tables:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "without its tables"
            _has_tables = True
        return _writing()
    except DatabaseError:
        return "away"
    finally:
        connection.close()


def _writing() -> str:
    if connection.vendor == "sqlite":
        place = Path(str(connection.settings_dict["NAME"]))
        if place.exists() and shutil.disk_usage(place.parent).free < LEAST_SPACE:
            return "full"
        try:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 300")
                cursor.execute("BEGIN IMMEDIATE")
                cursor.execute("ROLLBACK")
        except DatabaseError as exc:
            return "locked" if "locked" in str(exc) else "read-only"
        return "ok"
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        row = cursor.fetchone()
    return "read-only" if row and row[0] == "on" else "ok"


def _redis() -> str:
    if not bus.is_heard():
        return "away"
    try:
        options = {"socket_timeout": WITHIN, "socket_connect_timeout": WITHIN, "parser_class": WholeReplies}
        with redis.Redis.from_url(settings.REDIS_URL, **options) as client:
            client.set("portico:readyz", 1, ex=5)
    except redis.TimeoutError:
        return "silent"
    except redis.ResponseError:
        return "full"
    except redis.RedisError:
        return "away"
    return "ok"


def _keys() -> str:
    try:
        return "ok" if opened(sealed("key")) == "key" else "unusable"
    except Exception:  # whatever a wrong key does to the library
        return "unusable"


def _static_files() -> str:
    try:
        static("portico/base.css")
    except ValueError:
        return "missing"
    return "ok"


def _processes() -> str:
    """Without Redis there is to be one process; two spoil nothing, but do not tell each other what happens."""
    if bus.is_shared():
        return "ok"
    try:
        return OTHERS if processes.others_alive() else "ok"
    finally:
        connection.close()


def _gateway() -> str:
    return "ok" if Gateway(settings.GATEWAY_URL).is_alive() else "away"


LOOKS = {
    "database": Look(_database, aside),
    "redis": Look(_redis, aside),
    "keys": Look(_keys, aside),
    "static files": Look(_static_files, aside),
    "processes": Look(_processes, aside),
    "gateway": Look(_gateway, on_the_loop),
}
ALWAYS_TOLD = ("database", "redis", "gateway")


async def healthz(scope: ASGI, receive: object, send: Send) -> None:
    await _answer(send, 200, {"status": "ok"})


async def readyz(scope: ASGI, receive: object, send: Send) -> None:
    """503 for what makes every page fail; `seconds` says for how long each has not been ok, as far as anybody asked."""
    looks = {name: look for name, look in LOOKS.items() if name != "redis" or bus.is_shared()}
    found = dict(zip(looks, await asyncio.gather(*(look.state() for look in looks.values())), strict=True))
    body: dict[str, Any] = {name: state for name, (state, _) in found.items() if name in ALWAYS_TOLD or state != "ok"}
    if ages := {name: round(age, 1) for name, (state, age) in found.items() if state != "ok"}:
        body["seconds"] = ages
    is_down = any(found[name][0] in states for name, states in FATAL.items() if name in found)
    await _answer(send, 503 if is_down else 200, body)


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    headers = guarded([(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
