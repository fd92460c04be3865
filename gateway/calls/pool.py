"""The connections of plain calls in threads, and the end of a call that takes too long as a whole.

A socket has a limit between two bytes alone: whoever sends one now and then is never late. So one thread looks after
all calls, and closes the connection of one whose time is over.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import DefaultCookiePolicy
from threading import Condition, Thread, local
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

AGAIN = 0.5  # seconds until a call is looked at again that was too late before it had a connection


class Call:
    """One that is under way."""

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds
        self.is_late = False
        self.connection: socket.socket | None = None

    def cut(self) -> None:
        if self.connection is not None:
            self.is_late = True
            with suppress(OSError):  # closed already
                socket.socket.shutdown(self.connection, socket.SHUT_RDWR)  # of TLS, too: without a word of it


_mine = local()
_under_way: set[Call] = set()
_changed = Condition()
_watching: Thread | None = None


@contextmanager
def within(seconds: float) -> Iterator[Call]:
    """What this thread asks is cut off when it takes longer; the call is late then, whatever comes of it."""
    global _watching  # noqa: PLW0603
    call = _mine.call = Call(seconds)
    with _changed:
        if _watching is None:
            _watching = Thread(target=_cut_late, name="gateway-late", daemon=True)
            _watching.start()
        _under_way.add(call)
        if len(_under_way) == 1:  # all have as long: those that came before are over before
            _changed.notify()
    try:
        yield call
    finally:
        with _changed:
            _under_way.discard(call)
            call.connection = None
        _mine.call = None


def _cut_late() -> None:
    with _changed:
        while True:
            now = time.monotonic()
            for call in _under_way:
                if call.ends_at <= now and not call.is_late:
                    call.cut()
            waits = [max(AGAIN, call.ends_at - now) for call in _under_way if not call.is_late]
            _changed.wait(min(waits, default=None))


def _note(connection: HTTPConnection) -> None:
    """Whose answer this thread waits for from now on."""
    if call := getattr(_mine, "call", None):
        call.connection = connection.sock


class _Plain(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 overrides it so, too
        _note(self)
        return super().getresponse()


class _Sealed(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 overrides it so, too
        _note(self)
        return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SealedPool(HTTPSConnectionPool):
    ConnectionCls = _Sealed


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SealedPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nobody follows one; requests reads the address all the same, and breaks on some."""


def pool() -> requests.Session:
    """One pool of connections a process, shared by all people: so it must remember nobody's cookies."""
    session = _Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_connections=8, pool_maxsize=64))
    return session
