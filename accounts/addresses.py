"""Addresses that clients send: whatever stands there, looking at one never fails."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

NOTHING = SplitResult("", "", "", "", "")


@cache
def _proxies() -> Any:
    async def nothing(scope: object, receive: object, send: object) -> None: ...

    return ProxyHeadersMiddleware(nothing, settings.FORWARDED_ALLOW_IPS).trusted_hosts


def is_proxy(address: str) -> bool:
    """Whether this is a proxy of ours, or nothing: many people come from it, and nobody knows their own addresses."""
    return not address or address in _proxies()


def split(address: str) -> SplitResult:
    """The parts of an address; none of one that is malformed."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # is read, and refused, only when it is asked for
    except ValueError:
        return NOTHING
    return parts
