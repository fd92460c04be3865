"""For whom something is shown: a gateway, a person, and tenant and roles as their token says them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Self

from django.conf import settings
from django.core.cache import cache

from accounts.models import User
from accounts.naming import distinct_name
from accounts.sessions import GatewaySession
from confirmations.items import Names
from confirmations.models import Decision
from confirmations.threads import READING, blocks
from gateway import Agent, Confirmation, Gateway
from gateway.canonical import digest
from gateway.errors import GatewayError, NotAllowed, NotFound, SignedOut
from gateway.records import ToolProvider
from gateway.types import LISTS_AGENTS, REVIEWER, Rows

PEOPLE_KNOWN = 60  # seconds for which an admin's list of people is good
PROVIDERS_KNOWN = 300  # seconds for which the name of a tool provider is good


@dataclass(frozen=True, slots=True)
class Identity:
    """Two sessions with the same one see the same, and share one stream of the gateway."""

    gateway: str  # address
    person: str  # the gateway's id
    tenant: str
    roles: tuple[str, ...]

    @classmethod
    def of(cls, user: User, kept: GatewaySession) -> Self:
        return cls(settings.GATEWAY_URL, user.gateway_id, kept.tenant, tuple(sorted(kept.roles)))

    @property
    def reviews(self) -> bool:
        """Whether the gateway shows this person what others asked for."""
        return REVIEWER in self.roles and bool(self.tenant)

    @property
    def cannot_see(self) -> str:
        """A sentence for somebody whose roles promise more than the gateway shows, else an empty text."""
        if REVIEWER in self.roles and not self.tenant:
            return "You have no tenant: the gateway lets you answer what people without one asked for, and no more."
        if LISTS_AGENTS.intersection(self.roles) and not self.reviews:
            return "The gateway shows a tenant's confirmations to its admins. You see only what you asked for yourself."
        return ""

    def may_answer(self, confirmation: Confirmation) -> bool:
        """An admin without a tenant is told of everybody's calls by some lists, and may answer none of them."""
        is_overseer = REVIEWER in self.roles and not self.tenant
        return not (is_overseer and confirmation.tenant and confirmation.end_user != self.person)


