"""The queue, one item of it, the two answers, and the record of them."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.drafts import keep_draft, take_draft
from accounts.requests import SignedInRequest, signed_in
from confirmations.decisions import Busy, Outcome, decide, until_recorded
from confirmations.forms import AnswerForm
from confirmations.hub import now_of
from confirmations.identity import Identity, NameBook
from confirmations.items import (
    LOST,
    NOBODY,
    Item,
    State,
    counts_of,
    in_order,
    is_waiting,
    item_of,
    shown,
    state_of,
    verdict_of,
)
from confirmations.models import Decision, did_run
from gateway import Confirmation
from gateway.errors import GatewayError, GatewayUnavailable, SignedOut

LEVELS = {"success": messages.SUCCESS, "warning": messages.WARNING, "info": messages.INFO}
A_MOMENT = 0.5  # seconds that a page waits for the record of a call that is held no longer
LATEST = 200  # decisions on the page of the history


@signed_in
@require_GET
def queue(request: SignedInRequest) -> HttpResponse:
    identity = Identity.of(request.user, request.kept)
    problem, status = "", 200
    items: list[Item] = []
    try:
        items = _waiting(request, identity)
    except SignedOut:
        raise
    except GatewayError as exc:
        problem, status = exc.message, exc.status
    left = take_draft(request.user, request.path, "reason") if items else ""
    if left and len(items) == 1:
        items = [replace(items[0], reason=left)]
    elif left:
        messages.info(request, f"Before your session ended you had typed this reason: {left}")
    context = {
        "items": items,
        "counts": counts_of(item.risk for item in items),
        "cannot_see": identity.cannot_see,
        "problem": problem,
    }
    return render(request, "confirmations/queue.html", context, status=status)


@signed_in
@require_GET
def detail(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    item = _item(request, confirmation_id)
    item = replace(item, reason=take_draft(request.user, request.path, "reason"))
    return render(request, "confirmations/detail.html", {"item": item})


@require_POST
@signed_in
def confirm(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    return _answer(request, confirmation_id, approve=True)


@require_POST
@signed_in
def reject(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    return _answer(request, confirmation_id, approve=False)


@signed_in
@require_GET
def history(request: SignedInRequest) -> HttpResponse:
    """One's own decisions; for an admin of a tenant, those of the tenant."""
    identity = Identity.of(request.user, request.kept)
    mine = Q(user=request.user)
    if identity.reviews:
        mine |= Q(tenant=identity.tenant)
    found = Decision.objects.filter(mine, gateway=identity.gateway).select_related("user")[:LATEST]
    decisions = [
        {
            "tool": shown(one.tool),
            "at": one.at,
            "who": "You" if one.user_id == request.user.pk else str(one.user),
            "decision": "approved" if one.approve else "rejected",
            "reason": shown(one.reason),
            "answer": _with_capital(one.outcome) + (", but nothing ran" if one.ran is False else ""),
            "id": one.confirmation_id,
        }
        for one in found
    ]
    context = {"decisions": decisions, "latest": LATEST if len(decisions) == LATEST else 0}
    return render(request, "confirmations/history.html", context)


def _answer(request: SignedInRequest, confirmation_id: str, *, approve: bool) -> HttpResponse:
    identity = Identity.of(request.user, request.kept)
    form = AnswerForm(request.POST, approve=approve)
    if not form.is_valid() and form.problem:
        return _not_taken(request, confirmation_id, form.problem, 400)
    reason = form.cleaned_data.get("reason", "")
    try:
        outcome = decide(request.gateway, request.user, identity, confirmation_id, approve=approve, reason=reason)
    except SignedOut:
        raise
    except GatewayError as exc:
        if request.htmx or isinstance(exc, Busy | GatewayUnavailable):
            return _not_taken(request, confirmation_id, exc.message, exc.status)
        raise
    if request.htmx:
        return _fragment(request, identity, outcome, confirmation_id)
    messages.add_message(request, LEVELS[outcome.tone], shown(outcome.sentence))
    return redirect("confirmations:queue")


