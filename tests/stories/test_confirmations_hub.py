"""What a socket that does not keep up costs: a bounded share of memory, and the whole queue afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from confirmations.hub import BYTES_KEPT, FRAMES_KEPT, LONGEST_PAUSE, Follower, backoff, first_of


@pytest.fixture
async def follower() -> AsyncIterator[Follower]:
    yield Follower("session", lambda: "the whole queue")


async def frames_of(follower: Follower) -> list[str]:
    follower.end("over")
    return [frame async for frame in follower]


async def some(follower: Follower, count: int) -> list[str]:
    frames = aiter(follower)
    async with asyncio.timeout(5):
        return [await anext(frames) for _ in range(count)]


async def test_frames_come_in_order(follower: Follower) -> None:
    for frame in "abc":
        follower.put(frame)
    assert await some(follower, 3) == ["a", "b", "c"]


async def test_too_many_frames_become_the_whole_queue_once(follower: Follower) -> None:
    for number in range(3 * FRAMES_KEPT):
        follower.put(str(number))
    assert await some(follower, 1) == ["the whole queue"]
    follower.put("next")
    assert await some(follower, 1) == ["next"]


async def test_too_much_text_becomes_the_whole_queue(follower: Follower) -> None:
    for _ in range(3):
        follower.put("x" * (BYTES_KEPT // 2))
    assert await some(follower, 1) == ["the whole queue"]


async def test_one_large_frame_is_still_sent(follower: Follower) -> None:
    follower.put("x" * (BYTES_KEPT + 1))
    assert len((await some(follower, 1))[0]) > BYTES_KEPT


async def test_the_end_is_the_last_thing_said(follower: Follower) -> None:
    follower.put("a")
    assert [json.loads(frame) for frame in await frames_of(follower)] == [{"type": "ended", "message": "over"}]


def test_pauses_double_up_to_the_longest() -> None:
    pauses = backoff()
    seen = [next(pauses) for _ in range(9)]
    assert 0.7 <= seen[0] <= 1 and seen[1] <= 2 and seen[2] <= 4
    assert all(0.7 * LONGEST_PAUSE <= pause <= LONGEST_PAUSE for pause in seen[5:])


async def test_what_runs_together_ends_together() -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waits")

    async def breaks() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await first_of(waits(), breaks())
    assert ended == ["waits"]
