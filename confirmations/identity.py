"""For whom something is shown: a gateway, a person, and tenant and roles as their token says them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

from django.conf import settings
from django.core.cache import cache

from accounts.models import User
from accounts.sessions import GatewaySession
from confirmations.items import Names
from gateway import Confirmation, Gateway
from gateway.canonical import digest
from gateway.errors import GatewayError, SignedOut
from gateway.types import LISTS_AGENTS, REVIEWER

PEOPLE_KNOWN = 300  # seconds for which an admin's list of people is good


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
    """What ids are called, learned from what the gateway told this person and from people who signed in here."""

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
        """`find_people`, and then `ask`."""
        self.find_people(confirmations)
        self.ask(gateway, confirmations)

    def find_people(self, confirmations: Iterable[Confirmation]) -> None:
        """Reads the database where somebody is not known yet: people of the same gateway and tenant only."""
        if unknown := self._unknown(confirmations):
            rows = User.objects.filter(
                gateway=self.identity.gateway, tenant=self.identity.tenant, gateway_id__in=unknown
            )
            self._people.update({user.gateway_id: str(user) for user in rows})

    def ask(self, gateway: Gateway, confirmations: Collection[Confirmation]) -> set[str]:
        """Calls the gateway for what it alone knows: an agent that a list names by its id alone, and, for its admins,
        people who never came here. Gives the ids of people who have a name now.
        """
        for confirmation in confirmations:
            self.learn(confirmation)
        for agent_id in {one.agent_id for one in confirmations if one.agent_id} - self._agents.keys():
            try:
                self._agents[agent_id] = gateway.agent(agent_id).name
            except SignedOut:
                raise
            except GatewayError:
                self._agents[agent_id] = ""  # the id will do
        unknown = self._unknown(confirmations) if self.identity.reviews else set()
        if not unknown:
            return set()
        found = {someone: name for someone, name in _people_of(gateway, self.identity).items() if someone in unknown}
        self._people.update(found)
        return set(found)

    def _unknown(self, confirmations: Iterable[Confirmation]) -> set[str]:
        ids = {someone for one in confirmations for someone in (one.end_user, one.answered_by) if someone}
        return ids - self._people.keys() - self._agents.keys()


def _people_of(gateway: Gateway, identity: Identity) -> dict[str, str]:
    """Names by id, of the tenant of one of its admins, as the gateway lists them; none where it does not say."""
    key = f"people-{digest(repr(identity))}"
    known: dict[str, str] | None = cache.get(key)
    if known is None:
        try:
            listed = gateway.people()
        except SignedOut:
            raise
        except GatewayError:
            listed = []
        known = {one.id: one.name or one.email for one in listed if one.tenant == identity.tenant}
        cache.set(key, known, PEOPLE_KNOWN)
    return known
