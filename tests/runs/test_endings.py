"""A process that is told to end, or dies, leaves every answer in a true state; in both dialects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.embedded import Embedded
from tests.portico import BOTH, Portico, Visitor
from tests.runs.asking import begin, source_of, told
from tests.stories.following import events_of, transcript

SOON = {"rate": 40, "count": 120, "story": "geese"}  # three seconds
LATE = {"rate": 40, "count": 8000, "story": "tides"}


@pytest.fixture
def patient(gateway: Embedded) -> Iterator[Portico]:
    server = Portico(gateway.url, SHUTDOWN_GRACE="6").start()
    yield server
    server.kill()  # the grace of what still runs is not waited for
    server.close()


@pytest.mark.parametrize("gateway", BOTH, indirect=True, scope="session")
def test_on_sigterm_answers_get_their_grace_and_then_they_are_marked(patient: Portico) -> None:
    ana = Visitor(patient)
    ana.signs_in("user@example.com")
    late_path, late = begin(ana, LATE)
    soon_path, soon = begin(ana, SOON)
    next(events_of(ana, soon))
    patient.stop()
    patient.start()
    assert source_of(ana, soon) == told(SOON)
    assert "Interrupted" not in transcript(ana.reads(soon_path))
    ends_as_interrupted(ana, late_path, late)
    ana.session.close()


def test_a_killed_process_leaves_its_answers_interrupted_at_the_next_start(patient: Portico) -> None:
    ana = Visitor(patient)
    ana.signs_in("user@example.com")
    path, run = begin(ana, LATE)
    for _, name, _ in events_of(ana, run):
        if name == "block":
            break
    patient.kill()
    patient.start()
    ends_as_interrupted(ana, path, run)
    ana.session.close()


def ends_as_interrupted(visitor: Visitor, path: str, run: str) -> None:
    """With a part of the text, in order from its beginning, and another attempt to be had."""
    shown = transcript(visitor.reads(path))
    assert "Interrupted: Portico was restarted" in shown
    assert "Retry" in shown
    kept = source_of(visitor, run)
    assert kept
    assert told(LATE).startswith(kept)
    again = visitor.posts(f"/runs/{run}/retry/", page=path)
    assert 'aria-busy="true"' in again.text
