"""Plain calls that wait without a thread: the same code blocks the thread of a page, and suspends a task of the loop.

`await unblocked(call, …)` runs a plain function in a greenlet on this loop. Where it waits, by `wait_for` or `sleep`,
the loop goes on with other things. What blocks by other means must be kept out of it: it would block the whole loop.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from greenlet import getcurrent, greenlet

P = ParamSpec("P")
T = TypeVar("T")


class _Call(greenlet):
    """A plain function that is suspended while the task that runs it awaits something in its stead."""


async def unblocked(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the call returns or raises. Cancelling the task raises CancelledError in the call, where it waits."""
    running = _Call(call, getcurrent())
    running.gr_context = getcurrent().gr_context
    given: Any = running.switch(*args, **kwargs)
    while not running.dead:
        try:
            answer = await given
        except BaseException:
            given = running.throw(*sys.exc_info())
        else:
            given = running.switch(answer)
    return given  # type: ignore[no-any-return]


def is_unblocked() -> bool:
    """Whether this runs on the loop, by `unblocked`, and must not block."""
    return isinstance(getcurrent(), _Call)


def wait_for(awaitable: Awaitable[T]) -> T:
    """In what `unblocked` runs: what is awaited."""
    loop = getcurrent().parent
    assert loop is not None
    return loop.switch(awaitable)  # type: ignore[no-any-return]


def sleep(seconds: float) -> None:
    if is_unblocked():
        wait_for(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)
