"""How many are connected to this process, and how many from one address: whoever only waits makes room for others."""

from __future__ import annotations

import resource
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Protocol

from django.conf import settings

SPARE = 64  # connections beyond the bound that are told so; the others are closed without a word
PATIENCE = 1.0  # seconds that somebody may be silent, however many others come


class Waiting(Protocol):
    """A connection that sends nothing, or that has not sent a whole request yet."""

    def make_room(self) -> None: ...


class Crowd:
    """The connections of a process. On one loop: nothing else runs in between."""

    def __init__(
        self, most: Callable[[], int], share: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._share, self._clock = most, share, clock
        self._open = 0
        self._of: Counter[str] = Counter()  # by address
        self._waiting: dict[str, dict[Waiting, float]] = defaultdict(dict)  # by address: since when, the oldest first

    def enter(self, address: str) -> bool:
        """Whether one more may come in; then it counts until it leaves. An empty address has no share of its own."""
        if address and self._of[address] >= self._share() and not self._has_made_room(address):
            return False
        if self._open >= self._most() and not self._has_made_room(*self._waiting):
            return False
        self._open += 1
        self._of[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._open -= 1
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    def wait(self, one: Waiting, address: str) -> None:
        self.go_on(one, address)
        self._waiting[address][one] = self._clock()

    def go_on(self, one: Waiting, address: str) -> None:
        waiting = self._waiting[address]
        waiting.pop(one, None)
        if not waiting:
            del self._waiting[address]

    def _has_made_room(self, *addresses: str) -> bool:
        """The one who waits longest goes: of the address that has the most who do."""
        address = max(addresses, key=lambda one: len(self._waiting.get(one, ())), default="")
        one, since = next(iter(self._waiting.get(address, {}).items()), (None, 0.0))
        if one is None or self._clock() - since < PATIENCE:
            return False
        one.make_room()
        return True


def most() -> int:
    """CONNECTIONS, or what the system lets a process open: a quarter is left for the database and the gateway."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        settings.CONNECTIONS if files == resource.RLIM_INFINITY else min(settings.CONNECTIONS, files * 3 // 4 - SPARE)
    )


crowd = Crowd(most, lambda: settings.CONNECTIONS_AN_ADDRESS)
