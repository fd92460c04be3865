"""A confirmation as people read it: whole, with nothing hidden in it. Free of I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from django.utils.translation import ngettext

from accounts.characters import as_escapes, shown
from confirmations.detail import Detail, as_text, detail_of
from gateway import Confirmation, Risk
from gateway.canonical import digest, fingerprint
from gateway.deep import folded

if TYPE_CHECKING:
    from confirmations.aftermath import Aftermath
    from confirmations.standing import Standing

State = Literal["waiting", "approved", "rejected", "stopped", "timed_out", "lost", "resolved"]

RISKS: tuple[Risk, ...] = tuple(reversed(get_args(Risk)))  # the gravest first
TIMED_OUT = "Request timed out"  # the gateway's reason when nobody answered
WITH_ITS_RUN = "The answer that asked for it was stopped."  # ours, where nobody rejected: gateways know no other word


@dataclass(frozen=True, slots=True)
class Names:
    """What ids are called, as far as this person may know."""

    people: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)

    def who(self, someone: str) -> str:
        """Marked as an agent where it is one, since an agent can be called like a person."""
        if name := self.people.get(someone):
            return name
        return f"{name} (agent)" if (name := self.agents.get(someone)) else someone


@dataclass(frozen=True, slots=True)
class Item:
    """What `confirmations/_detail.html` shows. Texts that an agent or a tool wrote have passed through `shown`."""

    call: Confirmation
    id: str
    tool: str
    agent_id: str
    agent_name: str
    provider_id: str
    provider_name: str
    end_user: str
    asker: str
    answered_by: str
    answerer: str
    tenant: str
    risk: Risk
    asked_at: datetime
    expires_at: datetime
    resolved_at: datetime | None
    time_left: str  # "4:32"
    fingerprint: str
    shape: str  # of the arguments: `shape_of`
    version: str  # changes with everything that may change in what is shown
    match_tool: str  # the tool's name as the agent's own events spell it
    state: State = "waiting"
    verdict: str = ""
    standing: Standing | None = None
    aftermath: Aftermath | None = None
    error: str = ""  # why an answer was not taken
    reason: str = ""  # what was typed and is not sent yet
    typed_name: str = ""  # the same: the tool's name

    @property
    def seen(self) -> str:
        """What an answer says it was given to."""
        return hash_as_shown(self.call)

    @property
    def detail(self) -> Detail:
        """All of the call: made when it is asked for, since it is as large as the call."""
        return detail_of(self.call, self.agent_name)

    @property
    def raw(self) -> str:
        return as_escapes(as_text(self.call.arguments))


def hash_of(arguments: Mapping[str, object]) -> str:
    return fingerprint(arguments)


def hash_as_shown(confirmation: Confirmation) -> str:
    """SHA-256 of what an answer is given to, made of what all four tellings of a call say alike."""
    return hash_of(
        {
            "id": confirmation.id,
            "tool": confirmation.tool,
            "arguments": confirmation.arguments,
            "risk": confirmation.risk,
            "agent_id": confirmation.agent_id,
            "end_user": confirmation.end_user,
            "provider_id": confirmation.provider_id,
        }
    )


def shape_of(arguments: Mapping[str, object]) -> str:
    """SHA-256 of the keys and the kinds of their values; a list counts as the set of its elements' shapes."""
    return digest(folded(dict(arguments), _kind, _shape))


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
    return "null"


def _shape(holder: object, within: list[str]) -> str:
    if isinstance(holder, dict):
        return digest(json.dumps(sorted(zip(holder, within, strict=True))))
    return f"[{digest(' '.join(sorted(set(within))))}]"


def expires_at(confirmation: Confirmation, limit: float) -> datetime:
    """By the gateway's clock, like `asked_at`; `limit` in seconds."""
    return confirmation.asked_at + timedelta(seconds=limit)


def item_of(
    confirmation: Confirmation,
    names: Names,
    *,
    limit: float,
    now: datetime | None = None,
    state: State = "waiting",
    verdict: str = "",
    standing: Standing | None = None,
    aftermath: Aftermath | None = None,
) -> Item:
    """`now` is by the gateway's clock."""
    deadline = expires_at(confirmation, limit)
    agent = confirmation.agent_name or names.agents.get(confirmation.agent_id, "")
    return Item(
        call=confirmation,
        id=confirmation.id,
        tool=shown(confirmation.tool),
        agent_id=shown(confirmation.agent_id),
        agent_name=shown(agent),
        provider_id=shown(confirmation.provider_id),
        provider_name=shown(confirmation.provider_name or names.providers.get(confirmation.provider_id, "")),
        end_user=shown(confirmation.end_user),
        asker=shown(names.who(confirmation.end_user)),
        answered_by="" if state == "stopped" else shown(confirmation.answered_by),
        answerer=shown(names.who(confirmation.answered_by)),
        tenant=shown(confirmation.tenant),
        risk=confirmation.risk,
        asked_at=confirmation.asked_at,
        expires_at=deadline,
        resolved_at=confirmation.resolved_at,
        time_left=clock(deadline - (now or datetime.now(UTC))),
        fingerprint=hash_of(confirmation.arguments),
        match_tool=confirmation.tool.encode(errors="replace").decode(),
        shape=shape_of(confirmation.arguments),
        version=version_of(confirmation, names, state, verdict, standing),
        state=state,
        verdict=verdict,
        standing=standing,
        aftermath=aftermath,
    )


