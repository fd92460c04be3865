"""What other rooms may ask of this one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from accounts.requests import SignedInRequest
from agents import approvals
from agents.approvals import Ended
from agents.left import left_behind
from agents.models import Conversation, KnownAgent
from gateway import Agent, Gateway
from gateway.errors import MalformedReply, NotAllowed, NotFound
from gateway.types import LISTS_AGENTS, Rows

__all__ = ["Ended", "approval_ended", "known_agents", "left_behind"]

AT_ONCE = 8  # calls to the gateway


def known_agents(request: SignedInRequest) -> Rows[Agent]:
    """The agents that this person can be offered: all, where they may list them, else the ones known by id."""
    if LISTS_AGENTS.intersection(request.kept.roles):
        try:
            return request.gateway.agents()
        except (NotAllowed, NotFound):  # roles are the gateway's business, and it may have changed its mind
            pass
    used = KnownAgent.objects.filter(user=request.user).values_list("agent_id", flat=True)
    talked = Conversation.objects.filter(user=request.user).values_list("agent_id", flat=True).distinct()
    ids = list(dict.fromkeys([*settings.GATEWAY_AGENTS, *used, *talked]))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda agent_id: _agent(request.gateway, agent_id), ids))
    agents = Rows(agent for agent in found if isinstance(agent, Agent))
    agents.unreadable = sum(isinstance(agent, MalformedReply) for agent in found)
    return agents


def approval_ended(ended: Ended, *, is_first_hand: bool) -> None:
    """A call that waited for an approval waits no longer: the step that made it says so from now on.

    `is_first_hand`: told by whoever gave the answer, rather than read of a gateway's record.
    """
    approvals.keep(ended, is_first_hand=is_first_hand)


def _agent(gateway: Gateway, agent_id: str) -> Agent | MalformedReply | None:
    try:
        return gateway.agent(agent_id)
    except (NotFound, NotAllowed):
        return None
    except MalformedReply as exc:
        return exc
