"""Agents: managing them, and running one that answers in each way there is."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from ag_ui.core import Event, EventType, RunAgentInput, TextMessageContentEvent, UserMessage

from gateway import Gateway, RequiredService
from gateway.errors import (
    AgentDisabled,
    AgentFailed,
    AgentNotFound,
    AgentUnreachable,
    CredentialsRequired,
    NotAccepted,
    NotAllowed,
    NotFound,
    StreamBroken,
    TenantMismatch,
)
from tests.contract.conftest import World
from tests.contract.report import Contract

INVOKE = "POST /agents/:id/invoke"
RUN = RunAgentInput(thread_id="t", run_id="r", state={}, messages=[], tools=[], context=[], forwarded_props={})


async def answer_of(gateway: Gateway, agent_id: str, question: str = "Hello") -> list[Event]:
    run = RunAgentInput(
        thread_id="thread",
        run_id="run",
        state={},
        messages=[UserMessage(id="1", content=question)],
        tools=[],
        context=[],
        forwarded_props={},
    )
    events: list[Event] = []
    async with asyncio.timeout(15), gateway.run_agent(agent_id, run) as batches:
        async for several in batches:
            events += several
    return events


async def from_outside(world: World, path: str) -> Any:
    """What the suite's own servers say; they are on this machine, whatever a gateway calls it."""
    port = world.outside.rsplit(":", 1)[1]
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/{path}") as answer:
        return await answer.json()


def text(events: list[Event]) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextMessageContentEvent))


def test_managing_agents(world: World, contract: Contract) -> None:
    boss = world.boss
    with contract("POST /admin/agents"):
        required = RequiredService(f"{world.tag}_key", "To try it", ("read",))
        made = boss.create_agent(
            f"Managed {world.tag}",
            f"{world.outside}/agents/json",
            description="Comes and goes",
            secret="shown to the agent alone",
            required=[required],
        )
        agent = made.agent
        assert made.runtime_token.startswith(agent.token_prefix)
        assert made.runtime_token not in repr(made)
        assert (agent.name, agent.tenant, agent.owner) == (f"Managed {world.tag}", world.tag, world.boss_person.id)
        assert (agent.is_active, agent.has_secret, agent.required) == (True, True, (required,))
        with pytest.raises(NotAccepted):
            boss.create_agent("No address", "not a url")
        with pytest.raises(NotAllowed):
            world.user.create_agent("Mine", "http://127.0.0.1:9/")
    with contract("GET /admin/agents"):
        assert agent.id in {one.id for one in boss.agents()}
        assert agent in boss.agent_records()
        with pytest.raises(NotAllowed):
            world.user.agents()
    with contract("GET /admin/agents/:id"):
        assert boss.agent_record(agent.id) == agent
        with pytest.raises(NotFound):
            boss.agent_record("nothing")
    with contract("PUT /admin/agents/:id"):
        changed = boss.change_agent(agent.id, name="Changed", description="", secret="", required=[])
        assert (changed.name, changed.description, changed.has_secret) == ("Changed", "", False)
        assert (changed.required, changed.address) == ((), agent.address)
    with contract("POST /admin/agents/:id/regenerate-token"):
        token = boss.rotate_agent_token(agent.id)
        assert token not in ("", made.runtime_token)
    with contract("POST /admin/agents/:id/disable"):
        boss.disable_agent(agent.id)
        assert not world.user.agent(agent.id).is_active
    with contract("POST /admin/agents/:id/enable"):
        boss.enable_agent(agent.id)
        assert world.user.agent(agent.id).is_active
    with contract("DELETE /admin/agents/:id"):
        boss.delete_agent(agent.id)
        with pytest.raises(NotFound):
            boss.delete_agent(agent.id)


def test_an_agent_as_everybody_sees_it(world: World, contract: Contract) -> None:
    with contract("GET /agents/:id"):
        agent = world.user.agent(world.agents["json"])
        assert (agent.name, agent.description) == (f"json {world.tag}", "Answers json")
        with pytest.raises(NotFound):
            world.user.agent("nothing")
        with pytest.raises(NotAllowed):
            world.stranger.agent(agent.id)


