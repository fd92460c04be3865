"""What every request passes: cross-origin headers, and with `--dials` the record and the trouble."""

import asyncio
import json
import time
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import jwt
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from embedded import bodies
from embedded.replies import Refused, sentence
from embedded.state import Failure, Gateway

CORS = [
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Request-Id"),
]
PREFLIGHT = {
    "access-control-allow-headers": "Content-Type,Authorization,X-Api-Key,X-User-Id",
    "access-control-allow-methods": "GET,POST,PUT,DELETE,OPTIONS",
    "vary": "Access-Control-Request-Headers",
    "content-type": "text/plain; charset=UTF-8",
}

NOTED = 1_000_000  # bytes of a request's body that the record keeps


class CrossOrigin:
    """Any origin, with credentials, as the released gateway says it (browsers refuse that pair)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *CORS]}
            await send(message)

        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, send_with_headers)
            return
        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class Bounded:
    """Refuses bodies that are larger than we want to hold. The dials are no part of the gateway, and have no bound."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/_dials":
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > bodies.LARGEST:
                raise sentence(413, "Payload Too Large")
            return message

        try:
            if int(length) > bodies.LARGEST:
                raise sentence(413, "Payload Too Large")
            await self.app(scope, receive_bounded, send)
        except Refused as refusal:
            await JSONResponse(refusal.body, refusal.status)(scope, receive, send)


class Watched:
    """Writes requests down and lets them fail as the dials say."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app = app
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/_dials":
            await self.app(scope, receive, send)
            return
        body = await read_body(receive)
        self.gateway.dials.requests.append(note(self.gateway, scope, body))
        failure = next_failure(self.gateway, scope)
        if failure and failure.delay:
            await asyncio.sleep(failure.delay)
        if failure and failure.status is not None:
            await made_up(failure)(scope, receive, send)
            return
        await self.app(scope, replaying(body, receive), send)


async def read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def replaying(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever the server still has to say."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


def note(gateway: Gateway, scope: Scope, body: bytes) -> dict[str, Any]:
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    try:
        document = bodies.read(body[:NOTED]) if body else None
    except ValueError:
        document = body.decode(errors="replace")[:NOTED]
    return {
        "method": scope["method"],
        "path": scope["path"],
        "query": query,
        "user": caller_name(gateway, scope, query),
        "body": document,
        "at": time.time(),
    }


def caller_name(gateway: Gateway, scope: Scope, query: MutableMapping[str, str]) -> str | None:
    """A person's e-mail or an agent's name, as far as the token tells; it is not verified here."""
    headers = dict(scope["headers"])
    token = headers.get(b"authorization", b"").decode().removeprefix("Bearer ") or query.get("_token", "")
    if agent := gateway.agent_by_runtime_token(token):
        return agent.name
    try:
        email = jwt.decode(token, options={"verify_signature": False}).get("email")
    except jwt.PyJWTError:
        return None
    return str(email) if email else None


def next_failure(gateway: Gateway, scope: Scope) -> Failure | None:
    failures = gateway.dials.failures
    for failure in failures:
        if scope["path"].startswith(failure.path) and failure.method in (None, scope["method"]):
            failure.times -= 1
            if failure.times <= 0:
                failures.remove(failure)
            return failure
    return None


def made_up(failure: Failure) -> Response:
    body = failure.body if isinstance(failure.body, str) else json.dumps(failure.body)
    return Response(body, failure.status or 500, headers={"content-type": failure.content_type})
