"""What each role may do."""

from embedded.auth import Caller
from embedded.replies import forbidden

MAKERS = {"admin", "tenant_admin", "agent_creator"}
OPERATORS = {"admin", "tenant_admin"}
ADMINS = {"admin"}

ROLES = {
    "agent:create": MAKERS,
    "agent:read": MAKERS,
    "agent:update": MAKERS,
    "agent:delete": MAKERS,
    "provider:create": OPERATORS,
    "provider:read": MAKERS,
    "provider:update": OPERATORS,
    "provider:delete": OPERATORS,
    "user:create": ADMINS,
    "user:read": OPERATORS,
    "user:update": ADMINS,
    "user:delete": ADMINS,
}


def require(caller: Caller, permission: str) -> None:
    """Raises `Refused` (403) when none of the caller's roles has the permission."""
    if not ROLES[permission].intersection(caller.roles):
        raise forbidden(f"Permission denied: {permission}", "INSUFFICIENT_PERMISSIONS")


def require_role(caller: Caller, *roles: str) -> None:
    """Raises `Refused` (403) when the caller has none of the roles."""
    if not set(roles).intersection(caller.roles):
        raise forbidden(f"Required roles: {', '.join(roles)}", "INSUFFICIENT_PERMISSIONS")


def require_scope(caller: Caller, scope: str) -> None:
    """Raises `Refused` (403) when the caller came with an API key that lacks the scope."""
    if caller.scopes is not None and scope not in caller.scopes:
        raise forbidden(f"API key missing required scope: {scope}", "INSUFFICIENT_SCOPE")
