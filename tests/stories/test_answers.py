"""What an AG-UI agent can do beside talking, as a person sees it, live and after a reload."""

from __future__ import annotations

import pytest

from embedded import ids
from tests.portico import Visitor
from tests.stories.following import transcript, watched
from tests.stories.test_chat import ask


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("please think aloud", ["Reasoning", "It cannot be done"]),
        ("use steps", ["Done Look it up", "All three steps"]),
        ("ask a sub-agent", ["Librarian", "The stamp is lost."]),
        ("show state", ["State", "cheese"]),
        ("make a plan", ["PLAN", "Go · done"]),
        ("send custom events", ["Other events (2)", "sunny"]),
        ("speak in roles", ["Developer", "This is said as system."]),
        ("tell usage", ["1,200 tokens in"]),
        ("use a tool", ["look_up", "There are seven."]),
        ("take a snapshot", ["This was never streamed"]),
        ("hello", ["Ask me to"]),
    ],
)
def test_whoever_follows_and_whoever_comes_later_see_it(ana: Visitor, words: str, shown: list[str]) -> None:
    path, run = ask(ana, ids.SHOWCASE, words)
    live, status = watched(ana, run)
    page = transcript(ana.reads(path))
    assert status == "finished"
    for text in shown:
        assert text in live
        assert text in page
