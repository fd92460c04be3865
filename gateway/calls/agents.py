"""Agents: finding one, running one, and managing them."""

from __future__ import annotations

from collections.abc import Sequence

from ag_ui.core import RunAgentInput

from gateway import streams
from gateway.calls.wire import Wire, done, part, query
from gateway.errors import CredentialsRequired, MalformedReply
from gateway.records import AgentRecord, NewAgent, RequiredService
from gateway.types import Agent, MissingService, Rows, mapping_of, readable, rows_of, text_of


class Agents(Wire):
    __slots__ = ()

    def agents(self) -> Rows[Agent]:
        """Every agent there is. Raises NotAllowed for people without a role that may list them."""
        found = readable(rows_of(self._ask("GET", "admin/agents"), "agents"), Agent.from_doc)
        if found.unreadable and not found:
            raise MalformedReply("a list in which no agent can be read")
        return found

    def agent(self, agent_id: str) -> Agent:
        """Raises NotFound, and NotAllowed for an agent of another tenant."""
        return Agent.from_doc(mapping_of(self._ask("GET", f"agents/{part(agent_id)}"), "agent"))

    def missing_services(self, agent_id: str) -> tuple[MissingService, ...]:
        """What this person has to connect before the agent can answer; empty when nothing is missing."""
        try:
            answer = self._ask("GET", f"agents/{part(agent_id)}/credentials-check")
        except CredentialsRequired as exc:
            return exc.missing
        if mapping_of(answer, "credentials check").get("ok") is not True:
            raise MalformedReply("credentials check: neither ok nor what is missing")
        return ()

    def run_agent(self, agent_id: str, run: RunAgentInput) -> streams.RunEvents:
        """The agent's answer as AG-UI events: `async with … as events`, then `async for event in events`."""
        return streams.RunEvents(self._address(f"agents/{part(agent_id)}/invoke"), self.token, run)

    # -- for those who manage agents: admin, tenant_admin, agent_creator ----------------------------------------

    def agent_records(self, tenant: str = "") -> Rows[AgentRecord]:
        """Every agent with what only those see who manage agents; an admin may ask for one tenant."""
        path = f"admin/agents{query(tenant_id=tenant)}"
        return readable(rows_of(self._ask("GET", path), "agents"), AgentRecord.from_doc)

    def agent_record(self, agent_id: str) -> AgentRecord:
        """Raises NotFound, also for an agent of another tenant."""
        return _record(self._ask("GET", f"admin/agents/{part(agent_id)}"))

    def create_agent(
        self,
        name: str,
        address: str,
        *,
        description: str = "",
        secret: str = "",
        needs_confirmation: bool = False,
        required: Sequence[RequiredService] = (),
        tenant: str = "",
        owner: str = "",
    ) -> NewAgent:
        """Make an agent known; its runtime token is told this once. Raises NotAccepted with the reason.

        `secret` is what the gateway shows the agent as `Authorization`. Naming a tenant is an admin's right.
        """
        given: dict[str, object] = {
            "description": description,
            "upstreamSecret": secret,
            "requireConfirmation": needs_confirmation,
            "requiredCredentials": [one.to_doc() for one in required],
            "tenantId": tenant,
            "ownerUserId": owner,
        }
        body = {"name": name, "upstreamUrl": address, **{key: value for key, value in given.items() if value}}
        doc = done(self._ask("POST", "admin/agents", body), "agent")
        return NewAgent(_record(doc), text_of(doc, "runtime_token"))

    def change_agent(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        address: str | None = None,
        description: str | None = None,
        secret: str | None = None,
        needs_confirmation: bool | None = None,
        required: Sequence[RequiredService] | None = None,
    ) -> AgentRecord:
        """Change what is given; an empty secret or description is none. Raises NotFound, NotAllowed, NotAccepted."""
        given: dict[str, object] = {"name": name, "upstreamUrl": address, "requireConfirmation": needs_confirmation}
        body = {key: value for key, value in given.items() if value is not None}
        if description is not None:
            body["description"] = description or None
        if secret is not None:
            body["upstreamSecret"] = secret or None
        if required is not None:
            body["requiredCredentials"] = [one.to_doc() for one in required]
        return _record(done(self._ask("PUT", f"admin/agents/{part(agent_id)}", body), "agent"))

    def disable_agent(self, agent_id: str) -> None:
        """The kill switch: nobody can run it until it is enabled again."""
        done(self._ask("POST", f"admin/agents/{part(agent_id)}/disable"), "agent", "Agent disabled")

    def enable_agent(self, agent_id: str) -> None:
        done(self._ask("POST", f"admin/agents/{part(agent_id)}/enable"), "agent", "Agent enabled")

    def delete_agent(self, agent_id: str) -> None:
        """Raises NotFound, and NotAllowed for somebody else's agent."""
        done(self._ask("DELETE", f"admin/agents/{part(agent_id)}"), "agent", "Agent deleted")

    def rotate_agent_token(self, agent_id: str) -> str:
        """A new runtime token, told this once; the old one is refused from now on."""
        doc = done(self._ask("POST", f"admin/agents/{part(agent_id)}/regenerate-token"), "token")
        return text_of(doc, "runtime_token")


def _record(answer: object) -> AgentRecord:
    return AgentRecord.from_doc(mapping_of(mapping_of(answer, "agent").get("agent"), "agent"))
