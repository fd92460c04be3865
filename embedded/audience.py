"""Whose confirmation it is: who may see one, and answer it."""

from embedded.auth import Caller
from embedded.state import Confirmation


def may_answer(caller: Caller, confirmation: Confirmation) -> bool:
    """The calling identity while the call is held, the end user, an admin of exactly this tenant."""
    if caller.id == confirmation.end_user_id:
        return True
    if confirmation.is_held and caller.id == confirmation.caller_id:
        return True
    return is_admin_of(caller, confirmation)


def is_admin_of(caller: Caller, confirmation: Confirmation) -> bool:
    return "admin" in caller.roles and caller.tenant_id == confirmation.tenant_id
