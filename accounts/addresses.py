"""Addresses that clients send: whatever stands there, looking at one never fails."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

NOTHING = SplitResult("", "", "", "", "")


def split(address: str) -> SplitResult:
    """The parts of an address; none of one that is malformed."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # is read, and refused, only when it is asked for
    except ValueError:
        return NOTHING
    return parts
