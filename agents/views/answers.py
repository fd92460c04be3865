"""Answering what an agent waits for."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.requests import SignedInRequest, signed_in
from agents import interrupts, talking
from agents.models import Run


@signed_in
@require_POST
def answers(request: SignedInRequest, run_id: uuid.UUID) -> HttpResponse:
    """All answers of one run at once: the agent goes on with them, or the form comes back as it was filled in."""
    run = get_object_or_404(
        Run.objects.select_related("message__conversation"),
        id=run_id,
        message__conversation__user=request.user,
        message__conversation__deleted_at=None,
    )
    conversation = run.message.conversation
    if run.status != Run.Status.ASKING:
        return redirect(conversation)  # answered already
    if "leave" in request.POST:
        answered, is_whole = interrupts.left(run.interrupts), True
    else:
        answered, is_whole = interrupts.answered(run.interrupts, run.parts, request.POST.dict())
    if not is_whole:
        Run.objects.filter(id=run.id, status=Run.Status.ASKING).update(interrupts=answered)
        return redirect(f"{conversation.get_absolute_url()}#asks-{run.id}")
    try:
        talking.resume(request.gateway, run, answered)
    except talking.StillAnswering as exc:
        typed, _ = interrupts.answered(run.interrupts, run.parts, request.POST.dict(), is_sent=False)
        Run.objects.filter(id=run.id, status=Run.Status.ASKING).update(interrupts=typed)
        messages.error(request, exc.message)
    return redirect(conversation)
