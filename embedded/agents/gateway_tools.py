"""An agent's way to its tools: through the gateway's MCP proxy, which may hold a call for minutes."""

import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp

END_USER = "portico.embedded/end-user"  # in `_meta`: for whom the tool server should act
WAIT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=330)
NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    text: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one provider, for one person."""

    client: aiohttp.ClientSession
    url: str  # of the proxy's endpoint
    runtime_token: str
    session_token: str
    person_id: str

    async def call(self, tool: str, arguments: dict[str, Any]) -> AsyncIterator[ToolAnswer | None]:
        """None for every sign that the call is still held, then the answer. Never raises for refusals."""
        params = {"name": tool, "arguments": arguments, "_meta": {END_USER: self.person_id}}
        message = {"jsonrpc": "2.0", "id": next(NUMBERS), "method": "tools/call", "params": params}
        headers = {
            "Authorization": f"Bearer {self.runtime_token}",
            "X-Gateway-Session-Token": self.session_token,
            "Accept": "application/json, text/event-stream",
        }
        try:
            async with self.client.post(self.url, json=message, headers=headers, timeout=WAIT) as answer:
                if answer.content_type != "text/event-stream":
                    yield read_answer(await answer.text())
                    return
                async for line in answer.content:
                    if line.startswith(b":"):
                        yield None
                    elif line.startswith(b"data:"):
                        yield read_answer(line[5:].decode())
                        return
        except (aiohttp.ClientError, TimeoutError):
            pass
        yield ToolAnswer("The connection to the gateway was lost before there was an answer.", is_error=True)


def read_answer(text: str) -> ToolAnswer:
    """A JSON-RPC answer, or one of the gateway's own refusals."""
    try:
        document = json.loads(text)
    except ValueError:
        return ToolAnswer(text, is_error=True)
    if "result" in document:
        result = document["result"]
        parts = [part.get("text", "") for part in result.get("content", [])]
        return ToolAnswer("\n".join(parts), bool(result.get("isError")))
    error = document.get("error")
    message = error.get("message") if isinstance(error, dict) else document.get("message", error)
    return ToolAnswer(str(message), is_error=True)
