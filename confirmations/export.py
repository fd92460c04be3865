"""Decisions to take away: as JSONL, whose hashes anybody can work out again, or as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import QuerySet

from confirmations.chain import FACTS, LATER_FACTS, moment, told
from confirmations.models import Decision
from gateway.canonical import canonical

AT_ONCE = 500  # rows read in one go
MANY = 20_000  # numbers of rows
COLUMNS = (*FACTS, *LATER_FACTS, "hash")
FORMATS = {"jsonl": "application/jsonl; charset=utf-8", "csv": "text/csv; charset=utf-8"}

# What a spreadsheet may take for the beginning of a formula, and the sign that says "text" to it.
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
TEXT_SIGN = "'"


async def streamed(decisions: QuerySet[Decision], form: str) -> AsyncIterator[str]:
    """The file, piece by piece: Django would read a synchronous iterator to its end before the first byte leaves."""
    pieces = written(decisions, form)
    while piece := await sync_to_async(_next)(pieces):
        yield piece


def _next(pieces: Iterator[str]) -> str:
    """Empty when there is no more."""
    return next(pieces, "")


def written(decisions: QuerySet[Decision], form: str) -> Iterator[str]:
    """In the order of the chain."""
    if form == "csv":
        yield _csv([COLUMNS])
    for numbers in _numbers(decisions):
        rows = Decision.objects.filter(number__in=numbers).order_by("number").values(*COLUMNS)
        if form == "csv":
            yield _csv([_cells(_plain(row)) for row in rows])
        else:
            yield "".join(f"{canonical({**told(row), 'hash': row['hash']})}\n" for row in rows)


def _numbers(decisions: QuerySet[Decision]) -> Iterator[list[int]]:
    """Which ones, `AT_ONCE` of them at a time: found in the index, since a filter may have to look at all rows."""
    last = 0
    while found := list(decisions.filter(number__gt=last).order_by("number").values_list("number", flat=True)[:MANY]):
        yield from (found[first : first + AT_ONCE] for first in range(0, len(found), AT_ONCE))
        last = found[-1]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: moment(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [_cell(row[name]) for name in COLUMNS]


def _cell(value: object) -> str:
    """A text that could be taken for a formula gets an apostrophe in front.

    So does one that begins with an apostrophe: whoever takes one off has every text as it was.
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
    text = str(value)
    return TEXT_SIGN + text if text.lstrip(" ").startswith((*FORMULA, TEXT_SIGN)) else text
