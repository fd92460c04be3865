"""Answers into the database while they grow: each save is an `Increment`, with what is new since the one before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any
from uuid import UUID

from django.db import (
    DataError,
    Error,
    IntegrityError,
    close_old_connections,
    connection,
    transaction,
)

from agents.increments import Kept, Save
from agents.models import Increment, Run, grown_parts
from agents.transcript import Part

logger = logging.getLogger(__name__)

Grown = tuple[UUID, Kept, list[Part]]


def save_all(grown: Sequence[Grown]) -> None:
    """A row that the database does not take keeps no other one out, nor does a connection that died meanwhile."""
    saves = [(run_id, kept, save) for run_id, kept, parts in grown if (save := _save_of(run_id, kept, parts))]
    there: list[tuple[Kept, Save]] = []
    try:
        with transaction.atomic() if len(saves) > 1 else nullcontext():
            there = [(kept, save) for run_id, kept, save in saves if _write(run_id, kept, save)]
    except Error:
        there = []
        close_old_connections()
        for run_id, kept, save in saves:
            try:
                there += [(kept, save)] if _write(run_id, kept, save) else []
            except Error:
                logger.exception("run %s could not be saved", run_id)
    for kept, save in there:
        kept.has(save)


def _save_of(run_id: UUID, kept: Kept, parts: list[Part]) -> Save | None:
    try:
        return kept.save(parts)
    except Exception:
        logger.exception("run %s could not be saved", run_id)
        return None


def _write(run_id: UUID, kept: Kept, save: Save) -> bool:
    """Whether it is there now: not where the run is none that is open, as far as this connection sees."""
    insert, forget = _statements(_column("changes").db_type(connection))
    own_id = Run._meta.pk.get_db_prep_save(run_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(insert, (save.number, save.builds_on, save.changes, own_id, *map(str, Run.OPEN)))
        is_there = bool(cursor.rowcount)
        if kept.stale_before > 1:
            cursor.execute(forget, (own_id, kept.stale_before))
    return is_there


@cache
def _statements(kind: str) -> tuple[str, str]:
    """A queryset is put together anew each time, which took longer than the database does."""
    increments, runs = Increment._meta.db_table, Run._meta.db_table
    return (
        f"INSERT INTO {increments} (run_id, number, builds_on, changes)"  # noqa: S608  (no value of anybody's is in it)
        f" SELECT id, %s, %s, CAST(%s AS {kind}) FROM {runs}"
        f" WHERE id = %s AND status IN ({', '.join(['%s'] * len(Run.OPEN))})",
        f"DELETE FROM {increments} WHERE run_id = %s AND number < %s",  # noqa: S608
    )


def _column(name: str) -> Any:
    return Increment._meta.get_field(name)


def keep_end(run_id: UUID, columns: dict[str, object]) -> bool:
    """How an open run ended: with its whole answer among the columns, else with what was saved of it."""
    return _end(run_id, [], columns)


def bury(run_id: UUID, columns: dict[str, object]) -> bool:
    """The same for a run that nobody works on any more. True for the one process that did it."""
    return _end(run_id, Run.OPEN, columns)


def _end(run_id: UUID, statuses: Sequence[str], columns: dict[str, object]) -> bool:
    runs = Run.objects.filter(id=run_id)
    with transaction.atomic():
        # It writes first: so it has the row before it reads what was saved.
        if not (runs.filter(status__in=statuses) if statuses else runs).update(**columns):
            return False
        if "parts" not in columns:
            _settle(run_id)
        Increment.objects.filter(run=run_id).delete()
    return True


def _settle(run_id: UUID) -> None:
    """What was saved becomes the answer; where the database does not take it whole, what was saved by half of it."""
    saves = Increment.objects.filter(run=run_id).count()
    while saves and (parts := grown_parts(run_id, saves=saves)) is not None:
        try:
            with transaction.atomic():
                Run.objects.filter(id=run_id).update(parts=parts)
            return
        except Error as exc:
            if not is_refused(exc):
                raise
            logger.error("what was saved of run %s is not taken whole: %r", run_id, exc)
            saves //= 2


def is_refused(exc: Error) -> bool:
    """Whether the database refuses this value, rather than being away, full or read-only for a while."""
    limit_exceeded = str(getattr(exc.__cause__, "sqlstate", "")).startswith("54")  # PostgreSQL, appendix A
    return limit_exceeded or isinstance(exc, DataError | IntegrityError)