def _fragment(request: SignedInRequest, identity: Identity, outcome: Outcome, confirmation_id: str) -> HttpResponse:
    """The item in its new state, for the place of the form that was posted."""
    if outcome.confirmation is None:
        return _not_taken(request, confirmation_id, outcome.sentence, 404)
    if outcome.state == "waiting":
        return _not_taken(request, confirmation_id, outcome.sentence, 202)
    verdict = outcome.sentence if outcome.tone == "info" else outcome.verdict
    book = NameBook(identity)
    book.ask_agents(request.gateway, [outcome.confirmation])
    book.find_people([outcome.confirmation])
    item = _shown(book, outcome.confirmation, outcome.state, verdict)
    return render(request, "confirmations/_item.html", {"item": item})


def _not_taken(request: SignedInRequest, confirmation_id: str, problem: str, status: int) -> HttpResponse:
    """The form again, with what was typed and why it was not taken."""
    reason = request.POST.get("reason", "")
    if request.htmx:
        # htmx swaps nothing on an error's status, and only the form is to change.
        item = {"id": confirmation_id, "risk": request.POST.get("risk", ""), "reason": reason, "error": problem}
        response = render(request, "confirmations/_answer.html", {"item": item})
        response["HX-Retarget"] = "closest [data-answering]"
        return response
    try:
        item_now = replace(_item(request, confirmation_id), reason=reason, error=problem)
    except GatewayUnavailable as exc:  # nothing to show the form on: it waits on the item's own page
        page = reverse("confirmations:detail", args=[confirmation_id])
        keep_draft(request.user, page, request.POST)
        return render(
            request, "gateway_error.html", {"problem": exc, "sentence": exc.message, "retry_url": page}, status=status
        )
    return render(request, "confirmations/detail.html", {"item": item_now}, status=status)


def _waiting(request: SignedInRequest, identity: Identity) -> list[Item]:
    now = now_of(identity)
    pending = [
        one
        for one in request.gateway.pending()
        if identity.may_answer(one) and is_waiting(one, limit=settings.CONFIRMATION_LIMIT, now=now)
    ]
    book = NameBook(identity)
    book.ask_agents(request.gateway, pending)
    book.find_people(pending)
    return [_shown(book, one) for one in in_order(pending)]


def _item(request: SignedInRequest, confirmation_id: str) -> Item:
    """Raises NotFound, NotAllowed."""
    identity = Identity.of(request.user, request.kept)
    record = request.gateway.confirmation(confirmation_id)
    state: State = state_of(record)
    book = NameBook(identity)
    verdict = ""
    if state == "waiting":
        listed = {one.id: one for one in request.gateway.pending()}
        if confirmation_id not in listed:
            record = until_recorded(request.gateway, confirmation_id, A_MOMENT) or record
            state = state_of(record)
    if state == "waiting":
        if confirmation_id not in listed:
            state, verdict = "lost", LOST
        elif not is_waiting(record, limit=settings.CONFIRMATION_LIMIT, now=now_of(identity)):
            state, verdict = "timed_out", NOBODY
        record = listed.get(confirmation_id, record)  # told with more words there
    book.ask_agents(request.gateway, [record])
    book.find_people([record])
    if state not in ("waiting", "lost"):
        verdict = verdict or verdict_of(record, book.names, identity.person, ran=did_run(identity.gateway, record.id))
    return _shown(book, record, state, verdict)


def _shown(book: NameBook, confirmation: Confirmation, state: State = "waiting", verdict: str = "") -> Item:
    now = now_of(book.identity)
    return item_of(confirmation, book.names, limit=settings.CONFIRMATION_LIMIT, now=now, state=state, verdict=verdict)


def _with_capital(text: str) -> str:
    return text[:1].upper() + text[1:]
