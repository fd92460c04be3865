"""Rows with all that belongs in them: names, and what Portico itself knows of a call."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings

from confirmations.identity import NameBook
from confirmations.items import State
from confirmations.rows import Row, rendered, row_of
from confirmations.standing import standings
from gateway import Confirmation


def rows_of(book: NameBook, told: Collection[tuple[Confirmation, State, str]]) -> list[tuple[Row, str]]:
    """Rows and their markup, of calls with how each ended and its verdict. Reads the database."""
    book.find_people([confirmation for confirmation, _, _ in told])
    known = standings(book.identity.gateway, [confirmation for confirmation, _, _ in told])
    rows = [
        row_of(
            confirmation,
            book.names,
            book.identity.person,
            limit=settings.CONFIRMATION_LIMIT,
            state=state,
            verdict=verdict,
            standing=known.get(confirmation.id),
        )
        for confirmation, state, verdict in told
    ]
    return [(row, rendered(row)) for row in rows]
