"""What the gateway knows about a provider's tools: for a minute after somebody has listed them."""

import asyncio
import json
from typing import Any

import aiohttp

from embedded.ids import new_id
from embedded.state import Gateway, ToolProvider

LIFETIME = 60  # seconds
WAIT = aiohttp.ClientTimeout(total=10)


async def described(gateway: Gateway, provider: ToolProvider, tool: str) -> dict[str, Any]:
    """`{description, inputSchema}` of a tool; empty when unknown.

    The released gateway says only what it happens to know; in the guide every event has a description.
    """
    is_fresh = asyncio.get_running_loop().time() - provider.tools_read_at <= LIFETIME
    if not is_fresh:
        if not gateway.dialect.describes_tools:
            return {}
        await read(gateway, provider)
    return next(
        (
            {"description": known.get("description", ""), "inputSchema": known["inputSchema"]}
            for known in provider.tools
            if known["name"] == tool
        ),
        {},
    )


async def read(gateway: Gateway, provider: ToolProvider) -> None:
    headers = {
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {provider.upstream_secret}",
        "X-Gateway-Request-ID": new_id(),
    }
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    try:
        async with gateway.client.post(provider.endpoint, json=question, headers=headers, timeout=WAIT) as answer:
            remember(provider, await answer.read())
    except (aiohttp.ClientError, TimeoutError):
        return


def remember(provider: ToolProvider, content: bytes) -> None:
    """Keep the tools, if this is an answer to tools/list."""
    try:
        result = json.loads(content).get("result")
    except (ValueError, AttributeError):
        return
    if isinstance(result, dict) and isinstance(result.get("tools"), list):
        provider.tools = result["tools"]
        provider.tools_read_at = asyncio.get_running_loop().time()
