"""Tools, the rules about them, the calls that wait for a person, and the record of them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import mcp
import pytest

from gateway import AuditPage, Confirmation, Gateway
from gateway.errors import AlreadyResolved, NotAllowed, NotFound
from gateway.streams import Alive, Asked, Resolved
from tests.contract.conftest import World
from tests.contract.report import Contract

MCP = "POST /mcp-proxy/:id/mcp"
pytestmark = pytest.mark.usefixtures("streaming")


def said(result: Any) -> str:
    return "".join(block.text for block in result.content)


async def called(world: World, tool: str, **arguments: str) -> str:
    async with world.user.use_tools(world.provider_id) as tools:
        return said(await tools.call_tool(tool, arguments))


@asynccontextmanager
async def held(world: World, note: str) -> AsyncIterator[tuple[Confirmation, asyncio.Task[str]]]:
    """A call that waits for an answer, as the stream tells of it, and the call itself."""
    async with asyncio.timeout(20), world.user.confirmation_events() as events:
        assert isinstance(await anext(events), Alive)
        call = asyncio.create_task(called(world, "burn_note", name=note))
        try:
            async for event in events:
                if isinstance(event, Asked) and event.confirmation.arguments == {"name": note}:
                    yield event.confirmation, call
                    break
        finally:
            call.cancel()
            await asyncio.wait([call])


def test_tool_providers_and_their_tools(world: World, contract: Contract) -> None:
    with contract("GET /admin/tool-providers"):
        assert world.provider_id in {one.id for one in world.user.tool_providers()}
    with contract("GET /admin/tool-providers/:id"):
        provider = world.user.tool_provider(world.provider_id)
        assert (provider.name, provider.tenant, provider.is_active) == (f"Tools {world.tag}", world.tag, True)
        with pytest.raises(NotFound):
            world.user.tool_provider("nothing")
    with contract("GET /admin/tool-providers/:id/tools"):
        assert {tool.name: tool.description for tool in world.user.tools_of(world.provider_id)} == {
            "read_note": "Read a note",
            "burn_note": "Burn a note for good",
        }


def test_access_rules(world: World, contract: Contract) -> None:
    with contract("GET /admin/provider-access"):
        rules = world.boss.access_rules(provider_id=world.provider_id, subject=world.user_person.id)
        assert {(rule.action, rule.tools, rule.risk) for rule in rules} == {
            ("allow", "read_*", None),
            ("require_confirmation", "burn_*", "high"),
        }
        with pytest.raises(NotAllowed):
            world.user.access_rules()
    with contract("GET /admin/provider-access/:id"):
        rule = world.boss.access_rule(world.rule_ids[1])
        assert (rule.subject_kind, rule.subject, rule.description) == ("user", world.user_person.id, "Burning")
        with pytest.raises(NotFound):
            world.boss.access_rule("nothing")


async def test_using_tools_through_the_proxy(world: World, contract: Contract) -> None:
    with contract(f"{MCP} (tools/list)"):
        async with asyncio.timeout(15), world.user.use_tools(world.provider_id) as tools:
            assert {tool.name for tool in (await tools.list_tools()).tools} == {"read_note", "burn_note"}
            assert said(await tools.call_tool("read_note", {"name": "one"})) == "The note one"
            with pytest.raises(mcp.MCPError, match="denied by policy"):
                await tools.call_tool("unknown_tool", {})
    with contract(f"{MCP} (its refusals)"):
        for gateway, provider_id, error in (
            (world.boss, world.provider_id, NotAllowed),  # no rule, no access
            (world.stranger, world.provider_id, NotAllowed),
            (world.user, "nothing", NotFound),
        ):
            async with asyncio.timeout(15):
                with pytest.raises(error):
                    async with gateway.use_tools(provider_id) as tools:
                        await tools.list_tools()


async def test_a_held_call_is_one_confirmation_everywhere(world: World, contract: Contract) -> None:
    async with held(world, "approved") as (asked, call):
        with contract("GET /stream"):
            assert (asked.tool, asked.risk, asked.end_user) == ("burn_note", "high", world.user_person.id)
            assert (asked.provider_id, asked.status) == (world.provider_id, "pending")
        with contract("GET /stream/pending"):
            assert asked.id in {one.id for one in await asyncio.to_thread(world.user.pending)}
        with contract("GET /confirmations/list"):
            listed = await asyncio.to_thread(world.user.confirmations, "pending")
            assert same(next(one for one in listed if one.id == asked.id), asked)
        with contract("GET /confirmations/:id"):
            assert same(await asyncio.to_thread(world.user.confirmation, asked.id), asked)
            assert same(await asyncio.to_thread(world.boss.confirmation, asked.id), asked)
            with pytest.raises(NotAllowed):
                await asyncio.to_thread(world.stranger.confirmation, asked.id)
            with pytest.raises(NotFound):
                await asyncio.to_thread(world.user.confirmation, "nothing")
        with contract("GET /stream/pending (held and lost)"):
            unanswered = await asyncio.to_thread(world.boss.unanswered)
            assert asked.id in {one.id for one in unanswered.held}
            assert asked.id not in {one.id for one in (*unanswered.lost, *unanswered.unknown)}
        with contract("POST /confirmations/:id/confirm"):
            with pytest.raises(NotAllowed):
                await asyncio.to_thread(answer, world.stranger, asked.id, True)
            decided = await asyncio.to_thread(answer, world.boss, asked.id, True, "go on")
            assert (decided.approved, decided.ran) == (True, True)
            assert await call == "Burnt approved"
            record = await asyncio.to_thread(recorded, world.user, asked.id)
            assert (record.status, record.answered_by) == ("confirmed", world.boss_person.id)
            with pytest.raises(AlreadyResolved) as again:
                await asyncio.to_thread(answer, world.user, asked.id, False)
            assert again.value.status_was == "confirmed"


async def test_a_rejection_is_what_the_caller_hears(world: World, contract: Contract) -> None:
    async with held(world, "rejected") as (asked, call):
        with contract("POST /confirmations/:id/reject"):
            decided = await asyncio.to_thread(answer, world.user, asked.id, False, "too hot")
            assert (decided.approved, decided.ran) == (False, None)
            assert "too hot" in await call
            record = await asyncio.to_thread(recorded, world.boss, asked.id)
            assert (record.status, record.reason) == ("rejected", "too hot")


async def test_the_end_user_hears_how_a_call_was_answered(world: World, contract: Contract) -> None:
    with contract("GET /stream (CONFIRMATION_RESOLVED)"):
        async with held(world, "told") as (asked, _), world.user.confirmation_events() as events:
            assert isinstance(await anext(events), Alive)
            assert isinstance(await anext(events), Asked)  # held calls are told again
            await asyncio.to_thread(answer, world.user, asked.id, False, "enough")
            resolved = await anext(events)
            assert isinstance(resolved, Resolved)
            assert (resolved.id, resolved.approved) == (asked.id, False)


async def test_the_record_of_calls(world: World, contract: Contract) -> None:
    assert await called(world, "read_note", name="on record") == "The note on record"
    with contract("GET /audit/logs"):
        page = await asyncio.to_thread(completed, world.user, "read_note")
        [entry] = page.entries
        assert (entry.tool, entry.end_user, entry.status) == ("read_note", world.user_person.id, "completed")
        assert entry.arguments == {"name": "on record"}
        assert page.next_offset == 1
        last = await asyncio.to_thread(world.user.audit_log, offset=10_000)
        assert (last.entries, last.next_offset) == ((), None)
        future = datetime.now(UTC) + timedelta(days=1)
        assert (await asyncio.to_thread(world.user.audit_log, since=future)).entries == ()
        seen = await asyncio.to_thread(world.boss.audit_log, user=world.user_person.id)
        assert entry.id in {one.id for one in seen.entries}
    with contract("GET /audit/logs/:id"):
        assert await asyncio.to_thread(world.user.audit_entry, entry.id) == entry
        with pytest.raises(NotFound):
            await asyncio.to_thread(world.user.audit_entry, "nothing")
        with pytest.raises(NotAllowed):
            await asyncio.to_thread(world.stranger.audit_entry, entry.id)
    with contract("GET /audit/stats"):
        stats = await asyncio.to_thread(world.boss.audit_stats)
        assert stats.total >= 1
        assert stats.by_status["completed"] >= 1
        with pytest.raises(NotAllowed):
            await asyncio.to_thread(world.user.audit_stats)


def answer(gateway: Gateway, confirmation_id: str, approve: bool, reason: str = "") -> Any:
    return gateway.answer(confirmation_id, approve=approve, reason=reason)


def completed(gateway: Gateway, tool: str) -> AuditPage:
    """The last call of a tool, once its end is on record."""
    deadline = time.monotonic() + 5
    while not (page := gateway.audit_log(tool=tool, status="completed", limit=1)).entries:
        assert time.monotonic() < deadline
    return page


def recorded(gateway: Gateway, confirmation_id: str) -> Confirmation:
    """How a call was answered. A gateway lets go of it first, and writes that down some milliseconds later."""
    deadline = time.monotonic() + 5
    while (record := gateway.confirmation(confirmation_id)).status == "pending" and time.monotonic() < deadline:
        pass
    return record


def same(one: Confirmation, other: Confirmation) -> bool:
    """Whether two spellings tell of the same call; times and names differ by the place they are read in."""
    assert abs((one.asked_at - other.asked_at).total_seconds()) < 1
    return (one.id, one.tool, one.arguments, one.risk, one.end_user, one.status) == (
        other.id,
        other.tool,
        other.arguments,
        other.risk,
        other.end_user,
        other.status,
    )
