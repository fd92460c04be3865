"""What stands outside a gateway: agents that answer in each way there is, and a server of tools.

`python -m tests.contract.outside HOST` listens on a free port of that host and names it in its first line.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

hung_up = asyncio.Event()
told_to_break = asyncio.Event()


def frame(**event: Any) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def as_events(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream")


async def as_json(request: Request) -> Response:
    """The question back, and which of the gateway's headers came with it."""
    names = [name for name in request.headers if name.startswith("x-")]
    asked = (await request.json())["messages"][-1]["content"]
    return JSONResponse({"reply": f"You said: {asked}", "headers": names})


async def as_agui(request: Request) -> Response:
    run = await request.json()
    ids = {"threadId": run["threadId"], "runId": run["runId"]}

    async def events() -> AsyncIterator[bytes]:
        yield frame(type="RUN_STARTED", **ids)
        yield frame(type="TEXT_MESSAGE_START", messageId="m", role="assistant")
        yield frame(type="TEXT_MESSAGE_CONTENT", messageId="m", delta="Hello, ")
        yield frame(type="TEXT_MESSAGE_CONTENT", messageId="m", delta="wörld")
        yield frame(type="TEXT_MESSAGE_END", messageId="m")
        yield frame(type="RUN_FINISHED", **ids)

    return as_events(events())


async def as_text(_: Request) -> Response:
    async def events() -> AsyncIterator[bytes]:
        yield b": a comment\n\ndata: plain \r\n\r\ndata:words"
        yield b"\n\ndata: [DONE]\n\n"

    return as_events(events())


async def breaking(request: Request) -> Response:
    run = await request.json()

    async def events() -> AsyncIterator[bytes]:
        yield frame(type="RUN_STARTED", threadId=run["threadId"], runId=run["runId"])
        yield frame(type="TEXT_MESSAGE_CONTENT", messageId="m", delta="And then")
        await told_to_break.wait()
        told_to_break.clear()
        raise ConnectionResetError

    return as_events(events())


async def refusing(_: Request) -> Response:
    return JSONResponse({"error": "nobody is in"}, 503)


async def silent(request: Request) -> Response:
    """Begins, and says nothing more until its caller hangs up."""
    run = await request.json()

    async def events() -> AsyncIterator[bytes]:
        yield frame(type="RUN_STARTED", threadId=run["threadId"], runId=run["runId"])
        try:
            await asyncio.Event().wait()
        finally:
            hung_up.set()

    return as_events(events())


async def wait_for_hang_up(_: Request) -> Response:
    """Answers when the silent agent's caller has hung up."""
    await hung_up.wait()
    hung_up.clear()
    return JSONResponse({"hung_up": True})


async def break_off(_: Request) -> Response:
    """Lets the breaking agent do so, in the middle of its answer."""
    told_to_break.set()
    return JSONResponse({})


def tools() -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("Contract tools", version="1", log_level="ERROR")

    @server.tool(description="Read a note")
    async def read_note(name: str) -> str:
        return f"The note {name}"

    @server.tool(description="Burn a note for good")
    async def burn_note(name: str) -> str:
        return f"Burnt {name}"

    return server


def app() -> Starlette:
    server = tools().streamable_http_app(
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # called by any name
    )
    agents = {
        "json": as_json,
        "agui": as_agui,
        "text": as_text,
        "breaking": breaking,
        "refusing": refusing,
        "silent": silent,
    }
    server.routes.extend(Route(f"/agents/{name}", answer, methods=["POST"]) for name, answer in agents.items())
    server.routes.append(Route("/hung-up", wait_for_hang_up))
    server.routes.append(Route("/break", break_off))
    return server


def main(host: str) -> None:
    listening = socket.create_server((host, 0))
    sys.stdout.write(f"http://{host}:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app(), log_level="critical", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main(sys.argv[1])