@pytest.mark.usefixtures("streaming")
async def test_answers_of_every_kind_are_the_same_events(world: World, contract: Contract) -> None:
    with contract(INVOKE):
        events = await answer_of(world.user, world.agents["json"], "Grüße")
        assert text(events) == "You said: Grüße"
        assert [events[0].type, events[-1].type] == [EventType.RUN_STARTED, EventType.RUN_FINISHED]
    with contract(f"{INVOKE} (AG-UI)"):
        events = await answer_of(world.user, world.agents["agui"])
        assert text(events) == "Hello, wörld"
        assert [events[0].type, events[-1].type] == [EventType.RUN_STARTED, EventType.RUN_FINISHED]
    with contract(f"{INVOKE} (text)"):
        assert text(await answer_of(world.user, world.agents["text"])) == "plain words"


@pytest.mark.usefixtures("streaming")
async def test_what_goes_wrong_with_an_agent_is_told_apart(world: World, contract: Contract) -> None:
    with contract(f"{INVOKE} (its errors)"):
        with pytest.raises(AgentNotFound):
            await answer_of(world.user, "nothing")
        with pytest.raises(TenantMismatch):
            await answer_of(world.stranger, world.agents["json"])
        with pytest.raises(AgentFailed) as failed:
            await answer_of(world.user, world.agents["refusing"])
        assert (failed.value.agent_status, "nobody is in" in failed.value.detail) == (503, True)
        with pytest.raises(AgentUnreachable):
            await answer_of(world.user, world.agents["down"])
    with contract(f"{INVOKE} (breaking off)"):
        async with asyncio.timeout(15), world.user.run_agent(world.agents["breaking"], RUN) as batches:
            assert (await anext(batches))[0].type == EventType.RUN_STARTED
            await from_outside(world, "break")
            with pytest.raises(StreamBroken):
                _ = [batch async for batch in batches]
    with contract(f"{INVOKE} (switched off)"):
        await asyncio.to_thread(world.boss.disable_agent, world.agents["text"])
        try:
            with pytest.raises(AgentDisabled):
                await answer_of(world.user, world.agents["text"])
        finally:
            await asyncio.to_thread(world.boss.enable_agent, world.agents["text"])


@pytest.mark.usefixtures("streaming")
async def test_leaving_a_run_reaches_the_agent(world: World, contract: Contract) -> None:
    with contract(f"{INVOKE} (hanging up)"):
        async with asyncio.timeout(15):
            async with world.user.run_agent(world.agents["silent"], RUN) as batches:
                assert [event.type for event in await anext(batches)] == [EventType.RUN_STARTED]
            assert await from_outside(world, "hung-up") == {"hung_up": True}


@pytest.mark.usefixtures("streaming")
async def test_what_an_agent_needs_is_asked_for_once(world: World, contract: Contract) -> None:
    user, agent_id, service = world.user, world.agents["needy"], world.service
    assert service is not None
    with contract("GET /agents/:id/credentials-check"):
        [missing] = await asyncio.to_thread(user.missing_services, agent_id)
        assert missing.service == service.service
        assert await asyncio.to_thread(user.missing_services, world.agents["json"]) == ()
    with contract(f"{INVOKE} (CREDENTIALS_REQUIRED)"):
        with pytest.raises(CredentialsRequired) as refused:
            await answer_of(user, agent_id)
        assert [one.service for one in refused.value.missing] == [service.service]
        known = await asyncio.to_thread(user.service, service.service)
        stored = await asyncio.to_thread(user.store_key, known, "a key")
        try:
            assert await asyncio.to_thread(user.missing_services, agent_id) == ()
            assert text(await answer_of(user, agent_id)) == "You said: Hello"
        finally:
            await asyncio.to_thread(user.delete_credential, stored.id)
