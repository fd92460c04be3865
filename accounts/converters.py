"""Ids in the paths of pages, as the urls of each room write them: `<id:agent_id>`."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import StringConverter

from gateway.segments import is_segment
from gateway.types import LONGEST_ID


def is_id(text: str) -> bool:
    """Whether a gateway's id may be written so, and a table can hold it."""
    return len(text) <= LONGEST_ID and is_segment(text)


class Id(StringConverter):
    """Nothing that no gateway's id can be, and that a database would refuse, reaches a view: it is a 404."""

    def to_python(self, value: str) -> str:
        if not is_id(value):
            raise ValueError(value)
        return value


register_converter(Id, "id")
