"""Whether the gateway still knows a person as their session does: asked by pages, sockets and followers alike."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from contextvars import Context

from channels.db import database_sync_to_async
from django.conf import settings

from accounts.sessions import GatewaySession, end, name_of, tell_ended
from gateway.errors import GatewayError, GatewayUnavailable, SignedOut
from gateway.tokens import claims_of
from gateway.waiting import unblocked

logger = logging.getLogger(__name__)

RETRY_CHECK = 30  # seconds until an identity check that could not be made is tried again
PATIENCE = 1.0  # seconds that a socket waits for the gateway's word before it is opened all the same
REMEMBERED = 10_000  # sessions
ROLES_CHANGED = "Your roles changed. Please sign in again."

_checked: OrderedDict[str, float] = OrderedDict()  # name of a session: Unix seconds
_checks: dict[str, asyncio.Task[str]] = {}  # name of a session: the question that is under way


def is_due(checked_at: float) -> bool:
    return time.time() - checked_at >= settings.IDENTITY_CHECK


def verdict(kept: GatewaySession) -> tuple[str, float]:
    """(a sentence for people when this session must not go on, else empty; the time it counts as checked at)."""
    now = time.time()
    try:
        person = kept.gateway.me()
    except SignedOut:
        return SignedOut.message, now
    except GatewayUnavailable:
        return "", now - settings.IDENTITY_CHECK + min(RETRY_CHECK, settings.IDENTITY_CHECK)
    except GatewayError:
        logger.warning("the gateway could not say who this is", exc_info=True)
        return "", kept.checked_at
    if claims_of(kept.token).get("sub", person.id) != person.id:
        logger.warning("the gateway takes a session's token for somebody else's")
        return SignedOut.message, now
    if person.roles != tuple(sorted(kept.roles)) or person.tenant != kept.tenant:
        return ROLES_CHANGED, now
    return "", now


def checked_at(session_key: str, kept: GatewaySession) -> float:
    """Unix seconds of the last check that this process knows of, by a page or by what streams."""
    return max(kept.checked_at, _checked.get(name_of(session_key), 0.0))


async def may_go_on(session_key: str, kept: GatewaySession) -> bool:
    """False when the gateway takes this session no more; it is then over, for every page and process.

    What pages note in the session is kept in memory here: a socket that saved the session could undo what a page saves.
    One question a session is under way at a time. Who has waited PATIENCE goes on, and hears of the end when it comes.
    """
    name = name_of(session_key)
    if not is_due(checked_at(session_key, kept)):
        return True
    check = _checks.get(name)
    if check is None:
        check = _checks[name] = asyncio.create_task(
            _check(name, session_key, kept), name="identity check", context=Context()
        )
        check.add_done_callback(lambda _: _checks.pop(name, None))
    done, _ = await asyncio.wait([check], timeout=PATIENCE)
    return not (done and check.result())


async def _check(name: str, session_key: str, kept: GatewaySession) -> str:
    try:
        ending, at = await unblocked(verdict, kept)
        if ending:
            await database_sync_to_async(end)(session_key, ending)
            tell_ended(session_key)
            return ending
    except Exception:
        logger.exception("an identity check failed")
        return ""
    _checked[name] = at
    _checked.move_to_end(name)
    while len(_checked) > REMEMBERED:
        _checked.popitem(last=False)
    return ""
