"""A pause after too many failed sign-ins: the gateway itself has none."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache


def _key(email: str, address: str) -> str:
    return f"sign-in failures {email.strip().lower()} {address}".encode().hex()


def is_paused(email: str, address: str) -> bool:
    return int(cache.get(_key(email, address), 0)) >= settings.SIGN_IN_FAILURES


def count_failure(email: str, address: str) -> None:
    key = _key(email, address)
    if cache.add(key, 1, settings.SIGN_IN_PAUSE):
        return
    try:
        cache.incr(key)
    except ValueError:  # it expired between the two, or is where it cannot be counted up
        cache.set(key, 1, settings.SIGN_IN_PAUSE)


def forget_failures(email: str, address: str) -> None:
    cache.delete(_key(email, address))
