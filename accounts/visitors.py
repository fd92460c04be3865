"""Who is behind a connection that does not pass through Django's middleware: a socket, or a follower of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user
from django.db import Error
from django.http import HttpRequest, parse_cookie

from accounts.checking import checked_at, may_go_on
from accounts.models import User
from accounts.session_store import SessionStore
from accounts.sessions import GatewaySession, gateway_session


class Visitor(NamedTuple):
    user: User
    session_key: str
    kept: GatewaySession


async def visitor_of(scope: Mapping[str, Any]) -> Visitor | None:
    """None for strangers, for sessions that are over, and for those that the gateway takes no more.

    What the middleware checks before each page is checked before each of these opens.
    """
    visitor = await database_sync_to_async(_read)(scope)
    if visitor is None or not await may_go_on(visitor.session_key, visitor.kept):
        return None
    at = checked_at(visitor.session_key, visitor.kept)
    return visitor._replace(kept=replace(visitor.kept, checked_at=at))


async def has_session(scope: Mapping[str, Any]) -> bool:
    """Whether the cookie belongs to somebody who signed in, also where that is over: what they wrote is kept for them.

    True where the database cannot say.
    """
    if (key := _session_key(scope)) is None:
        return False
    try:
        return await database_sync_to_async(_has_person)(key)
    except Error:
        return True


def _has_person(session_key: str) -> bool:
    return SESSION_KEY in SessionStore(session_key)


def _session_key(scope: Mapping[str, Any]) -> str | None:
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    return parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME) or None


def _read(scope: Mapping[str, Any]) -> Visitor | None:
    """Who the cookie says that it is, where the session has a gateway token that is not over.

    Not by Channels' middleware: thousands of these are open at once, and that would keep session, cookies and a copy
    of the scope for each of its layers, and look at the session with every frame that is sent.
    """
    if (key := _session_key(scope)) is None:
        return None
    request = HttpRequest()
    request.session = SessionStore(key)
    user = get_user(request)
    kept = gateway_session(request.session)
    if not isinstance(user, User) or not request.session.session_key or kept is None or kept.is_over:
        return None
    return Visitor(user, request.session.session_key, kept)
