"""What belongs to one call beside itself: the last one that was approved, and its arguments as a file."""

from __future__ import annotations

from collections import Counter

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.characters import shown
from accounts.requests import SignedInRequest, signed_in
from confirmations.comparison import compared, last_approved
from confirmations.identity import Identity, NameBook
from confirmations.items import verdict_of
from gateway import deep
from gateway.canonical import as_bytes, canonical


@signed_in
@require_GET
def compare(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    """With what the gateway lists to this person, and nothing that Portico kept itself."""
    identity = Identity.of(request.user, request.kept)
    call = request.gateway.confirmation(confirmation_id)
    listed = [one for one in request.gateway.confirmations("confirmed") if identity.may_answer(one)]
    last = last_approved(call, listed)
    lines = compared(last.arguments, call.arguments) if last else []
    book = NameBook(identity)
    book.find(request.gateway, [last or call])
    context = {
        "call": call,
        "tool": shown(call.tool),
        "last": last,
        "verdict": verdict_of(last, book.names, identity.person) if last else "",
        "asker": shown(book.names.who(last.end_user)) if last else "",
        "lines": lines,
        "counts": Counter(line.change for line in lines),
    }
    template = "_compare.html" if request.htmx else "compare.html"
    return render(request, f"confirmations/{template}", context)


@signed_in
@require_GET
def arguments(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    """The bytes that the hash is made of."""
    call = request.gateway.confirmation(confirmation_id)
    return _file(canonical(call.arguments), "canonical.json")


@signed_in
@require_GET
def as_written(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    """The arguments themselves: numbers, and the order of keys, as whoever made the call wrote them."""
    call = request.gateway.confirmation(confirmation_id)
    return _file(deep.dumps(call.arguments), "arguments.json")


def _file(text: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(as_bytes(text), content_type="application/json", headers=headers)
