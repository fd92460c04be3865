"""The services that people can connect, for those who run the gateway."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import limits
from accounts.requests import SignedInRequest, signed_in
from credentials.forms import KINDS, NewServiceForm, ServiceForm, SwitchForm
from credentials.managing import all_services, forget, may_write, remember
from credentials.services import look_up_anew
from gateway import ServiceRecord
from gateway.errors import Conflict, GatewayError, NotAccepted, NotAllowed, NotFound, SignedOut
from gateway.types import Kind

TOO_FAST = "You save services faster than Portico can follow. Wait a minute, then save it once more."
MAY_NOT_SEE = "The gateway does not let you see its services. If it should, ask your operator."
MAY_NOT_CHANGE = "The gateway does not let you change its services. If it should, ask your operator."


def _unreadable(number: int) -> str:
    if not number:
        return ""
    return ngettext("%(number)d service could not be read.", "%(number)d services could not be read.", number) % {
        "number": number
    }


@signed_in
@require_GET
def services(request: SignedInRequest) -> HttpResponse:
    try:
        records = all_services(request.gateway, request.kept.tenant)
    except SignedOut:
        raise
    except NotAllowed:
        return _refused(request, MAY_NOT_SEE)
    except GatewayError as problem:
        return render(request, "credentials/services.html", {"problem": problem.message}, status=problem.status)
    context = {
        "services": [(record, KINDS.get(record.kind, "Another kind")) for record in records],
        "may_write": may_write(request.kept.roles),
        "unreadable": _unreadable(records.unreadable),
    }
    return render(request, "credentials/services.html", context)


@sensitive_post_parameters("client_secret")
@never_cache
@signed_in
@require_http_methods(["GET", "POST"])
def service_new(request: SignedInRequest) -> HttpResponse:
    if request.method == "GET":
        return _page(request, NewServiceForm()) if may_write(request.kept.roles) else _refused(request, MAY_NOT_CHANGE)
    form = NewServiceForm(request.POST)
    if not form.is_valid():
        return _page(request, form, 400)
    if not limits.secrets.allows(request.user.pk):
        form.add_error(None, TOO_FAST)
        return _page(request, form, 429)
    given = form.cleaned_data
    try:
        record = request.gateway.create_service(
            given["service"], given["name"], form.chosen, description=given["description"], settings=form.settings()
        )
    except SignedOut:
        raise
    except GatewayError as problem:
        form.add_error("service" if isinstance(problem, Conflict) else None, _sentence(problem, form.secret))
        return _page(request, form, problem.status)
    return _done(request, record, f"{record.name} is added. Agents can ask for it as {record.service}.")


@sensitive_post_parameters("client_secret")
@never_cache
@signed_in
@require_http_methods(["GET", "POST"])
def service_edit(request: SignedInRequest, service_id: str) -> HttpResponse:
    if request.method == "GET":
        if not may_write(request.kept.roles):
            return _refused(request, MAY_NOT_CHANGE)
        try:
            record = request.gateway.service_record(service_id)
        except NotAllowed:
            return _refused(request, MAY_NOT_SEE)
        except NotFound:
            return _gone(request)
        remember(request.gateway, record)
        return _page(request, ServiceForm(record=record), record=record)
    return _change(request, service_id)


def _change(request: SignedInRequest, service_id: str) -> HttpResponse:
    """Whatever goes wrong, the page comes back with all that was typed."""
    kind: Kind = next((kind for kind in KINDS if kind == request.POST.get("kind")), "")
    form = ServiceForm(request.POST, kind=kind)
    record = None
    try:
        record = request.gateway.service_record(service_id)
        form = ServiceForm(request.POST, record=record)
        if not form.is_valid():
            return _page(request, form, 400, record)
        if not limits.secrets.allows(request.user.pk):
            form.add_error(None, TOO_FAST)
            return _page(request, form, 429, record)
        given, settings = form.cleaned_data, form.settings()
        changed = request.gateway.change_service(
            record,
            name=given["name"],
            description=given["description"],
            settings=settings if settings != record.settings else None,
        )
    except SignedOut:
        raise
    except NotFound:
        return _gone(request)
    except GatewayError as problem:
        form.full_clean()
        form.add_error(None, _sentence(problem, form.secret))
        return _page(request, form, problem.status, record)
    return _done(request, changed, f"{changed.name} is saved.")


@signed_in
@require_POST
def service_switch(request: SignedInRequest, service_id: str) -> HttpResponse:
    form = SwitchForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That did not say whether to switch it on or off.")
        return redirect("credentials:services")
    is_active = form.cleaned_data["turn"] == "on"
    try:
        record = request.gateway.service_record(service_id)
        record = request.gateway.change_service(record, is_active=is_active)
    except SignedOut:
        raise
    except NotFound:
        return _gone(request)
    except GatewayError as problem:
        return _not_done(request, problem)
    if record.is_active:
        return _done(request, record, f"{record.name} is switched on.")
    sentence = f"{record.name} is switched off: nobody can connect it, and agents that need it have to wait."
    return _done(request, record, sentence)


@signed_in
@require_http_methods(["GET", "POST"])
def service_delete(request: SignedInRequest, service_id: str) -> HttpResponse:
    if request.method == "GET" and not may_write(request.kept.roles):
        return _refused(request, MAY_NOT_CHANGE)
    try:
        record = request.gateway.service_record(service_id)
        if request.method == "GET":
            return render(request, "credentials/service_delete.html", {"service": record})
        request.gateway.delete_service(service_id)
    except SignedOut:
        raise
    except NotFound:
        return _gone(request)
    except GatewayError as problem:
        return _not_done(request, problem)
    forget(request.gateway, service_id)
    look_up_anew(request.gateway, record.service)
    messages.success(request, f"{record.name} is deleted.")
    return redirect("credentials:services")


def _page(
    request: SignedInRequest, form: ServiceForm, status: int = 200, record: ServiceRecord | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "service": record,
        "kind": KINDS.get(form.chosen, "Another kind"),
        "is_new": form.has_kind,
        "kind_fields": [form[name] for name in form.fields if name not in _common],
    }
    return render(request, "credentials/service.html", context, status=status)


_common = frozenset({"name", "description", "connect_url", "service", "kind"})


def _done(request: SignedInRequest, record: ServiceRecord, sentence: str) -> HttpResponse:
    remember(request.gateway, record)
    look_up_anew(request.gateway, record.service)
    messages.success(request, sentence)
    return redirect("credentials:services")


def _gone(request: SignedInRequest) -> HttpResponse:
    messages.info(request, "There is no such service any more; somebody may have deleted it.")
    return redirect("credentials:services")


def _refused(request: SignedInRequest, sentence: str) -> HttpResponse:
    return render(request, "credentials/services_refused.html", {"sentence": sentence}, status=NotAllowed.status)


def _not_done(request: SignedInRequest, problem: GatewayError) -> HttpResponse:
    messages.error(request, _sentence(problem))
    return redirect("credentials:services")


def _sentence(problem: GatewayError, secret: str = "") -> str:
    """What the gateway wrote for people, unless it repeats the secret."""
    if isinstance(problem, NotAllowed):
        return MAY_NOT_CHANGE
    told = problem.detail if isinstance(problem, NotAccepted | Conflict) else ""
    if not told or told == problem.message or (secret and secret in told):
        return problem.message
    return f"The gateway did not accept this: {told}"
