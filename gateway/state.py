"""What an agent shares besides its answer, put together from snapshots and deltas. Free of I/O.

Source: AG-UI 1.0, STATE_SNAPSHOT, STATE_DELTA, ACTIVITY_SNAPSHOT and ACTIVITY_DELTA; deltas are JSON Patch (RFC 6902).
"""

from __future__ import annotations

import copy
import json
import logging
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


class BadPatch(ValueError):
    """The operations do not fit the document, or make it larger than LARGEST_STATE; nothing of them was applied."""


def patched(document: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    """The document after all the operations; the one given stays as it was. Raises BadPatch."""
    try:
        size = _size(document) + _size(list(operations))
        document = copy.deepcopy(document)
        for operation in operations:
            if operation["op"] == "copy":
                size += _size(JsonPointer(operation["from"]).resolve(document))
            if size > LARGEST_STATE:
                raise BadPatch("larger than we keep")
            document = JsonPatch([operation]).apply(document, in_place=True)
    except (JsonPatchException, JsonPointerException, LookupError, TypeError, ValueError, RecursionError) as exc:
        raise BadPatch(type(exc).__name__) from exc
    return document


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

    state: Any = None
    activities: dict[str, Activity] = field(default_factory=dict)  # by message id, in the order they began
    refused: int = 0
    """Deltas that did not fit, and were passed over."""

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
                self.state = snapshot
            case StateDeltaEvent(delta=delta):
                self.state = patched(self.state, _operations(delta))
            case ActivitySnapshotEvent(message_id=message_id, activity_type=kind, content=content):
                if event.replace is not False or message_id not in self.activities:
                    self.activities[message_id] = Activity(kind, content)
            case ActivityDeltaEvent(message_id=message_id, activity_type=kind, patch=patch):
                known = self.activities.get(message_id)
                content = patched(known.content if known else {}, _operations(patch))
                if not isinstance(content, dict):
                    raise BadPatch("an activity is an object")
                self.activities[message_id] = Activity(kind, content)


def _operations(patch: Sequence[Any]) -> list[dict[str, Any]]:
    return [operation.model_dump(by_alias=True) for operation in patch]
