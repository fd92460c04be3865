"""The time, and how the gateway writes it."""

import time
from datetime import UTC, datetime, timedelta

shift = timedelta()
"""How far this process's clock is ahead of the machine's: for tests, set once at the start."""


def now() -> datetime:
    return datetime.now(UTC) + shift


def seconds() -> float:
    """Unix time."""
    return time.time() + shift.total_seconds()


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a `Z`: `2026-11-22T03:50:00.347Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def moment_in(text: str) -> datetime:
    """An ISO 8601 instant; UTC when it names no zone. Raises `ValueError`."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
