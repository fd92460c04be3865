"""The bridge: one gateway stream an identity, shared by all the sockets of that identity in this process.

It sends to its sockets directly (measured: fourteen times quicker than a channel layer, and nothing is lost).
The stream alone is not enough: some people are never told that a call was answered, so the list of what waits is
read again while anything is shown, and after each decision.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

from django.conf import settings

from accounts import bus
from accounts.checking import ROLES_CHANGED
from accounts.sessions import GatewaySession, end, tell_ended, watch_end
from confirmations.endings import tell_record
from confirmations.identity import Identity, NameBook
from confirmations.items import GONE, LOST, NOT_YOURS, State, state_of, unreadable_sentence, verdict_of
from confirmations.listing import rows_of
from confirmations.models import did_run, doubt_about, doubt_about_lost, with_its_reason, with_our_end
from confirmations.rows import Row, finished
from confirmations.threads import in_thread
from confirmations.turns import is_being_answered
from gateway import Confirmation, Gateway, clock
from gateway.errors import GatewayError, NotAllowed, NotFound, SignedOut
from gateway.streams import Asked, ConfirmationEvents, Resolved, Unread
from gateway.waiting import unblocked

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

LOOK_AGAIN = 3.0  # seconds between two readings of the list while something is shown
RECORDED_WITHIN = 2.0  # seconds: gateways let go of a call first and write down how it ended after that
STAYS = 6.0  # seconds that a decided item stays in its place
FRESH = LOOK_AGAIN + 1  # seconds for which what was read may be shown on a page
LINGER = 10.0  # seconds that the stream outlives the last page, since people go from page to page
SETTLED_AT_ONCE = 8  # calls of which a hub asks the gateway together how they ended
SILENT = 4.0  # seconds without an answer after which a gateway counts as away; it is waited for longer
BEAT = 10.0  # seconds without a frame after which a page is told how things stand, so that it knows of a dead line
FIRST_WORD = 0.9  # seconds until a page is told that nothing has come yet; it is tried on
OPENING = 15.0  # seconds until a gateway that accepts but says nothing counts as away
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between two attempts
FRAMES_KEPT, BYTES_KEPT = 1000, 8 * 1024 * 1024  # of a socket that does not keep up; then it gets the whole queue
REMEMBERED = 2000  # ids of decided items, so that late news of them changes nothing

_rendering = ThreadPoolExecutor(2, thread_name_prefix="confirmations-render")

LineState = Literal["connecting", "live", "reconnecting", "polling"]


def backoff() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.7, 1)  # noqa: S311  (so that a thousand people do not come back at once)
        pause = min(2 * pause, LONGEST_PAUSE)


async def first_of(*work: Coroutine[Any, Any, None]) -> None:
    """Run together until one ends, and raise what it raised; the others are cancelled and awaited."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


class Follower:
    """One socket's share: frames to send, as long as it keeps up; else the whole queue again."""

    def __init__(self, session_key: str, whole: Callable[[], str]) -> None:
        self.session_key = session_key
        self._whole = whole
        self._frames: deque[str] = deque()
        self._bytes = 0
        self._is_behind = False
        self._is_over = False
        self.is_signed_out = False
        self._waiting: asyncio.Future[None] | None = None  # an Event would be half of what a socket costs here

    def put(self, frame: str) -> None:
        if self._is_behind or self._is_over:
            return
        self._frames.append(frame)
        self._bytes += len(frame)
        if len(self._frames) > FRAMES_KEPT or (self._bytes > BYTES_KEPT and len(self._frames) > 1):
            self._clear()
            self._is_behind = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def end(self, message: str) -> None:
        """The session is over: coming back is of no use."""
        self.is_signed_out = True
        self._clear()
        self._is_behind = False
        self.put(json.dumps({"type": "ended", "message": message}))
        self._is_over = True

    def drop(self) -> None:
        """The hub ends, for whatever reason; whoever comes back gets another one."""
        self._is_over = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _clear(self) -> None:
        self._frames.clear()
        self._bytes = 0

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            while self._frames or self._is_behind:
                if self._is_behind:
                    self._is_behind = False
                    yield self._whole()
                else:
                    frame = self._frames.popleft()
                    self._bytes -= len(frame)
                    yield frame
            if self._is_over:
                return
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting


