"""Where the published guide and the released gateway disagree, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    confirmations: str
    """Path below /api/v1 of the confirmation routes."""
    pending: str
    """Path below /api/v1 that lists the calls that wait, and how its rows are spelled (`pending_rows`)."""
    pending_rows: str
    """`event`: `{data: [<event payload>]}`. `list`: `{confirmations: [<row of the list>]}`."""
    has_respond: bool
    """`respond` keeps the reason of an approval, which `confirm` may lose."""
    stores_by_provider: bool
    """Storing a secret takes the provider's id; else its service type."""
    has_accounts: bool
    """People can register themselves, and renew a login token that is about to end."""


RELEASED = Dialect(
    name="released",
    confirmations="confirmation",
    pending="stream/pending",
    pending_rows="event",
    has_respond=True,
    stores_by_provider=False,
    has_accounts=False,
)

GUIDE = Dialect(
    name="guide",
    confirmations="confirmations",
    pending="confirmations/list?status=pending",
    pending_rows="list",
    has_respond=False,
    stores_by_provider=True,
    has_accounts=True,
)

DIALECTS = {dialect.name: dialect for dialect in (RELEASED, GUIDE)}
