"""A tiny HTTP server that answers what a recording says, for one method and path after the other."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

RECORDINGS = Path(__file__).parent / "recordings"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded question and its answer."""

    scenario: str
    number: int
    what: str
    method: str
    path: str
    headers: dict[str, str]
    status: int | None
    response: dict[str, Any] = field(repr=False)
    request_body: Any = None

    @property
    def body(self) -> Any:
        return self.response.get("body")

    @property
    def frames(self) -> list[dict[str, Any]]:
        """The recorded server-sent events, without comments."""
        return [frame for frame in self.response.get("frames", []) if "data" in frame]

    @property
    def is_stream(self) -> bool:
        return "text/event-stream" in self.response.get("headers", {}).get("content-type", "")

    @property
    def breaks(self) -> bool:
        return str(self.response.get("ended_by", "")).startswith("transport error")

    @property
    def bears_a_token(self) -> bool:
        return self.headers.get("Authorization", "").startswith("Bearer ") and "_token=" not in self.path

    def sent(self) -> bytes:
        """The body as bytes: of a stream, the frames put together again, or the raw bytes where all are there."""
        if not self.is_stream:
            return b"" if self.response.get("body_encoding") == "empty" else json.dumps(self.body).encode()
        tail = self.response.get("unterminated_tail")
        if tail:
            raw = str(self.response["raw_first_bytes"])
            assert raw.endswith(tail)
            return raw.encode()
        return "".join(_frame(frame) for frame in self.response.get("frames", [])).encode()


def _frame(frame: dict[str, Any]) -> str:
    if "comment" in frame:
        return f":{frame['comment']}\n\n"
    lines = [f"event: {frame['event']}"] if frame.get("event") else []
    lines += [f"data: {line}" for line in str(frame["data"]).split("\n")]
    return "\n".join(lines) + "\n\n"


def recorded(scenario: str) -> list[Exchange]:
    doc = json.loads((RECORDINGS / f"{scenario}.json").read_text())
    return [
        Exchange(
            scenario=scenario,
            number=number,
            what=exchange["what"],
            method=exchange["request"]["method"],
            path=exchange["request"]["path"],
            headers=exchange["request"].get("headers", {}),
            request_body=exchange["request"].get("body"),
            status=exchange["response"].get("status"),
            response=exchange["response"],
        )
        for number, exchange in enumerate(doc["exchanges"])
    ]


@dataclass
class Replay:
    """Where the recorded answers are given, and what was asked for them."""

    url: str
    expected: deque[tuple[str, str, Exchange]]
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)


@contextmanager
def replayed(*exchanges: Exchange, at: str = "") -> Iterator[Replay]:
    """Answer these exchanges in their order; `at` is the path to expect, where it is not the recorded one."""
    replay = Replay("", deque((one.method, at or one.path, one) for one in exchanges))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            replay.asked.append((self.command, self.path, dict(self.headers), json.loads(content) if content else None))
            self.close_connection = True
            method, path, exchange = replay.expected.popleft() if replay.expected else ("", "", None)
            if exchange is None or (method, path) != (self.command, self.path):
                self.send_error(599, f"expected {method} {path}")
                return
            assert exchange.status is not None
            self.send_response(exchange.status)
            for name, value in exchange.response["headers"].items():
                if name not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            content = exchange.sent()
            if exchange.is_stream:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for start in range(0, len(content), 100):  # cut anywhere
                    piece = content[start : start + 100]
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                if not exchange.breaks:
                    self.wfile.write(b"0\r\n\r\n")
            else:
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # its end waits for theirs
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    replay.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield replay
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
