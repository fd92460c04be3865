"""The two answers, and what goes before them: taking an approval back, claiming a call and releasing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.addresses import split
from accounts.characters import shown
from accounts.drafts import keep_draft, take_draft
from accounts.requests import SignedInRequest, page_of, signed_in
from confirmations import answering, claims
from confirmations.answering import Changed
from confirmations.decisions import Answerer, Outcome
from confirmations.forms import AnswerForm
from confirmations.identity import Identity, NameBook
from confirmations.items import Item
from confirmations.reading import item_as_shown, read
from confirmations.turns import NotTaken
from confirmations.views.desk import desk
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


@require_POST
@signed_in
def cancel(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    return _before_an_answer(request, confirmation_id, lambda by: answering.cancel(by, confirmation_id))


@require_POST
@signed_in
def claim(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    take_over = bool(request.POST.get("take_over"))
    return _before_an_answer(
        request, confirmation_id, lambda by: claims.claim(by, confirmation_id, take_over=take_over)
    )


@require_POST
@signed_in
def release(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    return _before_an_answer(request, confirmation_id, lambda by: claims.release(by, confirmation_id))


def _answer(request: SignedInRequest, confirmation_id: str, *, approve: bool) -> HttpResponse:
    by = Answerer.of(request)
    form = AnswerForm(request.POST, approve=approve)
    if form.problem:
        return _not_taken(request, confirmation_id, form.problem, 400)
    try:
        if form.asks_first:
            return _ask_first(request, by, confirmation_id, form)
        outcome = answering.answer(by, confirmation_id, form.given)
    except SignedOut:
        raise
    except Changed as exc:
        return _shown_anew(request, confirmation_id, exc.message, exc.status)
    except GatewayError as exc:
        if request.htmx or isinstance(exc, NotTaken | GatewayUnavailable):
            return _not_taken(request, confirmation_id, exc.message, exc.status)
        raise
    if request.htmx:
        return _fragment(request, confirmation_id, outcome)
    take_draft(request.user, _path(confirmation_id), "reason")  # left by the page that asked first
    messages.add_message(request, LEVELS[outcome.tone], shown(outcome.sentence))
    waits = outcome.state == "waiting" and outcome.tone != "warning"  # here it can be taken back
    return redirect(_page(request, confirmation_id if waits else ""))


def _ask_first(request: SignedInRequest, by: Answerer, confirmation_id: str, form: AnswerForm) -> HttpResponse:
    """Without a script nobody knows how long the call was looked at: it is shown once more. Raises NotTaken."""
    if request.htmx:
        raise NotTaken("This call was not on your screen for long enough. Please look once more.")
    answering.check(by, by.gateway.confirmation(confirmation_id), form.given)
    item = _item(request, confirmation_id)
    if item.state != "waiting":
        return desk(request, item)
    keep_draft(request.user, _path(confirmation_id), request.POST)  # for whoever goes back
    context = {"item": item, "given": form.given, "back": _page(request, confirmation_id)}
    return render(request, "confirmations/confirm.html", context)


def _before_an_answer(request: SignedInRequest, confirmation_id: str, act: Callable[[Answerer], str]) -> HttpResponse:
    """What was typed stays, whatever comes of it."""
    try:
        sentence = act(Answerer.of(request))
    except NotTaken as exc:
        return _not_taken(request, confirmation_id, exc.message, exc.status)
    if request.htmx:
        try:
            return render(request, "confirmations/_detail.html", {"item": _item(request, confirmation_id)})
        except GatewayError as exc:  # done all the same
            told = f"{sentence} How the call stands cannot be read right now."
            return HttpResponse(told, content_type="text/plain", status=exc.status)
    keep_draft(request.user, _path(confirmation_id), request.POST)
    messages.success(request, sentence)
    return redirect(_page(request, confirmation_id))


def _path(confirmation_id: str) -> str:
    return reverse("confirmations:detail", args=[confirmation_id])


def _page(request: SignedInRequest, confirmation_id: str = "") -> str:
    """The desk with this item open, or none; filtered as it was."""
    path = _path(confirmation_id) if confirmation_id else reverse("confirmations:queue")
    query = split(page_of(request)).query
    return f"{path}?{query}" if query else path


def _item(request: SignedInRequest, confirmation_id: str, problem: str = "") -> Item:
    """As it is now, with what was typed."""
    item = read(request.gateway, Identity.of(request.user, request.kept), confirmation_id)
    typed = request.POST.get("reason", ""), request.POST.get("tool_name", "")
    return replace(item, reason=typed[0], typed_name=typed[1], error=problem)


def _fragment(request: SignedInRequest, confirmation_id: str, outcome: Outcome) -> HttpResponse:
    """The item in its new state, for the place of the form that was posted."""
    if outcome.confirmation is None:
        return _not_taken(request, confirmation_id, outcome.sentence, 404)
    if outcome.state == "waiting" and outcome.tone == "warning":
        return _not_taken(request, confirmation_id, outcome.sentence, 202)
    identity = Identity.of(request.user, request.kept)
    try:
        item = read(request.gateway, identity, confirmation_id)
    except GatewayError:  # what became of the answer is known, and is said whatever came after it
        book = NameBook(identity)
        book.learn(outcome.confirmation)
        book.find_people([outcome.confirmation])
        item = item_as_shown(book, outcome.confirmation)
    if outcome.state != "waiting":
        item = replace(item, state=outcome.state, verdict=outcome.verdict)
    if outcome.tone != "success" and outcome.state != "waiting":
        item = replace(item, verdict=shown(outcome.sentence.rstrip(".")))
    return render(request, "confirmations/_detail.html", {"item": item})


def _shown_anew(request: SignedInRequest, confirmation_id: str, problem: str, status: int) -> HttpResponse:
    item = _item(request, confirmation_id, problem)
    if request.htmx:
        return render(request, "confirmations/_detail.html", {"item": item})
    return desk(request, item, status)


def _not_taken(request: SignedInRequest, confirmation_id: str, problem: str, status: int) -> HttpResponse:
    """The form again, with what was typed and why it was not taken; the whole call where that is not what was shown."""
    try:
        item = _item(request, confirmation_id, problem)
    except GatewayUnavailable as exc:
        if request.htmx:  # the form stays as it is, and the script says the sentence
            return HttpResponse(problem, content_type="text/plain", status=status)
        # nothing to show the form on: it waits on the item's own page
        page = _path(confirmation_id)
        keep_draft(request.user, page, request.POST)
        context = {"problem": exc, "sentence": exc.message, "retry_url": page}
        return render(request, "gateway_error.html", context, status=status)
    if not request.htmx:
        return desk(request, item, status)
    if (seen := request.POST.get("seen")) and seen != item.seen:  # the form would vouch for what nobody has seen
        return render(request, "confirmations/_detail.html", {"item": item})
    # htmx swaps nothing on an error's status, and only the form is to change.
    response = render(request, "confirmations/_answer.html", {"item": item})
    response["HX-Retarget"] = "closest [data-answering]"
    return response
