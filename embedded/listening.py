"""Who listens on `/api/v1/stream`, and who of them hears what."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from embedded.audience import is_admin_of, may_answer
from embedded.auth import Caller
from embedded.clock import iso, now
from embedded.state import Confirmation, Gateway
from embedded.streaming import frame


class Listener:
    """One open stream."""

    def __init__(self, gateway: Gateway, caller: Caller) -> None:
        self.gateway = gateway
        self.caller = caller
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()

    def hear(self, event: bytes) -> None:
        self.frames.put_nowait(event)

    def wake(self) -> None:
        """Look at the heartbeat's dial again."""
        self.frames.put_nowait(None)

    async def events(self) -> AsyncGenerator[bytes, None]:
        """What was queued, and a heartbeat whenever one is due, until closed."""
        clock = asyncio.get_running_loop().time
        last_beat = clock()
        while True:
            due = last_beat + self.gateway.dials.heartbeat
            try:
                async with asyncio.timeout_at(due):
                    event = await self.frames.get()
            except TimeoutError:
                last_beat = due
                event = frame({"timestamp": iso(now())}, "heartbeat")
            if event is not None and not self.gateway.dials.mute_streams:
                yield event


def announce(gateway: Gateway, confirmation: Confirmation) -> None:
    """CONFIRMATION_REQUIRED, live: to the end user and to the admins of exactly this tenant."""
    event = required(gateway, confirmation)
    for listener in gateway.listeners:
        caller = listener.caller
        if caller.id == confirmation.end_user_id or is_admin_of(caller, confirmation):
            listener.hear(event)


def tell_resolved(gateway: Gateway, confirmation: Confirmation, *, confirmed: bool, was_held: bool) -> None:
    """CONFIRMATION_RESOLVED: to the calling identity, which is not the end user when an agent called.

    When nobody waited any more only the record is left, and that names the end user.
    """
    told = confirmation.caller_id if was_held else confirmation.end_user_id
    document = {
        "id": confirmation.id,
        "confirmed": confirmed,
        "timestamp": iso(now()),
    }
    event = frame(document, "CONFIRMATION_RESOLVED")
    for listener in gateway.listeners:
        hears_all = gateway.dialect.tells_everyone and may_answer(listener.caller, confirmation)
        if listener.caller.id == told or hears_all:
            listener.hear(event)


def connected(caller: Caller) -> bytes:
    return frame({"userId": caller.id, "timestamp": iso(now())}, "connected")


def required(gateway: Gateway, confirmation: Confirmation) -> bytes:
    return frame(payload(gateway, confirmation), "CONFIRMATION_REQUIRED")


def payload(gateway: Gateway, confirmation: Confirmation) -> dict[str, Any]:
    provider = gateway.tool_providers.get(confirmation.provider_id)
    agent = gateway.agents.get(confirmation.agent_id or "")
    return {
        "id": confirmation.id,
        "tool": {
            "name": confirmation.tool,
            **confirmation.described,
            "provider": {"id": confirmation.provider_id, "name": provider.name if provider else ""},
        },
        "arguments": confirmation.arguments or {},
        "risk": {"level": confirmation.risk},
        **({"agent": {"id": agent.id, "name": agent.name}} if agent else {}),
        "user": {"id": confirmation.caller_id, "endUserId": confirmation.end_user_id},
        **({"tenantId": confirmation.tenant_id} if confirmation.tenant_id else {}),
        "timestamp": iso(confirmation.asked_at),
    }
