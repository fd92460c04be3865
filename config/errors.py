"""What people read when it is not the gateway that failed; by Django's rule, named in the root urls."""

from __future__ import annotations

import logging
import sys
import time

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.defaults import server_error

TYPED = ("message", "reason", "title")  # the fields that people write; never a password or a key
QUIET = 60.0  # seconds without trouble, after which the next is a new outage


def broken(request: HttpRequest) -> HttpResponse:
    """The database is away, locked, full or takes no writing: a 503 that gives back what was typed. Else a 500."""
    if not isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return server_error(request)
    typed = [text for name in TYPED for text in request.POST.getlist(name) if text] if request.method == "POST" else []
    again = request.get_full_path() if request.method == "GET" else ""
    return render(None, "503.html", {"typed": typed, "again": again}, status=503)


class OneLineAnOutage(logging.Filter):
    """Each page that fails for the database has the same to say: the first one says it, in one line."""

    def __init__(self) -> None:
        super().__init__()
        self._last = -QUIET  # seconds of the monotonic clock

    def filter(self, record: logging.LogRecord) -> bool:
        problem = record.exc_info[1] if record.exc_info else None
        if not isinstance(problem, (OperationalError, InterfaceError)):
            return True
        now = time.monotonic()
        is_new = now - self._last >= QUIET
        self._last = now
        record.msg, record.args = "the database does not answer as it should: %s", (problem,)
        record.exc_info = record.exc_text = None
        return is_new
