"""Plain calls that wait on the loop: they return, raise and end as in a thread, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar

import pytest

from gateway.waiting import is_unblocked, sleep, unblocked, wait_for

seen: ContextVar[str] = ContextVar("seen", default="")


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError("too small")
    return 2 * number


def summed(*numbers: int) -> int:
    return sum(wait_for(doubled(number)) for number in numbers)


async def test_a_call_goes_on_with_what_was_awaited_for_it() -> None:
    assert await unblocked(summed, 1, 2, 3) == 12
    assert await asyncio.gather(*(unblocked(summed, number, number) for number in range(50))) == [
        4 * number for number in range(50)
    ]


async def test_what_is_raised_while_it_waits_is_raised_in_the_call() -> None:
    def caught() -> str:
        try:
            return str(summed(1, -1))
        except ValueError as exc:
            return str(exc)

    assert await unblocked(caught) == "too small"
    with pytest.raises(ValueError, match="too small"):
        await unblocked(summed, -1)


async def test_many_wait_as_long_as_one() -> None:
    began = time.monotonic()
    await asyncio.gather(*(unblocked(sleep, 0.3) for _ in range(200)))
    assert time.monotonic() - began < 3


async def test_a_call_that_is_cancelled_ends_where_it_waits_and_tidies_up() -> None:
    ended: list[str] = []

    def tidy() -> None:
        try:
            sleep(60)
        finally:
            wait_for(doubled(1))
            ended.append("tidied")

    task = asyncio.create_task(unblocked(tidy))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["tidied"]


async def test_a_call_knows_where_it_runs_and_what_its_task_knows() -> None:
    def told() -> tuple[bool, str]:
        sleep(0)
        return is_unblocked(), seen.get()

    seen.set("by the task")
    assert await unblocked(told) == (True, "by the task")
    assert not is_unblocked()
    assert await asyncio.to_thread(is_unblocked) is False
