"""What services are called, how they are connected, and which of them agents wait for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlencode, urlsplit

from django.core.cache import cache
from django.urls import reverse

from credentials.targets import target_of
from gateway import Agent, Credential, Gateway, MissingService, Service, clock
from gateway.calls import tenant_of
from gateway.canonical import digest
from gateway.errors import GatewayError, NotAllowed, NotFound, NotOffered, SignedOut
from gateway.segments import is_segment
from gateway.waiting import unblocked

REMEMBERED = 60  # seconds that a service's name and kind are not asked for again
MOST_AGENTS = 20  # whose needs one page asks for
MOST_AT_ONCE = 8  # calls
MOST_REMEMBERED = 1000  # services
OWN_PAGE = "/auth/connect"  # where gateways send people who are to be asked by the application

WHY_NOT = {
    "basic": "it takes no user names and passwords",
    "oauth": "it names no page to sign in at",
}
"""Why a gateway cannot connect what there is, by kind, as words about it."""

Knowledge = Literal["known", "none such", "not certain"]
"""What the gateway says of a service: that there is none such for this person, or that it cannot say now."""

_remembered: dict[str, tuple[float, Service]] = {}
"""What `look_up_async` found, and until when, in seconds of the monotonic clock: the cache may be another server."""


def look_up(gateway: Gateway, service: str) -> Service:
    """Its name and kind for a card: never refused, at worst the bare type. Not for storing: it holds no ids."""
    if not is_segment(service):
        return Service(service, service)
    key = _key(gateway, service)
    match cache.get(key):
        case [str(name), kind]:
            return Service(service, name, kind)
    try:
        found = gateway.service(service)
    except GatewayError:
        return Service(service, service)
    if found.kind:  # of a stored credential the gateway may tell the name alone
        cache.set(key, (found.name, found.kind), REMEMBERED)
    return Service(service, found.name, found.kind)


async def look_up_async(gateway: Gateway, service: str) -> tuple[Service, Knowledge]:
    """The same without a thread, for those who wait by the hundred."""
    key = _key(gateway, service)
    remembered = _remembered.get(key)
    if remembered is not None and time.monotonic() < remembered[0]:
        return remembered[1], "known"
    try:
        found = await unblocked(gateway.service, service)
    except NotOffered:
        return Service(service, service), "not certain"
    except NotFound:
        return Service(service, service), "none such"
    except GatewayError:
        return Service(service, service), "not certain"
    if len(_remembered) >= MOST_REMEMBERED:
        _remembered.clear()
    _remembered[key] = time.monotonic() + REMEMBERED, found
    return found, "known"


def look_up_anew(gateway: Gateway, service: str) -> None:
    """Ask again for what `look_up` remembers, because it was changed."""
    cache.delete(_key(gateway, service))
    _remembered.pop(_key(gateway, service), None)


def _key(gateway: Gateway, service: str) -> str:
    return f"service-{digest(f'{gateway.url} {tenant_of(gateway.token)} {service}')}"


def is_connectable(gateway: Gateway, service: Service, entry: str) -> bool:
    """Whether Portico can do anything for a person who clicks Connect."""
    match service.kind:
        case "key" | "token":
            return True
        case "basic":
            return False
    address = gateway.connect_address(entry)
    if is_own_page(address):
        return service.kind != "oauth"
    return target_of(address) is not None


def is_own_page(address: str, host: str = "") -> bool:
    """Whether an address from `connect_address` is our own `/auth/connect`, relative or at our `host`."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.path.rstrip("/") == OWN_PAGE and parts.netloc.lower() in ("", host.lower())


def can_be_named(service: str) -> bool:
    """Whether the connect page of such a service can have an address."""
    return "/" not in service and is_segment(service)


@dataclass(frozen=True, slots=True)
class Card:
    """A service to connect, as `credentials/_connect_card.html` shows it."""

    service: str
    name: str
    kind: str
    url: str  # of the connect page; empty where this gateway cannot connect the service
    needed_by: str = ""  # names of agents
    is_certain: bool = True  # False: the gateway does not say now whether it can be connected
    why_not: str = ""  # why it is certain that nobody can connect it here, as words about the gateway


def card(
    gateway: Gateway, missing: MissingService, *, agent_id: str = "", next_page: str = "", needed_by: Iterable[str] = ()
) -> Card:
    service = look_up(gateway, missing.service)
    return _card_of(gateway, missing, service, agent_id=agent_id, next_page=next_page, needed_by=needed_by)


async def card_async(gateway: Gateway, missing: MissingService, *, agent_id: str, next_page: str) -> Card:
    if not can_be_named(missing.service):
        return Card(missing.service, missing.service, "", "", why_not="it is no name that an address can hold")
    service, knowledge = await look_up_async(gateway, missing.service)
    made = _card_of(gateway, missing, service, agent_id=agent_id, next_page=next_page)
    if knowledge == "none such":  # the connect page would say so, too
        return replace(made, url="", why_not="it offers you no such service")
    if knowledge == "not certain":
        return replace(made, is_certain=bool(made.url))
    if made.url:
        return made
    _remembered.pop(_key(gateway, missing.service), None)  # when it is mended, whoever tries again goes on at once
    return replace(made, why_not=WHY_NOT.get(service.kind, "it names no way to do it"))


def _card_of(
    gateway: Gateway,
    missing: MissingService,
    service: Service,
    *,
    agent_id: str,
    next_page: str,
    needed_by: Iterable[str] = (),
) -> Card:
    url = ""
    if is_connectable(gateway, service, missing.entry) and can_be_named(missing.service):
        kept = {name: value for name, value in {"agent": agent_id, "next": next_page}.items() if value}
        url = reverse("credentials:connect", args=[missing.service]) + (f"?{urlencode(kept)}" if kept else "")
    return Card(missing.service, service.name, service.kind, url, ", ".join(needed_by))


@dataclass(slots=True)
class Need:
    """A missing service, and the agents that need it."""

    missing: MissingService
    agents: list[Agent] = field(default_factory=list)


class Needs(list[Need]):
    unknown: int = 0  # agents of which the gateway did not tell


def needs(gateway: Gateway, agents: Sequence[Agent]) -> Needs:
    """What these agents need and this person has not connected. Raises SignedOut."""
    active = [agent for agent in agents if agent.is_active]
    asked = active[:MOST_AGENTS]
    unknown = len(active) - len(asked)
    found: dict[str, Need] = {}
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        for agent, missing in zip(asked, pool.map(lambda agent: _missing(gateway, agent), asked), strict=True):
            unknown += missing is None
            for one in missing or ():
                found.setdefault(one.service, Need(one)).agents.append(agent)
    needed = Needs(found.values())
    needed.unknown = unknown
    return needed


def _missing(gateway: Gateway, agent: Agent) -> tuple[MissingService, ...] | None:
    """None where the gateway does not say now; nothing where it never does."""
    try:
        return gateway.missing_services(agent.id)
    except SignedOut:
        raise
    except NotOffered:
        return ()
    except GatewayError:
        return None


def is_connected(gateway: Gateway, service: str, agent_id: str) -> bool:
    """What the gateway says now: the agent misses it no more, or without an agent, it is stored and not expired."""
    if agent_id:
        try:
            return all(missing.service != service for missing in gateway.missing_services(agent_id))
        except (NotFound, NotAllowed):  # the agent went away meanwhile
            pass
    stored = gateway.check_credential(service).credential
    return stored is not None and not is_expired(gateway, stored)


def is_expired(gateway: Gateway, credential: Credential) -> bool:
    """By the gateway's clock."""
    return credential.expires_at is not None and credential.expires_at <= clock.now(gateway.url)
