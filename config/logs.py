"""Lines of the log that nobody else can write, and one line an outage."""

from __future__ import annotations

import logging
import re
import time
from types import TracebackType

from config.outages import is_outage

QUIET = 60.0  # seconds without trouble, after which the next is a new outage

_UNSEEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def escaped(text: str) -> str:
    """Line breaks, control and direction characters as escapes: a path or a name could forge a line with them."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


class LineFormatter(logging.Formatter):
    """One line a record; a traceback follows with each of its lines indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = escaped(record.message)
        return super().formatMessage(record)

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        return "\n".join(f"  {escaped(line)}" for line in super().formatException(ei).split("\n"))


class OneLineAnOutage(logging.Filter):
    """Each page that fails for the database has the same to say: the first one says it, in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._last = -QUIET  # seconds of the monotonic clock

    def filter(self, record: logging.LogRecord) -> bool:
        problem = record.exc_info[1] if record.exc_info else None
        if not is_outage(problem):
            return True
        now = time.monotonic()
        is_new = now - self._last >= QUIET
        self._last = now
        record.msg, record.args = "the database does not answer as it should: %s", (problem,)
        record.exc_info = record.exc_text = None
        return is_new
