"""Calls as the gateway and as Portico's record tell of them, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Literal, NamedTuple, TypeVar

from django.db.models import QuerySet

from confirmations.filters import Filters
from confirmations.identity import Identity
from confirmations.items import WITH_ITS_RUN, Names, State, state_of
from confirmations.models import CAME_LATE, NEVER_ARRIVED, TAKEN, Decision
from confirmations.record import Kind, visible_to
from gateway import MOST_LISTED, Confirmation, Gateway, clock
from gateway.errors import GatewayError, NotFound, SignedOut

T = TypeVar("T")

AT_ONCE = 100  # calls whose decisions are read in one go
ASKED_AT_ONCE = 8  # calls to the gateway

Told = State | Literal["unlisted", "unread"]


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    at: datetime  # by our clock: when it was asked; where the gateway does not tell, when it was last decided
    call: Confirmation | None  # None: the gateway does not know it, or is away
    state: Told
    decisions: Sequence[Decision]  # through Portico, in order

    @property
    def may_have_run(self) -> bool:
        """Whether an approval reached the gateway, or may have."""
        kinds = (Kind.APPROVED, Kind.FAILED)
        sent = [one for one in self.decisions if one.approve and one.kind in kinds and one.said != NEVER_ARRIVED]
        return bool(sent) or any(one.said == CAME_LATE for one in self.decisions)

    @property
    def told(self) -> Confirmation | Decision:
        """Whoever tells what it was: both know tool, risk, agent_id, end_user, tenant and provider_id."""
        return self.call or self.decisions[0]

    def agent_name(self, names: Names) -> str:
        kept = next((one.agent_name for one in self.decisions if one.agent_name), "")
        return names.agents.get(self.told.agent_id) or kept

    def asker_name(self, names: Names) -> str:
        kept = next((one.end_user_name for one in self.decisions if one.end_user_name), "")
        return names.people.get(self.told.end_user) or kept or names.who(self.told.end_user)

    def provider_name(self, names: Names) -> str:
        kept = next((one.provider_name for one in self.decisions if one.provider_name), "")
        return names.providers.get(self.told.provider_id) or kept


class Listed(NamedTuple):
    """What the gateway lists for this person and lets them open, newest first."""

    calls: Sequence[tuple[Confirmation, State]]
    is_cut: bool  # there may be older ones
    unreadable: int = 0  # rows that make no sense


def told_by_gateway(gateway: Gateway, identity: Identity) -> Listed:
    listed = gateway.confirmations()
    calls = [one for one in listed if identity.may_answer(one)]
    open_calls = any(one.status == "pending" for one in calls)
    lost = {one.id for one in gateway.unanswered().lost} if open_calls else set()
    told = [(one, _state(one, lost)) for one in calls]
    told.sort(key=lambda one: one[0].asked_at, reverse=True)
    return Listed(told, len(listed) + listed.unreadable >= MOST_LISTED, listed.unreadable)


def _state(call: Confirmation, lost: Collection[str]) -> State:
    state = state_of(call)
    return "lost" if state == "waiting" and call.id in lost else state


def entries(
    identity: Identity, told: Sequence[tuple[Confirmation, State]], filters: Filters, names: Names
) -> Iterator[Entry]:
    """The calls that either knows of and that fit, newest first. Reads the database as far as it is asked to go on."""
    both = merge(
        _listed(identity, told),
        _unlisted(identity, {call.id for call, _ in told}, filters),
        key=lambda entry: entry.at,
        reverse=True,
    )
    return (entry for entry in both if _fits_all(entry, filters, names))


def _listed(identity: Identity, told: Iterable[tuple[Confirmation, State]]) -> Iterator[Entry]:
    for some in _in_heaps(told):
        decisions = _decisions(identity, [call.id for call, _ in some])
        for call, state in some:
            yield _told(Entry(call.id, clock.here(identity.gateway, call.asked_at), call, state, decisions[call.id]))


def _unlisted(identity: Identity, listed: set[str], filters: Filters) -> Iterator[Entry]:
    if filters.wanted.get("state", "unlisted") != "unlisted":
        return
    for some in _in_heaps(_further_ids(filters.decisions(visible_to(identity)), listed)):
        decisions = _decisions(identity, some)
        for confirmation_id in some:
            yield Entry(
                confirmation_id, decisions[confirmation_id][-1].at, None, "unlisted", decisions[confirmation_id]
            )


def _further_ids(rows: QuerySet[Decision], listed: set[str]) -> Iterator[str]:
    seen = set(listed)
    for confirmation_id in rows.values_list("confirmation_id", flat=True).iterator():
        if confirmation_id not in seen:
            seen.add(confirmation_id)
            yield confirmation_id


def _decisions(identity: Identity, ids: Sequence[str]) -> dict[str, list[Decision]]:
    found = defaultdict(list)
    for decision in visible_to(identity).filter(confirmation_id__in=ids).order_by("number"):
        found[decision.confirmation_id].append(decision)
    return found


def looked_up(gateway: Gateway, identity: Identity, page: Sequence[Entry]) -> list[Entry]:
    """With what the gateway says of those that it does not list: its list ends, its record goes on."""

    def whole(entry: Entry) -> Entry:
        if entry.call is not None:
            return entry
        try:
            call = gateway.confirmation(entry.id)
        except NotFound:
            return entry
        except SignedOut:
            raise
        except GatewayError:
            return replace(entry, state="unread")
        return _told(replace(entry, call=call, state=state_of(call)))

    with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
        found = list(threads.map(whole, page))
    further = [one for one, before in zip(found, page, strict=True) if before.call is None and one.state == "waiting"]
    if not further:
        return found
    lost = _lost_of(gateway, {one.id for one in further})
    return [replace(one, state="lost") if one.id in lost else one for one in found]


def _lost_of(gateway: Gateway, ids: set[str]) -> set[str]:
    """Those that have no end on record and that the gateway does not hold; none where it does not say."""
    try:
        held = gateway.pending()
    except SignedOut:
        raise
    except GatewayError:
        return set()
    return ids - {one.id for one in held} if held.is_whole else set()


def _told(entry: Entry) -> Entry:
    """Where a gateway keeps no reasons, Portico's own record says that a call went with the run that made it."""
    call, kinds = entry.call, {one.kind for one in entry.decisions}
    if call is None or entry.state != "rejected" or call.reason or Kind.STOPPED not in kinds:
        return entry
    call = replace(call, reason=WITH_ITS_RUN)
    return replace(entry, call=call, state=state_of(call))


