"""Where a connect may lead: an address that a gateway gave, judged before a browser follows it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}

_plain_host = re.compile(r"[0-9a-z._-]+|[0-9a-f:.]+")
# Browsers take a backslash for a slash and drop control characters: the host would not be the one we looked at.
_misleading = re.compile(r"[\x00-\x20\x7f\\]")


@dataclass(frozen=True, slots=True)
class Target:
    """An http(s) address without user information, whose host is what a browser will make of it."""

    address: str
    scheme: str
    hostname: str  # lower case, IDNA
    port: int

    @property
    def host(self) -> str:
        """As people should read it: the port only where it is not the usual one."""
        name = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def is_readable_by_others(self) -> bool:
        """Plain http over a network."""
        return self.scheme == "http" and not _is_loopback(self.hostname)

    def is_at(self, host: str) -> bool:
        """Whether it is at `name` or `name:port`; without a port, at the usual one."""
        name, port = _name_and_port(host, self.scheme)
        return (self.hostname, self.port) == (name, port)

    def returning_to(self, page: str) -> str:
        """The address with `redirect_url` added, and everything else of it as it was."""
        added = urlencode({"redirect_url": page})
        before, mark, fragment = self.address.partition("#")
        return f"{before}{'&' if '?' in before else '?'}{added}{mark}{fragment}"


def target_of(address: str) -> Target | None:
    """None for what no browser should be sent to."""
    if _misleading.search(address.partition("?")[0]) or re.search(r"[\x00-\x1f\x7f]", address):
        return None
    try:
        parts = urlsplit(address)
        hostname, port = _ascii(parts), parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or "@" in parts.netloc or not _plain_host.fullmatch(hostname):
        return None
    if port == 0:  # no browser goes there
        return None
    if not parts.netloc.isascii():  # so that the browser goes where we read that it goes: IDNA has two readings of ß
        address = parts._replace(netloc=hostname if port is None else f"{hostname}:{port}").geturl()
    return Target(address, parts.scheme, hostname, DEFAULT_PORTS[parts.scheme] if port is None else port)


def is_trusted(target: Target, gateway_url: str, connect_hosts: Iterable[str]) -> bool:
    """The gateway's own host and port, or one that the installation names."""
    gateway = target_of(gateway_url)
    at_gateway = gateway is not None and (target.hostname, target.port) == (gateway.hostname, gateway.port)
    return at_gateway or any(target.is_at(host) for host in connect_hosts)


def _ascii(parts: SplitResult) -> str:
    """The host as a browser shows it once it is no longer sure of its letters. UnicodeError is a ValueError."""
    hostname = parts.hostname or ""
    return hostname if hostname.isascii() else hostname.encode("idna").decode()


def _name_and_port(host: str, scheme: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"{scheme}://{host.strip()}")
        return _ascii(parts), DEFAULT_PORTS[scheme] if parts.port is None else parts.port
    except ValueError:
        return "", 0


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
