"""Lines of the log that nobody else can write."""

from __future__ import annotations

import logging
import re
from types import TracebackType

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
