"""Everything Portico knows about a gateway's wire: calls, streams, values, errors.

Plain Python. Nothing in here imports Django or an app; nothing outside it knows a path, a header or a JSON key.
"""

from gateway.calls import Gateway
from gateway.dialect import GUIDE, RELEASED, Dialect
from gateway.types import (
    Agent,
    Answer,
    Confirmation,
    Credential,
    MissingService,
    Person,
    Risk,
    Service,
    SignedIn,
    Status,
)

__all__ = [
    "GUIDE",
    "RELEASED",
    "Agent",
    "Answer",
    "Confirmation",
    "Credential",
    "Dialect",
    "Gateway",
    "MissingService",
    "Person",
    "Risk",
    "Service",
    "SignedIn",
    "Status",
]
