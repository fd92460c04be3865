"""What people read when it is not the gateway that failed; by Django's rule, named in the root urls."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.views.defaults import server_error

from accounts.context_processors import THEMES
from accounts.refusing import Refusal, answer, shape_of
from accounts.requests import page_of
from accounts.typed import size_of, typed
from config.outages import is_outage

MEGABYTE = 1024**2

GO_BACK = "Go back: what you typed is still there."
COPY = "What you wrote stands below: copy it, make it shorter, and send it in parts."

NO_PAGE = Refusal(
    405,
    "This cannot be opened like that",
    "The address belongs to a button on one of our pages. Nothing was done.",
)
NOTHING_HERE = Refusal(
    404, "There is nothing here", "What you asked for does not exist, or it belongs to somebody else."
)
NOT_FOR_YOU = Refusal(
    403,
    "This is not for you",
    "Your roles on this gateway do not allow it. If they should, ask your operator.",
)


class InWords:
    """A request that Django cannot read, or whose method nobody takes, is refused in our words."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (problem := _problem_of(request)) is not None:
            return _refused(request, problem)
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return _not_allowed(request, response)
        return response


def _problem_of(request: HttpRequest) -> Exception | None:
    try:
        request.get_host()
        _ = request.GET
        if request.method == "POST":
            if size_of(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                return RequestDataTooBig()
            _ = request.POST
    except (SuspiciousOperation, MultiPartParserError, BadRequest, TypeError, ValueError) as exc:
        return exc  # the last two are what it makes of odd parameters in the head of a part
    return None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _refused(request, exception)


def _refused(request: HttpRequest, problem: Exception) -> HttpResponse:
    if isinstance(problem, DisallowedHost):
        advice = "Open it at the address that you were given. Whoever runs it names its addresses in ALLOWED_HOSTS."
        return _answer(request, Refusal(400, "Portico does not answer to this address", advice, back=""))
    texts = typed(request)
    page = page_of(request) if request.method == "POST" else "/"
    kept = COPY if texts and shape_of(_lower(request)) == "page" else GO_BACK
    if isinstance(problem, RequestDataTooBig):
        limit = (
            f"Portico takes at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // MEGABYTE} MB at once. Nothing was sent."
        )
        refusal = Refusal(413, "This is too large to be sent at once", f"{limit} {kept}", texts, page)
    elif isinstance(problem, TooManyFieldsSent | TooManyFilesSent):
        limit = f"Portico takes at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS} fields at once. Nothing was sent."
        refusal = Refusal(413, "This form has too many fields", f"{limit} {kept}", texts, page)
    else:
        refusal = Refusal(400, "This form could not be read", f"Nothing was sent. {kept}", texts, page)
    return _answer(request, refusal)


def _not_allowed(request: HttpRequest, response: HttpResponseNotAllowed) -> HttpResponse:
    page = _in_frame(request, NO_PAGE, "info")
    page["Allow"] = response["Allow"]
    return page


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _in_frame(request, NOTHING_HERE, "info")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _in_frame(request, NOT_FOR_YOU, "shield")


def _in_frame(request: HttpRequest, refusal: Refusal, icon: str) -> HttpResponse:
    """With the menu of whoever reads a page; as any refusal for anybody else."""
    if shape_of(_lower(request)) != "page":
        return _answer(request, refusal)
    return render(request, "refused_in_frame.html", {"refusal": refusal, "icon": icon}, status=refusal.status)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form came from elsewhere, or from a page that is older than the session. Named in the settings."""
    if shape_of(_lower(request)) == "page":
        return render(request, "403_csrf.html", {"typed": typed(request), "back": page_of(request)}, status=403)
    advice = "For your safety nothing was sent. Copy what you typed, reload the page, and send it again."
    return _answer(request, Refusal(403, "This page was open too long", advice))


def broken(request: HttpRequest) -> HttpResponse:
    """The database is away, locked, full or takes no writing: a 503 that gives back what was typed. Else a 500."""
    is_page = shape_of(_lower(request)) == "page"
    if not is_outage(sys.exc_info()[1]):
        advice = "It was written down for the people who run Portico. Try again; what was saved is still there."
        return (
            server_error(request) if is_page else _answer(request, Refusal(500, "Something broke on our side", advice))
        )
    if not is_page:
        advice = "What you typed may not have been saved. Try again in a moment."
        return _answer(request, Refusal(503, "Portico cannot use its database right now", advice))
    again = request.get_full_path() if request.method == "GET" else page_of(request)
    context = {"typed": typed(request), "again": again, "theme": _theme(request)}
    return render(None, "503.html", context, status=503)


def _answer(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return answer(refusal, _lower(request), _theme(request))


def _lower(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _theme(request: HttpRequest) -> str:
    theme = request.COOKIES.get("portico_theme", "")
    return theme if theme in THEMES else ""
