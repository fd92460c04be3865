"""What Django's middleware would say about an answer, for streams and sockets, which do not pass it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from django.conf import settings

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


NOTHING = b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def guarded(headers: Headers, policy: bytes = NOTHING) -> Headers:
    """These, and what keeps an answer from being kept, framed, or taken for something else.

    `policy` is the Content-Security-Policy.
    """
    return [
        *headers,
        (b"cache-control", b"no-store"),
        (b"content-security-policy", policy),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", str(settings.SECURE_REFERRER_POLICY).encode()),
    ]


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """By their lower-case names; one that stands more than once as Django reads it, with commas."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


async def refuse_socket(scope: Mapping[str, Any], send: Send, status: int) -> None:
    """Before it is accepted. Servers that cannot answer with headers close it, which browsers see as a 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    headers = guarded([(b"content-type", b"text/plain; charset=utf-8")])
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Refused.\n"})


async def no_such_socket(scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """The ASGI application for every path that has no socket."""
    await receive()  # websocket.connect
    await refuse_socket(scope, send, 404)
