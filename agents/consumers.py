"""Following a run: `GET /runs/<id>/events/` as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import parse_qs
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.conf import settings

from accounts import bus, limits, origins
from accounts.checking import may_go_on
from accounts.sessions import watch_end
from accounts.streaming import Headers, guarded
from accounts.visitors import Visitor, visitor_of
from agents import approvals, interrupts, pieces, runs
from agents.models import Run
from agents.runlog import UNKNOWN, RunLog, Whole, encoded, snapshot
from agents.shared import mirrored

CATCH_UP_EVERY = 1  # second between two looks for a newer snapshot
BEAT_EVERY = 15  # seconds between beats, so that proxies keep the line open and the page knows that it is
BEAT = b": still here\nevent: beat\ndata: 0\n\n"  # without a number: nothing is newer
ROW_EVERY, ROW_SHARE = 1.0, 20  # seconds between two looks at a row; and times what a look took
PIECE = 256 * 1024  # bytes that are written at once: a line that takes them, however slowly, is not stalled
RETRY = b"retry: 500\n\n"  # milliseconds until the browser comes back
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]

logger = logging.getLogger(__name__)

# Long answers take seconds to be rendered: few at a time, and not in the thread that all others need.
_rendering = ThreadPoolExecutor(2, thread_name_prefix="runs-render")


class Followed(Protocol):
    """A run that goes on, here or in another process."""

    @property
    def log(self) -> RunLog: ...

    async def whole(self) -> Whole: ...


_snapshots: WeakKeyDictionary[RunLog, tuple[int, bytes]] = WeakKeyDictionary()


async def _snapshot_of(run: Followed) -> tuple[int, bytes]:
    """(number, frame) of the answer so far: made once for all who are behind, while the log goes on from there."""
    made = _snapshots.get(run.log)
    if made is None or not run.log.has_all_after(made[0]):
        whole = await run.whole()
        made = _snapshots[run.log] = whole.number, snapshot(whole)
    return made


class FollowRun(AsyncConsumer):
    """One browser that follows one run, from `?after=` or `Last-Event-ID` on, until the run's `end`."""

    following: asyncio.Task[None] | None = None
    waiting: asyncio.Future[None] | None = None
    is_beat_due = False
    has_begun = False
    is_gone = False
    visitor: Visitor

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked: dict[str, Any] = scope
        self.send_asgi = send
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self.following is not None:
                self.following.cancel()
                await asyncio.wait([self.following])

    async def http_request(self, message: dict[str, Any]) -> None:
        if self.following is None:
            self.following = asyncio.create_task(self._follow())

    async def http_disconnect(self, message: dict[str, Any]) -> None:
        self.is_gone = True
        raise StopConsumer

    async def _follow(self) -> None:
        """Whatever goes wrong, the request is answered: nobody else waits for this task."""
        try:
            await self._follow_if_allowed()
        except OSError:  # the browser left while something was on its way
            pass
        except Exception:
            logger.exception("following a run failed")
            if self.has_begun:
                await self._write(b"", more=False)
            else:
                await self._refuse(500)

    async def _follow_if_allowed(self) -> None:
        if self.asked["method"] != "GET":
            await self._refuse(405)
        elif not origins.is_own(self.asked, has_to_say=False):
            await self._refuse(403)
        elif (visitor := await visitor_of(self.asked)) is None:
            await self._refuse(401)
        else:
            self.visitor = visitor
            try:
                with limits.followers.one_more(visitor.user.pk):
                    await self._follow_as_it_is()
            except limits.TooMany:
                await self._refuse(429, [(b"retry-after", b"30")])

    async def _follow_as_it_is(self) -> None:
        if (run := await self._run()) is None:
            await self._refuse(404)
        elif not run.is_open:
            await self._tell_rest(run)
        elif (live := runs.live(run.id)) is not None:
            live.log.followers += 1
            try:
                await self._follow_run(live)
            finally:
                live.log.followers -= 1
        elif bus.is_shared() and not runs.is_here(run.id):
            runs.watch()  # not every server tells the process that it begins, and nobody may be at this run any more
            async with mirrored(run.id) as mirror:
                await self._follow_run(mirror)
        elif not (bus.is_shared() or runs.is_here(run.id) or runs.is_of_here(run)):
            await self._follow_row(run)
        else:  # it is about to start, or has ended just now: come back
            await self._begin(200, HEADERS)
            await self._write(RETRY, more=False)

    async def _follow_run(self, run: Followed) -> None:
        with watch_end(self.visitor.session_key, self.visitor.kept) as ended:
            await self._follow_log(run, ended)

    @database_sync_to_async
    def _run(self) -> Run | None:
        run_id: UUID = self.asked["url_route"]["kwargs"]["run_id"]
        found = Run.objects.filter(id=run_id, message__conversation__user=self.visitor.user)
        run = found.defer("parts").first()  # which may be long: loaded where it is shown, and there alone
        return None if run is None else runs.seen_through(run)

    def _after(self) -> int:
        """The number of the last event that this browser has; UNKNOWN where what it shows has none."""
        headers = dict(self.asked["headers"])
        query = parse_qs(self.asked["query_string"].decode("latin-1"))
        told = headers.get(b"last-event-id", b"").decode("latin-1") or query.get("after", ["0"])[0]
        return int(told) if re.fullmatch(rf"[0-9]{{1,9}}|{UNKNOWN}", told) else 0

    async def _refuse(self, status: int, headers: Headers | None = None) -> None:
        await self._begin(status, headers or [])
        await self._write(b"", more=False)

    async def _begin(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.has_begun = True
        await self.send_asgi({"type": "http.response.start", "status": status, "headers": guarded(headers)})

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        """In pieces: each waits until the line takes more."""
        last = max(0, len(body) - 1) // PIECE * PIECE
        for start in range(0, last, PIECE):
            if self.is_gone:
                return
            await self._send(body[start : start + PIECE], more=True)
        await self._send(body[last:] if last else body, more=more)

    async def _send(self, body: bytes, *, more: bool) -> None:
        await self.send_asgi({"type": "http.response.body", "body": body, "more_body": more})

    async def _until_it_takes_more(self) -> None:
        """For whoever reads nothing, no answer is made that would be kept for them."""
        await self._send(b"", more=True)

    async def _follow_log(self, run: Followed, ended: asyncio.Event) -> None:
        """Write everything newer whenever there is something, in one write; whoever is too far behind gets it whole."""
        log = run.log
        number = min(self._after(), log.number) if log.number else self._after()
        await self._begin(200, HEADERS)
        await self._write(RETRY)
        waking = asyncio.create_task(self._wake_besides(ended))
        try:
            while not ended.is_set():
                has_newer = log.number > max(number, 0)
                if has_newer and log.has_all_after(number):
                    newer, number = log.after(number), log.number
                    await self._write(newer)
                elif has_newer and not log.is_cut:
                    reached = await self._write_snapshot(run, number)
                    if reached > number:
                        number = reached
                    elif log.is_closed:  # and the newest snapshot of another process older than its log
                        await self._write(await self._kept_rest())
                        break
                    else:
                        with suppress(TimeoutError):
                            await asyncio.wait_for(ended.wait(), CATCH_UP_EVERY)
                elif log.is_cut:
                    await self._write(await self._kept_rest())
                    break
                elif log.is_closed:
                    break
                elif self.is_beat_due:
                    self.is_beat_due = False
                    await self._write(BEAT)
                else:
                    self.waiting = log.changed()
                    await self.waiting
        finally:
            waking.cancel()
        await self._write(b"", more=False)

    async def _write_snapshot(self, run: Followed, number: int) -> int:
        """The answer so far, where it is newer than this number; gives the number that was reached."""
        await self._until_it_takes_more()
        if self.is_gone:
            return number
        made, frame = await _snapshot_of(run)
        if made <= number or (run.log.is_closed and not run.log.has_all_after(made)):
            return number
        await self._write(frame)
        return made

    async def _follow_row(self, run: Run) -> None:
        """A run in another process that this one hears nothing of: as the database has it, until it has ended."""
        await self._begin(200, HEADERS)
        await self._write(RETRY)
        shown = ""
        with watch_end(self.visitor.session_key, self.visitor.kept) as ended:
            waking = asyncio.create_task(self._wake_besides(ended))
            try:
                while not ended.is_set():
                    started = time.monotonic()
                    if (now := await self._run()) is None:
                        break
                    if not now.is_open:
                        await self._write(await self._rest(now))
                        break
                    whole = await self._as_saved(now)
                    if whole.html != shown:
                        shown = whole.html
                        await self._write(snapshot(whole))
                    elif self.is_beat_due:
                        self.is_beat_due = False
                        await self._write(BEAT)
                    pause = max(ROW_EVERY, ROW_SHARE * (time.monotonic() - started))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), pause)
            finally:
                waking.cancel()
        await self._write(b"", more=False)

    async def _wake_besides(self, ended: asyncio.Event) -> None:
        """Wake the follower for what the log does not tell, so that it waits for one thing: beats, and the end."""
        while not ended.is_set():
            try:
                await asyncio.wait_for(ended.wait(), min(BEAT_EVERY, settings.IDENTITY_CHECK))
            except TimeoutError:
                self.is_beat_due = True
                self._wake()
                await may_go_on(self.visitor.session_key, self.visitor.kept)  # else `ended` is set
        self._wake()

    def _wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)

    async def _tell_rest(self, run: Run) -> None:
        """A run that has ended: 204 when this browser has seen its end, else the whole answer and the end."""
        if self._after() >= run.events > 0:
            await self._refuse(204)
            return
        rest = await self._rest(run)
        await self._begin(200, HEADERS)
        await self._write(RETRY + rest, more=False)

    async def _kept_rest(self) -> bytes:
        await self._until_it_takes_more()
        run = await self._run()
        return b"" if run is None or run.is_open else await self._rest(run)

    async def _as_saved(self, run: Run) -> Whole:
        return await database_sync_to_async(self._render_saved, thread_sensitive=False, executor=_rendering)(run)

    def _render_saved(self, run: Run) -> Whole:
        return runs.whole_so_far(run, approvals.of_runs([run.id]).get(run.id, pieces.NO_APPROVALS))

    async def _rest(self, run: Run) -> bytes:
        """An ended run as it is kept, whole, and its end; nothing for a browser that is gone."""
        return await database_sync_to_async(self._render_rest, thread_sensitive=False, executor=_rendering)(run)

    def _render_rest(self, run: Run) -> bytes:
        if self.is_gone:
            return b""
        ended = approvals.of_runs([run.id]).get(run.id, pieces.NO_APPROVALS)
        agent_id = run.message.conversation.agent_id
        html = "".join(pieces.of_answer(run.parts, agent_id, interrupts.states(run.interrupts), ended))
        whole = snapshot(Whole(max(run.events - 1, 0), html, ""))
        ending = pieces.end(run.id, run.status, run.problem, run.detail)
        if run.interrupts:
            ending = interrupts.rendered(run.id, run.interrupts, run.parts)
        return whole + encoded(max(run.events, 1), "end", {"status": run.status, "html": ending})
