"""What the gateway knows about a provider's tools: for a minute after somebody has listed them."""

import asyncio
import contextlib
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
    if not is_fresh(provider):
        if not gateway.dialect.describes_tools:
            return {}
        with contextlib.suppress(Unreadable):
            await read(gateway, provider)
    return next(
        (
            {"description": known.get("description", ""), "inputSchema": known["inputSchema"]}
            for known in provider.tools
            if known["name"] == tool
        ),
        {},
    )


class Unreadable(Exception):
    """A tool server has not said what tools it has; the text tells why."""


async def read(gateway: Gateway, provider: ToolProvider) -> None:
    """Ask the tool server. Raises `Unreadable`."""
    headers = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "X-Gateway-Request-ID": new_id(),
        **authorization(provider),
    }
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    try:
        async with gateway.client.post(provider.endpoint, json=question, headers=headers, timeout=WAIT) as answer:
            if not answer.ok:
                raise Unreadable(f"HTTP {answer.status} from {provider.endpoint}")
            remember(provider, await answer.read())
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise Unreadable("fetch failed") from exc


async def known(gateway: Gateway, provider: ToolProvider) -> list[dict[str, Any]]:
    """The provider's tools, read anew when the list is too old. Raises `Unreadable`."""
    if not is_fresh(provider):
        await read(gateway, provider)
    return provider.tools


def is_fresh(provider: ToolProvider) -> bool:
    return asyncio.get_running_loop().time() - provider.tools_read_at <= LIFETIME


def forget(provider: ToolProvider) -> None:
    provider.tools_read_at = float("-inf")


def authorization(provider: ToolProvider) -> dict[str, str]:
    """How the gateway says to a tool server who it is."""
    if not provider.upstream_secret or provider.auth_type == "none":
        return {}
    if provider.auth_type == "api_key":
        return {"X-Api-Key": provider.upstream_secret}
    return {"Authorization": f"Bearer {provider.upstream_secret}"}


def outcome_in(content: bytes) -> Any:
    """The result, or else the error, in a tool server's answer."""
    message = message_in(content)
    return message.get("result", message.get("error"))


def message_in(content: bytes) -> dict[str, Any]:
    """A tool server's answer, JSON or one event; empty when it is neither."""
    for line in content.splitlines():
        if line.startswith(b"data:"):
            content = line[5:]
            break
    try:
        message = json.loads(content)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def remember(provider: ToolProvider, content: bytes) -> None:
    """Keep the tools, if this is an answer to tools/list."""
    result = message_in(content).get("result")
    if isinstance(result, dict) and isinstance(result.get("tools"), list):
        provider.tools = result["tools"]
        provider.tools_read_at = asyncio.get_running_loop().time()
