"""Runs: each is a task of this process that asks the agent, feeds the answer to its followers, and keeps it.

The browser may leave, reload or follow from two tabs; the run goes on.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Any
from uuid import UUID

from ag_ui.core import Event, RunAgentInput, ToolCallResultEvent, ToolCallStartEvent
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts import bus, processes
from accounts.models import cut
from accounts.sessions import opened, sealed
from agents import approvals, interrupts, pieces, saving, shared
from agents.answer import Answer
from agents.increments import Kept
from agents.models import LONGEST_PROBLEM, Run
from agents.purging import purge
from agents.runlog import UNKNOWN, RunLog, Whole
from agents.transcript import Part, every
from confirmations.api import tell_ended
from confirmations.signals import caller_left
from credentials.api import cannot_connect, connect_cards, services_to_connect_async
from gateway import Gateway, MissingService
from gateway.errors import AgentFailed, CredentialsRequired, GatewayError, GatewayUnavailable, SignedOut, StreamBroken
from gateway.waiting import unblocked

logger = logging.getLogger(__name__)

SAVE_EVERY = 0.5  # seconds
SAVE_SHARE = 20  # the time a save took, times this, passes before the next one: a long answer costs 5 %, too
SAVED_AT_ONCE = 16  # answers a transaction: of two hundred, each save held everybody up for tens of milliseconds
LOOK_EVERY = 5.0  # seconds between two looks for runs that their process left behind
FROM_BEFORE = timedelta(minutes=1)  # a run that names no process, of a Portico that was replaced, is left by then
RUN = "run"  # what `processes` has in hand
PURGE_EVERY = 60.0  # seconds
A_WAIT = 0.3  # seconds that a call takes from which on it may have waited for somebody
LOOKS_AT_APPROVALS = (0.0, 1.0, 2.0, 4.0)  # seconds before each look at how approvals ended
A_PART = 4096  # bytes that a part of an answer costs beside what it says: as an object, a row, a piece of a page
CHECK_CREDENTIALS_EVERY = 5.0  # seconds, while somebody follows
GIVE_UP_CREDENTIALS = 3600.0  # seconds
END_AGAIN = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between attempts to keep an end, while the database is away
ENDS_WITHIN = 5.0  # seconds that the ends of runs get to be kept when the process ends
STOP_LOOK_EVERY, STOP_LOOKS = 0.1, 50  # seconds, and how often, until a run in another process has stopped

# A thread of its own, with a connection that is not looked after each time: that cost as much as the saving.
_saving = ThreadPoolExecutor(1, thread_name_prefix="runs-save")
_live: dict[UUID, LiveRun] = {}
_starting: set[UUID] = set()
_watch: asyncio.Task[None] | None = None
_saver: asyncio.Task[None] | None = None
_sharing: set[asyncio.Task[None]] = set()
_looking: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True)
class Ending:
    status: Run.Status
    problem: str = ""  # a sentence for people
    detail: str = ""  # what the agent wrote: untrusted


STOPPED = Ending(Run.Status.STOPPED)
OUR_FAULT = Ending(Run.Status.FAILED, "Something went wrong in Portico itself.")
TOO_LONG = Ending(
    Run.Status.INTERRUPTED, "The answer is longer than Portico keeps. What came before is kept; the rest was not read."
)
NOT_KEPT = Ending(Run.Status.FAILED, "The end of this answer could not be saved.")
PROCESS_ENDED = Ending(Run.Status.INTERRUPTED, "Portico was restarted while the agent was answering.")
PROCESS_SILENT = Ending(Run.Status.INTERRUPTED, "Nothing is heard any more of the process that worked on this answer.")


@dataclass(slots=True)
class LiveRun:
    """A run that this process is working on."""

    id: UUID
    user_id: int
    agent_id: str
    conversation_path: str
    gateway: Gateway
    question: RunAgentInput
    missing: tuple[MissingService, ...]  # what `credentials-check` said before the agent is asked
    known: Mapping[str, Part] = field(default_factory=dict)  # what earlier runs on the message said, by id
    left_out: int = 0  # messages of the conversation that the question does not hold
    answer: Answer = field(init=False)
    task: asyncio.Task[None] | None = None
    cancelled_as: Ending = STOPPED
    is_ending: bool = False  # how is decided, and is being kept
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    has_grown: bool = False  # since the answer was saved
    kept: Kept = field(default_factory=Kept)
    since: datetime = field(default_factory=timezone.now)
    called: dict[str, float] = field(default_factory=dict)  # by tool call without a result: monotonic seconds
    looking: asyncio.Task[None] | None = None  # at how approvals ended

    def __post_init__(self) -> None:
        self.answer = Answer(self.agent_id, self.known, self.question.messages)
        self.answer.say_what_was_left_out(self.left_out)

    @property
    def log(self) -> RunLog:
        return self.answer.log

    async def whole(self) -> Whole:
        return self.whole_now()

    def whole_now(self) -> Whole:
        snapshot = self.answer.snapshot()
        return Whole(snapshot.number, "".join(snapshot.pieces), snapshot.tail)

    async def work(self) -> None:
        """Ask, relay, save. Whatever happens ends in one exact terminal state."""
        if bus.is_shared():
            sharing = asyncio.create_task(shared.share(self.id, self.log, self.whole_now))
            _sharing.add(sharing)
            sharing.add_done_callback(_sharing.discard)
        try:
            ending = await self._ask()
        except asyncio.CancelledError:
            ending = self.cancelled_as
        except Exception:
            logger.exception("run %s", self.id)
            ending = OUR_FAULT
        self.has_grown = False  # it is saved whole now
        self.is_ending = True
        try:
            await self._end(ending)
            if self.called:
                self._look_at_approvals()
        finally:
            _live.pop(self.id, None)
            processes.let_go(RUN, "", str(self.id))
            self.log.close()

    def cancel(self, ending: Ending) -> None:
        """Have it end like this, where it is not ending anyhow: what keeps its end must not be broken off."""
        if self.task is not None and not self.is_ending:
            self.cancelled_as = ending
            self.task.cancel()

    async def _ask(self) -> Ending:
        try:
            while True:
                if ending := await self._wait_for_credentials():
                    return ending
                try:
                    return await self._relay()
                except CredentialsRequired as refused:
                    self.missing = refused.missing
        except SignedOut:
            return Ending(Run.Status.INTERRUPTED, "Your session ended before the agent had answered.")
        except StreamBroken as broken:
            logger.info("run %s: %r from %r", self.id, broken, broken.__cause__)
            return Ending(Run.Status.INTERRUPTED, broken.message)
        except AgentFailed as refused:
            return Ending(Run.Status.FAILED, refused.message, refused.detail)
        except GatewayError as refused:
            logger.info("run %s: %r from %r", self.id, type(refused), refused.__cause__)
            return Ending(Run.Status.FAILED, refused.message)

    async def _relay(self) -> Ending:
        async with self.gateway.run_agent(self.agent_id, self.question) as batches:
            try:
                async for events in batches:
                    if self._is_too_long(batches.size):
                        return TOO_LONG
                    self.answer.feed(events)
                    self._notice_calls(events)
                    if not self.has_grown:
                        self.has_grown = True
                        _save_soon()
                    if self._is_too_long(batches.size):  # many parts may have come at once
                        return TOO_LONG
            finally:
                self.answer.say_what_was_wrong(batches.passed_over, lacks_start=batches.lacks_start)
        if self.answer.error:
            return Ending(Run.Status.FAILED, "The agent reported an error.", self.answer.error)
        if self.answer.interrupts:
            return Ending(Run.Status.ASKING)
        if self.answer.is_cancelled:
            return Ending(Run.Status.STOPPED, "The agent says that it was stopped.")
        return Ending(Run.Status.FINISHED)

    def _notice_calls(self, events: Iterable[Event]) -> None:
        """A call that took its time may have waited for an approval, of which nobody here may have heard the end."""
        for event in events:
            if isinstance(event, ToolCallStartEvent):
                self.called[event.tool_call_id] = time.monotonic()
            elif isinstance(event, ToolCallResultEvent):
                called_at = self.called.pop(event.tool_call_id, None)
                if called_at is not None and time.monotonic() - called_at > A_WAIT:
                    self._look_at_approvals()

    def _look_at_approvals(self) -> None:
        if self.looking is None or self.looking.done():
            self.looking = asyncio.create_task(self._tell_approvals(), context=contextvars.Context())
            _looking.add(self.looking)
            self.looking.add_done_callback(_looking.discard)

    async def _tell_approvals(self) -> None:
        """Gateways let go of a call first, and write down how it ended after that."""
        for pause in LOOKS_AT_APPROVALS:
            await asyncio.sleep(pause)
            try:
                listed = await unblocked(self.gateway.confirmations)
                since = self.since - approvals.CLOCKS
                if await database_sync_to_async(tell_ended)(self.user_id, self.agent_id, since, listed):
                    return
            except (GatewayError, Error) as exc:
                logger.info("run %s: how approvals ended could not be read: %r", self.id, exc)
                return

    def _is_too_long(self, size: int) -> bool:
        """Whether it takes more than Portico keeps, with so many bytes that came."""
        limit: int = settings.ANSWER_LIMIT
        return size + A_PART * self.answer.count > limit

    async def _wait_for_credentials(self) -> Ending | None:
        """Show what is missing and wait until nothing is; how the run ends where that cannot be, or takes an hour."""
        if not self.missing:
            return None
        deadline = time.monotonic() + GIVE_UP_CREDENTIALS
        await self._set_status(Run.Status.WAITING)
        while self.missing:
            path = self.conversation_path
            cards = await services_to_connect_async(self.gateway, self.missing, self.agent_id, path)
            if sentence := cannot_connect(cards):
                return Ending(Run.Status.FAILED, sentence)
            self._show_missing(connect_cards(cards))
            await self._pause()
            if time.monotonic() > deadline:
                return Ending(Run.Status.INTERRUPTED, "Nothing was connected within an hour.")
            try:
                self.missing = await unblocked(self.gateway.missing_services, self.agent_id)
            except (SignedOut, GatewayUnavailable):
                continue  # the person may sign in again, the gateway may come back: the next look tells
        self.answer.show("connect", mark_safe(""))
        await self._set_status(Run.Status.RUNNING)
        return None

    def _show_missing(self, html: SafeString) -> None:
        self.answer.show("connect", mark_safe(f'<div data-step="connect">{html}</div>'))  # noqa: S308  (by templates)

    async def _pause(self) -> None:
        """Until the next look at the credentials: at once when something was connected, slowly when nobody is there."""
        try:
            async with asyncio.timeout(until_next_look(is_followed=bool(self.answer.log.followers))):
                await self.nudged.wait()
        except TimeoutError:
            pass
        self.nudged.clear()

    async def _set_status(self, status: Run.Status) -> None:
        """As far as the database takes it now: nothing depends on it, and its end is kept in any case."""
        try:
            await self._save(status=status)
        except Error as exc:
            logger.warning("run %s: that it is %s could not be saved: %r", self.id, status, exc)

    async def _end(self, ending: Ending) -> None:
        """Keep how it ended with as much of the answer as can be kept, then tell the followers what was kept."""
        self.answer.show("connect", mark_safe(""))
        for kept, keep in ((ending, self._keep_whole), (OUR_FAULT, self._keep_whole), (NOT_KEPT, self._keep_end)):
            try:
                html = await keep(kept)
            except Exception:  # it cannot be shown, or the database does not take it
                logger.exception("the end of run %s could not be saved", self.id)
                continue
            if kept.status in Run.BROKEN_OFF:
                caller_left(self.agent_id)
            _live.pop(self.id, None)
            self.answer.end({"status": kept.status, "html": html})
            return

    async def _keep_whole(self, ending: Ending) -> SafeString:
        """Save the answer and how it ended; gives what stands under it."""
        self.answer.decide(await self._approvals())
        self.answer.break_off()
        parts = self.answer.parts()
        asked = interrupts.opened(self.answer.interrupts) if ending.status == Run.Status.ASKING else []
        html = pieces.end(self.id, ending.status, ending.problem, ending.detail)
        if asked:
            html = interrupts.rendered(self.id, asked, parts)
        await self._keep(
            parts=parts,
            interrupts=asked,
            status=ending.status,
            problem=cut(ending.problem, LONGEST_PROBLEM),
            detail=ending.detail,
            events=self.answer.log.number + 1,
            ended_at=timezone.now(),
        )
        await self._approvals(has_ended=True)
        return html

    async def _approvals(self, *, has_ended: bool = False) -> pieces.Approvals:
        """How its calls were decided, as far as the database says now: its end waits for nothing of that."""
        parts = self.answer.parts()
        if not any(part["kind"] == "tool" for part in every(parts)):
            return pieces.NO_APPROVALS
        try:
            return await database_sync_to_async(approvals.settle)(self.id, parts, has_ended=has_ended)
        except Error as exc:
            logger.warning("run %s: how its calls were decided could not be read: %r", self.id, exc)
            return pieces.NO_APPROVALS

    async def _keep_end(self, ending: Ending) -> SafeString:
        """Save how it ended, beside the answer as it was saved last."""
        await self._keep(status=ending.status, problem=ending.problem, ended_at=timezone.now(), events=0)
        return pieces.end(self.id, ending.status, ending.problem, ending.detail)

    async def _keep(self, **columns: object) -> None:
        """Save it, however long the database is away, locked or full: it is not told again, and nobody else has it.

        Raises django.db.Error when the database takes everything but this.
        """
        pauses = chain(END_AGAIN, repeat(END_AGAIN[-1]))
        away = False
        while True:
            try:
                return await self._save(**columns)
            except Error as exc:
                if saving.is_refused(exc):
                    raise
                if not away:
                    logger.warning("the end of run %s is kept in memory until the database takes it: %r", self.id, exc)
                away = True
                await asyncio.sleep(next(pauses))

    @database_sync_to_async
    def _save(self, **columns: object) -> None:
        if "ended_at" in columns:
            saving.keep_end(self.id, columns)
        else:
            Run.objects.filter(id=self.id).update(**columns)


def until_next_look(*, is_followed: bool) -> float:
    """Seconds, never quite the same: many that began to wait at one moment must not ask at one moment."""
    pause = CHECK_CREDENTIALS_EVERY if is_followed else 6 * CHECK_CREDENTIALS_EVERY
    return pause * random.uniform(0.7, 1.3)  # noqa: S311


@bus.hears(approvals.ENDED)
def _hear_ended(payload: dict[str, Any]) -> None:
    """From any thread."""
    if loop := next((run.task.get_loop() for run in list(_live.values()) if run.task is not None), None):
        loop.call_soon_threadsafe(_show_ended, payload)


def _show_ended(payload: dict[str, Any]) -> None:
    """An approval ended: the answer whose call it was about shows it, if it is given here."""
    for run in list(_live.values()):
        if run.user_id == payload["user_id"] and payload["run_id"] in (None, str(run.id)):
            approval = approvals.of_payload(payload)
            if approval.agent_id not in ("", run.agent_id):
                continue
            step = approval.step or approvals.step_of(approval, run.answer.parts(), run.answer.decided)
            if step:
                run.answer.decide({step: approval})
                run.has_grown = True  # it may be shown a moment later
                _save_soon()
                return


async def start(run: LiveRun) -> None:
    """Begin; the task belongs to this process, and to no request: hence the empty context."""
    watch()
    processes.take(RUN, "", str(run.id))
    _live[run.id] = run
    run.task = asyncio.create_task(run.work(), context=contextvars.Context())


def _save_soon() -> None:
    """An answer grew. One task saves all that did: a thread hop and a commit each took a quarter of a busy relay."""
    global _saver  # noqa: PLW0603
    if _saver is None or _saver.done():
        _saver = asyncio.create_task(_save_as_they_grow(), name="saver", context=contextvars.Context())


async def _save_as_they_grow() -> None:
    """Until nothing grew any more; a few at a time, so that none of it holds up the relay for long."""
    while grown := [run for run in _live.values() if run.has_grown]:
        begun = time.monotonic()
        for start in range(0, len(grown), SAVED_AT_ONCE):
            started = time.monotonic()
            await _save_those(grown[start : start + SAVED_AT_ONCE])
            await asyncio.sleep(SAVE_SHARE * (time.monotonic() - started))
        await asyncio.sleep(max(0.0, begun + SAVE_EVERY - time.monotonic()))


async def _save_those(grown: list[LiveRun]) -> None:
    grown = [run for run in grown if run.id in _live]
    for run in grown:
        run.has_grown = False
    parts = [(run.id, run.kept, run.answer.parts()) for run in grown]
    for run in grown:
        run.has_grown = run.answer.is_behind  # comes back for what was not shown yet
    try:
        await asyncio.get_running_loop().run_in_executor(_saving, saving.save_all, parts)
    except Exception:  # the answers go on; the next save has it all
        logger.exception("%d answers could not be saved", len(grown))


@contextmanager
def starting(run_id: UUID) -> Iterator[None]:
    """While a run's row is written and its task begins: nobody may take it for one that its process left behind."""
    _starting.add(run_id)
    try:
        with processes.in_hand(RUN, "", str(run_id)):
            yield
    finally:
        _starting.discard(run_id)


