"""Connects that are under way: a one-time state each, bound to the session that began it.

A state that was used starts nothing again. It is remembered, so that a tab that is opened once more, or a request that
a browser sends twice, is told what is so.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib.sessions.backends.base import SessionBase

KEPT_AT = "connecting"  # the session's key: {state: attempt}
USED_AT = "connected"  # the same, of states that were used
MOST = 10  # attempts at once, and used ones; an eleventh ends the oldest
LIFETIME = 15 * 60  # seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    service: str
    name: str  # of the service, for people
    agent: str  # id of the agent whose credentials-check will settle it; empty: the service's own check
    next: str  # where the person goes afterwards
    at: float  # Unix seconds
    refusal: str = ""  # a sentence: how it ended, where it was refused


def begin(session: SessionBase, attempt: Attempt) -> str:
    """A state that brings this attempt back once."""
    state = secrets.token_urlsafe(32)
    attempts = {**_fresh(session), state: asdict(attempt)}
    session[KEPT_AT] = dict(sorted(attempts.items(), key=lambda kept: kept[1]["at"])[-MOST:])
    return state


def take(session: SessionBase, state: str) -> tuple[Attempt | None, bool]:
    """The attempt of this state, which is used up by that, and whether any was under way.

    Saved at once: Django keeps no session of a request that ends in a 500.
    """
    if KEPT_AT not in session:
        return None, False
    attempts = _fresh(session)
    found = attempts.pop(state, None)
    session[KEPT_AT] = attempts
    if found:
        session[USED_AT] = dict([*session.get(USED_AT, {}).items(), (state, found)][-MOST:])
    session.save()
    return (Attempt(**found) if found else None), bool(found or attempts)


def used(session: SessionBase, state: str) -> Attempt | None:
    found = session.get(USED_AT, {}).get(state)
    return Attempt(**found) if found else None


def refuse(session: SessionBase, state: str, sentence: str) -> None:
    """The attempt of this state, which was used, ended with this."""
    attempts = dict(session.get(USED_AT, {}))
    if state in attempts:
        attempts[state] = {**attempts[state], "refusal": sentence}
        session[USED_AT] = attempts


def _fresh(session: SessionBase) -> dict[str, dict[str, Any]]:
    since = time.time() - LIFETIME
    return {state: kept for state, kept in session.get(KEPT_AT, {}).items() if kept["at"] > since}
