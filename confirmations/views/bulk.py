"""Several calls, answered at once."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.converters import is_id
from accounts.drafts import take_draft
from accounts.requests import SignedInRequest, signed_in
from confirmations.bulk import Chosen, answer_each, compared
from confirmations.decisions import Answerer
from confirmations.forms import LONGEST_HASH, BulkForm
from confirmations.sending import sending
from confirmations.turns import NotTaken


@signed_in
@require_http_methods(["GET", "POST"])
def bulk(request: SignedInRequest) -> HttpResponse:
    given = request.POST if request.method == "POST" else request.GET
    chosen = list(dict.fromkeys(one for text in given.getlist("item") if is_id((one := Chosen.of(text)).id)))
    if request.method == "GET":
        return _ask(
            request, chosen, given.get("answer", ""), take_draft(request.user, reverse("confirmations:bulk"), "reason")
        )
    form = BulkForm(request.POST)
    if not form.is_valid():
        return _ask(request, chosen, given.get("answer", ""), given.get("reason", ""), form.problem, 400)
    approve = form.cleaned_data["answer"] == "approve"
    seen = {one.id: one.arguments_hash[:LONGEST_HASH] for one in map(Chosen.of, given.getlist("seen"))}
    try:
        told = answer_each(Answerer.of(request), chosen, approve=approve, reason=form.cleaned_data["reason"], seen=seen)
    except NotTaken as exc:
        return _ask(request, chosen, given.get("answer", ""), given.get("reason", ""), exc.message, exc.status)
    kept = [one.id for one in told if one.is_kept]
    context = {
        "told": [one for one in told if not one.is_kept],
        "approve": approve,
        "sending": sending(request.user, kept) if kept else None,
    }
    return _page(request, "confirmations/_bulk_result.html", context)


def _ask(
    request: SignedInRequest, chosen: list[Chosen], answer: str, reason: str, problem: str = "", status: int = 200
) -> HttpResponse:
    """What they have in common and what not, with the form."""
    comparison = None
    try:
        comparison = compared(Answerer.of(request), chosen)
    except NotTaken as exc:
        problem, status = exc.message, exc.status
    context = {"comparison": comparison, "answer": answer, "reason": reason, "problem": problem}
    return _page(request, "confirmations/_bulk.html", context, status)


def _page(request: SignedInRequest, fragment: str, context: Mapping[str, object], status: int = 200) -> HttpResponse:
    if request.htmx:
        return render(request, fragment, context)  # with 200: htmx swaps nothing on an error's status
    return render(request, "confirmations/bulk.html", {**context, "fragment": fragment}, status=status)
