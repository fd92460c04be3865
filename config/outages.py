"""Which errors tell that the database is away, locked, full or takes no writing."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError

READ_ONLY = "25006"  # of PostgreSQL: read_only_sql_transaction, which it counts among internal errors


def is_outage(problem: BaseException | None) -> bool:
    is_read_only = isinstance(problem, InternalError) and getattr(problem.__cause__, "sqlstate", "") == READ_ONLY
    return is_read_only or isinstance(problem, OperationalError | InterfaceError)
