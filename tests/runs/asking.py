"""An agent that says what we know beforehand, at the pace that we want."""

from __future__ import annotations

import json
import socket
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


def reading_nothing(visitor: Visitor, run: str) -> socket.socket:
    """A follower that has asked, and whose line takes little."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    line.settimeout(60)
    line.connect(("127.0.0.1", visitor.portico.port))
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.session.cookies)
    line.sendall(
        f"GET /runs/{run}/events/?after=0 HTTP/1.1\r\nHost: 127.0.0.1:{visitor.portico.port}\r\n"
        f"Cookie: {cookies}\r\nConnection: close\r\n\r\n".encode()
    )
    return line
