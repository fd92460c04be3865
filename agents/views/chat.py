"""The catalogue, the chat pages, and what can be done on them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.refusing import Refusal, answer
from accounts.requests import SignedInRequest, signed_in, too_fast
from agents import drafts, pages, runs, stopping, talking
from agents.api import AT_ONCE, known_agents
from agents.forms import DraftForm, MessageForm, WindowForm
from agents.models import Conversation, Message, Run
from credentials.api import Card, services_to_connect
from gateway import Agent
from gateway.errors import AgentNotFound, GatewayError, NotOffered, SignedOut, TenantMismatch
from gateway.refusals import about_an_agent


@signed_in
@require_GET
def catalogue(request: SignedInRequest) -> HttpResponse:
    try:
        agents = known_agents(request)
    except SignedOut:
        raise
    except GatewayError as problem:
        context = {"problem": problem.message}
        return render(request, "agents/catalogue.html", context, status=problem.status)
    last = pages.last_by_agent(request.user)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        missing = list(threads.map(lambda agent: _missing(request, agent), agents))
    cards = [
        {"agent": agent, "missing": services, "last": last.get(agent.id)}
        for agent, services in zip(agents, missing, strict=True)
    ]
    unreadable = ""
    if agents.unreadable:
        unreadable = ngettext(
            "%(number)d agent could not be read.", "%(number)d agents could not be read.", agents.unreadable
        ) % {"number": agents.unreadable}
    return render(request, "agents/catalogue.html", {"cards": cards, "unreadable": unreadable})


@signed_in
@require_http_methods(["GET", "POST"])
def agent(request: SignedInRequest, agent_id: str) -> HttpResponse:
    """One agent; a message sent here begins a conversation."""
    with about_an_agent():
        found = request.gateway.agent(agent_id)
    form = MessageForm(request.POST or None)
    if request.method == "POST" and found.is_active and form.is_valid():
        text = form.cleaned_data["message"]
        key = talking.own_key(request.user, form.cleaned_data["key"], text)
        try:
            conversation = talking.begin(request.user, found, text, key)
        except talking.TooFast as exc:
            return _not_sent(request, request.path, exc, request.path)
        talking.say(request.gateway, conversation, text, key)
        drafts.forget(request.user, request.path)
        return redirect(conversation)
    talked = Conversation.objects.of(request.user).filter(agent_id=agent_id)[: pages.LISTED]
    context = {
        "agent": found,
        "missing": _missing(request, found),
        "conversations": [{"title": one.title, "url": one.get_absolute_url(), "at": one.updated_at} for one in talked],
        "problem": _problem(form),
        "draft": request.POST.get("message", "") or drafts.of_page(request.user, request.path),
        "draft_url": reverse("agents:agent_draft", args=[agent_id]),
        "key": uuid.uuid4(),
    }
    status = 413 if _is_too_long(form) else 400 if form.errors else 200
    return render(request, "agents/agent.html", context, status=status)


@signed_in
@require_GET
def conversation(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    """The transcript: its end, or `?before=`, `?at=` or `?after=` a message, or what a `?version=` replaced."""
    found = _own(request, conversation_id)
    form = WindowForm(request.GET)
    if not form.is_valid():
        raise Http404
    before, after, at, version = (form.cleaned_data[name] for name in ("before", "after", "at", "version"))
    if after:
        return render(request, "agents/_entries.html", {"window": pages.since(found, after)})
    shown = pages.window(found, before=pages.around(found, at, version) if at else before, version=version)
    if request.htmx:
        return render(request, "agents/_entries.html", {"window": shown, "version": version})
    runs.nudge(request.user.pk, request.gateway)
    edit = form.cleaned_data["edit"]
    edited = found.messages.filter(id=edit, replaced_by=None).first() if edit else None
    return render(request, "agents/conversation.html", _context(request, found, shown, version, edited))


@signed_in
@require_POST
def send(request: SignedInRequest, conversation_id: uuid.UUID) -> HttpResponse:
    found = _own(request, conversation_id)
    form = MessageForm(request.POST)
    problem = "" if form.is_valid() else _problem(form) or "This message cannot be sent."
    replaced = None
    page = found.get_absolute_url()
    text = form.cleaned_data.get("message", "")
    key = talking.own_key(request.user, form.cleaned_data.get("key"), text)
    if not problem and (edited := form.cleaned_data["replaces"]):
        replaced = found.messages.filter(id=edited).first()
        said = key is not None and found.messages.filter(key=key).exists()
        if replaced is None or (replaced.replaced_by_id and not said):
            problem = "This message was edited before, in another window. Your text was not sent."
        else:
            page = drafts.editing(page, edited)
    if not problem:
        try:
            run = talking.say(request.gateway, found, text, key, replaced)
        except talking.Deleted as exc:
            return _not_sent(request, page, exc, "agents:conversations")
        except talking.CannotBegin as exc:
            return _not_sent(request, page, exc, page)
    if _is_too_long(form):
        return _too_long(request, problem, page)
    if problem:
        return _not_sent(request, page, problem, page)
    drafts.forget(request.user, page)
    if not request.htmx:
        return redirect(found)
    return render(
        request,
        "agents/_sent.html",
        {"entries": pages.entry_with_answers(found, run.message), "key": uuid.uuid4(), "run": run},
    )


@signed_in
@require_POST
def retry(request: SignedInRequest, run_id: uuid.UUID) -> HttpResponse:
    run = _own_run(request, run_id)
    found = run.message.conversation
    try:
        again = talking.retry(request.gateway, run)
    except talking.CannotBegin as exc:
        return _not_sent(request, found.get_absolute_url(), exc, found.get_absolute_url())
    if not request.htmx:
        return redirect(found)
    return render(request, "agents/_message.html", {"message": pages.answer(found, again)})


@signed_in
@require_POST
def cancel(request: SignedInRequest, run_id: uuid.UUID) -> HttpResponse:
    """Stop: the upstream is closed when this answers, with a sentence about what may still go on."""
    run = _own_run(request, run_id)
    sentence = stopping.stop(request.user, request.kept, run)
    if request.htmx:
        return HttpResponse(sentence, content_type="text/plain")
    if sentence:
        messages.info(request, sentence)
    return redirect(run.message.conversation)


def _own(request: SignedInRequest, conversation_id: uuid.UUID) -> Conversation:
    return get_object_or_404(Conversation.objects.of(request.user), id=conversation_id)


def _own_run(request: SignedInRequest, run_id: uuid.UUID) -> Run:
    return get_object_or_404(
        Run.objects.select_related("message__conversation"),
        id=run_id,
        message__conversation__user=request.user,
        message__conversation__deleted_at=None,
    )


def _not_sent(request: SignedInRequest, page: str, problem: str | talking.CannotBegin, back: str) -> HttpResponse:
    """Say why, and lose nothing: the page still has the text, or gets it back; `back` is where the person goes on."""
    is_too_fast = isinstance(problem, talking.TooFast)
    sentence = problem if isinstance(problem, str) else problem.message
    if request.htmx:
        return HttpResponse(sentence, content_type="text/plain", status=429 if is_too_fast else 409)
    form = DraftForm(request.POST)
    if form.is_valid() and form.cleaned_data["message"]:
        drafts.keep(request.user, page, form.cleaned_data["message"], None)
    if is_too_fast:
        return too_fast(request, sentence, "What you typed is kept there.", back)
    messages.error(request, sentence)
    return redirect(back)


def _context(
    request: SignedInRequest,
    conversation: Conversation,
    shown: pages.Window,
    version: int | None,
    edited: Message | None,
) -> dict[str, Any]:
    try:
        with about_an_agent():
            agent_now = request.gateway.agent(conversation.agent_id)
        problem, is_closed = "", False
    except SignedOut:
        raise
    except GatewayError as exc:  # the conversation is ours: it can be read whatever the gateway says
        agent_now = Agent(conversation.agent_id, conversation.agent_name, "", True, "")
        problem, is_closed = exc.message, isinstance(exc, AgentNotFound | TenantMismatch)
    page = drafts.editing(conversation.get_absolute_url(), edited.id if edited else None)
    is_live = shown.is_end and edited is None and version is None
    return {
        "conversation": conversation,
        "agent": agent_now,
        "problem": problem,
        "is_closed": is_closed,  # nothing can be said to this agent, whoever tries
        "window": shown,
        "version": version,
        "groups": pages.groups(request.user, conversation.id),
        # A page that follows offers Stop for what it follows, not for what began while it was made.
        "run": shown.run if is_live else talking.open_run(conversation),
        "edited": edited,
        "is_live": is_live,
        "draft": drafts.of_page(request.user, page) or (edited.text if edited else ""),
        "draft_url": reverse("agents:draft", args=[conversation.id]),
        "key": uuid.uuid4(),
    }


def _is_too_long(form: MessageForm) -> bool:
    return form.has_error("message", "max_length")


def _too_long(request: SignedInRequest, problem: str, page: str) -> HttpResponse:
    """A draft is no longer than a message: the text is given back, to be sent in parts."""
    advice = "Nothing was sent. What you wrote stands below: copy it, make it shorter, and send it in parts."
    refusal = Refusal(413, problem.rstrip("."), advice, [request.POST["message"]], page)
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.htmx:
        refusal = replace(refusal, advice="It was not sent; it is still here.")
    return answer(refusal, headers)


def _problem(form: MessageForm) -> str:
    return " ".join(str(sentence) for sentence in form.errors.get("message", ()))


def _missing(request: SignedInRequest, agent: Agent) -> list[Card] | None:
    """What this person still has to connect for an agent; None where the gateway does not say now."""
    if not agent.is_active:
        return []
    try:
        missing = request.gateway.missing_services(agent.id)
        return services_to_connect(request.gateway, missing, agent.id, reverse("agents:agent", args=[agent.id]))
    except SignedOut:
        raise
    except NotOffered:
        return []
    except GatewayError:
        return None