def live(run_id: UUID) -> LiveRun | None:
    return _live.get(run_id)


def whole_so_far(run: Run, ended: pieces.Approvals = pieces.NO_APPROVALS) -> Whole:
    """For a page, from any thread: the answer of an open run, whichever process works on it.

    Where that is not to be had, as it was saved last: its number is UNKNOWN, and followers get it whole first.
    """
    if (here := _live.get(run.id)) is not None:
        return here.whole_now()
    whole = shared.whole_now(run.id) if bus.is_shared() and run.id not in _starting else Whole(0, "", "")
    if whole.number or not run.parts:
        return whole
    agent_id = run.message.conversation.agent_id
    shown = (pieces.of_part(part, agent_id, approvals=ended, is_open=True) for part in run.parts)
    return Whole(UNKNOWN, "".join(shown), "")


def is_here(run_id: UUID) -> bool:
    return run_id in _live or run_id in _starting


def is_of_here(run: Run) -> bool:
    """Whether it is, or was, this process that works on it."""
    return run.process == processes.my_id()


async def stop(run_id: UUID) -> None:
    """Close the upstream and end the run, whichever process works on it; returns when it has ended."""
    if run_id not in _live:
        bus.tell("stop run", str(run_id))
    for _ in range(STOP_LOOKS):
        if run_id in _live:  # now, or once it has started
            await _stop_here(run_id)
            return
        if not await Run.objects.filter(id=run_id, status__in=Run.OPEN).aexists():
            return
        await asyncio.sleep(STOP_LOOK_EVERY)