def clock(left: timedelta) -> str:
    seconds = max(0, round(left.total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


def state_of(confirmation: Confirmation) -> State:
    """How it ended, by the gateway's record; `waiting` where that says nothing of an end."""
    match confirmation.status:
        case "confirmed" | "consumed":
            return "approved"
        case "rejected" if not confirmation.answered_by and confirmation.reason == TIMED_OUT:
            return "timed_out"
        case "rejected" if _went_with_its_run(confirmation):
            return "stopped"
        case "rejected":
            return "rejected"
        case "expired":
            return "timed_out"
    return "waiting"


def _went_with_its_run(confirmation: Confirmation) -> bool:
    """Portico let go of it for whoever asked, who stopped the answer that made the call."""
    return confirmation.reason == WITH_ITS_RUN and confirmation.answered_by in ("", confirmation.end_user)


def verdict_of(
    confirmation: Confirmation, names: Names, me: str, *, ran: bool | None = None, is_ours: bool = False
) -> str:
    """One sentence: "Rejected by Bo Adler: too broad"; `is_ours` where only Portico's record knows of that."""
    state = state_of(confirmation)
    if state == "timed_out":
        return NOBODY
    if state == "stopped":
        return STOPPED
    if state == "waiting":
        return LOST
    said = "Approved" if state == "approved" else "Rejected"
    if confirmation.answered_by:
        said += " by you" if confirmation.answered_by == me else f" by {who_answered(confirmation, names)}"
        if confirmation.answered_by == confirmation.end_user != me:
            said += OWN_REQUEST
    if confirmation.reason:
        said += f": {shown(confirmation.reason)}"
    notes = [NOTHING_RAN] if state == "approved" and ran is False else []
    if is_ours:
        notes.append(UNRECORDED)
    return f"{said} ({'; '.join(notes)})" if notes else said


def version_of(confirmation: Confirmation, names: Names, state: State, verdict: str, standing: Standing | None) -> str:
    """The same for a row and for the open call: of all that may change, a name that is learned late included."""
    agent = confirmation.agent_name or names.agents.get(confirmation.agent_id, "")
    return digest(
        repr((state, verdict, standing, confirmation.tool_description, agent, names.who(confirmation.end_user)))
    )


def unreadable_sentence(number: int) -> str:
    """For a page that shows what waits; empty where everything could be read."""
    if not number:
        return ""
    return ngettext("%(number)d request could not be read.", "%(number)d requests could not be read.", number) % {
        "number": number
    }


def doubt_of(who: str, *, approve: bool, said: str, is_stop: bool = False) -> str:
    """For a call of which the gateway took an answer of this person, and has another on record: `said`, in words."""
    mine = "stop" if is_stop else "approval" if approve else "rejection"
    return f"Cannot be sure: the gateway took {shown(who)}'s {mine} and another answer; its record says “{said}”"


def may_have_run(who: str) -> str:
    """For a lost call that this person approved, where that may have arrived before it was lost."""
    return f"{UNTRACED}. The approval by {shown(who)} may have arrived, so it may have run"


OWN_REQUEST = ", who asked for it"
STOPPED = "Stopped: the answer that asked for it was stopped"
NOBODY = "Timed out: nobody answered in time"
NOTHING_RAN = "nobody was waiting any more: nothing ran"
LOST = "Lost by the gateway: it no longer holds this call, so nothing can run"
UNTRACED = "Lost by the gateway: it no longer holds this call, and has no answer on record"
ANSWERED_BEFORE = f"{UNTRACED}. It said before that somebody had answered, so it may have run"
UNRECORDED = "the gateway took this answer and has no record of it"
GONE = "The gateway does not know this call any more"
NOT_YOURS = "This call is no longer yours to answer"


def who_answered(confirmation: Confirmation, names: Names) -> str:
    """Marked where it is the agent that asked."""
    someone = confirmation.answered_by
    if someone == confirmation.agent_id:
        return f"{shown(names.agents.get(someone) or someone)}, the agent itself"
    return shown(names.who(someone))
