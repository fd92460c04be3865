"""What it costs to keep an answer of 400 tokens while it comes: the whole of it, in each database.

The runs are real, in a process of its own, and so is the agent. The baseline is saving the same answer once.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

from embedded import ids
from tests.embedded import Embedded
from tests.portico import ROOT
from tests.servers import postgres_server

ROUNDS = 5
ANSWER = {"rate": 50, "count": 400, "story": "ferries"}  # eight seconds
GOALS = {"sqlite": 10.0, "postgresql": 30.0}  # ms


def measure() -> Iterator[dict[str, Any]]:
    with ExitStack() as leaving:
        gateway = leaving.enter_context(Embedded.start())
        folder = leaving.enter_context(tempfile.TemporaryDirectory())
        databases = {"sqlite": f"sqlite:///{folder}/db.sqlite3", "postgresql": leaving.enter_context(postgres_server())}
        for name, address in databases.items():
            told = json.loads(saved_in(address, gateway))
            value, baseline = statistics.median(told["whole"]), statistics.median(told["once"])
            yield {
                "name": f"run_saving_{name}",
                "value": round(value, 3),
                "unit": "ms an answer",
                "baseline": round(baseline, 3),
                "ratio": round(value / baseline, 2),
                "goal": GOALS[name],
                "met": value <= GOALS[name],
                "saves": statistics.median(told["saves"]),
            }


def saved_in(database: str, gateway: Embedded) -> str:
    chosen = {
        "DEBUG": "",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATABASE_URL": database,
        "GATEWAY_URL": gateway.url,
    }
    environment = {**os.environ, **chosen}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "-m", "tests.bench.saving", gateway.url, gateway.token("user@example.com")]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


async def answered(url: str, token: str) -> dict[str, list[float]]:
    """ms spent in saving, a run each; the same for saving it once; and how often it was saved."""
    from ag_ui.core import RunAgentInput, UserMessage  # noqa: PLC0415  (Django has to be set up first)
    from channels.db import database_sync_to_async  # noqa: PLC0415

    from accounts.models import User  # noqa: PLC0415
    from agents import runs  # noqa: PLC0415
    from agents.models import Conversation, Message, Run  # noqa: PLC0415
    from gateway import Gateway  # noqa: PLC0415

    def timed(save: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def timed_save(*arguments: object, **columns: object) -> None:
            started = time.perf_counter()
            await save(*arguments, **columns)
            spent.append(1000 * (time.perf_counter() - started))

        return timed_save

    for place, name in ((runs, "_save_those"), (runs.LiveRun, "_save")):
        setattr(place, name, timed(vars(place)[name]))

    @database_sync_to_async
    def asked() -> Run:
        user, _ = User.objects.get_or_create(subject="ana", gateway=url, gateway_id="ana")
        conversation = Conversation.objects.create(user=user, agent_id=ids.METRONOME, agent_name="M", title="t")
        return Run.objects.create(message=Message.objects.create(conversation=conversation, text="?"))

    spent: list[float] = []
    told: dict[str, list[float]] = {"whole": [], "once": [], "saves": []}
    for _ in range(ROUNDS):
        spent.clear()
        run = await asked()
        question = RunAgentInput(
            thread_id=str(uuid.uuid4()),
            run_id=str(run.id),
            state={},
            messages=[UserMessage(id="1", content=json.dumps(ANSWER))],
            tools=[],
            context=[],
            forwarded_props={},
        )
        live = runs.LiveRun(run.id, 0, ids.METRONOME, "/", Gateway(url, token), question, ())
        await runs.start(live)
        assert live.task
        await live.task
        told["whole"].append(sum(spent))
        told["saves"].append(len(spent))
        await live._save(parts=live.answer.parts())
        told["once"].append(spent[-1])
        await database_sync_to_async(run.refresh_from_db)()
        assert run.status == Run.Status.FINISHED
    return told


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    sys.stdout.write(json.dumps(asyncio.run(answered(sys.argv[1], sys.argv[2]))))
