"""Who one is at the gateway, and changing that."""

from __future__ import annotations

from typing import Literal

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts import throttle
from accounts.forms import PasswordForm, ProfileForm
from accounts.models import User
from accounts.requests import SignedInRequest, signed_in
from gateway.errors import Conflict, GatewayError, NotAccepted, NotOffered, SignedOut, WrongPassword

Part = Literal["profile", "password"]

NOT_OFFERED = "not_offered"  # the session's key for the parts of the page that this gateway has turned out to lack
OTHERS_STAY = "You stay signed in here; other sessions too, until their tokens end."


@never_cache
@signed_in
@require_http_methods(["GET", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    if request.method == "GET":
        return _page(request)
    form = ProfileForm(request.POST, initial=_shown(request.user))
    if not form.is_valid():
        return _page(request, profile=form, status=400)
    name, email = form.changed("name"), form.changed("email")
    try:
        if name is None and email is None:
            person = request.gateway.me()
        else:
            person = request.gateway.change_profile(name=name, email=email)
    except SignedOut:
        raise
    except NotOffered:
        return _withdraw(request, "profile", "This gateway does not let people change their name or e-mail.")
    except Conflict:
        form.add_error("email", "Somebody else has this address already.")
        return _page(request, profile=form, status=Conflict.status)
    except GatewayError as problem:
        form.add_error(None if email is None else _field_of(problem, "email"), _sentence(problem))
        return _page(request, profile=form, status=problem.status)
    User.objects.refresh(settings.GATEWAY_URL, person)
    if email is not None:
        messages.success(request, f"From now on you sign in as {person.email}. {OTHERS_STAY}")
    elif name is not None:
        messages.success(request, "Your profile is saved.")
    else:
        messages.info(request, "You changed nothing.")
    return redirect("accounts:profile")


@sensitive_post_parameters()
@never_cache
@signed_in
@require_http_methods(["GET", "POST"])
def password(request: SignedInRequest) -> HttpResponse:
    if request.method == "GET":  # of somebody who reloads a refused form, or comes back from signing in
        return redirect("accounts:profile")
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return _page(request, password=form, status=400)
    email, address = request.user.email, request.META["REMOTE_ADDR"]
    if throttle.is_paused(email, address):
        form.add_error(None, "Too many failed attempts. Please wait five minutes, then try again.")
        return _page(request, password=form, status=429)
    given = form.cleaned_data
    try:
        request.gateway.change_password(given["current"], given["new"])
    except SignedOut:
        raise
    except NotOffered:
        return _withdraw(request, "password", "This gateway does not let people change their password.")
    except WrongPassword:
        throttle.count_failure(email, address)
        form.add_error("current", "This is not the password that you have now.")
        return _page(request, password=form, status=400)
    except GatewayError as problem:
        form.add_error(_field_of(problem, "new"), _sentence(problem, given["current"], given["new"]))
        return _page(request, password=form, status=problem.status)
    throttle.forget_failures(email, address)
    messages.success(request, f"Your password is changed. {OTHERS_STAY}")
    return redirect("accounts:profile")


def _page(
    request: SignedInRequest,
    *,
    profile: ProfileForm | None = None,
    password: PasswordForm | None = None,
    status: int = 200,
) -> HttpResponse:
    lacking = request.session.get(NOT_OFFERED, [])
    context = {
        "profile": None if "profile" in lacking else profile or ProfileForm(initial=_shown(request.user)),
        "password": None if "password" in lacking else password or PasswordForm(),
    }
    return render(request, "accounts/profile.html", context, status=status)


def _withdraw(request: SignedInRequest, part: Part, sentence: str) -> HttpResponse:
    """Offer this no more, as long as the session lasts."""
    request.session[NOT_OFFERED] = sorted({*request.session.get(NOT_OFFERED, []), part})
    messages.warning(request, sentence)
    return redirect("accounts:profile")


def _shown(user: User) -> dict[str, str]:
    return {"name": user.name, "email": user.email}


def _field_of(problem: GatewayError, field: str) -> str | None:
    """Where a sentence belongs: at the field that was not good, else above the form."""
    return field if isinstance(problem, NotAccepted) else None


def _sentence(problem: GatewayError, *secrets: str) -> str:
    """What the gateway wrote for people, unless it repeats a secret."""
    told = problem.detail if isinstance(problem, NotAccepted) else ""
    if not told or told == problem.message or any(secret in told for secret in secrets):
        return problem.message
    return f"The gateway did not accept this: {told}"
