"""Arguments of a tool call in one canonical form, so that two tellings of the same call can be recognised."""

from __future__ import annotations

import hashlib
import math

from gateway import deep


def canonical(value: object) -> str:
    """Keys sorted by code point, no spaces; a whole number is written without a fraction, as JavaScript does.

    It is of what the JSON means: `1.50` and `1.5` are one number, of a key that stands twice the last value counts.
    """
    return deep.dumps(_plain(value), sort_keys=True)


def as_bytes(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which JSON can spell and UTF-8 cannot, as three bytes of its own."""
    return text.encode(errors="surrogatepass")


def fingerprint(value: object) -> str:
    """SHA-256 of the canonical JSON, in hexadecimal."""
    return digest(canonical(value))


def digest(text: str) -> str:
    return hashlib.sha256(as_bytes(text)).hexdigest()


def _plain(value: object) -> object:
    return deep.folded(value, _number, _entries)


def _number(value: object) -> object:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if isinstance(value, deep.WrittenFloat) and math.isfinite(value):
        return float(value)
    return int(value) if isinstance(value, deep.WrittenInt) else value  # beyond all numbers it stays as it is written


def _entries(holder: object, within: list[object]) -> object:
    return dict(zip(holder, within, strict=True)) if isinstance(holder, dict) else within
