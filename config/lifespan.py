"""The process begins and ends: running answers get their grace, then everything that streams is closed."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

from django.urls import get_resolver

from accounts import bus, processes
from agents import runs
from confirmations import holds, turns
from confirmations import watch as confirmations_watch
from confirmations.hub import close_all
from gateway import streams

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope


async def lifespan(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            runs.watch()
            confirmations_watch.start()
            settle()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.gather(holds.finish_all(), turns.finish_all())
            await runs.finish_all()
            await confirmations_watch.stop()
            await processes.stop()  # until then others are told that this process lives
            await close_all()
            await streams.close()
            await bus.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def settle() -> None:
    """Load what the first request would load, and let the garbage collector pass over all of it from now on.

    A relay makes so many short-lived objects that full collections, each through everything that is loaded, took half
    of its time.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
