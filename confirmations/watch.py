"""Finds what is over by itself, and what lost its process: whichever process looks first tells the others."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context

from channels.db import database_sync_to_async

from confirmations import claims, holds, turns

logger = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds

_watch: asyncio.Task[None] | None = None


def start() -> None:
    """Once a process."""
    global _watch  # noqa: PLW0603
    if _watch is None or _watch.done():
        _watch = asyncio.create_task(_keep_looking(), name="confirmations watch", context=Context())


async def stop() -> None:
    if _watch is not None:
        _watch.cancel()
        await asyncio.wait([_watch])


async def _keep_looking() -> None:
    while True:
        try:
            await database_sync_to_async(look)()
        except Exception:
            logger.exception("nobody looked after holds and claims")
        await asyncio.sleep(LOOK_EVERY)


def look() -> None:
    for hold in holds.overdue():
        holds.bury(hold)
    turns.bury_dead()
    claims.end_those_over()
