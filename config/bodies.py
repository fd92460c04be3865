"""What the body of a request may take before anybody looks at it: Django reads it whole first.

Whoever has not signed in must cost little. Of people more is read than is taken, so that they get back what they wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.utils.http import parse_header_parameters

from accounts.addresses import split
from accounts.refusing import Refusal, answer
from accounts.streaming import Headers, guarded, headers_of
from accounts.visitors import has_session

STRANGERS = 64 * 1024  # bytes that are taken of somebody who has not signed in: no form of theirs needs more
READ = 16 * 1024**2  # bytes that are read of a person; Django takes DATA_UPLOAD_MAX_MEMORY_SIZE of them
LINGER_BYTES, LINGER = 16 * 1024**2, 5.0  # what is still taken, and thrown away, so that a browser reads the refusal
READABLE = frozenset({"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "latin1"})
"""What a form may be written in: other codecs of Python's break Django in the middle of its error page."""
LOOKS = b"default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def bounded(application: Application) -> Application:
    """The same application, for requests whose body is no larger than it may be and can be read at all."""

    async def within(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            await refuse(scope, headers, receive, send, _unreadable(headers))
            return
        limit = STRANGERS
        if int(length) > limit and await has_session(scope):
            limit = READ
        if int(length) > limit:
            await refuse(scope, headers, receive, send, _too_large(headers, limit))
            return
        if _charset(headers.get("content-type", "")) not in READABLE:
            await refuse(scope, headers, receive, send, _unreadable(headers))
            return
        size, is_too_large, has_begun = 0, False, False

        async def counted() -> dict[str, Any]:
            nonlocal size, limit, is_too_large
            message = await receive()
            size += len(message.get("body", b""))
            if STRANGERS == limit < size and await has_session(scope):
                limit = READ
            is_too_large = size > limit
            return {"type": "http.disconnect"} if is_too_large else message

        async def watched(message: dict[str, Any]) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        await application(scope, counted, watched)
        if is_too_large and not has_begun:
            await refuse(scope, headers, receive, send, _too_large(headers, limit))

    return within


def _too_large(headers: dict[str, str], limit: int) -> Refusal:
    most = f"Portico takes at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MB at once. Nothing was sent."
    if limit == STRANGERS:
        most = (
            f"Whoever has not signed in can send {STRANGERS // 1024} KB at most. Nothing was sent. "
            "If you were signed out, sign in again in another tab, and send it once more."
        )
    advice = f"{most} Go back: what you typed is still there."
    return Refusal(413, "This is too large to be sent at once", advice, back=_page(headers))


def _unreadable(headers: dict[str, str]) -> Refusal:
    advice = "Send forms as UTF-8. Nothing was sent. Go back: what you typed is still there."
    return Refusal(400, "This request could not be read", advice, back=_page(headers))


def _page(headers: dict[str, str]) -> str:
    """The path of the page that the form was on, where it is one of ours."""
    page = split(headers.get("referer", ""))
    is_ours = page.netloc == headers.get("host") and page.path.startswith("/") and not page.path.startswith("//")
    return page.path if is_ours else "/"


def _charset(content_type: str) -> str:
    """As Django reads it, which breaks on some spellings; empty for these."""
    try:
        _, parameters = parse_header_parameters(content_type)
    except (TypeError, ValueError):
        return ""
    return str(parameters.get("charset", "utf-8")).lower()


async def refuse(
    scope: dict[str, Any],
    headers: dict[str, str],
    receive: Receive,
    send: Send,
    refusal: Refusal,
    more: Headers | None = None,
) -> None:
    """Answer when the rest of the body came: browsers read no answer before they have sent everything."""
    rest = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while rest < LINGER_BYTES:
                message = await receive()
                rest += len(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    response = answer(refusal, headers)
    named = [(name.lower().encode(), value.encode()) for name, value in response.items() if name != "Cache-Control"]
    close = [(b"content-length", str(len(response.content)).encode()), (b"connection", b"close")]
    head = guarded([*named, *close, *(more or [])], LOOKS)
    await send({"type": "http.response.start", "status": response.status_code, "headers": head})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.content})
