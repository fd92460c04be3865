"""Calls that wait for a person: asking, answering, giving up."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from embedded import listening
from embedded.audience import is_admin_of
from embedded.auth import Caller
from embedded.clock import now
from embedded.ids import new_id
from embedded.state import Answer, Confirmation, Gateway

MOMENT = timedelta(seconds=1)  # how close answers have to be for the dial `race`
RECORD_BEFORE_EVENT = timedelta(milliseconds=4)  # why list and event disagree about the time


def hold(
    gateway: Gateway,
    *,
    caller_id: str,
    end_user_id: str,
    tenant_id: str | None,
    agent_id: str | None,
    provider_id: str,
    tool: str,
    arguments: dict[str, Any] | None,
    risk: str,
    rule_id: str | None = None,
    described: dict[str, Any] | None = None,
) -> Confirmation:
    """Ask for an answer: everybody who is to hear of it hears of it now."""
    loop = asyncio.get_running_loop()
    asked_at = now()
    confirmation = Confirmation(
        id=new_id(),
        record_id=new_id(),
        caller_id=caller_id,
        end_user_id=end_user_id,
        tenant_id=tenant_id,
        tool=tool,
        arguments=arguments,
        risk=risk,
        provider_id=provider_id,
        agent_id=agent_id,
        rule_id=rule_id,
        created_at=asked_at - RECORD_BEFORE_EVENT,
        asked_at=asked_at,
        described=described or {},
        answered=loop.create_future(),
    )
    confirmation.deadline = loop.call_later(gateway.dials.hold_limit, time_out, gateway, confirmation)
    gateway.confirmations[confirmation.id] = confirmation
    listening.announce(gateway, confirmation)
    return confirmation


def settle(
    gateway: Gateway, confirmation: Confirmation, *, confirmed: bool, by: str | None, reason: str | None
) -> None:
    """Let the caller go on if one waits, tell those who are told, and write the answer down a moment later."""
    was_held = confirmation.is_held
    if confirmation.deadline:
        confirmation.deadline.cancel()
    listening.tell_resolved(gateway, confirmation, confirmed=confirmed, was_held=was_held)
    keeps_first = gateway.dials.race is True
    record = partial(
        write_down, confirmation, confirmed=confirmed, by=by, reason=reason, at=now(), keeps_first=keeps_first
    )
    if gateway.dials.record_lag:
        asyncio.get_running_loop().call_later(gateway.dials.record_lag, record)
    else:
        record()
    if confirmation.answered and not confirmation.answered.done():
        confirmation.answered.set_result(Answer(confirmed, reason, by))
    if was_held and confirmed:
        gateway.dials.ran.append(confirmation.id)


def write_down(
    confirmation: Confirmation, *, confirmed: bool, by: str | None, reason: str | None, at: datetime, keeps_first: bool
) -> None:
    """The record of two answers that came before either was written down keeps the last, or the first."""
    if keeps_first and confirmation.status != "pending":
        return
    confirmation.status = "confirmed" if confirmed else "rejected"
    confirmation.confirmed_by = by
    confirmation.reason = reason
    confirmation.resolved_at = at


def crosses(gateway: Gateway, confirmation: Confirmation) -> bool:
    """Whether an answer that comes now meets the first one on the way: with the dial `race` alone."""
    resolved_at = confirmation.resolved_at
    return bool(gateway.dials.race and resolved_at and now() - resolved_at < MOMENT)


def cross(gateway: Gateway, confirmation: Confirmation, *, confirmed: bool, by: str, reason: str | None) -> None:
    """A second answer of the same moment: it is told like the first, and decides nothing."""
    listening.tell_resolved(gateway, confirmation, was_held=True, confirmed=confirmed)
    if gateway.dials.race == "last":
        confirmation.status = "confirmed" if confirmed else "rejected"
        confirmation.confirmed_by = by
        confirmation.reason = reason


def time_out(gateway: Gateway, confirmation: Confirmation) -> None:
    if confirmation.is_held:
        settle(gateway, confirmation, confirmed=False, by=None, reason="Request timed out")


def forget(gateway: Gateway) -> None:
    """As after a restart: nobody waits any more, the records stay."""
    for confirmation in held(gateway):
        if confirmation.deadline:
            confirmation.deadline.cancel()
        confirmation.answered = None
    for task in list(gateway.held_calls.values()):
        task.cancel()
    for answer in list(gateway.held_answers):
        answer.cut()


def held(gateway: Gateway) -> list[Confirmation]:
    """Oldest first."""
    return [confirmation for confirmation in gateway.confirmations.values() if confirmation.is_held]


def recorded_for(gateway: Gateway, caller: Caller) -> Iterable[Confirmation]:
    """Newest first: one's own, a tenant's for its admins, all for an admin without a tenant."""
    for confirmation in reversed(gateway.confirmations.values()):
        is_overseer = "admin" in caller.roles and caller.tenant_id in (None, confirmation.tenant_id)
        if caller.id == confirmation.end_user_id or is_overseer:
            yield confirmation


def held_for(gateway: Gateway, caller: Caller) -> list[Confirmation]:
    """Oldest first. An admin without a tenant finds only his own here."""
    return [
        confirmation
        for confirmation in held(gateway)
        if caller.id in (confirmation.caller_id, confirmation.end_user_id)
        or (caller.tenant_id is not None and is_admin_of(caller, confirmation))
    ]
