"""One address's share of what is open at once, also behind a proxy: requests, followers and sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from accounts.addresses import is_proxy
from accounts.refusing import Refusal
from accounts.streaming import headers_of, refuse_socket
from config.bodies import refuse

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

CROWDED = Refusal(
    503,
    "Too many are connected to Portico right now",
    "Nothing was sent. Go back: what you typed is still there. Try again in a moment.",
)
GREEDY = Refusal(
    503,
    "Too much is open from your address",
    "Nothing was sent. Go back: what you typed is still there. Close some pages, or try again in a moment.",
)

_open: Counter[str] = Counter()  # by address


def shared(application: Application) -> Application:
    """The same application, of which no address takes more than its share."""

    async def within(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        address = _address_of(scope)
        if not address:
            await application(scope, receive, send)
            return
        if _open[address] >= settings.CONNECTIONS_AN_ADDRESS:
            await _answer(GREEDY, scope, receive, send)
            return
        _open[address] += 1
        try:
            await application(scope, receive, send)
        finally:
            _open[address] -= 1
            if not _open[address]:
                del _open[address]

    return within


async def crowded(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application for whoever finds no room."""
    await _answer(CROWDED, scope, receive, send)


def _address_of(scope: dict[str, Any]) -> str:
    """Empty where nobody knows it: a proxy that does not say, another part of this machine."""
    if scope["type"] not in ("http", "websocket") or not scope.get("client"):
        return ""
    address: str = scope["client"][0]
    is_forwarded = any(name == b"x-forwarded-for" for name, _ in scope["headers"])
    return "" if is_proxy(address) and not is_forwarded else address


async def _answer(refusal: Refusal, scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await refuse_socket(scope, send, refusal.status)
        return
    await refuse(scope, headers_of(scope), receive, send, refusal, [(b"retry-after", b"5")])
