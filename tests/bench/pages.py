"""How long the server takes for a chat page with 2,000 messages, beside one with a single message."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from embedded import ids
from tests.bench import UNBOUNDED
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.following import run_of, watched
from tests.stories.test_conversations import fill

LOOKS = 60
MESSAGES = 2_000  # half of them the agent's
WITHIN = 60.0  # ms


def measure() -> Iterator[dict[str, Any]]:
    with Embedded.start() as gateway:
        portico = Portico.as_demo(gateway.url, **UNBOUNDED).start()
        visitor = Visitor(portico)
        try:
            visitor.signs_in("user@example.com")
            short, long = begun(visitor), begun(visitor)
            fill(portico, long, MESSAGES // 2)
            looks = [(look(visitor, short), look(visitor, long)) for _ in range(LOOKS)]
        finally:
            visitor.session.close()
            portico.close()
    baseline, value = (statistics.median(times) for times in zip(*looks, strict=True))
    yield {
        "name": "page_chat_2000",
        "value": round(value, 3),
        "unit": "ms, p50",
        "baseline": round(baseline, 3),
        "ratio": round(value / baseline, 2),
        "goal": WITHIN,
        "met": value <= WITHIN,
    }


def begun(visitor: Visitor) -> str:
    page = visitor.posts(f"/agents/{ids.ECHO}/", message="hello")
    watched(visitor, run_of(page.text))
    return page.url.removeprefix(visitor.portico.url)


def look(visitor: Visitor, path: str) -> float:
    """ms until the whole page is here, over a connection that is open."""
    started = time.perf_counter()
    visitor.reads(path)
    return 1000 * (time.perf_counter() - started)
