"""Which processes of Portico live: what a living one has in hand is never taken for a dead one's.

On one machine the system knows. Of a process on another, silence tells: each counts its beats in the database, and is
given up when whoever looks has seen no new beat for `SILENT`, through looks that worked and beats of its own that were
taken: a database that is away, locked or full is so for others, too.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal
from uuid import uuid4

from channels.db import database_sync_to_async
from django.db import Error
from django.db.models import F

from accounts.models import Process

logger = logging.getLogger(__name__)

BEAT_EVERY = 2.0  # seconds
SILENT = 20.0  # seconds

State = Literal["alive", "gone", "silent"]
"""Gone: it has certainly died. Silent: nobody has heard of it for too long."""

_ids: dict[int, str] = {}  # by process id: a fork is another process
_in_hand: Counter[tuple[str, str, str]] = Counter()  # what kind of thing, gateway, confirmation
_lock = Lock()
_heard: dict[str, tuple[int, float]] = {}  # by process: its last beat, and when it was first seen
_looked = 0.0
_beating: dict[str, float] = {}  # by process: when a beat of it was last seen to be new
_beating_thread = ThreadPoolExecutor(1, thread_name_prefix="processes")  # its own: a beat waits for nothing else
_watch: asyncio.Task[None] | None = None


def my_id() -> str:
    return _ids.setdefault(os.getpid(), uuid4().hex)


def this_process() -> Process:
    """The row that what this process has in hand refers to."""
    facts = {"place": _place(), "pid": os.getpid(), "born": _born(os.getpid())}
    return Process.objects.get_or_create(pk=my_id(), defaults=facts)[0]


def start() -> None:
    """Let others know of this process, and hear of them; once a process."""
    global _watch  # noqa: PLW0603
    if _watch is None or _watch.done():
        _watch = asyncio.create_task(_keep_beating(), name="processes", context=Context())


async def stop() -> None:
    if _watch is not None:
        _watch.cancel()
        await asyncio.wait([_watch])


async def _keep_beating() -> None:
    is_away = False
    while True:
        try:
            await database_sync_to_async(beat_and_listen, thread_sensitive=False, executor=_beating_thread)()
            is_away = False
        except Error as exc:
            if not is_away:  # once is enough, however long that takes
                logger.warning("the beats of this process are not taken: %r", exc)
            is_away = True
        except Exception:
            logger.exception("the processes do not hear of each other")
        await asyncio.sleep(BEAT_EVERY)


def beat_and_listen() -> None:
    try:
        beat()
        listen()
    except Error:
        forget_heard()
        raise


@contextmanager
def in_hand(kind: str, gateway: str, confirmation_id: str) -> Iterator[None]:
    take(kind, gateway, confirmation_id)
    try:
        yield
    finally:
        let_go(kind, gateway, confirmation_id)


def take(kind: str, gateway: str, confirmation_id: str) -> None:
    """To be done before there is a row, so that nobody finds the row and takes it for left."""
    with _lock:
        _in_hand[kind, gateway, confirmation_id] += 1


def let_go(kind: str, gateway: str, confirmation_id: str) -> None:
    with _lock:
        _in_hand[kind, gateway, confirmation_id] -= 1
        if not _in_hand[kind, gateway, confirmation_id]:
            del _in_hand[kind, gateway, confirmation_id]


def is_in_hand(kind: str, gateway: str, confirmation_id: str) -> bool:
    """Whether this process sees to it."""
    with _lock:
        return (kind, gateway, confirmation_id) in _in_hand


def has_in_hand(kind: str) -> bool:
    with _lock:
        return any(one[0] == kind for one in _in_hand)


def beat() -> None:
    """Also with nothing in hand: what is taken up a moment later must not be taken for a silent process's."""
    if not Process.objects.filter(pk=my_id()).update(beats=F("beats") + 1):
        this_process()


def listen() -> None:
    """Note the beats of other processes. After a pause in which nobody could look, silence proves nothing."""
    global _looked  # noqa: PLW0603
    now = time.monotonic()
    if now - _looked > SILENT / 2:
        forget_heard()
    _looked = now
    beats = dict(Process.objects.exclude(pk=my_id()).values_list("pk", "beats"))
    for known in (_heard, _beating):
        for process in known.keys() - beats.keys():
            known.pop(process)
    for process, count in beats.items():
        if process in _heard and _heard[process][0] != count:
            _beating[process] = now
        if process not in _heard or _heard[process][0] != count:
            _heard[process] = (count, now)


def forget_heard() -> None:
    """The database was away: it was for others, too."""
    _heard.clear()


def is_gone(process: Process) -> bool:
    """Whether it has certainly died; False of one on another machine."""
    if process.pk == my_id() or not _is_near(process):
        return False
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's
        return False
    born = _born(process.pid)
    return bool(born and process.born) and born != process.born


def _is_near(process: Process) -> bool:
    """Whether its id means something to this machine."""
    return bool(process.place) and process.place == _place()


def is_silent(process: Process) -> bool:
    """Whether nobody has heard of it for too long, as of the last look; False of one of which the system knows."""
    heard = _heard.get(process.pk)
    return heard is not None and _looked - heard[1] > SILENT and not _is_near(process)


def states_of(ids: Iterable[str]) -> dict[str, State]:
    """What is known of these processes; one that left no row is gone."""
    asked = set(ids)
    rows = Process.objects.in_bulk(asked)
    return {one: _state_of(rows[one]) if one in rows else "gone" for one in asked}


def _state_of(process: Process) -> State:
    if is_gone(process):
        return "gone"
    return "silent" if is_silent(process) else "alive"


def others_alive() -> list[Process]:
    """Other processes that certainly live: on this machine, or heard of lately."""
    since = time.monotonic() - SILENT
    return [
        process
        for process in Process.objects.exclude(pk=my_id())
        if (not is_gone(process) if _is_near(process) else _beating.get(process.pk, 0.0) > since)
    ]


def purge() -> None:
    """Forget processes that died and left nothing behind."""
    nothing = {f"{relation.field.related_query_name()}__isnull": True for relation in Process._meta.related_objects}
    for process in Process.objects.filter(**nothing).exclude(pk=my_id()):
        if is_gone(process) or is_silent(process):
            Process.objects.filter(pk=process.pk, **nothing).delete()


@cache
def _place() -> str:
    """Where a process id means something: this machine, since it started, and this container. Empty: not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"[:200]
    except OSError:
        return ""


def _born(pid: int) -> str:
    """When it started, as the system counts; "dead" of one that only waits to be reaped; empty: not known."""
    try:
        state, *more = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "dead" if state in "ZX" else more[18]
