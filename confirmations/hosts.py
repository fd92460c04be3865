"""The hosts that addresses in a text lead to, and what is odd about them. Free of I/O.

Read as browsers read addresses (https://url.spec.whatwg.org/), not as a person's eye does.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from confirmations.characters import Text, marked, visible

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}\Z")
_BARE = re.compile(r"(?<![\w:/\\])//(?=[\w\[])")
_SLASHES = re.compile(r"[/\\]*")
_AUTHORITY = re.compile(r"[^\s/?#\\<>\"'`{}|^]*")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}


@dataclass(frozen=True, slots=True)
class Host:
    name: Text  # as it reads, punycode decoded
    ascii: str  # as it goes over the wire ("xn--…"), where that differs
    oddities: tuple[str, ...]
    times: int = 1


def hosts_in(texts: Iterable[str]) -> list[Host]:
    """Each host once, as they come."""
    found: Counter[tuple[str, str]] = Counter()
    for text in texts:
        if "//" in text:
            found.update(_authorities(text))
    return [_host(scheme, authority, times) for (scheme, authority), times in found.items()]


def _authorities(text: str) -> Iterator[tuple[str, str]]:
    """Scheme and authority of each address; no scheme where it begins with two slashes."""
    at = text.find("://")
    while at >= 0:
        if scheme := _SCHEME.search(text[max(at - 31, 0) : at]):
            yield scheme[0].lower(), _authority(text, at + 1)
        at = text.find("://", at + 1)
    for bare in _BARE.finditer(text):
        yield "", _authority(text, bare.start())


def _authority(text: str, at: int) -> str:
    slashes = _SLASHES.match(text, at)
    found = _AUTHORITY.match(text, slashes.end() if slashes else at)
    assert found is not None  # it matches nothing, too
    ended_by_backslash = text.startswith("\\", found.end())
    return found[0].rstrip(".,;:!)'") + ("\\" if ended_by_backslash else "")


def _host(scheme: str, authority: str, times: int) -> Host:
    odd: list[str] = []
    if authority.endswith("\\"):
        authority = authority[:-1]
        odd.append("a backslash follows it, after which programs do not agree where this leads")
    user, at, place = authority.rpartition("@")
    if at:
        odd.append(f"“{visible(user)[0]}” before the @ is a name to sign in with, not where it leads")
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", place, re.S)
    name, port = (found[1], found[2] or "") if found else (place, "")
    if scheme and scheme not in ("https", "wss"):
        odd.append(f"{scheme}: not encrypted" if scheme in _PORTS else f"of the scheme {scheme}")
    if port and port != _PORTS.get(scheme):
        odd.append(f"port {visible(port)[0]}")
    if "%" in name:
        name = unquote(name)
        odd.append("written with percent signs")
    plain = _without_disguise(name)
    readable = ".".join(map(_decoded, plain.split(".")))
    wire = ".".join(map(_encoded, readable.split(".")))
    text = marked(readable, is_name=True)
    if plain != name.lower():
        odd.append(f"written as {visible(name)[0]}")
    odd += _address(readable)
    return Host(text, wire if wire != readable else "", (*odd, *text.notes), times)


def _without_disguise(name: str) -> str:
    """As domain names are prepared (UTS #46): special shapes are the plain letters, some characters nothing."""
    name = unicodedata.normalize("NFKC", re.sub("[\u3002\uff0e\uff61]", ".", name)).lower()
    return re.sub("[\u00ad\u200b\u2060\ufeff\ufe00-\ufe0f]", "", name)


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


def _encoded(label: str) -> str:
    if label.isascii():
        return label
    try:
        return "xn--" + label.encode("punycode").decode()
    except UnicodeError:
        return label


def _address(name: str) -> Iterator[str]:
    try:
        place = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        if not _NUMBER.search(name):
            if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
                yield "a name inside a network, not of the internet"
            return
        try:  # 2130706433, 0x7f.1 and 0177.0.0.1 are addresses, too
            place = ipaddress.ip_address(socket.inet_aton(name))
        except (OSError, ValueError):
            return
    yield f"an IP address{f', {place}' if str(place) != name.strip('[]') else ''}"
    if place.is_loopback:
        yield "the machine itself"
    elif place.is_link_local:
        yield "of this network alone, such as a cloud's metadata"
    elif place.is_private:
        yield "inside a private network"
