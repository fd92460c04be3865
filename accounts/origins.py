"""Which pages may open a socket or follow a run: Django's rule for forms, for what does not pass its middleware."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

DEFAULT_PORTS = {"http": 80, "https": 443}
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]  # as Django has them for DEBUG

# An origin and nothing more: no user information, no path (RFC 6454, section 6.2).
_origin = re.compile(r"(https?)://([0-9a-z._*-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")


class Origin(NamedTuple):
    scheme: str
    host: str  # lower case
    port: int


def origin_of(text: str) -> Origin | None:
    """None for `null`, and for what is no http(s) origin."""
    found = _origin.fullmatch(text.lower())
    if found is None:
        return None
    port = int(found[3]) if found[3] else DEFAULT_PORTS[found[1]]
    return Origin(found[1], found[2], port) if 0 < port <= 65535 else None


def is_own(scope: Mapping[str, Any], *, has_to_say: bool) -> bool:
    """Whether a request names a host of ours, and comes from a page of that very scheme, host and port.

    Other programs of this machine share its cookies, and so does whoever serves the same host over plain http. Pages
    of CSRF_TRUSTED_ORIGINS may as well. Browsers name the page with every socket; with a GET only where it is foreign.
    """
    hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
    if len(hosts) != 1 or not validate_host(split_domain_port(hosts[0])[0], settings.ALLOWED_HOSTS or LOCAL_HOSTS):
        return False
    if not origins:
        return not has_to_say
    origin = origin_of(origins[0]) if len(origins) == 1 else None
    return origin is not None and (origin == origin_of(f"{_scheme(scope)}://{hosts[0]}") or _is_trusted(origin))


def _values(scope: Mapping[str, Any], name: bytes) -> list[str]:
    return [value.decode("latin-1") for header, value in scope["headers"] if header.lower() == name]


def _scheme(scope: Mapping[str, Any]) -> str:
    """`http` or `https`, as the browser sees it: the server reads X-Forwarded-Proto where it trusts the proxy."""
    if settings.SECURE_PROXY_SSL_HEADER:
        header, secure = settings.SECURE_PROXY_SSL_HEADER
        named = _values(scope, header.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if named:
            return "https" if named[0].split(",")[0].strip() == secure else "http"
    return "https" if scope.get("scheme") in ("https", "wss") else "http"


def _is_trusted(origin: Origin) -> bool:
    for trusted in map(origin_of, settings.CSRF_TRUSTED_ORIGINS):
        if trusted is None or (trusted.scheme, trusted.port) != (origin.scheme, origin.port):
            continue
        if is_same_domain(origin.host, trusted.host.removeprefix("*")):  # ".example.com" is all below it
            return True
    return False
