"""What an agent shares besides its answer, put together from snapshots and deltas. Free of I/O.

Source: AG-UI 1.0, STATE_SNAPSHOT, STATE_DELTA, ACTIVITY_SNAPSHOT and ACTIVITY_DELTA; deltas are JSON Patch (RFC 6902).
"""

from __future__ import annotations

import copy
import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivitySnapshotEvent,
    Event,
    StateDeltaEvent,
    StateSnapshotEvent,
)
from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointer, JsonPointerException

logger = logging.getLogger(__name__)

LARGEST_STATE = 4 * 1024 * 1024  # characters of JSON: a patch that copies could double it with every operation
MOST_COPIED = 4 * LARGEST_STATE  # characters of JSON, in one run: it may have many documents that copy


class BadPatch(ValueError):
    """The operations do not fit the document, or make it larger than LARGEST_STATE; nothing of them was applied."""


@dataclass(slots=True)
class Copies:
    """What the patches of one run may still copy, in characters of JSON: all else that they add came over the wire."""

    left: int = MOST_COPIED


class Document:
    """A JSON document, and patches of it, whose cost goes with the patch and with what lies on its way.

    A value that it once had stays as it was: whoever holds it may read it at leisure.
    """

    def __init__(self, value: Any = None, copies: Copies | None = None) -> None:
        self.value = value
        self._copies = copies or Copies()
        self._most = math.inf  # characters of JSON that it may have: measured when that leaves it in doubt
        self._is_measured = False

    def patch(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """All of the operations, or none. Raises BadPatch."""
        value = self.value
        copied = 0
        own: dict[int, Any] = {}
        try:
            grown = _size(list(operations))
            for operation in operations:
                if operation["op"] == "copy":
                    size = _size(JsonPointer(operation["from"]).resolve(value))
                    grown += size
                    copied += size
                if copied > self._copies.left or not self._has_room(grown):
                    raise BadPatch("larger than we keep")
                for place in _changed_by(operation):
                    value = _loosened(value, place, own)
                value = JsonPatch([operation]).apply(value, in_place=True)
        except (JsonPatchException, JsonPointerException, LookupError, TypeError, ValueError, RecursionError) as exc:
            raise BadPatch(type(exc).__name__) from exc
        self.value = value
        self._copies.left -= copied
        self._most += grown
        self._is_measured = False

    def _has_room(self, grown: int) -> bool:
        if self._most + grown > LARGEST_STATE and not self._is_measured:
            self._most, self._is_measured = _size(self.value), True
        return self._most + grown <= LARGEST_STATE


def patched(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """The document after all the operations; the one given stays as it was. Raises BadPatch."""
    patching = Document(document)
    patching.patch(operations)
    return patching.value


def _changed_by(operation: Mapping[str, Any]) -> list[str]:
    """The places that it changes."""
    match operation["op"]:
        case "test":
            return []
        case "move":
            return [operation["from"], operation["path"]]
    return [operation["path"]]


def _loosened(document: Any, place: str, own: dict[int, Any]) -> Any:
    """The document with copies of what holds this place; those in `own`, by identity, are copies already."""

    def copied(holder: Any) -> Any:
        if id(holder) not in own:
            holder = dict(holder) if isinstance(holder, dict) else copy.copy(holder)  # not as it was written any more
            own[id(holder)] = holder
        return holder

    pointer = JsonPointer(place)
    whole = holder = copied(document)
    for part in pointer.parts[:-1]:
        key = pointer.get_part(holder, part)
        holder[key] = copied(holder[key])
        holder = holder[key]
    return whole


def _size(value: Any) -> int:
    return len(json.dumps(value))


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that an agent shows while it works, such as a plan or a search."""

    kind: str
    content: Mapping[str, Any]  # untrusted


@dataclass(slots=True)
class Shared:
    """State and activities of a run after the events taken so far; feed it each event, or only those about these."""

    activities: dict[str, Activity] = field(default_factory=dict)  # by message id, in the order they began
    refused: int = 0
    """Deltas that did not fit, and were passed over."""
    _copies: Copies = field(default_factory=Copies)
    _state: Document = field(default_factory=Document)
    _contents: dict[str, Document] = field(default_factory=dict)  # of the activities

    @property
    def state(self) -> Any:
        return self._state.value

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            try:
                self._take(event)
            except BadPatch as exc:
                self.refused += 1
                logger.info("a %s that does not fit was passed over: %s", event.type.value, exc)

    def _take(self, event: Event) -> None:
        match event:
            case StateSnapshotEvent(snapshot=snapshot):
                self._state = Document(snapshot, self._copies)
            case StateDeltaEvent(delta=delta):
                self._state.patch(_operations(delta))
            case ActivitySnapshotEvent(message_id=message_id, activity_type=kind, content=content):
                if event.replace is not False or message_id not in self.activities:
                    self._contents[message_id] = Document(content, self._copies)
                    self.activities[message_id] = Activity(kind, content)
            case ActivityDeltaEvent(message_id=message_id, activity_type=kind, patch=patch):
                known = self._contents.get(message_id) or Document({}, self._copies)
                before = known.value
                known.patch(_operations(patch))
                if not isinstance(known.value, dict):
                    self._contents[message_id] = Document(before, self._copies)
                    raise BadPatch("an activity is an object")
                self._contents[message_id] = known
                self.activities[message_id] = Activity(kind, known.value)


def _operations(patch: Sequence[Any]) -> list[dict[str, Any]]:
    """As plain objects, with the values themselves."""
    own = ({"value": one.value} if hasattr(one, "value") else {} for one in patch)
    return [operation.model_dump(by_alias=True) | value for operation, value in zip(patch, own, strict=True)]