@bus.hears("stop run")
def _hear_stop(payload: str) -> None:
    if (run := _live.get(UUID(payload))) is not None:
        run.cancel(STOPPED)


async def _stop_here(run_id: UUID) -> None:
    run = _live.get(run_id)
    if run is not None and run.task is not None:
        run.cancel(STOPPED)
        await asyncio.wait([run.task])


async def _keep_ends() -> None:
    """The process ends, whether the database takes what is still to be kept or not."""
    tasks = [run.task for run in _live.values() if run.task is not None]
    for run in list(_live.values()):
        run.cancel(PROCESS_ENDED)
    if tasks:
        _, unkept = await asyncio.wait(tasks, timeout=ENDS_WITHIN)
        if unkept:
            logger.error("the ends of %d runs could not be saved before the process ended", len(unkept))
        for task in unkept:
            task.cancel()


def nudge(user_id: int, gateway: Gateway) -> None:
    """Something was connected, or its person is here with a fresh token: let their waiting runs look again."""
    if bus.is_shared():
        bus.tell("look at credentials", [user_id, sealed(gateway.token)])
    else:
        _nudge_here(user_id, gateway.token)


@bus.hears("look at credentials")
def _hear_nudge(payload: tuple[int, str]) -> None:
    user_id, token = payload
    _nudge_here(user_id, opened(token))


