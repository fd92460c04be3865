"""The audit log: every tool call that got as far as the rules, and what became of it."""

from typing import Any

from embedded.auth import Caller
from embedded.clock import now
from embedded.ids import new_id
from embedded.state import Answer, AuditEntry, Gateway


def begin(
    gateway: Gateway, caller: Caller, end_user_id: str, *, provider_id: str, tool: str, arguments: Any
) -> AuditEntry:
    """A pending entry. It stays pending when nobody ends it, as after a restart."""
    entry = AuditEntry(
        id=new_id(),
        user_id=end_user_id,
        tenant_id=caller.tenant_id,
        agent_id=caller.agent.id if caller.agent else None,
        provider_id=provider_id,
        tool=tool,
        arguments=arguments,
    )
    gateway.audit[entry.id] = entry
    return entry


def refused(entry: AuditEntry) -> None:
    """By a rule: there was nothing to complete."""
    entry.status = "failed"


def rejected(entry: AuditEntry, answer: Answer) -> None:
    result = {"rejected": True} | ({"reason": answer.reason} if answer.reason else {})
    ended(entry, is_done=False, result=result)


def ended(entry: AuditEntry | None, *, is_done: bool, result: Any = None) -> None:
    """With or without success. Nothing happens without an entry: not every request is a tool call."""
    if entry is None:
        return
    entry.status = "completed" if is_done else "failed"
    entry.result = result
    entry.completed_at = now()
    entry.duration = round((entry.completed_at - entry.created_at).total_seconds() * 1000)
