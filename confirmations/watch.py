"""Finds what is over by itself, and what lost its process: whichever process looks first tells the others."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

from channels.db import database_sync_to_async
from django.db import Error

from accounts import processes
from confirmations import claims, holds, turns

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds
PURGE_EVERY = 3600.0  # seconds

_looking = ThreadPoolExecutor(1, thread_name_prefix="confirmations-look")  # its own: it waits for no page
_purged: float | None = None

_watch: asyncio.Task[None] | None = None


def start() -> None:
    """Once a process; and with it the beats that tell others that this one lives."""
    global _watch  # noqa: PLW0603
    processes.start()
    if _watch is None or _watch.done():
        _watch = asyncio.create_task(_keep_looking(), name="confirmations watch", context=Context())


async def stop() -> None:
    if _watch is not None:
        _watch.cancel()
        await asyncio.wait([_watch])


async def _keep_looking() -> None:
    while True:
        try:
            await database_sync_to_async(look, thread_sensitive=False, executor=_looking)()
        except Exception:
            logger.exception("nobody looked after holds and claims")
        await asyncio.sleep(LOOK_EVERY)


def look() -> None:
    try:
        turns.write_late()
        for hold, why in list(holds.left()):
            holds.bury(hold, why)
        turns.bury_dead()
        claims.end_those_over()
        _purge()
    except Error:
        processes.forget_heard()
        raise


def _purge() -> None:
    global _purged  # noqa: PLW0603
    if _purged is None or time.monotonic() - _purged > PURGE_EVERY:
        _purged = time.monotonic()
        holds.purge()
        processes.purge()
