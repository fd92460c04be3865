"""The chain of decisions: each carries the hash of the one before, so that none can change, go, come or move unseen.

A hash is the SHA-256 of the canonical JSON of everything that an export tells of a decision, but the hash itself.
Whoever can write to the database could work out the whole chain anew: against that, and against a cut tail, stands only
a head that was noted elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.canonical import fingerprint

FACTS = (
    "number",
    "at",
    "gateway",
    "who",
    "who_name",
    "approve",
    "reason",
    "confirmation_id",
    "tool",
    "risk",
    "arguments_hash",
    "shown",
    "agent_id",
    "agent_name",
    "end_user",
    "tenant",
    "kind",
    "outcome",
    "ran",
    "said",
    "before",
)
"""Never changed: the hashes of old decisions rest on it."""

LATER_FACTS = ("end_user_name", "provider_id", "provider_name")
"""Told only where there is something to tell, so that the hashes of decisions from before them still hold."""

START = ""  # what the first decision has before it


def sealed(facts: Mapping[str, Any]) -> str:
    """The hash of a decision: of what `told` gives; `at` may be a time, or the text that `moment` makes of it."""
    return fingerprint(told(facts))


def told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What an export tells of a decision and its hash rests on: `FACTS`, and those of `LATER_FACTS` that it has."""
    later = [name for name in LATER_FACTS if facts.get(name)]
    return {name: _plain(facts[name]) for name in (*FACTS, *later)}


def moment(at: datetime) -> str:
    """Always in UTC and with microseconds, however a database hands it back."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _plain(value: object) -> object:
    return moment(value) if isinstance(value, datetime) else value
