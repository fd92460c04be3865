"""The history: what the gateway lists and what Portico recorded, side by side; and Portico's record to take away."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from accounts import limits
from accounts.characters import shown
from accounts.requests import SignedInRequest, signed_in, too_fast
from confirmations import export
from confirmations.filters import Filters
from confirmations.history import Entry, Listed, difference, entries, looked_up, told_by_gateway
from confirmations.identity import Identity, NameBook
from confirmations.items import LOST, UNTRACED, Names, unreadable_sentence, verdict_of
from confirmations.models import Decision
from confirmations.record import Kind, visible_to
from gateway import MOST_LISTED
from gateway.errors import GatewayError, SignedOut

A_PAGE = 50  # calls


@signed_in
@require_GET
def history(request: SignedInRequest) -> HttpResponse:
    identity = Identity.of(request.user, request.kept)
    filters = Filters(request.GET)
    book = NameBook(identity)
    problem = ""
    try:
        told = told_by_gateway(request.gateway, identity)
        book.find_people([call for call, _ in told.calls])
        if "agent" in filters.wanted:
            book.ask(request.gateway, [call for call, _ in told.calls])
    except SignedOut:
        raise
    except GatewayError as exc:
        told, problem = Listed([], False), exc.message
        filters.forget("state")  # which the gateway alone knows
    found = entries(identity, told.calls, filters, book.names)
    first = (filters.page_number - 1) * A_PAGE
    page = list(islice(found, first, first + A_PAGE + 1))
    book.find_ids({entry.told.end_user for entry in page})
    if not problem:
        page = looked_up(request.gateway, identity, page)
        book.find(request.gateway, [entry.call for entry in page if entry.call])
    context = {
        "rows": [_row(entry, identity, book.names, is_away=bool(problem)) for entry in page[:A_PAGE]],
        "filters": filters,
        "problem": problem,
        "cannot_see": identity.cannot_see,
        "unreadable": unreadable_sentence(told.unreadable),
        "most_listed": MOST_LISTED if told.is_cut else 0,
        "newer": filters.query(filters.page_number - 1) if first else "",
        "older": filters.query(filters.page_number + 1) if len(page) > A_PAGE else "",
    }
    return render(request, "confirmations/history.html", context)


@signed_in
@require_GET
def decisions(request: SignedInRequest, form: str) -> HttpResponse | StreamingHttpResponse:
    """Portico's record as far as this person may see it: a file, streamed."""
    if form not in export.FORMATS:
        raise Http404
    filters = Filters(request.GET)
    if filters.problem:
        return HttpResponse(filters.problem, content_type="text/plain; charset=utf-8", status=400)
    if not limits.exports.allows(request.user.pk):
        sentence = "You export faster than Portico can follow."
        advice = "Nothing was exported. Wait a minute, then try again."
        return too_fast(request, sentence, advice, reverse("confirmations:history"))
    rows = filters.decisions(visible_to(Identity.of(request.user, request.kept)))
    response = StreamingHttpResponse(export.streamed(rows, form), content_type=export.FORMATS[form])
    response["Content-Disposition"] = f'attachment; filename="portico-decisions.{form}"'
    response["X-Accel-Buffering"] = "no"
    return response


def _row(entry: Entry, identity: Identity, names: Names, *, is_away: bool) -> dict[str, Any]:
    """What `confirmations/_entry.html` shows."""
    call, told = entry.call, entry.told
    if call is None and entry.state == "unread":
        verdict = "Not listed any more, and its record could not be read"
    elif call is None:
        verdict = "Not asked" if is_away else "Not listed: only Portico knows of this call"
    else:
        verdict = _of_gateway(entry, identity, names)
    return {
        "id": entry.id,
        "at": entry.at,
        "tool": shown(told.tool),
        "risk": told.risk,
        "agent": shown(entry.agent_name(names) or told.agent_id),
        "provider": shown(entry.provider_name(names)),
        "asker": "you" if told.end_user == identity.person else shown(entry.asker_name(names)),
        "state": entry.state,
        "verdict": verdict,
        "resolved_at": call.resolved_at if call else None,
        "decisions": [_decision(one, identity) for one in entry.decisions],
        "difference": shown(difference(entry, names)),
    }


def _of_gateway(entry: Entry, identity: Identity, names: Names) -> str:
    assert entry.call is not None
    match entry.state:
        case "waiting":
            return "Waiting for an answer"
        case "timed_out":
            return "Timed out: nobody answered in time"
        case "lost":
            return UNTRACED if entry.may_have_run else LOST
    return verdict_of(entry.call, names, identity.person)


def _decision(decision: Decision, identity: Identity) -> dict[str, Any]:
    outcome, is_mine = decision.outcome, decision.who == identity.person
    match Kind(decision.kind):
        case Kind.APPROVED | Kind.REJECTED | Kind.NOTHING_RAN as kind:
            did, outcome = kind.label.lower(), ""
        case Kind.STOPPED:
            did, outcome = "stopped the answer that asked for it", ""
        case Kind.FIRST | Kind.CANCELLED | Kind.UNSURE:
            did = "approved" if decision.approve else "rejected"
        case _:
            did = "wanted to approve" if decision.approve else "wanted to reject"
    return {
        "number": decision.number,
        "at": decision.at,
        "who": "You" if is_mine else shown(decision.who_name),
        "who_id": shown(decision.who),
        "is_own_request": decision.who == decision.end_user and not is_mine,
        "did": did,
        "reason": "" if decision.kind == Kind.STOPPED else shown(decision.reason),
        "outcome": shown(outcome[:1].upper() + outcome[1:]),
    }
