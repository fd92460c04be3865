"""The gateway token inside a session: encrypted at rest, bound to calls, and the end of it told to whoever follows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from channels.db import database_sync_to_async
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase, UpdateError

from accounts import bus
from accounts.session_store import SessionStore
from gateway import Gateway, SignedIn, clock

KEPT_AT = "gateway"  # the session's key for all of this


@dataclass(frozen=True, slots=True)
class GatewaySession:
    """What a session holds of the gateway: the token, and tenant and roles as the token says them."""

    token: str = field(repr=False)
    tenant: str
    roles: tuple[str, ...]
    expires_at: datetime | None  # by our own clock
    checked_at: float  # Unix seconds of the last time the gateway confirmed this person

    @property
    def is_over(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    @property
    def gateway(self) -> Gateway:
        return Gateway(settings.GATEWAY_URL, self.token, settings.GATEWAY_DIALECT)


def anonymous_gateway() -> Gateway:
    return Gateway(settings.GATEWAY_URL, chosen=settings.GATEWAY_DIALECT)


@cache
def _cipher() -> MultiFernet:
    keys = settings.SESSION_TOKEN_KEYS
    if not keys:
        derived = hashlib.sha256(b"portico session token " + settings.SECRET_KEY.encode()).digest()
        keys = [base64.urlsafe_b64encode(derived).decode()]
    return MultiFernet([Fernet(key) for key in keys])


def sealed(token: str) -> str:
    """A token as it may leave the process: only those who have the keys can open it."""
    return _cipher().encrypt(token.encode()).decode()


def opened(text: str) -> str:
    """Raises InvalidToken."""
    return _cipher().decrypt(text).decode()


def keep(session: SessionBase, signed_in: SignedIn) -> None:
    """Put what a sign-in gave into the session."""
    expires_at = _ends(signed_in)
    session[KEPT_AT] = {
        "token": sealed(signed_in.token),
        "tenant": signed_in.person.tenant,
        "roles": list(signed_in.person.roles),
        "expires_at": expires_at.isoformat() if expires_at else None,
        "checked_at": time.time(),
    }


def _ends(signed_in: SignedIn) -> datetime | None:
    """When a token that was issued just now ends, by our own clock: the gateway's may be far from it."""
    now = datetime.now(UTC)
    try:
        if signed_in.lifetime is not None:
            return now + timedelta(seconds=signed_in.lifetime)
        if signed_in.expires_at is not None:
            return now + (signed_in.expires_at - clock.now(settings.GATEWAY_URL))
    except OverflowError:  # it outlives the calendar
        pass
    return None


def gateway_session(session: SessionBase) -> GatewaySession | None:
    """What `keep` put there; None without it, when its key is gone, or after `end`."""
    kept = session.get(KEPT_AT)
    if kept is None or "token" not in kept:
        return None
    try:
        token = opened(kept["token"])
    except InvalidToken:
        return None
    expires_at = kept["expires_at"]
    return GatewaySession(
        token=token,
        tenant=kept["tenant"],
        roles=tuple(kept["roles"]),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        checked_at=kept["checked_at"],
    )


def mark_checked(session: SessionBase, at: float) -> None:
    session[KEPT_AT] = {**session[KEPT_AT], "checked_at": at}


def end(session_key: str, message: str) -> None:
    """Take the token out of a session that the gateway refuses; whoever watches it has yet to be told.

    The rest stays for the next page, which signs this person out, says why, and keeps what they had typed.
    """
    session = SessionStore(session_key)
    if KEPT_AT not in session:  # signed out meanwhile
        return
    session[KEPT_AT] = {"ended": message}
    with suppress(UpdateError):
        session.save()


def reason_of_end(session: SessionBase) -> str:
    """What `end` was told, if it was."""
    return str(session.get(KEPT_AT, {}).get("ended", ""))


_watchers: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
_watched: dict[str, str] = {}  # name: key
_lock = threading.Lock()


@contextmanager
def watch_end(session_key: str, kept: GatewaySession) -> Iterator[asyncio.Event]:
    """An event that is set when this session ends: signed out, refused by the gateway, or its token expired.

    For what outlives a request: sockets and run followers, which have to close within 5 seconds.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    watcher = (loop, ended)
    name = name_of(session_key)
    with _lock:
        _watchers.setdefault(name, set()).add(watcher)
        _watched[name] = session_key
    timer = None
    if kept.expires_at is not None:
        left = (kept.expires_at - datetime.now(UTC)).total_seconds()
        timer = loop.call_later(max(0.0, left), ended.set)
    try:
        yield ended
    finally:
        if timer is not None:
            timer.cancel()
        with _lock:
            _watchers[name].discard(watcher)
            if not _watchers[name]:
                del _watchers[name], _watched[name]


def tell_ended(session_key: str | None) -> None:
    """Wake whoever watches this session, in any process; from any thread."""
    if session_key:
        bus.tell("session ended", name_of(session_key))


@bus.hears("session ended")
def _hear_ended(name: str) -> None:
    with _lock:
        watchers = list(_watchers.get(name, ()))
    for loop, ended in watchers:
        loop.call_soon_threadsafe(ended.set)


@bus.catches_up
async def _look_for_ended() -> None:
    """Some may have ended in another process while nobody could tell."""
    with _lock:
        watched = dict(_watched)
    for name in await database_sync_to_async(_gone_of)(watched):
        _hear_ended(name)


def _gone_of(watched: dict[str, str]) -> list[str]:
    return [name for name, session_key in watched.items() if not lasts(session_key)]


def lasts(session_key: str) -> bool:
    """Whether there still is such a session, with a token in it."""
    return "token" in SessionStore(session_key).get(KEPT_AT, {})


def name_of(session_key: str) -> str:
    """What processes call a session among each other: the key itself would let a listener in."""
    return hashlib.sha256(session_key.encode()).hexdigest()
