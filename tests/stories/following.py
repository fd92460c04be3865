"""Following a run as a browser's EventSource does, and a page as a person reads it."""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import requests

from tests.portico import Visitor
from tests.stories.browsing import Page

PATIENCE = 20  # seconds


def run_of(page: str) -> str:
    """The id of the last run on a chat page."""
    return str(re.findall(r'data-run="([^"]+)"', page)[-1])


def events_of(visitor: Visitor, run: str, after: int = 0) -> Generator[tuple[int, str, Any]]:
    """(number, name, data) of each event that a follower is sent, until the run's end."""
    with visitor.gets(f"/runs/{run}/events/?after={after}", stream=True) as response:
        assert response.status_code == 200, response.status_code
        assert response.headers["content-type"].startswith("text/event-stream")
        for frame in frames_of(response):
            fields = dict(line.split(": ", 1) for line in frame.split("\n") if not line.startswith(":"))
            if "id" in fields:
                yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def frames_of(response: requests.Response) -> Generator[str]:
    """What stands between empty lines, however long: `iter_lines` would copy a long line for each of its chunks."""
    rest = bytearray()
    for chunk in response.iter_content(None):
        searched = max(0, len(rest) - 1)
        rest += chunk
        if (end := rest.rfind(b"\n\n", searched)) >= 0:
            frames = rest[:end].decode()
            del rest[: end + 2]
            yield from frames.split("\n\n")


def watched(visitor: Visitor, run: str, after: int = 0) -> tuple[str, str]:
    """What a page that follows the run shows in the end: (text of the answer, status)."""
    page = Page()
    for _, name, data in events_of(visitor, run, after):
        if name == "end":
            return plain(page.html + data["html"]), data["status"]
        page.hear(name, data)
    raise AssertionError("the stream ended without an end")


def plain(page: str) -> str:
    """The words of a page, without markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page))).strip()


def transcript(page: str) -> str:
    """The words of the conversation on a chat page."""
    found = re.search(r'role="log".*?data-end-of-log', page, re.S)
    assert found, "no transcript"
    return plain(found[0])


def eventually(look: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Look again until it is so."""
    deadline = time.monotonic() + patience
    pause = threading.Event()
    while not look():
        assert time.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.05)