class Told(NamedTuple):
    """What waits for somebody."""

    rows: list[tuple[Row, str]]
    unreadable: int  # rows of the gateway's list that make no sense


@dataclass(slots=True)
class Shown:
    """One item of the queue."""

    confirmation: Confirmation
    seen: float  # loop time at which the gateway last told that it waits
    state: State = "waiting"
    verdict: str = ""
    row: Row | None = None  # None until it is rendered
    html: str = ""
    leaves: asyncio.TimerHandle | None = None
    unheld: float = 0.0  # loop time at which it was first found neither held nor decided


@dataclass(slots=True)
class _Session:
    key: str
    kept: GatewaySession
    watch: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def lasts_until(self) -> float:
        return self.kept.expires_at.timestamp() if self.kept.expires_at else float("inf")


class Hub:
    """What one identity sees, kept in step with the gateway for as long as anybody looks."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.loop = asyncio.get_running_loop()
        self.state: LineState = "connecting"
        self.items: dict[str, Shown] = {}
        self.number = 0
        self._count = 0  # of what waits, as it was last told
        self._book = NameBook(identity)
        self._settled: OrderedDict[str, None] = OrderedDict()
        self._unreadable = 0  # rows of the list that make no sense: calls may wait that cannot be shown
        self._followers: set[Follower] = set()
        self._sessions: dict[str, _Session] = {}
        self._in_use = ""  # key of the session whose token the stream uses
        self._serving: asyncio.Task[None] | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._has_loaded = False
        self._read_from = 0.0  # loop time at which the list was last asked for, and came
        self._stale_from = 0.0  # loop time of the last reason to look again
        self._away_from = self.loop.time()  # of a gateway that is away: loop time since when
        self._pauses = backoff()
        self._check_at = 0.0  # Unix seconds at which the gateway is asked whether it still knows this person
        self._settling = asyncio.Semaphore(SETTLED_AT_ONCE)
        self._look_now = asyncio.Event()
        self._changed = asyncio.Event()
        self._dirty: dict[str, None] = {}
        self._says_state = False
        self._says_whole = False
        self._watches: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    # -- who follows --------------------------------------------------------------------------------------------

    @contextmanager
    def following(self, session_key: str, kept: GatewaySession) -> Iterator[Follower]:
        follower = Follower(session_key, self._whole)
        self._followers.add(follower)
        if session_key not in self._sessions:
            session = self._sessions[session_key] = _Session(session_key, kept)
            session.watch = asyncio.create_task(self._watch(session), context=Context())
            self._watches.add(session.watch)
            session.watch.add_done_callback(self._watches.discard)
            self._check_at = max(self._check_at, kept.checked_at + settings.IDENTITY_CHECK)
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._task is None:
            # An empty context: what a request left in its own is nothing for a task that outlives it.
            self._task = asyncio.create_task(self._run(), name="confirmations hub", context=Context())
        if self._has_loaded:
            follower.put(self._whole())
        elif self.state != "connecting":
            follower.put(self._frame("state"))
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers and self._linger is None:
                self._linger = self.loop.call_later(LINGER, self.retire)

    async def _watch(self, session: _Session) -> None:
        with watch_end(session.key, session.kept) as ended:
            await ended.wait()
        self._end_session(session.key, SignedOut.message)

    def _end_session(self, key: str, message: str) -> None:
        """Nobody follows with this session any more; a stream that used its token is opened with another one."""
        session = self._sessions.pop(key, None)
        for follower in [one for one in self._followers if one.session_key == key]:
            follower.end(message)
            self._followers.discard(follower)
        if session is not None and session.watch is not None and session.watch is not asyncio.current_task():
            session.watch.cancel()
        if not self._sessions:
            self.retire()
        elif self._in_use == key and self._serving is not None:
            self._serving.cancel()

    async def _end_for_good(self, keys: list[str], message: str) -> None:
        """The gateway takes these sessions no more: what else is kept in their name, such as approvals, ends too.

        In the database first, so that nobody who hears of it comes back with the same session.
        """
        for key in keys:
            await _in_database(end, key, message)
        for key in keys:
            self._end_session(key, message)
            tell_ended(key)

    def retire(self) -> None:
        """Out of the register at once, so that whoever comes now gets a new hub; the tasks end behind it."""
        if _hubs.get(self.identity) is self:
            del _hubs[self.identity]
        if self._task is not None and not self._task.done():
            _retiring.add(self._task)
            self._task.add_done_callback(_retiring.discard)
            self._task.cancel()

    # -- the line to the gateway --------------------------------------------------------------------------------

    async def _run(self) -> None:
        publishing = asyncio.create_task(self._publish())
        first_word = self.loop.call_later(FIRST_WORD, self._admit_silence)
        try:
            while self._sessions:
                session = max(self._sessions.values(), key=lambda one: one.lasts_until)
                self._in_use = session.key
                self._serving = asyncio.create_task(self._serve(session.kept.gateway))
                await asyncio.wait([self._serving, publishing], return_when=asyncio.FIRST_COMPLETED)
                if publishing.done():
                    publishing.result()
                if self._serving.cancelled():
                    continue  # its session ended: go on with another one's token
                problem = self._serving.exception()
                if isinstance(problem, SignedOut):
                    await self._end_for_good([session.key], problem.message)
                else:
                    logger.error("the confirmation bridge failed", exc_info=problem)
                    self._set_state("reconnecting")
                    await asyncio.sleep(LOOK_AGAIN)
        except Exception:
            logger.exception("the confirmation bridge ended")
            if _hubs.get(self.identity) is self:
                del _hubs[self.identity]
        finally:
            first_word.cancel()
            await self._close(publishing)

    def _admit_silence(self) -> None:
        if self.state == "connecting":
            self._set_state("reconnecting")

    async def _close(self, publishing: asyncio.Task[None]) -> None:
        if self._linger is not None:
            self._linger.cancel()
        for shown in self.items.values():
            if shown.leaves is not None:
                shown.leaves.cancel()
        for follower in list(self._followers):
            follower.drop()
        tasks = [publishing, *self._watches]
        if self._serving is not None:
            tasks.append(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _serve(self, gateway: Gateway) -> None:
        """Keep in step until cancelled. Raises SignedOut when the gateway refuses the token."""
        while True:
            is_open = False
            try:
                async with AsyncExitStack() as stack:
                    async with asyncio.timeout(OPENING):
                        events = await stack.enter_async_context(gateway.confirmation_events())
                    is_open = True
                    await self._refresh(gateway)
                    self._set_state("live", whole=True)
                    await first_of(self._hear(events), self._keep_looking(gateway))
            except SignedOut:
                raise
            except (GatewayError, TimeoutError) as exc:
                logger.info("confirmation stream lost: %r, from %r", exc, exc.__cause__)
            pause = next(self._pauses)
            if is_open or not await self._poll(gateway, pause):
                self._set_state("reconnecting")
                await self._rest(pause)

    async def _poll(self, gateway: Gateway, seconds: float) -> bool:
        """Where the stream is refused, the list may still be read. False when that fails too."""
        try:
            await self._refresh(gateway)
            self._set_state("polling", whole=self.state != "polling")
            async with asyncio.timeout(seconds):
                await self._keep_looking(gateway)
        except TimeoutError:
            return True
        except SignedOut:
            raise
        except GatewayError as exc:
            logger.info("confirmations cannot be read: %r, from %r", exc, exc.__cause__)
        return False

    async def _rest(self, seconds: float) -> None:
        """Wait, unless there is reason to look at once."""
        try:
            async with asyncio.timeout(seconds):
                await self._look_now.wait()
        except TimeoutError:
            pass

    async def _hear(self, events: ConfirmationEvents) -> None:
        async for event in events:
            self._pauses = backoff()  # the line works again
            match event:
                case Asked(confirmation):
                    self._saw(confirmation, self.loop.time())
                case Resolved(id=confirmation_id):
                    if confirmation_id in self.items:
                        self._look_now.set()
                case Unread():
                    self._look_now.set()

    async def _keep_looking(self, gateway: Gateway) -> None:
        while True:
            await self._rest(LOOK_AGAIN)
            if self._look_now.is_set() or self.state == "polling" or self._waiting() or self._unreadable:
                await self._refresh(gateway)
            if time.time() >= self._check_at:
                await self._check(gateway)

    async def _check(self, gateway: Gateway) -> None:
        """Tokens outlive people and roles, and a socket may stay open all day without a request."""
        self._check_at = time.time() + settings.IDENTITY_CHECK
        try:
            person = await unblocked(gateway.me)
        except SignedOut:
            raise
        except GatewayError:
            return
        if person.id != self.identity.person:
            await self._end_for_good(list(self._sessions), SignedOut.message)
        elif tuple(sorted(person.roles)) != self.identity.roles or person.tenant != self.identity.tenant:
            await self._end_for_good(list(self._sessions), ROLES_CHANGED)

    # -- what is shown ------------------------------------------------------------------------------------------

    def look(self) -> None:
        self._stale_from = self.loop.time()
        self._look_now.set()

    def rows(self) -> Told | None:
        """What waits, rendered; None when that may not be the latest. From any thread."""
        is_fresh = self.loop.time() - self._read_from < FRESH and self._read_from > self._stale_from
        waiting = [(one.row, one.html) for one in list(self.items.values()) if one.state == "waiting"]
        rows = [(row, html) for row, html in waiting if row is not None]
        is_whole = self.state == "live" and is_fresh and len(rows) == len(waiting)
        return Told(rows, self._unreadable) if is_whole else None

    def shows(self, confirmation_id: str) -> bool:
        return confirmation_id in self.items

    def _waiting(self) -> list[Shown]:
        return [shown for shown in self.items.values() if shown.state == "waiting"]

    @property
    def now(self) -> datetime:
        """By the gateway's clock."""
        return clock.now(self.identity.gateway)

    def _is_waiting(self, confirmation: Confirmation) -> bool:
        return self.identity.may_answer(confirmation) and confirmation.status == "pending"

    async def _refresh(self, gateway: Gateway) -> None:
        """Read what waits; look up how it ended for whatever waits no longer."""
        self._look_now.clear()
        asked = self.loop.time()
        state = self.state
        silence = self.loop.call_at(asked + SILENT, self._miss, asked)
        try:
            told = await unblocked(gateway.pending)
        finally:
            silence.cancel()
        if state in ("live", "polling"):  # it had only been slow
            self._set_state(state)
        if told.unreadable != self._unreadable:
            self._unreadable, self._says_state = told.unreadable, True
            self._changed.set()
        listed = [one for one in told if self._is_waiting(one)]
        named = await self._name(gateway, listed)
        for confirmation in listed:
            self._saw(confirmation, asked)
            if confirmation.end_user in named:
                self.touch(confirmation.id)
        self._read_from = asked
        ids = {one.id for one in listed}
        over = [one for one in self._waiting() if one.confirmation.id not in ids and one.seen < asked]
        if over:
            for problem in await asyncio.gather(*(self._settle(gateway, one) for one in over), return_exceptions=True):
                if problem is not None:
                    raise problem

    async def _name(self, gateway: Gateway, confirmations: list[Confirmation]) -> set[str]:
        """Learn what agents and people are called; the ids of people whose name is news from the gateway."""
        await _in_database(self._book.find_people, confirmations)
        return await unblocked(self._book.ask, gateway, confirmations)

    def _saw(self, confirmation: Confirmation, seen: float) -> None:
        """It waits. News of something that is over are late, unless it had only been lost."""
        shown = self.items.get(confirmation.id)
        if shown is None:
            if confirmation.id in self._settled or not self._is_waiting(confirmation):
                return
            self._book.learn(confirmation)
            self.items[confirmation.id] = Shown(confirmation, seen)
            self.touch(confirmation.id)
            return
        if shown.state == "lost" and shown.seen < seen:
            shown.state, shown.verdict = "waiting", ""
            if shown.leaves is not None:
                shown.leaves.cancel()
            self.touch(confirmation.id)
        if shown.state == "waiting":
            shown.seen = max(shown.seen, seen)
            shown.unheld = 0.0
            if confirmation.tool_description and not shown.confirmation.tool_description:
                shown.confirmation = confirmation  # told with more words than before
                self.touch(confirmation.id)

    async def _settle(self, gateway: Gateway, shown: Shown) -> None:
        """It waits no longer: find out how it ended. Stays as it is while the gateway does not say."""
        lost = LOST
        try:
            async with self._settling:
                record = await unblocked(gateway.confirmation, shown.confirmation.id)
        except NotFound:
            record, lost = shown.confirmation, GONE
        except NotAllowed:
            return self._leave(shown, "resolved", NOT_YOURS)
        is_open = state_of(record) == "waiting"
        if is_open and lost is LOST:
            if self._unreadable:  # it may be one of those
                return None
            shown.unheld = shown.unheld or self.loop.time()
            if self.loop.time() - shown.unheld < RECORDED_WITHIN:
                self.loop.call_later(RECORDED_WITHIN / 10, self.look)
                return None
        if await _in_database(is_being_answered, self.identity.gateway, record.id):  # whether it ran is not kept yet
            self.loop.call_later(RECORDED_WITHIN / 10, self.look)
            return None
        if is_open:
            record = await _in_database(with_our_end, self.identity.gateway, record)
        record = await _in_database(with_its_reason, self.identity.gateway, record)
        state = state_of(record)
        if state == "waiting":
            doubt = await _in_database(doubt_about_lost, self.identity.gateway, record.id)
            names, call = self._book.names, shown.confirmation
            await _in_database(tell_record, self.identity.gateway, call, record, "lost", names, doubt)
            return self._leave(shown, "lost", doubt or lost)
        ran = await _in_database(did_run, self.identity.gateway, record.id) if state == "approved" else None
        await self._name(gateway, [record])
        said = verdict_of(record, self._book.names, me="")
        doubt = await _in_database(doubt_about, self.identity.gateway, record, said)
        told = shown.confirmation, record, state, self._book.names, doubt
        await _in_database(tell_record, self.identity.gateway, *told)
        verdict = verdict_of(record, self._book.names, self.identity.person, ran=ran, is_ours=is_open)
        return self._leave(shown, state, doubt or verdict)

    def _leave(self, shown: Shown, state: State, verdict: str) -> None:
        if shown.state != "waiting":
            return
        confirmation_id = shown.confirmation.id
        shown.state, shown.verdict = state, verdict
        shown.leaves = self.loop.call_later(STAYS, self._drop, confirmation_id)
        if state != "lost":
            self._settled[confirmation_id] = None
            if len(self._settled) > REMEMBERED:
                self._settled.popitem(last=False)
        self.touch(confirmation_id)

    def _drop(self, confirmation_id: str) -> None:
        if self.items.pop(confirmation_id, None) is not None:
            self.touch(confirmation_id)

    # -- what is sent -------------------------------------------------------------------------------------------

    def touch(self, confirmation_id: str) -> None:
        """Show it anew."""
        self._dirty[confirmation_id] = None
        self._changed.set()

    def _miss(self, since: float) -> None:
        self._set_state("reconnecting")
        self._away_from = since

    def _set_state(self, state: LineState, *, whole: bool = False) -> None:
        if state != self.state:
            if state == "reconnecting" and self.state != "connecting":
                self._away_from = self.loop.time()
            self.state = state
            self._says_state = True
        self._says_whole = self._says_whole or whole
        self._changed.set()

    async def _publish(self) -> None:
        """Render each change once, then hand it to every socket, in order."""
        while True:
            try:
                async with asyncio.timeout(BEAT):
                    await self._changed.wait()
            except TimeoutError:
                self._says_state = self.state != "connecting"
            self._changed.clear()
            dirty, self._dirty = list(self._dirty), {}
            for row, html in await self._rendered(dirty):
                if shown := self.items.get(row.id):
                    shown.row, shown.html = row, html
            self._count = len(self._waiting())
            if self._says_whole:
                self._says_whole = self._says_state = False
                self._has_loaded = True
                self.number += 1
                self._send(self._whole())
                continue
            if self._says_state:
                self._says_state = False
                self._send(self._frame("state"))
            for confirmation_id in dirty:
                self._send_item(confirmation_id)

    def _send_item(self, confirmation_id: str) -> None:
        self.number += 1
        shown = self.items.get(confirmation_id)
        if shown is None:
            self._send(self._frame("gone", id=confirmation_id))
        elif shown.row:
            self._send(self._frame("item", id=confirmation_id, html=finished(shown.html, shown.row, self.now)))

    def _send(self, frame: str) -> None:
        for follower in self._followers:
            follower.put(frame)

    def _frame(self, kind: str, **more: object) -> str:
        return json.dumps(
            {
                "type": kind,
                "number": self.number,
                "state": self.state,
                "away": self._away(),
                "count": self._count,
                "unreadable": unreadable_sentence(self._unreadable),
                "clock": round(self.now.timestamp() * 1000),
                **more,
            }
        )

    def _away(self) -> float:
        """Seconds since the gateway is away; 0 while it is there."""
        return round(self.loop.time() - self._away_from, 1) if self.state == "reconnecting" else 0.0

    def _whole(self) -> str:
        shown = [(one.row, one.html) for one in self.items.values() if one.row]
        shown.sort(key=lambda one: one[0].order)
        return self._frame("queue", html="".join(finished(html, row, self.now) for row, html in shown))

    async def _rendered(self, ids: list[str]) -> list[tuple[Row, str]]:
        wanted = [(one.confirmation, one.state, one.verdict) for each in ids if (one := self.items.get(each))]
        return await _in_database(rows_of, self._book, wanted) if wanted else []


