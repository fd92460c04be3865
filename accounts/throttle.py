"""A pause after too many failed sign-ins: the gateway itself has none.

Counted are an account and address, so that nobody guesses; an address, so that nobody tries one password on everybody;
and an account, which is slowed down and never paused, or anybody could lock out its owner.
"""

from __future__ import annotations

import time
from threading import BoundedSemaphore

from django.conf import settings
from django.core.cache import cache

from accounts.addresses import is_proxy
from gateway.canonical import digest

DELAY = 1.0  # seconds
_delayed = BoundedSemaphore(8)  # attempts that wait at once: each keeps a thread


def _key(email: str, address: str) -> str:
    return f"sign-in-failures-{digest(f'{email.strip().lower()} {address}')}"


def is_paused(email: str, address: str) -> bool:
    if _count(_key(email, address)) >= settings.SIGN_IN_FAILURES:
        return True
    return not is_proxy(address) and _count(_key("", address)) >= settings.SIGN_IN_FAILURES_AN_ADDRESS


def slow_down(email: str) -> bool:
    """Take a while where many fail to sign in as this person, from wherever; False when too many do at this moment."""
    if _count(_key(email, "")) < settings.SIGN_IN_FAILURES_AN_ACCOUNT:
        return True
    if not _delayed.acquire(blocking=False):
        return False
    try:
        time.sleep(DELAY)
    finally:
        _delayed.release()
    return True


def count_failure(email: str, address: str) -> None:
    for key in (_key(email, address), _key("", address), _key(email, "")):
        _count_up(key)


def forget_failures(email: str, address: str) -> None:
    cache.delete(_key(email, address))


def _count(key: str) -> int:
    count = cache.get(key)
    return count if isinstance(count, int) else 0


def _count_up(key: str) -> None:
    if cache.add(key, 1, settings.SIGN_IN_PAUSE):
        return
    try:
        cache.incr(key)
    except ValueError:  # it expired between the two, or is where it cannot be counted up
        cache.set(key, 1, settings.SIGN_IN_PAUSE)
