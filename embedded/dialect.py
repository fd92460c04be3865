"""What the released gateway and the published guide disagree about, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    name: str
    confirmations: str  # the path below which confirmations are listed and answered
    registers: bool  # /auth/register and /auth/refresh exist
    stream_takes_query_token: bool
    everyone_reads_providers: bool
    stores_by: str  # the field that names the service when a credential is stored
    sends_tickets: bool  # authUrls are absolute and carry a one-time ticket for the person
    keeps_approval_reason: bool
    tells_everyone: bool  # CONFIRMATION_RESOLVED reaches all who may see the item
    describes_tools: bool  # events always carry the tool's description
    most_listed: int | None  # confirmations, the newest ones: there are no further pages


RELEASED = Dialect(
    name="released",
    confirmations="/api/v1/confirmation",
    registers=False,
    stream_takes_query_token=False,
    everyone_reads_providers=False,
    stores_by="serviceType",
    sends_tickets=False,
    keeps_approval_reason=False,
    tells_everyone=False,
    describes_tools=False,
    most_listed=100,
)

GUIDE = Dialect(
    name="guide",
    confirmations="/api/v1/confirmations",
    registers=True,
    stream_takes_query_token=True,
    everyone_reads_providers=True,
    stores_by="providerId",
    sends_tickets=True,
    keeps_approval_reason=True,
    tells_everyone=True,
    describes_tools=True,
    most_listed=None,
)

DIALECTS = {dialect.name: dialect for dialect in (RELEASED, GUIDE)}