async def _in_database(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await in_thread(_rendering, call, *args, **kwargs)


_hubs: dict[Identity, Hub] = {}
_retiring: set[asyncio.Task[None]] = set()


def hub_of(identity: Identity) -> Hub:
    hub = _hubs.get(identity)
    if hub is None:
        hub = _hubs[identity] = Hub(identity)
    return hub


def now_of(identity: Identity) -> datetime:
    """By the gateway's clock; from any thread."""
    return clock.now(identity.gateway)


def rows_now(identity: Identity) -> Told | None:
    """What waits for this person, rendered, where this process has it at hand; from any thread."""
    hub = _hubs.get(identity)
    return hub.rows() if hub is not None else None


def decided(gateway: str, confirmation_id: str) -> None:
    """Somebody answered: every hub that shows it, in any process, looks at once. From any thread."""
    bus.tell("decided", [gateway, confirmation_id])


@bus.hears("decided")
def _hear_decided(payload: tuple[str, str]) -> None:
    gateway, confirmation_id = payload
    for hub in list(_hubs.values()):
        if hub.identity.gateway == gateway and hub.shows(confirmation_id):
            hub.loop.call_soon_threadsafe(hub.look)


@bus.hears("standing")
def _hear_standing(payload: tuple[str, str]) -> None:
    gateway, confirmation_id = payload
    for hub in list(_hubs.values()):
        if hub.identity.gateway == gateway and hub.shows(confirmation_id):
            hub.loop.call_soon_threadsafe(hub.touch, confirmation_id)


@bus.hears("caller left")
def _hear_caller_left(agent_id: str) -> None:
    for hub in list(_hubs.values()):
        for shown in list(hub.items.values()):
            if shown.state == "waiting" and shown.confirmation.agent_id == agent_id:
                hub.loop.call_soon_threadsafe(hub.touch, shown.confirmation.id)


async def close_all() -> None:
    """End every hub of this process and wait until they have let go."""
    for hub in list(_hubs.values()):
        hub.retire()
    if _retiring:
        await asyncio.wait(list(_retiring))
