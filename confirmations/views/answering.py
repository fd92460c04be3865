"""The two answers."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.drafts import keep_draft
from accounts.requests import SignedInRequest, signed_in
from confirmations.decisions import Busy, Outcome, decide
from confirmations.forms import AnswerForm
from confirmations.identity import Identity, NameBook
from confirmations.items import shown
from confirmations.reading import item_as_shown, read
from gateway.errors import GatewayError, GatewayUnavailable, SignedOut

LEVELS = {"success": messages.SUCCESS, "warning": messages.WARNING, "info": messages.INFO}


@require_POST
@signed_in
def confirm(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    return _answer(request, confirmation_id, approve=True)


@require_POST
@signed_in
def reject(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    return _answer(request, confirmation_id, approve=False)


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
    item = item_as_shown(book, outcome.confirmation, outcome.state, verdict)
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
        item_now = replace(
            read(request.gateway, Identity.of(request.user, request.kept), confirmation_id),
            reason=reason,
            error=problem,
        )
    except GatewayUnavailable as exc:  # nothing to show the form on: it waits on the item's own page
        page = reverse("confirmations:detail", args=[confirmation_id])
        keep_draft(request.user, page, request.POST)
        return render(
            request, "gateway_error.html", {"problem": exc, "sentence": exc.message, "retry_url": page}, status=status
        )
    return render(request, "confirmations/detail.html", {"item": item_now}, status=status)