def _nudge_here(user_id: int, token: str) -> None:
    for run in list(_live.values()):
        if run.user_id == user_id and run.task is not None:
            run.gateway = replace(run.gateway, token=token)
            run.task.get_loop().call_soon_threadsafe(run.nudged.set)


async def finish_all() -> None:
    """The process ends: answers get their grace, then they are marked as interrupted."""
    tasks = [run.task for run in _live.values() if run.task is not None]
    if tasks:
        await asyncio.wait(tasks, timeout=settings.SHUTDOWN_GRACE)
    await _keep_ends()
    for looking in _looking:
        looking.cancel()
    if _sharing:
        await asyncio.wait(_sharing, timeout=1)
    if _watch is not None:
        _watch.cancel()
    await shared.close()


def watch() -> None:
    """Find runs that nobody works on any more, and purge; once a process."""
    global _watch  # noqa: PLW0603
    bus.start()
    processes.start()
    if _watch is None or _watch.done():
        _watch = asyncio.create_task(_keep_watch(), name="runs", context=contextvars.Context())


async def _keep_watch() -> None:
    purge_at = 0.0  # monotonic seconds
    has_warned = False
    while True:
        try:
            for run_id, ending in (await _left_behind()).items():
                if not is_here(run_id):  # it may have begun since we looked
                    await _bury(run_id, ending)
            if not (has_warned or bus.is_shared()):
                has_warned = await _warn_of_others()
            if time.monotonic() >= purge_at:
                purge_at = time.monotonic() + PURGE_EVERY
                await database_sync_to_async(purge)()
        except Exception:
            logger.exception("nobody looked after the runs")
        await asyncio.sleep(LOOK_EVERY)


