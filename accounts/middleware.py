"""Gives every request its gateway, and turns what the gateway refused into a page."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.checking import is_due, verdict
from accounts.requests import end_session, sign_in_again
from accounts.sessions import GatewaySession, anonymous_gateway, gateway_session, mark_checked, reason_of_end
from gateway.errors import GatewayError, SignedOut

logger = logging.getLogger(__name__)


class GatewayMiddleware:
    """`request.gateway`: the calls, bound to this person's token. Ends sessions that the gateway would refuse."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        kept = gateway_session(request.session) if request.user.is_authenticated else None
        if request.user.is_authenticated and (ending := _reason_to_end(request, kept)):
            end_session(request, ending)
            kept = None
        request.kept = kept  # type: ignore[attr-defined]  # both are declared by SignedInRequest
        request.gateway = kept.gateway if kept else anonymous_gateway()  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, SignedOut):
            end_session(request, exception.message)
            return sign_in_again(request)
        if isinstance(exception, GatewayError):
            logger.info("%s %s: %r, from %r", request.method, request.path, exception, exception.__cause__)
            if request.htmx:  # type: ignore[attr-defined]
                return HttpResponse(exception.message, content_type="text/plain", status=exception.status)
            return render(request, "gateway_error.html", _told(request, exception), status=exception.status)
        return None


def _reason_to_end(request: HttpRequest, kept: GatewaySession | None) -> str:
    """A sentence for people when this session must not go on, else an empty text."""
    if kept is None or kept.is_over:
        return reason_of_end(request.session) or SignedOut.message
    if not is_due(kept.checked_at):
        return ""
    ending, checked_at = verdict(kept)
    if not ending and checked_at != kept.checked_at:
        mark_checked(request.session, checked_at)
    return ending


def _told(request: HttpRequest, problem: GatewayError) -> dict[str, str]:
    return {
        "sentence": problem.message,
        "advice": "Nothing that you wrote is lost." if problem.status >= 500 else "",
        "retry_url": request.get_full_path() if request.method == "GET" and problem.status >= 500 else "",
    }
