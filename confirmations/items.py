"""A confirmation as people read it: whole, with nothing hidden in it. Free of I/O."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from gateway import Confirmation, Risk
from gateway.canonical import digest, fingerprint
from gateway.deep import folded

if TYPE_CHECKING:
    from confirmations.standing import Standing

State = Literal["waiting", "approved", "rejected", "timed_out", "lost", "resolved"]

RISKS: tuple[Risk, ...] = tuple(reversed(get_args(Risk)))  # the gravest first
TIMED_OUT = "Request timed out"  # the gateway's reason when nobody answered
OVERDUE = timedelta(seconds=5)  # past its time, whatever a list says: nobody waits any more

# Characters that show nothing, or change how others show: Unicode's Default_Ignorable_Code_Point, and a blank Braille
# cell. Control, format, private, unassigned and separator characters are known by their category.
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SUSPECT = re.compile(f"[^\\w\\s!-~]|[{_IGNORABLE}]|[^\\S\\n\\t ]")
_IS_IGNORABLE = re.compile(f"[{_IGNORABLE}]")
_EDGES = re.compile(r"\A +| +\Z")
_HIDING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    text: str  # whole; hidden characters made visible
    hidden_count: int


@dataclass(frozen=True, slots=True)
class Names:
    """What ids are called, as far as this person may know."""

    people: Mapping[str, str] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, str] = field(default_factory=dict)

    def who(self, someone: str) -> str:
        return self.people.get(someone) or self.agents.get(someone) or someone


@dataclass(frozen=True, slots=True)
class Item:
    """What `confirmations/_item.html` shows. Texts that an agent or a tool wrote have passed through `visible`."""

    id: str
    tool: str
    tool_description: str
    agent_id: str
    agent_name: str
    provider_name: str
    end_user: str
    asker: str
    tenant: str
    risk: Risk
    asked_at: datetime
    expires_at: datetime
    time_left: str  # "4:32"
    arguments: list[Argument]
    raw: str
    fingerprint: str
    match_tool: str  # the tool's name as the agent's own events spell it
    shape: str  # of the arguments: `shape_of`
    seen: str  # what an answer says it was given to: `hash_as_shown`
    version: str  # changes with everything that may change in what is shown
    state: State = "waiting"
    verdict: str = ""
    standing: Standing | None = None
    error: str = ""  # why an answer was not taken
    reason: str = ""  # what was typed and is not sent yet
    typed_name: str = ""  # the tool's name as it was typed


def visible(text: str) -> tuple[str, int]:
    """The text with its hidden characters written out, such as ⟨U+202E⟩, and how many there were.

    Newlines and tabs inside stay, spaces at either end do not: "a.pdf " and "a.pdf" are two files.
    """
    count = 0

    def spelled(found: re.Match[str]) -> str:
        nonlocal count
        character = found[0]
        if not _IS_IGNORABLE.match(character) and unicodedata.category(character) not in _HIDING:
            return character
        count += 1
        return f"⟨U+{ord(character):04X}⟩"

    def edge(found: re.Match[str]) -> str:
        nonlocal count
        count += len(found[0])
        return "⟨U+0020⟩" * len(found[0])

    return _EDGES.sub(edge, _SUSPECT.sub(spelled, text)), count


def shown(text: str) -> str:
    return visible(text)[0]


def as_text(value: object) -> str:
    """A string as it is, anything else as JSON; never shortened."""
    if isinstance(value, str):
        return value or '""'
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        pass
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to be shown: do not approve what you cannot read)"


def argument(name: str, value: object) -> Argument:
    shown_name, in_name = visible(name)
    text, in_text = visible(as_text(value))
    return Argument(shown_name, text, in_name + in_text)


def hash_of(arguments: Mapping[str, object]) -> str:
    try:
        return fingerprint(arguments)
    except RecursionError:
        return ""


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
) -> Item:
    """`now` is by the gateway's clock."""
    deadline = expires_at(confirmation, limit)
    agent = confirmation.agent_name or names.agents.get(confirmation.agent_id, "")
    return Item(
        id=confirmation.id,
        tool=shown(confirmation.tool),
        tool_description=shown(confirmation.tool_description),
        agent_id=shown(confirmation.agent_id),
        agent_name=shown(agent),
        provider_name=shown(confirmation.provider_name or names.providers.get(confirmation.provider_id, "")),
        end_user=shown(confirmation.end_user),
        asker=shown(names.who(confirmation.end_user)),
        tenant=shown(confirmation.tenant),
        risk=confirmation.risk,
        asked_at=confirmation.asked_at,
        expires_at=deadline,
        time_left=clock(deadline - (now or datetime.now(UTC))),
        arguments=[argument(name, value) for name, value in confirmation.arguments.items()],
        raw=shown(as_text(confirmation.arguments)),
        fingerprint=hash_of(confirmation.arguments),
        match_tool=confirmation.tool.encode(errors="replace").decode(),
        shape=shape_of(confirmation.arguments),
        seen=hash_as_shown(confirmation),
        version=digest(repr((state, verdict, standing, confirmation.tool_description, agent))),
        state=state,
        verdict=verdict,
        standing=standing,
    )


def clock(left: timedelta) -> str:
    seconds = max(0, round(left.total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


def is_waiting(confirmation: Confirmation, *, limit: float, now: datetime) -> bool:
    return confirmation.status == "pending" and now < expires_at(confirmation, limit) + OVERDUE


def state_of(confirmation: Confirmation) -> State:
    """How it ended, by the gateway's record; `waiting` where that says nothing of an end."""
    match confirmation.status:
        case "confirmed" | "consumed":
            return "approved"
        case "rejected" if not confirmation.answered_by and confirmation.reason == TIMED_OUT:
            return "timed_out"
        case "rejected":
            return "rejected"
        case "expired":
            return "timed_out"
    return "waiting"


def verdict_of(confirmation: Confirmation, names: Names, me: str, *, ran: bool | None = None) -> str:
    """One sentence: "Rejected by Bo Adler: too broad"."""
    state = state_of(confirmation)
    if state == "timed_out":
        return NOBODY
    if state == "waiting":
        return LOST
    said = "Approved" if state == "approved" else "Rejected"
    if confirmation.answered_by:
        said += " by you" if confirmation.answered_by == me else f" by {_who(confirmation, names)}"
    if confirmation.reason:
        said += f": {shown(confirmation.reason)}"
    return f"{said} ({NOTHING_RAN})" if state == "approved" and ran is False else said


NOBODY = "Timed out: nobody answered in time"
NOTHING_RAN = "nobody was waiting any more: nothing ran"
LOST = "Lost by the gateway: it no longer holds this call, so nothing can run"
GONE = "The gateway does not know this call any more"
NOT_YOURS = "This call is no longer yours to answer"


def _who(confirmation: Confirmation, names: Names) -> str:
    someone = confirmation.answered_by
    name = shown(names.who(someone))
    return f"{name}, the agent itself" if someone == confirmation.agent_id else name


def in_order(confirmations: Iterable[Confirmation]) -> list[Confirmation]:
    """The gravest risk first, then the least time left."""
    return sorted(confirmations, key=lambda one: (RISKS.index(one.risk), one.asked_at, one.id))


def counts_of(risks: Iterable[Risk]) -> dict[Risk, int]:
    found = list(risks)
    return {risk: found.count(risk) for risk in RISKS}