@database_sync_to_async
def _warn_of_others() -> bool:
    """Without Redis there is one process, as far as anybody was told."""
    others = processes.others_alive()
    if others:
        named = ", ".join(str(process.pid) for process in others)
        logger.warning(
            "Another process of Portico uses this database (process id %s). Set REDIS_URL for both, or end one:"
            " without it neither can stop an answer of the other, nor show it as it comes.",
            named,
        )
    return bool(others)


@database_sync_to_async
def _left_behind() -> dict[UUID, Ending]:
    """Runs that are open in the database and that no process works on, and what became of them."""
    open_runs = Run.objects.filter(status__in=Run.OPEN).exclude(id__in=[*_live, *_starting])
    return _fates(open_runs.only("id", "process", "created_at"))


def _fates(open_runs: Iterable[Run]) -> dict[UUID, Ending]:
    """Of those among these runs, none of them here, that nobody works on any more."""
    some = list(open_runs)
    states = processes.states_of(run.process for run in some if run.process) if some else {}
    fates: dict[UUID, Ending] = {}
    for run in some:
        if run.process == processes.my_id() or states.get(run.process) == "gone":
            fates[run.id] = PROCESS_ENDED
        elif states.get(run.process) == "silent":
            fates[run.id] = PROCESS_SILENT
        elif not run.process and run.created_at < timezone.now() - FROM_BEFORE:
            fates[run.id] = PROCESS_ENDED
    return fates


async def _bury(run_id: UUID, ending: Ending) -> None:
    if await database_sync_to_async(_mark_left)(run_id, ending) and bus.is_shared():
        html = pieces.end(run_id, ending.status, ending.problem, ending.detail)
        await shared.end_for(run_id, {"status": ending.status, "html": html})


def _mark_left(run_id: UUID, ending: Ending) -> bool:
    """True for the one process that did it."""
    return saving.bury(
        run_id,
        {
            "status": ending.status,
            "problem": ending.problem,
            "ended_at": timezone.now(),
            "events": 0,  # how many were sent is not known: followers get it whole
        },
    )


def seen_through(run: Run) -> Run:
    """The run as it really stands: one that is open in the database but that nobody works on is interrupted."""
    if run.is_open and not is_here(run.id) and not bus.is_shared():
        for run_id, ending in _fates([run]).items():
            _mark_left(run_id, ending)
        run.refresh_from_db()
    return run