class NameBook:
    """What ids are called: as the gateway says now; else as people who signed in here, or the record, have it."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._people: dict[str, str] = {}
        self._agents: dict[str, str] = {}
        self._providers: dict[str, str] = {}

    @property
    def names(self) -> Names:
        return Names(self._people, self._agents, self._providers)

    def learn(self, confirmation: Confirmation) -> None:
        if confirmation.agent_name:
            self._agents[confirmation.agent_id] = confirmation.agent_name
        if confirmation.provider_name:
            self._providers[confirmation.provider_id] = confirmation.provider_name

    def find(self, gateway: Gateway, confirmations: Collection[Confirmation]) -> None:
        """`find_people`, `ask`, and then `find_recorded`."""
        self.find_people(confirmations)
        self.ask(gateway, confirmations)
        self.find_recorded(confirmations)

    def find_people(self, confirmations: Iterable[Confirmation]) -> None:
        """`find_ids`, of everybody beside these calls."""
        self.find_ids(self._people_in(confirmations))

    @blocks(READING)
    def find_ids(self, ids: Collection[str]) -> None:
        """Reads the database where somebody is not known yet: people of the same gateway and tenant only."""
        if unknown := set(ids) - self._people.keys():
            rows = User.objects.filter(
                gateway=self.identity.gateway, tenant=self.identity.tenant, gateway_id__in=unknown
            )
            self._people.update({user.gateway_id: user.distinct_name for user in rows})

    def find_recorded(self, confirmations: Collection[Confirmation]) -> None:
        """What was known when a call was decided stays known, whatever was deleted or forgotten since.

        For calls that the gateway has just shown to this person.
        """
        nameless = [one.id for one in confirmations if self._lacks_a_name(one)]
        if not nameless:
            return
        rows = Decision.objects.filter(gateway=self.identity.gateway, confirmation_id__in=nameless).order_by("number")
        for row in rows:
            for names, key, name in (
                (self._people, row.end_user, row.end_user_name),
                (self._agents, row.agent_id, row.agent_name),
                (self._providers, row.provider_id, row.provider_name),
            ):
                if key and name and not names.get(key):
                    names[key] = name

    def _lacks_a_name(self, call: Confirmation) -> bool:
        return bool(
            (call.end_user and not self._people.get(call.end_user))
            or (call.agent_id and not call.agent_name and not self._agents.get(call.agent_id))
            or (call.provider_id and not call.provider_name and not self._providers.get(call.provider_id))
        )

    def ask(self, gateway: Gateway, confirmations: Collection[Confirmation]) -> set[str]:
        """Calls the gateway for what it alone knows: what agents and tool providers that came as an id are called, and,
        for its admins, what people are called now. Gives the ids of people whose name is news.
        """
        for confirmation in confirmations:
            self.learn(confirmation)
        for agent_id in {one.agent_id for one in confirmations if one.agent_id} - self._agents.keys():
            if (name := _name_of(gateway.agent, agent_id)) is not None:
                self._agents[agent_id] = name
        for provider_id in {one.provider_id for one in confirmations if one.provider_id}:
            if not self._providers.get(provider_id):
                self._providers[provider_id] = _provider_name(gateway, self.identity, provider_id)
        people = self._people_in(confirmations)
        if not self.identity.reviews or not people:
            return set()
        listed = _people_of(gateway, self.identity, people)
        news = {someone for someone in people & listed.keys() if listed[someone] != self._people.get(someone)}
        self._people.update({someone: listed[someone] for someone in news})
        return news

    def _people_in(self, confirmations: Iterable[Confirmation]) -> set[str]:
        ids = {someone for one in confirmations for someone in (one.end_user, one.answered_by) if someone}
        return ids - self._agents.keys()


def _name_of(ask: Callable[[str], Agent | ToolProvider], some_id: str) -> str | None:
    """Empty where the gateway does not tell it, None where it does not tell it now; then the id will do."""
    try:
        return ask(some_id).name
    except (NotFound, NotAllowed):
        return ""
    except SignedOut:
        raise
    except GatewayError:
        return None


def _provider_name(gateway: Gateway, identity: Identity, provider_id: str) -> str:
    """As the gateway calls it; empty where it does not say. Remembered for everybody of a tenant."""
    key = f"provider-{digest(repr((identity.gateway, identity.tenant, provider_id)))}"
    name: str | None = _remembered(key)
    if name is None:
        name = _name_of(gateway.tool_provider, provider_id)
        if name is not None:
            _remember(key, name, PROVIDERS_KNOWN)
    return name or ""


def _people_of(gateway: Gateway, identity: Identity, wanted: Collection[str]) -> dict[str, str]:
    """Names by id, of the tenant of one of its admins, as the gateway lists them; none where it does not say."""
    key = f"people-{digest(repr(identity))}"
    known: dict[str, Any] | None = _remembered(key)
    if known is None or not set(wanted) <= {*known["names"], *known["missing"]}:
        try:
            listed = gateway.people()
        except SignedOut:
            raise
        except GatewayError:
            listed = Rows()
        names = {one.id: distinct_name(one.name, one.email, one.id) for one in listed if one.tenant == identity.tenant}
        missing = {*wanted, *(known["missing"] if known else ())} - names.keys()
        known = {"names": names, "missing": sorted(missing)}
        _remember(key, known, PEOPLE_KNOWN)
    found: dict[str, str] = known["names"]
    return found


@blocks(READING)
def _remembered(key: str) -> Any:
    return cache.get(key)


@blocks(READING)
def _remember(key: str, value: object, seconds: int) -> None:
    cache.set(key, value, seconds)
