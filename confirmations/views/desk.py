"""The desk: what waits, and one item of it."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.drafts import take_draft
from accounts.requests import SignedInRequest, signed_in
from confirmations.identity import Identity
from confirmations.items import Item, counts_of
from confirmations.reading import read, waiting
from gateway.errors import GatewayError, SignedOut


@signed_in
@require_GET
def queue(request: SignedInRequest) -> HttpResponse:
    identity = Identity.of(request.user, request.kept)
    problem, status = "", 200
    items: list[Item] = []
    try:
        items = waiting(request.gateway, identity)
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
    item = read(request.gateway, Identity.of(request.user, request.kept), confirmation_id)
    item = replace(item, reason=take_draft(request.user, request.path, "reason"))
    return render(request, "confirmations/detail.html", {"item": item})
