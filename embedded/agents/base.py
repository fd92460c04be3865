"""What the agents share: who is asked what, and how an AG-UI answer is sent."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ag_ui.core import (
    BaseEvent,
    RunErrorEvent,
    RunFinishedEvent,
    RunStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
)
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from embedded.ids import new_id
from embedded.streaming import Streamed

WAITING = b": waiting\n\n"  # a comment: keeps the connection from looking dead
PIECE = re.compile(r"\S+\s*|\s+")  # a word with the space after it


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, as the gateway brought it."""

    text: str  # what the person wrote last
    body: Any
    thread_id: str
    run_id: str
    headers: Headers

    @property
    def person_id(self) -> str:
        return self.headers.get("x-end-user-id", "")

    @property
    def session_token(self) -> str:
        return self.headers.get("x-gateway-session-token", "")

    def credential(self, service_type: str) -> str:
        return self.headers.get(f"x-credential-{service_type}", "")


Events = AsyncIterator[BaseEvent | bytes]  # bytes are sent as they are
Replying = Callable[[Asked], Awaitable[ASGIApp]]
Conversing = Callable[[Asked], Events]


def agent_app(reply: Replying, secret: str) -> ASGIApp:
    async def endpoint(request: Request) -> ASGIApp:
        try:
            body = json.loads(await request.body())
        except ValueError:
            return JSONResponse({"error": "The body is not JSON"}, 400)
        return await reply(asked(body, request.headers))

    return for_gateway_only(Starlette(routes=[Route("/", endpoint, methods=["POST"])]), secret)


def ag_ui_app(converse: Conversing, secret: str) -> ASGIApp:
    """An agent that answers with an AG-UI stream; `converse` gives what lies between start and end."""

    async def reply(question: Asked) -> ASGIApp:
        return Streamed(encoded(run(question, converse)))

    return agent_app(reply, secret)


async def run(question: Asked, converse: Conversing) -> Events:
    """The whole run. It ends with RUN_FINISHED unless `converse` has ended it itself."""
    thread_id, run_id = question.thread_id, question.run_id
    yield RunStartedEvent(thread_id=thread_id, run_id=run_id)
    async for event in converse(question):
        yield event
        if isinstance(event, RunErrorEvent | RunFinishedEvent):
            return
    yield RunFinishedEvent(thread_id=thread_id, run_id=run_id)


async def encoded(events: Events) -> AsyncGenerator[bytes, None]:
    async for event in events:
        yield event if isinstance(event, bytes) else sse(event)


def sse(event: BaseEvent) -> bytes:
    return f"data: {event.model_dump_json(by_alias=True, exclude_none=True)}\n\n".encode()


async def say(text: str) -> AsyncIterator[BaseEvent]:
    """One message, a word at a time."""
    message_id = new_id()
    yield TextMessageStartEvent(message_id=message_id, role="assistant")
    for piece in pieces(text):
        yield TextMessageContentEvent(message_id=message_id, delta=piece)
    yield TextMessageEndEvent(message_id=message_id)


def pieces(text: str) -> list[str]:
    return PIECE.findall(text)


def asked(body: Any, headers: Headers) -> Asked:
    """Read a RunAgentInput leniently: ids may be missing, content may be text or a list of parts."""
    fields = body if isinstance(body, dict) else {}
    return Asked(
        text=last_user_text(body),
        body=body,
        thread_id=str(fields.get("threadId") or new_id()),
        run_id=str(fields.get("runId") or new_id()),
        headers=headers,
    )


def last_user_text(body: Any) -> str:
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role", "user") == "user":
            return text_of(message.get("content")).strip()
    return ""


def text_of(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(filter(None, (text_of(part) for part in content)))
    if isinstance(content, dict):
        return text_of(content.get("text"))
    return content if isinstance(content, str) else ""


def for_gateway_only(app: ASGIApp, secret: str) -> ASGIApp:
    """The app for whoever knows the upstream secret: the gateway, and no passer-by on this machine."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and Headers(scope=scope).get("authorization") != f"Bearer {secret}":
            refusal = JSONResponse({"error": "Only the gateway may call here"}, 401)
            await refusal(scope, receive, send)
            return
        await app(scope, receive, send)

    return guarded
