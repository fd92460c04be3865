"""Short work in threads: the database and Redis are asked there, never on the loop; a gateway never."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

from gateway.waiting import is_unblocked, wait_for

P = ParamSpec("P")
T = TypeVar("T")

# A locked database keeps those who write waiting, and nobody else.
WRITING = ThreadPoolExecutor(4, thread_name_prefix="confirmations-write")
READING = ThreadPoolExecutor(4, thread_name_prefix="confirmations-read")


async def in_thread(threads: ThreadPoolExecutor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await database_sync_to_async(call, thread_sensitive=False, executor=threads)(*args, **kwargs)


def blocks(threads: ThreadPoolExecutor) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Of a plain function that asks the database or Redis: where the loop must not be blocked, these threads do it."""

    def kept_off_the_loop(call: Callable[P, T]) -> Callable[P, T]:
        @wraps(call)
        def done(*args: P.args, **kwargs: P.kwargs) -> T:
            if is_unblocked():
                return wait_for(in_thread(threads, call, *args, **kwargs))
            return call(*args, **kwargs)

        return done

    return kept_off_the_loop
