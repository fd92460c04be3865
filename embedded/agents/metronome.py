"""Text at an exact pace, each piece with the time at which it was sent: for measuring.

The question is JSON: `{"rate": pieces a second, "count": pieces, "size": characters of each, "wait": seconds before
the first}`. With `"beat": seconds` comments keep the line alive meanwhile. With `"story": subject` the pieces are those
of a story, told again and again, as many `"words"` each as wanted: whoever asked knows every byte of them.
"""

import asyncio
import itertools
import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from ag_ui.core import TextMessageContentEvent, TextMessageEndEvent, TextMessageStartEvent
from starlette.types import ASGIApp

from embedded.agents.base import WAITING, Asked, Events, ag_ui_app, pieces, say, sse
from embedded.agents.stories import long_story
from embedded.ids import new_id


@dataclass(frozen=True, slots=True)
class Wanted:
    rate: float
    count: int
    size: int = 20
    wait: float = 0.0
    beat: float = math.inf
    story: str = ""
    words: int = 1

    def deltas(self) -> Iterator[str]:
        """Each is made when it is taken."""
        if self.story:
            words = itertools.cycle(pieces(long_story(self.story)))
            return ("".join(itertools.islice(words, self.words)) for _ in range(self.count))
        return (f"{time.time():.6f} ".ljust(self.size, ".") for _ in range(self.count))


def app(secret: str) -> ASGIApp:
    return ag_ui_app(converse, secret)


async def converse(question: Asked) -> Events:
    try:
        wanted = Wanted(**json.loads(question.text))
    except (ValueError, TypeError):
        async for event in say('Ask me in JSON, such as {"rate": 50, "count": 200, "size": 20}.'):
            yield event
        return
    message_id = new_id()
    yield TextMessageStartEvent(message_id=message_id, role="assistant")
    async for beat in silence(wanted):
        yield beat
    deltas = wanted.deltas()
    clock = asyncio.get_running_loop().time
    start = clock()
    number = 0
    while number < wanted.count:
        await asyncio.sleep(max(0.0, start + number / wanted.rate - clock()))
        due = max(1, int((clock() - start) * wanted.rate) + 1 - number)  # what is late goes out together
        some = [TextMessageContentEvent(message_id=message_id, delta=delta) for delta in itertools.islice(deltas, due)]
        yield b"".join(map(sse, some))
        number += len(some)
    yield TextMessageEndEvent(message_id=message_id)


async def silence(wanted: Wanted) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    end = clock() + wanted.wait
    while (left := end - clock()) > 0:
        await asyncio.sleep(min(left, wanted.beat))
        if wanted.beat < math.inf:
            yield WAITING
