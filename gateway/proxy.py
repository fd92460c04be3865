"""Tools through the gateway: an MCP session over its proxy, refusals told as everywhere else."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import mcp
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult

from gateway.errors import GatewayError, GatewayUnavailable
from gateway.refusals import refusal
from gateway.sse import LARGEST_EVENT

CONNECT_TIMEOUT = 10.0  # seconds
SILENCE = 330.0  # seconds: a held call says nothing but heartbeats until it is decided, at most 300

# The library writes whole messages to its log, arguments and results included, and bodies that it cannot read.
for _name in ("mcp.client", "mcp.shared"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class _Session(mcp.ClientSession):
    async def validate_tool_result(self, name: str, result: CallToolResult) -> None:
        """Accepted whatever its tool's schema says: a gateway tells a rejection as a plain text result."""


@asynccontextmanager
async def session(url: str, token: str) -> AsyncIterator[mcp.ClientSession]:
    """Open from the handshake until the block is left; see `Gateway.use_tools` for what it raises."""
    refused: list[GatewayError] = []

    async def note(response: httpx2.Response) -> None:
        """Keep what the gateway itself refused; what a tool server said has its place in the protocol."""
        if response.status_code < 400:
            return
        content = await response.aread()
        if b'"jsonrpc"' not in content and response.request.method == "POST":
            refused.append(refusal(response.status_code, content))

    client = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token}"},
        timeout=httpx2.Timeout(CONNECT_TIMEOUT, read=SILENCE),
        event_hooks={"response": [note]},
        trust_env=False,
    )
    try:
        async with (
            client,
            streamable_http_client(url, http_client=client, max_sse_event_size=LARGEST_EVENT) as (reading, writing),
            _Session(reading, writing, read_timeout_seconds=SILENCE) as tools,
        ):
            await tools.initialize()
            yield tools
    except (httpx2.TransportError, mcp.MCPError, BaseExceptionGroup) as exc:
        raise _told(exc, refused) from exc


def _told(exc: BaseException, refused: list[GatewayError]) -> BaseException:
    """What to raise for it. The library's tasks wrap what left the block into groups, one in another."""
    while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
        exc = exc.exceptions[0]
    if isinstance(exc, mcp.MCPError) and refused:
        return refused[-1]
    return GatewayUnavailable() if isinstance(exc, httpx2.TransportError) else exc
