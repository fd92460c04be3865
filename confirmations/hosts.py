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

from accounts.characters import Text, marked, visible

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}\Z")
_BARE = re.compile(r"(?<![\w:/\\])//(?=[\w\[])")
_SLASHES = re.compile(r"[/\\]*")
_AUTHORITY = re.compile(r"[^\s/?#\\<>\"'`{}|^]*")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")
_COLON = re.compile(r"(?<=[A-Za-z0-9+.-]):")
_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}


@dataclass(frozen=True, slots=True)
class Host:
    name: Text  # as it reads, punycode decoded
    ascii: str  # as it goes over the wire ("xn--…"), where that differs
    oddities: tuple[str, ...]
    times: int = 1


def hosts_in(texts: Iterable[str]) -> list[Host]:
    """Each host once, as they come."""
    found: Counter[tuple[str, str, bool]] = Counter()
    for text in texts:
        found.update(_authorities(text))
    return [_host(*address, times) for address, times in found.items()]


def _authorities(text: str) -> Iterator[tuple[str, str, bool]]:
    """Scheme and authority of each address, and whether two slashes stand before it; no scheme where these come first.

    Of the schemes that browsers know themselves, any number of slashes will do, either way round.
    """
    taken = 0  # up to where the last unusual one reaches at least: what would begin within it is part of it
    for colon in _COLON.finditer(text):
        at = colon.start()
        is_usual = text.startswith("//", at + 1)
        if not is_usual and (at < taken or text[at - 1] not in "psPS"):  # as the schemes in _PORTS end
            continue
        scheme = _SCHEME.search(text[max(at - 31, 0) : at])
        if scheme and is_usual:
            yield scheme[0].lower(), _authority(text, at + 1), True
        elif scheme and scheme[0].lower() in _PORTS and (authority := _authority(text, at + 1)):
            yield scheme[0].lower(), authority, False
            taken = at + len(authority)
    for bare in _BARE.finditer(text):
        yield "", _authority(text, bare.start()), True


def _authority(text: str, at: int) -> str:
    slashes = _SLASHES.match(text, at)
    found = _AUTHORITY.match(text, slashes.end() if slashes else at)
    assert found is not None  # it matches nothing, too
    ended_by_backslash = text.startswith("\\", found.end())
    return found[0].rstrip(".,;:!)'") + ("\\" if ended_by_backslash else "")


def _host(scheme: str, authority: str, is_usual: bool, times: int) -> Host:
    odd = [] if is_usual else ["written without the two slashes of an address, which browsers make up for"]
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
