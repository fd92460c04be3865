"""Text at an exact pace, each piece with the time at which it was sent: for measuring.

The question is JSON: `{"rate": pieces a second, "count": pieces, "size": characters of each, "wait": seconds before
the first}`.
"""

import asyncio
import json
import time

from ag_ui.core import TextMessageContentEvent, TextMessageEndEvent, TextMessageStartEvent
from starlette.types import ASGIApp

from embedded.agents.base import Asked, Events, ag_ui_app, say
from embedded.ids import new_id


def app(secret: str) -> ASGIApp:
    return ag_ui_app(converse, secret)


async def converse(question: Asked) -> Events:
    try:
        wanted = json.loads(question.text)
        rate, count, size = float(wanted["rate"]), int(wanted["count"]), int(wanted.get("size", 20))
        wait = float(wanted.get("wait", 0))
    except (ValueError, KeyError, TypeError):
        async for event in say('Ask me in JSON, such as {"rate": 50, "count": 200, "size": 20}.'):
            yield event
        return
    message_id = new_id()
    yield TextMessageStartEvent(message_id=message_id, role="assistant")
    await asyncio.sleep(wait)
    clock = asyncio.get_running_loop().time
    start = clock()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / rate - clock()))
        yield TextMessageContentEvent(message_id=message_id, delta=f"{time.time():.6f} ".ljust(size, "."))
    yield TextMessageEndEvent(message_id=message_id)
