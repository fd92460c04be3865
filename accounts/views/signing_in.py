"""Signing in and out."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from accounts import limits, throttle
from accounts.forms import SignInForm
from accounts.models import User
from accounts.requests import NOTICE, UNSENT, end_session
from accounts.sessions import keep, tell_ended
from gateway.errors import GatewayError

TRY_AS = (
    {"label": "Try as user", "email": "user@example.com"},
    {"label": "Try as admin", "email": "admin@example.com"},
    {"label": "Try as operator", "email": "operator@example.com"},
)
DEMO_PASSWORD = "demo"  # noqa: S105  (of the embedded gateway's people, who are public)


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET" and request.user.is_authenticated:
        return _go_on(request, request.GET.get("next", ""), request.GET.get("unsent", ""))
    if request.method == "GET":
        return _page(request, SignInForm(initial={name: request.GET.get(name, "") for name in ("next", "unsent")}))
    form = SignInForm(_posted(request))
    if not form.is_valid():
        return _page(request, form, 400)
    email, address = form.cleaned_data["email"], request.META["REMOTE_ADDR"]
    if throttle.is_paused(email, address):
        form.add_error(None, "Too many failed attempts. Please wait five minutes, then try again.")
        return _page(request, form, 429)
    if not throttle.slow_down(email):
        form.add_error(None, "Too many are trying to sign in with this address. Please try again in a moment.")
        return _page(request, form, 429)
    try:
        user = authenticate(request, email=email, password=form.cleaned_data["password"])
    except GatewayError as problem:
        form.add_error(None, problem.message)
        return _page(request, form, problem.status)
    if not isinstance(user, User) or user.signed_in is None:
        throttle.count_failure(email, address)
        form.add_error(None, "That e-mail and password do not match.")
        return _page(request, form, 401)
    throttle.forget_failures(email, address)
    if not limits.sign_ins.allows(user.pk):
        form.add_error(None, "You sign in faster than Portico can follow. Please wait a minute, then try again.")
        return _page(request, form, 429)
    replaced = request.session.session_key
    request.session.flush()  # nothing of whoever was here before
    tell_ended(replaced)
    login(request, user)
    keep(request.session, user.signed_in)
    return _go_on(request, form.cleaned_data["next"], form.cleaned_data["unsent"])


def _go_on(request: HttpRequest, target: str, unsent: str) -> HttpResponse:
    if unsent in UNSENT:
        messages.info(request, UNSENT[unsent])
    return HttpResponseRedirect(_next(request, target))


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    end_session(request)
    return redirect("accounts:sign_in")


def _posted(request: HttpRequest) -> dict[str, str]:
    """The posted form; one click of "Try as …" stands for an e-mail and the password that all demo people share."""
    posted = request.POST.dict()
    if settings.GATEWAY_IS_EMBEDDED and "try_as" in posted:
        posted["password"] = DEMO_PASSWORD
    return {name: str(value) for name, value in posted.items()}


def _page(request: HttpRequest, form: SignInForm, status: int = 200) -> HttpResponse:
    notice = request.session.get(NOTICE, "") if request.method == "GET" else ""
    context = {
        "form": form,
        "notice": f"{notice} You will be back where you were." if notice else "",
        "try_as": TRY_AS if settings.GATEWAY_IS_EMBEDDED else (),
    }
    return render(request, "accounts/sign_in.html", context, status=status)


def _next(request: HttpRequest, target: str) -> str:
    """Where to go after signing in: a path of this host only, never a name that Django would look up."""
    if target.startswith(("/", "http:", "https:")) and url_has_allowed_host_and_scheme(
        target, {request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return reverse(settings.LOGIN_REDIRECT_URL)
