"""How much one person may have open, and how fast they may begin things: counted in this process, in memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

MINUTE = 60.0  # seconds
SWEPT_AT = 1000  # people of whom a pace remembers something, before it looks whom it can forget


class TooMany(Exception):
    """As many are open as one person may have."""


class Open:
    """What a person has open at once, by the key of the person."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._open: Counter[int] = Counter()

    @contextmanager
    def one_more(self, person: int) -> Iterator[None]:
        """Counted until the block is left. Raises TooMany. On one loop: nothing else runs in between."""
        if self._open[person] >= self._most():
            raise TooMany
        self._open[person] += 1
        try:
            yield
        finally:
            self._open[person] -= 1
            if not self._open[person]:
                del self._open[person]


class Pace:
    """What a person may begin in a minute: all at once, and then as the minute passes. From any thread."""

    def __init__(self, most: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._left: dict[int, tuple[float, float]] = {}  # person: (how many more, at this time of the clock)
        self._lock = threading.Lock()

    def allows(self, person: int) -> bool:
        """Whether one more may begin now; it is counted then."""
        now, most = self._clock(), self._most()
        with self._lock:
            if len(self._left) > SWEPT_AT:
                self._left = {who: left for who, left in self._left.items() if now - left[1] < MINUTE}
            left, at = self._left.get(person, (float(most), now))
            left = min(float(most), left + (now - at) * most / MINUTE)
            if left < 1:
                return False
            self._left[person] = (left - 1, now)
            return True


sockets = Open(lambda: settings.OPEN_SOCKETS)
followers = Open(lambda: settings.OPEN_FOLLOWERS)
runs = Pace(lambda: settings.RUNS_A_MINUTE)
secrets = Pace(lambda: settings.SECRETS_A_MINUTE)
drafts = Pace(lambda: settings.DRAFTS_A_MINUTE)
exports = Pace(lambda: settings.EXPORTS_A_MINUTE)
searches = Pace(lambda: settings.SEARCHES_A_MINUTE)
sign_ins = Pace(lambda: settings.SIGN_INS_A_MINUTE)
