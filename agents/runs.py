"""Runs: each is a task of this process that asks the agent, feeds the answer to its followers, and keeps it.

The browser may leave, reload or follow from two tabs; the run goes on.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from ag_ui.core import RunAgentInput
from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from agents import pieces
from agents.answer import Answer
from agents.models import Run
from credentials.api import connect_cards
from gateway import Gateway, MissingService
from gateway.errors import AgentFailed, CredentialsRequired, GatewayError, GatewayUnavailable, SignedOut, StreamBroken

logger = logging.getLogger(__name__)

SAVE_EVERY = 0.25  # seconds
CHECK_CREDENTIALS_EVERY = 5.0  # seconds, while somebody follows
GIVE_UP_CREDENTIALS = 3600.0  # seconds

_live: dict[UUID, LiveRun] = {}
_starting: set[UUID] = set()


@dataclass(frozen=True, slots=True)
class Ending:
    status: Run.Status
    problem: str = ""  # a sentence for people
    detail: str = ""  # what the agent wrote: untrusted


STOPPED = Ending(Run.Status.STOPPED)
PROCESS_ENDED = Ending(Run.Status.INTERRUPTED, "Portico was restarted while the agent was answering.")


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
    answer: Answer = field(init=False)
    task: asyncio.Task[None] | None = None
    cancelled_as: Ending = STOPPED
    nudged: asyncio.Event = field(default_factory=asyncio.Event)
    unsaved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answer = Answer(self.agent_id)

    async def work(self) -> None:
        """Ask, relay, save. Whatever happens ends in one exact terminal state."""
        saver = asyncio.create_task(self._save_as_it_comes())
        try:
            ending = await self._ask()
        except asyncio.CancelledError:
            ending = self.cancelled_as
        except Exception:
            logger.exception("run %s", self.id)
            ending = Ending(Run.Status.FAILED, "Something went wrong in Portico itself.")
        saver.cancel()
        await asyncio.wait([saver])
        await self._end(ending)

    async def _ask(self) -> Ending:
        try:
            while await self._connected():
                try:
                    return await self._relay()
                except CredentialsRequired as refused:
                    self.missing = refused.missing
            return Ending(Run.Status.INTERRUPTED, "Nothing was connected within an hour.")
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
            async for events in batches:
                self.answer.feed(events)
                self.unsaved.set()
        if self.answer.error:
            return Ending(Run.Status.FAILED, "The agent reported an error.", self.answer.error)
        return Ending(Run.Status.FINISHED)

    async def _connected(self) -> bool:
        """Show what is missing and wait until nothing is. False when nobody connected it within an hour."""
        if not self.missing:
            return True
        deadline = time.monotonic() + GIVE_UP_CREDENTIALS
        await self._set_status(Run.Status.WAITING)
        while self.missing:
            self.answer.show("connect", await self._cards())
            await self._pause()
            if time.monotonic() > deadline:
                return False
            try:
                self.missing = await asyncio.to_thread(self.gateway.missing_services, self.agent_id)
            except (SignedOut, GatewayUnavailable):
                continue  # the person may sign in again, the gateway may come back: the next look tells
        self.answer.show("connect", mark_safe(""))
        await self._set_status(Run.Status.RUNNING)
        return True

    async def _pause(self) -> None:
        """Until the next look at the credentials: at once when something was connected, slowly when nobody is there."""
        pause = CHECK_CREDENTIALS_EVERY if self.answer.log.followers else 6 * CHECK_CREDENTIALS_EVERY
        try:
            async with asyncio.timeout(pause):
                await self.nudged.wait()
        except TimeoutError:
            pass
        self.nudged.clear()

    async def _cards(self) -> SafeString:
        html = await asyncio.to_thread(connect_cards, self.gateway, self.missing, self.agent_id, self.conversation_path)
        return mark_safe(f'<div data-step="connect">{html}</div>')  # noqa: S308  (rendered by templates)

    async def _save_as_it_comes(self) -> None:
        while True:
            await self.unsaved.wait()
            self.unsaved.clear()
            try:
                await self._save(parts=self.answer.parts())
            except Exception:  # the answer goes on; the next save has it all
                logger.exception("run %s could not be saved", self.id)
            await asyncio.sleep(SAVE_EVERY)

    async def _set_status(self, status: Run.Status) -> None:
        await self._save(status=status)

    async def _end(self, ending: Ending) -> None:
        self.answer.show("connect", mark_safe(""))
        self.answer.break_off()
        html = pieces.end(self.id, ending.status, ending.problem, ending.detail)
        try:
            await self._save(
                parts=self.answer.parts(),
                status=ending.status,
                problem=ending.problem,
                detail=ending.detail,
                events=self.answer.log.number + 1,
                ended_at=timezone.now(),
            )
        except Exception:
            logger.exception("the end of run %s could not be saved", self.id)
        _live.pop(self.id, None)
        self.answer.log.append("end", {"status": ending.status, "html": html})
        self.answer.log.close()

    @database_sync_to_async
    def _save(self, **columns: object) -> None:
        Run.objects.filter(id=self.id).update(**columns)


async def start(run: LiveRun) -> None:
    """Begin; the task belongs to this process, and to no request: hence the empty context."""
    _live[run.id] = run
    run.task = asyncio.create_task(run.work(), context=contextvars.Context())


@contextmanager
def starting(run_id: UUID) -> Iterator[None]:
    """While a run's row is written and its task begins: nobody may take it for one that its process left behind."""
    _starting.add(run_id)
    try:
        yield
    finally:
        _starting.discard(run_id)


def live(run_id: UUID) -> LiveRun | None:
    return _live.get(run_id)


def is_going_on(run_id: UUID) -> bool:
    return run_id in _live or run_id in _starting


async def stop(run_id: UUID, ending: Ending = STOPPED) -> None:
    """Close the upstream and end the run; returns when it has ended."""
    run = _live.get(run_id)
    if run is not None and run.task is not None:
        run.cancelled_as = ending
        run.task.cancel()
        await asyncio.wait([run.task])


def nudge(user_id: int, gateway: Gateway) -> None:
    """Something was connected, or its person is here with a fresh token: let their waiting runs look again."""
    for run in list(_live.values()):
        if run.user_id == user_id and run.task is not None:
            run.gateway = gateway
            run.task.get_loop().call_soon_threadsafe(run.nudged.set)


async def finish_all() -> None:
    """The process ends: answers get their grace, then they are marked as interrupted."""
    tasks = [run.task for run in _live.values() if run.task is not None]
    if tasks:
        await asyncio.wait(tasks, timeout=settings.SHUTDOWN_GRACE)
    await asyncio.gather(*(stop(run_id, PROCESS_ENDED) for run_id in list(_live)))


def seen_through(run: Run) -> Run:
    """The run as it really stands: one that is open in the database but that nobody works on is interrupted."""
    if run.is_open and not is_going_on(run.id):
        Run.objects.filter(id=run.id, status__in=Run.OPEN).update(
            status=Run.Status.INTERRUPTED,
            problem=PROCESS_ENDED.problem,
            ended_at=timezone.now(),
            events=0,  # how many were sent is not known: followers get it whole
        )
        run.refresh_from_db()
    return run
