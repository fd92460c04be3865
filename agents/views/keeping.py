"""What a person does with conversations as things: find, name, pin, delete, take away; and with unsent text."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import limits
from accounts.requests import SignedInRequest, signed_in, too_fast
from agents import drafts, export, file_names, pages, search, talking
from agents.forms import DraftForm, SearchForm, TitleForm
from agents.models import Conversation, KnownAgent, Run
from agents.purging import UNDO_SHOWN
from agents.transcript import text_of
from gateway.errors import GatewayError, NotAllowed, NotFound, SignedOut


@signed_in
@require_GET
def conversations(request: SignedInRequest) -> HttpResponse:
    """All of them, or those in which words are found; and Undo for what was deleted a moment ago."""
    form = SearchForm(request.GET)
    if not form.is_valid():
        raise Http404
    asked, number = form.cleaned_data["q"], form.cleaned_data["page"] or 1
    page = Paginator(Conversation.objects.of(request.user), pages.LISTED).get_page(number)
    is_too_fast = bool(asked) and not limits.searches.allows(request.user.pk)
    hits, has_more = search.find(request.user, asked, number) if asked and not is_too_fast else ([], False)
    context = {
        "asked": asked,
        "is_too_fast": is_too_fast,
        "hits": [pages.hit(found) for found in hits],
        "newer": number - 1,
        "older": number + 1 if has_more else 0,
        "page": page,
        "groups": pages.grouped(page),
        "deleted": Conversation.objects.filter(user=request.user, deleted_at__gt=timezone.now() - UNDO_SHOWN),
        "undo_seconds": int(UNDO_SHOWN.total_seconds()),
    }
    return render(request, "agents/conversations.html", context, status=429 if is_too_fast else 200)


@signed_in
@require_POST
def rename(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    found = _own(request, conversation_id)
    form = TitleForm(request.POST)
    if form.is_valid():
        found.title = form.cleaned_data["title"]
        found.save(update_fields=["title"])
        search.retitle(found)
    else:
        messages.error(request, " ".join(str(sentence) for sentence in form.errors["title"]))
    return redirect(found)


@signed_in
@require_POST
def pin(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Pin it, or unpin it: the form says which, so that the same form twice does no harm."""
    found = _own(request, conversation_id)
    found.pinned_at = timezone.now() if request.POST.get("pinned") == "yes" else None
    found.save(update_fields=["pinned_at"])
    return redirect(found)


@signed_in
@require_POST
def delete(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """Gone from every page at once; a running answer is stopped. It can be undone for a while."""
    found = _own(request, conversation_id)
    talking.delete(found)
    return redirect("agents:conversations")


@signed_in
@require_POST
def undo(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    found = Conversation.objects.filter(id=conversation_id, user=request.user).first()
    if found is None:
        messages.error(request, "This conversation is gone: it was deleted too long ago.")
        return redirect("agents:conversations")
    Conversation.objects.filter(id=found.id).update(deleted_at=None)
    return redirect(found)


@signed_in
@require_GET
def export_one(request: SignedInRequest, conversation_id: uuid.UUID, form: str) -> HttpResponseBase:
    found = _own(request, conversation_id)
    if not limits.exports.allows(request.user.pk):
        return _too_fast(request, found.get_absolute_url())
    return _download(found.title, form, export.written(Conversation.objects.filter(id=found.id), form, as_list=False))


@signed_in
@require_GET
def export_all(request: SignedInRequest, form: str) -> HttpResponseBase:
    if not limits.exports.allows(request.user.pk):
        return _too_fast(request, reverse("agents:conversations"))
    everything = Conversation.objects.of(request.user)
    return _download("portico-conversations", form, export.written(everything, form, as_list=True))


@signed_in
@require_GET
def answer(request: SignedInRequest, run_id: uuid.UUID) -> HttpResponse:
    """What the agent wrote, as it wrote it."""
    run = get_object_or_404(
        Run, id=run_id, message__conversation__user=request.user, message__conversation__deleted_at=None
    )
    return HttpResponse(text_of(run.parts), content_type="text/plain; charset=utf-8")


@signed_in
@require_POST
def draft(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    return _keep_draft(request, _own(request, conversation_id).get_absolute_url())


@signed_in
@require_POST
def agent_draft(request: SignedInRequest, agent_id: str) -> HttpResponse:
    page = reverse("agents:agent", args=[agent_id])
    if not drafts.of_page(request.user, page) and not _is_agent(request, agent_id):
        raise Http404
    return _keep_draft(request, page)


def _is_agent(request: SignedInRequest, agent_id: str) -> bool:
    """True also where nobody can say: nothing that was typed is lost for that."""
    if agent_id in settings.GATEWAY_AGENTS or KnownAgent.objects.filter(user=request.user, agent_id=agent_id).exists():
        return True
    try:
        request.gateway.agent(agent_id)
    except (NotFound, NotAllowed):
        return False
    except SignedOut:
        raise
    except GatewayError:
        pass
    return True


def _keep_draft(request: SignedInRequest, page: str) -> HttpResponse:
    form = DraftForm(request.POST)
    if form.has_error("message", "max_length"):
        return HttpResponse(
            "This is too long to be kept. Make it shorter: it is on this page alone.", "text/plain", 413
        )
    if not form.is_valid():
        return HttpResponse(status=400)
    page = drafts.editing(page, form.cleaned_data["replaces"])
    if not limits.drafts.allows(request.user.pk) or not drafts.has_room(request.user, page):
        return HttpResponse("Too much is being kept. Send what you wrote, or wait a minute.", "text/plain", 429)
    drafts.keep(request.user, page, form.cleaned_data["message"], form.cleaned_data["key"])
    return HttpResponse(status=204)


def _too_fast(request: SignedInRequest, back: str) -> HttpResponse:
    sentence = "You export faster than Portico can follow."
    return too_fast(request, sentence, "Nothing was exported. Wait a minute, then try again.", back)


def _own(request: SignedInRequest, conversation_id: uuid.UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.of(request.user), id=conversation_id)


def _download(name: str, form: str, content: AsyncIterator[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(content, content_type=export.FORMATS[form])
    response["Content-Disposition"] = file_names.disposition(name, form)
    return response
