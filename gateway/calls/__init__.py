"""The plain calls: ask a gateway something, get a typed value or one of `gateway.errors`. A module a subject."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.calls.agents import Agents
from gateway.calls.approvals import Approvals
from gateway.calls.audit import Audit
from gateway.calls.oneself import Oneself
from gateway.calls.people import People
from gateway.calls.tools import Tools
from gateway.calls.vault import Vault
from gateway.errors import GatewayError, GatewayUnavailable
from gateway.records import Health
from gateway.tokens import expires_at, tenant_of
from gateway.types import mapping_of

__all__ = ["Gateway", "expires_at", "tenant_of"]


@dataclass(frozen=True, slots=True)
class Gateway(Oneself, Agents, Vault, Approvals, Tools, Audit, People):
    """A gateway as one person sees it: every method is a thing that person can do there.

    Each raises GatewayUnavailable when it cannot be reached, SignedOut when it refuses the token, NotAllowed where
    the person may not, NotOffered where this gateway has no such thing, MalformedReply when the answer makes no sense.
    """

    def is_alive(self) -> bool:
        """Whether anything of a gateway answers there; asked without a token."""
        try:
            self._ask("GET", "auth/me")
        except GatewayUnavailable:
            return False
        except GatewayError:
            return True
        return True

    def health(self) -> Health:
        """How the gateway says it is; no token is needed. Raises NotOffered where it does not say."""
        return Health.from_doc(mapping_of(self._ask("GET", "health", base="/api"), "health"))
