"""Words for the pages that a person has open, here or on another device: the pages' own sockets carry them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from accounts import bus

Put = Callable[[str], None]

_pages: dict[int, set[tuple[asyncio.AbstractEventLoop, Put]]] = {}  # by the person's key
_lock = threading.Lock()


@contextmanager
def heard(user_id: int, put: Put) -> Iterator[None]:
    """Each word for this person is put, on this loop, as a frame to send."""
    page = asyncio.get_running_loop(), put
    with _lock:
        _pages.setdefault(user_id, set()).add(page)
    try:
        yield
    finally:
        with _lock:
            _pages[user_id].discard(page)
            if not _pages[user_id]:
                del _pages[user_id]


@bus.hears("news")
def _hear(payload: tuple[int, dict[str, Any]]) -> None:
    user_id, news = payload
    with _lock:
        pages = list(_pages.get(user_id, ()))
    for loop, put in pages:
        loop.call_soon_threadsafe(put, json.dumps({"type": "news", **news}))
