"""An agent that says what we know beforehand, at the pace that we want."""

from __future__ import annotations

import json
from typing import Any

from embedded import ids
from embedded.agents.metronome import Wanted
from tests.portico import Portico, Visitor
from tests.stories.following import run_of


def told(wanted: dict[str, Any]) -> str:
    """All that the Metronome says when it is asked for this."""
    return "".join(Wanted(**wanted).deltas())


def begin(visitor: Visitor, wanted: dict[str, Any]) -> tuple[str, str]:
    """(path of the conversation, id of its run)"""
    page = visitor.posts(f"/agents/{ids.METRONOME}/", message=json.dumps(wanted))
    assert "/conversations/" in page.url, page.status_code
    return page.url.removeprefix(visitor.portico.url), run_of(page.text)


def source_of(visitor: Visitor, run: str) -> str:
    """The answer as the agent wrote it, as it is kept."""
    answer = visitor.gets(f"/runs/{run}/answer.md")
    assert answer.status_code == 200
    return answer.content.decode()


def pid_of(portico: Portico) -> int:
    assert portico.process
    return portico.process.pid
