"""What a signed-in request is, and the ways out of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from accounts.addresses import split
from accounts.drafts import KEPT_FIELDS, keep_draft
from accounts.models import User
from accounts.refusing import Refusal, answer
from accounts.sessions import tell_ended
from accounts.typed import typed

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

    from accounts.sessions import GatewaySession
    from gateway import Gateway

P = ParamSpec("P")

UNSENT = {  # what somebody reads after signing in again, by what they had been doing
    "paste": "You were signed out before this was stored, and secrets are not kept: paste it once more.",
    "again": "You were signed out before this was done. Please do it once more.",
}
NOTICE = "sign_in_notice"  # the session's key for a sentence on the sign-in page


class SignedInRequest(HttpRequest):
    user: User
    gateway: Gateway
    kept: GatewaySession
    htmx: HtmxDetails


def signed_in(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Lead strangers to the sign-in page, and back to the page they were on."""

    def inner(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return sign_in_again(request)
        return view(cast(SignedInRequest, request), *args, **kwargs)

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", update_wrapper(inner, view))


def page_of(request: HttpRequest) -> str:
    """The path of the page that a person is on: itself for a GET, else the one that the form was on.

    Two slashes at its beginning would lead to another host.
    """
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        parts = split(page)
        return escape_leading_slashes(parts.path + (f"?{parts.query}" if parts.query else ""))
    return escape_leading_slashes(request.path.rstrip("/").rpartition("/")[0] + "/")


def sign_in_again(request: HttpRequest) -> HttpResponse:
    """To the sign-in page; with what was typed given back, where no session says whose draft it would be."""
    unsent = {"unsent": what} if (what := _unsent(request)) else {}
    address = f"{reverse('accounts:sign_in')}?{urlencode({'next': page_of(request), **unsent})}"
    if request.method == "POST" and not getattr(request, "is_draft_kept", False) and (texts := typed(request)):
        advice = "Nothing was sent. Copy what you wrote, sign in, and send it there."
        refusal = Refusal(401, "You were signed out", advice, texts, address, "Sign in")
        return answer(refusal, {name.lower(): value for name, value in request.headers.items()})
    return HttpResponseClientRedirect(address) if request.headers.get("HX-Request") else redirect(address)


def _unsent(request: HttpRequest) -> str:
    """A key of UNSENT where something was to be done that is neither done now nor kept as a draft."""
    if request.method != "POST" or any(request.POST.get(field, "").strip() for field in KEPT_FIELDS):
        return ""
    return "paste" if "secret" in request.POST else "again"


def end_session(request: HttpRequest, notice: str = "") -> None:
    """Sign this person out here; what they had in hand is kept as their draft."""
    if request.method == "POST" and isinstance(request.user, User):
        keep_draft(request.user, page_of(request), request.POST)
        request.is_draft_kept = True  # type: ignore[attr-defined]
    ended = request.session.session_key
    logout(request)
    tell_ended(ended)
    if notice:
        request.session[NOTICE] = notice


def too_fast(request: HttpRequest, sentence: str, advice: str, back: str) -> HttpResponse:
    """The page for whoever met a limit; `back` is the address of the page where what they typed is."""
    answer = render(request, "too_fast.html", {"sentence": sentence, "advice": advice, "back": back}, status=429)
    answer["Retry-After"] = "60"
    return answer
