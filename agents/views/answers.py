"""Answering what an agent waits for."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts.requests import SignedInRequest, signed_in, too_fast
from agents import interrupts, talking
from agents.models import Run


@signed_in
@require_POST
def answers(request: SignedInRequest, run_id: uuid.UUID) -> HttpResponse:
    """All answers of one run at once: the agent goes on with them, or the form comes back as it was filled in.

    What was typed so far is only kept with `keep`, and gets a further row of a list with `more`.
    """
    run = get_object_or_404(
        Run.objects.select_related("message__conversation"),
        id=run_id,
        message__conversation__user=request.user,
        message__conversation__deleted_at=None,
    )
    conversation = run.message.conversation
    if run.status != Run.Status.ASKING:
        return redirect(conversation)  # answered already
    typed, more = request.POST.dict(), request.POST.get("more", "")
    if more or "keep" in typed:
        _keep(run, interrupts.typed_into(run.interrupts, typed, more))
        return _back(run, more) if more else HttpResponse(status=204)
    answered, is_whole = interrupts.left(run.interrupts), True
    if "leave" not in typed:
        answered, is_whole = interrupts.answered(run.interrupts, run.parts, typed)
    if not is_whole:
        _keep(run, answered)
        return _back(run)
    try:
        talking.resume(request.gateway, run, answered)
    except talking.TooFast as exc:
        _keep(run, interrupts.typed_into(run.interrupts, typed))
        return too_fast(request, exc.message, "What you typed is kept there.", conversation.get_absolute_url())
    except talking.CannotBegin as exc:
        _keep(run, interrupts.typed_into(run.interrupts, typed))
        messages.error(request, exc.message)
    return redirect(conversation)


def _keep(run: Run, typed: list[interrupts.Kept]) -> None:
    """Unless it was answered meanwhile."""
    run.interrupts = typed
    Run.objects.filter(id=run.id, status=Run.Status.ASKING).update(interrupts=typed)


def _back(run: Run, more: str = "") -> HttpResponse:
    """To the form, and in it to what has to be looked at next."""
    place = interrupts.place_to_go_on(run.interrupts, run.parts, more)
    part = f"field-{run.id}-{place}" if place else f"asks-{run.id}"
    return redirect(f"{run.message.conversation.get_absolute_url()}#{part}")
