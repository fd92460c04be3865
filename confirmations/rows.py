"""A confirmation as one row of the desk, and which rows somebody wants to see. Free of I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal, Self, get_args
from urllib.parse import urlencode

from django.template.loader import render_to_string

from accounts.characters import shown
from confirmations.items import RISKS, Names, State, clock, expires_at, hash_of, shape_of, version_of
from gateway import Confirmation, Risk

if TYPE_CHECKING:
    from confirmations.standing import Standing

EXPIRING = timedelta(seconds=60)  # left: what the filter calls "less than a minute left"
RENDERED = 4000  # rows whose markup is kept, of 2 KB each
# Stand in a rendered row for what differs by moment and by page. An agent may write anything, but knows none of them.
TIME_LEFT, QUERY, OPEN = (f"{name}-{token_hex(16)}" for name in ("left", "query", "open"))
Group = Literal["", "agent", "tool"]


@dataclass(frozen=True, slots=True)
class Row:
    """What `confirmations/_row.html` shows. Texts that an agent or a tool wrote have passed through `shown`."""

    id: str
    tool: str
    match_tool: str  # the tool's name as the agent's own events spell it
    risk: Risk
    agent_id: str
    agent_name: str
    end_user: str
    asker: str
    tenant: str
    asked_at: datetime
    expires_at: datetime
    fingerprint: str
    shape: str
    state: State
    verdict: str
    notes: tuple[str, ...]  # how it stands: held, claimed, approved once
    held_by: str  # whose approval is not sent yet: the gateway's id
    version: str  # changes when anything does that may change

    @property
    def order(self) -> tuple[int, datetime, datetime, str]:
        """The gravest risk first, then the least time left, then the oldest."""
        return RISKS.index(self.risk), self.expires_at, self.asked_at, self.id

    def group(self, by: Group) -> str:
        if by == "tool":
            return self.tool
        return (self.agent_name or self.agent_id or "No agent") if by == "agent" else ""


def row_of(
    confirmation: Confirmation,
    names: Names,
    me: str,
    *,
    limit: float,
    state: State = "waiting",
    verdict: str = "",
    standing: Standing | None = None,
) -> Row:
    """`limit` in seconds; `me` is the gateway's id of whom it is shown to."""
    notes = notes_of(standing, me, confirmation.end_user) if standing and state == "waiting" else ()
    agent = confirmation.agent_name or names.agents.get(confirmation.agent_id, "")
    return Row(
        id=confirmation.id,
        tool=shown(confirmation.tool),
        match_tool=confirmation.tool.encode(errors="replace").decode(),
        risk=confirmation.risk,
        agent_id=shown(confirmation.agent_id),
        agent_name=shown(agent),
        end_user=shown(confirmation.end_user),
        asker=shown(names.who(confirmation.end_user)),
        tenant=shown(confirmation.tenant),
        asked_at=confirmation.asked_at,
        expires_at=expires_at(confirmation, limit),
        fingerprint=hash_of(confirmation.arguments),
        shape=shape_of(confirmation.arguments),
        state=state,
        verdict=verdict,
        notes=notes,
        held_by=standing.hold.person if standing and standing.hold and standing.hold.is_on_its_way else "",
        version=version_of(confirmation, names, state, verdict, standing),
    )


def notes_of(standing: Standing, me: str, asker: str) -> tuple[str, ...]:
    """What Portico knows of a call that waits, a few words each."""
    found = ["The run that asked for this is over"] if standing.is_left else []
    if hold := standing.hold:
        words = {
            "waiting": "about to be sent",
            "sending": "being sent",
            "cancelled": f"not sent. {hold.why[:1].upper()}{hold.why[1:]}",
            "unknown": "not known to have arrived",
        }
        found.append(f"Approved by {hold.named(me, asker)}, {words[hold.state]}")
    if standing.first:
        found.append(f"Approved once, by {standing.first.named(me, asker)}")
    if claim := standing.claim:
        found.append("You look into it" if claim.person == me else f"{claim.name} looks into it")
    return tuple(found)


@lru_cache(RENDERED)
def rendered(row: Row) -> str:
    """Once for everybody who sees the same: it is most of a page's work. `finished` fits it to page and moment."""
    marks = {"time_left": TIME_LEFT, "query": QUERY, "open": OPEN}
    return render_to_string("confirmations/_row.html", {"row": row, **marks})


def finished(html: str, row: Row, now: datetime, query: str = "", *, is_open: bool = False) -> str:
    """`now` is by the gateway's clock."""
    html = html.replace(TIME_LEFT, clock(row.expires_at - now)).replace(QUERY, f"?{query}" if query else "")
    return html.replace(OPEN, ' aria-current="true"' if is_open else "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are to be seen, and how they are gathered: the query string of the desk."""

    tenant: str = ""
    agent: str = ""  # id
    asker: str = ""  # the gateway's id
    tool: str = ""
    risk: str = ""
    expiring: str = ""  # "1": less than a minute left
    q: str = ""
    group: Group = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        given: dict[str, Any] = {field.name: query.get(field.name, "").strip() for field in fields(cls)}
        if given["group"] not in get_args(Group):
            given["group"] = ""
        return cls(**given)

    @property
    def query(self) -> str:
        """For links, without the question mark."""
        return urlencode({field.name: value for field in fields(self) if (value := getattr(self, field.name))})

    @property
    def is_filtered(self) -> bool:
        return bool(replace(self, group="").query)

    def fits(self, row: Row, now: datetime) -> bool:
        text = f"{row.tool} {row.agent_name} {row.agent_id} {row.asker} {row.tenant} {row.id}".casefold()
        return (
            self.tenant in ("", row.tenant)
            and self.agent in ("", row.agent_id)
            and self.asker in ("", row.end_user)
            and self.tool in ("", row.match_tool)
            and self.risk in ("", row.risk)
            and (not self.expiring or row.expires_at - now < EXPIRING)
            and all(word in text for word in self.q.casefold().split())
        )

    def in_order(self, rows: Iterable[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: (row.group(self.group), row.order))
