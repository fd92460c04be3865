"""`ws/confirmations/`: what waits for this person, while a page is open. It only tells; nobody answers here."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from accounts import limits, origins
from accounts.sessions import lasts
from accounts.streaming import Send, refuse_socket
from accounts.visitors import Visitor, visitor_of
from confirmations import news, watch
from confirmations.hub import hub_of
from confirmations.identity import Identity

if TYPE_CHECKING:
    from asgiref.typing import ASGIReceiveCallable

logger = logging.getLogger(__name__)

SESSION_ENDED = 4401  # close code: sign in again, coming back is of no use
TOO_MANY = 4429  # close code: come back later
TOO_MANY_PAGES = "Too many pages of Portico are open. Close some; this one is right whenever you load it."
COME_BACK = 1012  # close code: what told the socket ended, and another one begins with whoever comes back


class QueueConsumer(AsyncJsonWebsocketConsumer):
    following: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: Any) -> None:
        self.send_asgi: Send = send  # the consumer's own `send` is for frames
        with ExitStack() as self.counted:
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self.stop()

    async def connect(self) -> None:
        try:
            is_ours = origins.is_own(self.scope, has_to_say=True)
            visitor = await visitor_of(self.scope) if is_ours else None
        except Exception:
            logger.exception("a confirmation socket could not be opened")
            await refuse_socket(self.scope, self.send_asgi, 500)
            return
        if visitor is None:
            await refuse_socket(self.scope, self.send_asgi, 403)
            return
        try:
            self.counted.enter_context(limits.sockets.one_more(visitor.user.pk))
        except limits.TooMany:
            await self.accept()  # browsers read no words of a refusal
            await self.send(text_data=json.dumps({"type": "full", "message": TOO_MANY_PAGES}))
            await self.close(TOO_MANY)
            return
        watch.start()  # not every server tells the process that it begins
        await self.accept()
        self.following = asyncio.create_task(self.follow(visitor))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Whatever a browser says here is passed over: decisions are POSTs."""

    async def follow(self, visitor: Visitor) -> None:
        try:
            with (
                hub_of(Identity.of(visitor.user, visitor.kept)).following(visitor.session_key, visitor.kept) as frames,
                news.heard(visitor.user.pk, frames.put),
            ):
                # It may have ended between being read and being watched.
                if not await database_sync_to_async(lasts)(visitor.session_key):
                    await self.say_ended()
                    return
                async for frame in frames:
                    await self.send(text_data=frame)
            await self.close(SESSION_ENDED if frames.is_signed_out else COME_BACK)
        except OSError:  # the page was closed while a frame was on its way
            pass
        except Exception:
            logger.exception("a confirmation socket broke")
            await self.close(1011)

    async def say_ended(self) -> None:
        await self.send(text_data=json.dumps({"type": "ended", "message": "Your session ended. Please sign in again."}))
        await self.close(SESSION_ENDED)

    async def stop(self) -> None:
        if self.following is not None:
            self.following.cancel()
            await asyncio.wait([self.following])
            self.following = None
