"""What a gateway has that nobody has furnished yet: an admin without a tenant, and the built-in services."""

from embedded.clock import now
from embedded.ids import new_id
from embedded.own_tools import MANAGEMENT
from embedded.people import PASSWORD, Person
from embedded.state import CredentialProvider, Gateway, Things

EMAIL = "admin@example.com"
ROLES = ["admin", "agent_creator"]


def first_installation(gateway: Gateway) -> Things:
    admin = Person(new_id(), EMAIL, "Admin", None, list(ROLES), PASSWORD, now())
    own_service = CredentialProvider(
        new_id(),
        "gateway_api",
        "Gateway API",
        "Simplaix Gateway authentication",
        "jwt",
        {
            "connectUrl": "/auth/connect?service=gateway_api",
            "jwt": {"headerName": "Authorization", "prefix": "Bearer "},
        },
    )
    return Things(
        people={admin.id: admin},
        agents={},
        credential_providers={own_service.id: own_service},
        tool_providers={MANAGEMENT: gateway.tool_providers[MANAGEMENT]},
        rules=[],
    )
