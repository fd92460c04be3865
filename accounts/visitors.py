"""Who is behind a connection that does not pass through Django's middleware: a socket, or a follower of a run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from accounts.models import User
from accounts.sessions import GatewaySession, gateway_session


class Visitor(NamedTuple):
    user: User
    session_key: str
    kept: GatewaySession


def visitor_of(scope: Mapping[str, Any]) -> Visitor | None:
    """None for strangers, and for sessions without a gateway token or with one that is over. Reads the database.

    Not by Channels' middleware: thousands of these are open at once, and that would keep session, cookies and a copy
    of the scope for each of its layers, and look at the session with every frame that is sent.
    """
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    kept = gateway_session(request.session)
    if not isinstance(user, User) or not request.session.session_key or kept is None or kept.is_over:
        return None
    return Visitor(user, request.session.session_key, kept)
