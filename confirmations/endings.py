"""How calls ended, told to the room whose transcripts they stand in, with what is known at that moment."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from agents.api import Ended, approval_ended
from confirmations.items import NOTHING_RAN, Names, State, hash_of, who_answered
from gateway import Confirmation, clock

ENDS = ("approved", "rejected", "stopped", "timed_out", "lost")


def tell_answer(
    gateway: str,
    call: Confirmation,
    state: State,
    at: datetime,
    *,
    who: str,
    who_name: str,
    reason: str,
    ran: bool | None,
    doubt: str,
) -> None:
    """Of an answer that was given through Portico."""
    if state in ENDS:
        note = NOTHING_RAN if state == "approved" and ran is False else ""
        ended = _ended(gateway, call, "unsure" if doubt else state, at, who, who_name, reason, doubt or note)
        approval_ended(ended, is_first_hand=True)


def tell_record(
    gateway: str, call: Confirmation, record: Confirmation, state: State, names: Names, doubt: str = ""
) -> None:
    """Of what a gateway's record says."""
    is_answered = state in ("approved", "rejected")
    who = record.answered_by if is_answered else ""
    name = who_answered(record, names) if who else ""
    reason = record.reason if is_answered else ""
    at = clock.here(gateway, record.resolved_at) if record.resolved_at else timezone.now()
    ended = _ended(gateway, call, "unsure" if doubt else state, at, who, name, reason, doubt)
    approval_ended(ended, is_first_hand=False)


def _ended(
    gateway: str, call: Confirmation, state: str, at: datetime, who: str, who_name: str, reason: str, note: str
) -> Ended:
    return Ended(
        gateway=gateway,
        confirmation_id=call.id,
        tool=call.tool,
        arguments_hash=hash_of(call.arguments),
        agent_id=call.agent_id,
        end_user=call.end_user,
        asked_at=call.asked_at,
        state=state,
        at=at,
        who=who,
        who_name=who_name,
        reason=reason,
        note=note,
    )
