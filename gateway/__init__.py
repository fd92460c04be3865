"""Everything Portico knows about a gateway's wire: calls, streams, values, errors.

Plain Python. Nothing in here imports Django or an app; nothing outside it knows a path, a header or a JSON key.
"""

from gateway.calls import Gateway
from gateway.calls.approvals import MOST_LISTED
from gateway.dialect import GUIDE, RELEASED, Dialect
from gateway.records import (
    MASK,
    AccessRule,
    AgentRecord,
    AuditEntry,
    AuditPage,
    AuditStats,
    Health,
    NewAgent,
    RequiredService,
    ServiceRecord,
    ServiceSettings,
    Tool,
    ToolProvider,
)
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
    Unanswered,
)

__all__ = [
    "GUIDE",
    "MASK",
    "MOST_LISTED",
    "RELEASED",
    "AccessRule",
    "Agent",
    "AgentRecord",
    "Answer",
    "AuditEntry",
    "AuditPage",
    "AuditStats",
    "Confirmation",
    "Credential",
    "Dialect",
    "Gateway",
    "Health",
    "MissingService",
    "NewAgent",
    "Person",
    "RequiredService",
    "Risk",
    "Service",
    "ServiceRecord",
    "ServiceSettings",
    "SignedIn",
    "Status",
    "Tool",
    "ToolProvider",
    "Unanswered",
]