def _in_heaps(things: Iterable[T]) -> Iterator[list[T]]:
    left = iter(things)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _fits_all(entry: Entry, filters: Filters, names: Names) -> bool:
    return filters.takes(entry.at) and all(_fits(entry, name, value, names) for name, value in filters.wanted.items())


def _fits(entry: Entry, name: str, value: str, names: Names) -> bool:
    match name:
        case "state":
            return bool(difference(entry, names)) if value == "differs" else entry.state == value
        case "decision":
            answers = [one for one in entry.decisions if one.kind != Kind.STOPPED]
            return any(one.approve == (value == "approve") for one in answers)
        case "outcome":
            return any(one.kind == value for one in entry.decisions)
        case "risk":
            return entry.told.risk == value
        case "tool":
            return _says(value, entry.told.tool)
        case "agent":
            return value == entry.told.agent_id or _says(value, entry.agent_name(names))
        case "who":
            answered_by = entry.call.answered_by if entry.call else ""
            people = {one.who: one.who_name for one in entry.decisions} | {answered_by: names.who(answered_by)}
            return value in people or any(_says(value, name) for name in people.values())
    return True


def _says(part: str, whole: str) -> bool:
    return part.casefold() in whole.casefold()


def difference(entry: Entry, names: Names) -> str:
    """Where the two disagree, or only one of them knows, in a sentence; else an empty text."""
    call, taken = entry.call, [one for one in entry.decisions if one.kind in TAKEN]
    if call is None:
        return ""  # the whole row says so
    if any(one.kind == Kind.UNSURE for one in entry.decisions):
        return "Portico cannot be sure which answer the gateway acted on."
    if len({one.approve for one in taken}) > 1:
        return "The gateway took answers that contradict each other: Portico cannot be sure which of them it acted on."
    if not taken:
        return _without_us(entry)
    ours = taken[0]
    if entry.state in ("waiting", "lost"):
        return "The gateway took the answer that Portico sent, but has none on record."
    if (entry.state == "approved") != ours.approve:
        sent = "a stop" if ours.kind == Kind.STOPPED else "an approval" if ours.approve else "a rejection"
        ends = {"approved": "an approval", "rejected": "a rejection", "stopped": "a stop"}
        recorded = ends.get(entry.state, "that nobody answered")
        return f"Portico sent {sent} and the gateway recorded {recorded}: Portico cannot be sure which of them held."
    if call.answered_by and call.answered_by != ours.who:
        return f"The gateway names {names.who(call.answered_by)} for it: somebody answered outside Portico as well."
    if ours.reason and ours.reason != call.reason:
        return "The gateway did not keep the reason." if not call.reason else "The gateway kept another reason."
    return ""


def _without_us(entry: Entry) -> str:
    """For a call of which the gateway took no answer through Portico, as far as Portico knows."""
    if entry.state not in ("approved", "rejected"):
        return ""
    refused = (NEVER_ARRIVED, CAME_LATE)
    if any(one.kind == Kind.FAILED and one.said not in refused for one in entry.decisions):
        return "Portico sent an answer and never heard what became of it: it may be the one that the gateway recorded."
    return "Answered outside Portico."
