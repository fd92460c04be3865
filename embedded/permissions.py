"""What each role may do."""

from embedded.auth import Caller
from embedded.replies import forbidden

ROLES = {
    "agent:read": {"admin", "tenant_admin", "agent_creator"},
    "provider:read": {"admin", "tenant_admin", "agent_creator"},
}


def require(caller: Caller, permission: str) -> None:
    """Raises `Refused` (403) when none of the caller's roles has the permission."""
    if not ROLES[permission].intersection(caller.roles):
        raise forbidden(f"Permission denied: {permission}", "INSUFFICIENT_PERMISSIONS")
