"""Each gateway's clock, learnt from its own answers: one difference a process and origin.

Every answer has a `Date` header, in whole seconds. Heartbeats of a confirmation stream are finer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

STALE = timedelta(seconds=2)  # what a `Date` may lack: its fraction of a second, and servers write it once a second
AGREE = timedelta(seconds=30)  # clocks that are no further apart are taken for one
FURTHEST = timedelta(days=366 * 20)  # between two clocks: more than that is no clock

_ahead: dict[str, timedelta] = {}
"""The gateway's clock minus ours, by origin."""


def now(url: str) -> datetime:
    """The time by the clock of the gateway at this address; by our own until it has answered."""
    return datetime.now(UTC) + _ahead.get(_origin(url), timedelta())


def here(url: str, told: datetime) -> datetime:
    """When that was by our own clock, which says how long ago it was; the gateway wrote it down by its own."""
    ahead = _ahead.get(_origin(url), timedelta())
    try:
        return told if abs(ahead) < AGREE else told - ahead
    except OverflowError:
        return told


def is_known(url: str) -> bool:
    """Whether this gateway has told the time."""
    return _origin(url) in _ahead


def hear(url: str, told: datetime) -> None:
    """The gateway says what time it is, just now."""
    _keep(_origin(url), told - datetime.now(UTC))


def hear_headers(url: str, headers: Mapping[str, str], asked_at: datetime) -> None:
    """From an answer to what was asked then, by our clock. A copy out of somebody's cache tells nothing of now."""
    if "Age" in headers:
        return
    try:
        told = parsedate_to_datetime(headers["Date"])
        told = told if told.tzinfo else told.replace(tzinfo=UTC)
        least, most = told - datetime.now(UTC), told + STALE - asked_at
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    origin = _origin(url)
    known = _ahead.get(origin)
    if known is None or not least <= known <= most:  # what agrees with a finer measure leaves it as it is
        _keep(origin, least + min(most - least, timedelta(seconds=1)) / 2)


def _keep(origin: str, ahead: timedelta) -> None:
    if abs(ahead) < FURTHEST:
        _ahead[origin] = ahead


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
