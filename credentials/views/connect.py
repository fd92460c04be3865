"""Connecting a service: a form for keys and tokens, the way to the gateway and back for the rest."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts import limits
from accounts.addresses import split
from accounts.models import User
from accounts.requests import SignedInRequest, signed_in
from agents.api import known_agents
from credentials import connecting
from credentials.connecting import Attempt
from credentials.forms import SecretForm
from credentials.services import can_be_named, is_connected, is_expired, is_own_page, needs
from credentials.signals import connected
from credentials.targets import is_trusted, target_of
from gateway import Credential, Gateway, MissingService, Service
from gateway.errors import GatewayError, NotAccepted, NotAllowed, NotFound, SignedOut

FORMS = {"key": "credentials/connect_key.html", "token": "credentials/connect_token.html"}
EITHER = "credentials/connect_secret.html"  # of what is stored, the released gateway tells people no kind
TOO_FAST = "You store secrets faster than Portico can follow. Wait a minute, then paste it once more."
DECLINED = "was not connected, because the access was declined."
NO = frozenset({"denied", "cancelled", "canceled"})  # `status` of somebody who declined


@signed_in  # a stranger's note would begin a session
@require_GET
def auth_connect(request: SignedInRequest) -> HttpResponse:
    """Where gateways send people whom the application is to ask: the connect page has the one true address."""
    service = request.GET.get("service", "")
    if not can_be_named(service):
        messages.error(request, "That link does not say which service to connect.")
        return HttpResponseRedirect(reverse("credentials:vault"))
    kept = {name: request.GET[name] for name in ("agent", "next") if request.GET.get(name)}
    if "next" in kept:
        kept["next"] = _next(request)
    address = reverse("credentials:connect", args=[service])
    return HttpResponseRedirect(f"{address}?{urlencode(kept)}" if kept else address)


@sensitive_post_parameters("secret")
@never_cache  # the page may hold an entry with a ticket
@signed_in
@require_http_methods(["GET", "POST"])
def connect(request: SignedInRequest, service: str) -> HttpResponse:
    try:
        known = request.gateway.service(service)
    except NotFound:
        return _cannot(request, Service(service, service))
    if known.kind == "basic":
        return _cannot(request, known)
    if known.kind in FORMS or (known.kind == "" and request.method == "POST"):
        return _ask(request, known)
    entry, agent_id = _entry(request, service)
    address = request.gateway.connect_address(entry)
    if is_own_page(address, request.get_host()):
        return _cannot(request, known) if known.kind == "oauth" else _ask(request, known)
    if address:
        return _leave(request, known, address, agent_id)
    return _without_entry(request, known)


@signed_in
@require_GET
def callback(request: SignedInRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    if again := connecting.used(request.session, state):
        return _tell_again(request, again)
    attempt, any_under_way = connecting.take(request.session, state)
    if not any_under_way:
        return _tell(request, messages.WARNING, "No connection was under way here. This is what you have connected.")
    if attempt is None:
        return _tell(request, messages.ERROR, "That way back was used before, is too old, or was not begun here.")
    if refusal := _refusal(request, attempt.name):
        connecting.refuse(request.session, state, refusal)
        return _tell_refusal(request, refusal, attempt.next)
    return _settle(request, attempt)


def _refusal(request: HttpRequest, name: str) -> str:
    """Why it is not connected, as the way back tells it; empty where it tells no reason."""
    if request.GET.get("error") == "access_denied" or request.GET.get("status", "").lower() in NO:
        return f"{name} {DECLINED}"
    return f"{name} was not connected: its sign-in reported an error." if "error" in request.GET else ""


def _tell_refusal(request: HttpRequest, refusal: str, page: str) -> HttpResponse:
    return _tell(request, messages.WARNING if refusal.endswith(DECLINED) else messages.ERROR, refusal, page)


def _settle(request: SignedInRequest, attempt: Attempt) -> HttpResponse:
    """The gateway has the last word."""
    name, page = attempt.name, attempt.next
    try:
        is_there = is_connected(request.gateway, attempt.service, attempt.agent)
    except SignedOut:
        raise
    except GatewayError as problem:
        return _tell(request, messages.WARNING, f"Whether {name} is connected is not known. {problem.message}", page)
    if not is_there:
        sentence = f"{name} is still not connected for {request.user.email}. Please try again."
        return _tell(request, messages.WARNING, sentence, page)
    return _done(request, attempt.service, name, page)


def _tell_again(request: SignedInRequest, attempt: Attempt) -> HttpResponse:
    """The same way back once more, from a tab that was restored: it says what is so, and starts nothing."""
    if attempt.refusal:
        return _tell_refusal(request, attempt.refusal, attempt.next)
    return _settle(request, attempt)


def _ask(request: SignedInRequest, service: Service, *, is_stored: bool = False) -> HttpResponse:
    """The form for a secret, or what becomes of one that was given."""
    form = SecretForm(request.POST or None)
    status = 200 if request.method == "GET" else 400
    if form.is_valid() and not limits.secrets.allows(request.user.pk):
        form.add_error(None, TOO_FAST)
        status = 429
    elif form.is_valid():
        try:
            _store(request.gateway, service, form.cleaned_data["secret"])
        except SignedOut:
            raise
        except GatewayError as problem:
            form.add_error(None, _sentence(problem, form.cleaned_data["secret"]))
            status = problem.status
        else:
            return _done(request, service.service, service.name, _next(request))
    context = {"service": service, "form": form, "is_stored": is_stored, "cancel_url": _next(request)}
    return render(request, FORMS.get(service.kind, EITHER), context, status=status)


def _store(gateway: Gateway, service: Service, secret: str) -> None:
    stored = _given(gateway, service, secret)
    if is_expired(gateway, stored):  # storing again keeps the old expiry (wire notes, Traps): only a new one is without
        gateway.delete_credential(stored.id)
        _given(gateway, service, secret)


def _given(gateway: Gateway, service: Service, secret: str) -> Credential:
    if service.kind == "key":
        return gateway.store_key(service, secret)
    if service.kind == "token":
        return gateway.store_token(service, secret)
    try:
        return gateway.store_key(service, secret)
    except NotAccepted:
        return gateway.store_token(service, secret)


def _sentence(problem: GatewayError, secret: str) -> str:
    """What the gateway wrote for people, unless it repeats the secret."""
    told = problem.detail if isinstance(problem, NotAccepted | NotFound) and secret not in problem.detail else ""
    return f"The gateway did not accept this: {told}" if told else problem.message


def _entry(request: SignedInRequest, service: str) -> tuple[str, str]:
    """(entry, id of the agent that told it); both may be empty.

    Asked for at each click, since an entry may carry a ticket that works once. The agent's check comes first: the
    service's own says `/auth/connect`, our own page, where the agent's knows better (wire notes, Traps).
    """
    agent_id = request.GET.get("agent", "")
    if agent_id and (entry := _told(_missing(request.gateway, agent_id), service)):
        return entry, agent_id
    entry = request.gateway.check_credential(service).entry
    if entry and not is_own_page(entry):
        return entry, ""
    for need in needs(request.gateway, known_agents(request)):
        if need.missing.service == service and need.missing.entry:
            return need.missing.entry, need.agents[0].id
    return entry, ""


def _without_entry(request: SignedInRequest, service: Service) -> HttpResponse:
    """The gateway names no way, or none that it has: because there is none, or because it is connected already."""
    own = request.gateway.credentials()
    stored = next((one for one in own if one.service == service.service and not is_expired(request.gateway, one)), None)
    if stored is None:
        return _cannot(request, service)
    if not service.kind and not stored.was_granted:
        return _ask(request, service, is_stored=True)
    messages.info(request, f"{service.name} is connected already. To connect it anew, delete it first.")
    return HttpResponseRedirect(_next(request))


def _missing(gateway: Gateway, agent_id: str) -> tuple[MissingService, ...]:
    try:
        return gateway.missing_services(agent_id)
    except (NotFound, NotAllowed):  # the link names an agent that is gone, or another tenant's
        return ()


def _told(missing: tuple[MissingService, ...], service: str) -> str:
    return next((one.entry for one in missing if one.service == service), "")


def _leave(request: SignedInRequest, service: Service, address: str, agent_id: str) -> HttpResponse:
    """On to the gateway's entry; a page asks first where that is not plainly the gateway."""
    target = target_of(address)
    if target is None:
        return _cannot(request, service)
    page = _next(request)
    state = connecting.begin(request.session, Attempt(service.service, service.name, agent_id, page, time.time()))
    back = request.build_absolute_uri(f"{reverse('credentials:callback')}?{urlencode({'state': state})}")
    url = target.returning_to(back)
    is_insecure = request.is_secure() and target.is_readable_by_others
    is_foreign = not is_trusted(target, settings.GATEWAY_URL, settings.CONNECT_HOSTS)
    if is_foreign or is_insecure or _follows_sign_in(request):
        context = {
            "service": service,
            "host": target.host,
            "url": url,
            "cancel_url": page,
            "is_foreign": is_foreign,
            "is_insecure": is_insecure,
        }
        return render(request, "credentials/leave.html", context)
    return HttpResponseRedirect(url)


def _follows_sign_in(request: HttpRequest) -> bool:
    """Whether the sign-in form led here: `form-action` then forbids a redirect to another host, a link is fine."""
    return split(request.headers.get("Referer", "")).path == reverse("accounts:sign_in")


def _done(request: SignedInRequest, service: str, name: str, page: str) -> HttpResponse:
    connected.send_robust(sender=User, user=request.user, service=service, gateway=request.gateway)
    return _tell(request, messages.SUCCESS, f"{name} is connected.", page)


def _tell(request: HttpRequest, level: int, sentence: str, page: str = "") -> HttpResponse:
    messages.add_message(request, level, sentence)
    return HttpResponseRedirect(page or reverse("credentials:vault"))


def _cannot(request: HttpRequest, service: Service) -> HttpResponse:
    return render(request, "credentials/cannot.html", {"service": service})


def _next(request: HttpRequest) -> str:
    """Where to go afterwards: on this host only."""
    page = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        return page
    return reverse("credentials:vault")
