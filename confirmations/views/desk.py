"""The desk: what waits as a list, and one item of it beside the list."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from accounts.drafts import take_draft
from accounts.requests import SignedInRequest, signed_in
from confirmations.holds import told_to
from confirmations.hub import Told, now_of, rows_now
from confirmations.identity import Identity, NameBook
from confirmations.items import RISKS, Item, unreadable_sentence
from confirmations.listing import rows_of
from confirmations.reading import read
from confirmations.rows import Row, Wanted, finished
from gateway import Gateway
from gateway.errors import GatewayError, SignedOut


class Heap(NamedTuple):
    """Rows under one heading; an empty one when nothing is grouped."""

    name: str
    rows: list[SafeString]


@signed_in
@require_GET
def queue(request: SignedInRequest) -> HttpResponse:
    if left := take_draft(request.user, request.path, "reason"):
        messages.info(request, f"Before your session ended you had typed this reason: {left}")
    return desk(request)


@signed_in
@require_GET
def detail(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    item = read(request.gateway, Identity.of(request.user, request.kept), confirmation_id)
    if request.htmx:  # perhaps ahead of anybody's wish: what was typed waits for a page that is looked at
        return render(request, "confirmations/_detail.html", {"item": item})
    return desk(request, replace(item, reason=take_draft(request.user, request.path, "reason")))


@signed_in
@require_GET
def row(request: SignedInRequest, confirmation_id: str) -> HttpResponse:
    """The call as it stands in the list, however it ended: for a page that was away when that was told."""
    identity = Identity.of(request.user, request.kept)
    item = read(request.gateway, identity, confirmation_id)
    book = NameBook(identity)
    book.find(request.gateway, [item.call])
    ((one, html),) = rows_of(book, [(item.call, item.state, item.verdict)])
    return HttpResponse(finished(html, one, now_of(identity)))


@require_GET
@cache_control(max_age=31_536_000, immutable=True)  # seconds: it shows what its address says
def icon(request: HttpRequest, number: int) -> HttpResponse:
    """What a tab shows while approvals wait: drawn here, since the content policy allows no images but our own."""
    words = str(number) if number < 100 else "99+"
    return render(request, "confirmations/icon.svg", {"number": words}, content_type="image/svg+xml")


def desk(request: SignedInRequest, item: Item | None = None, status: int = 200) -> HttpResponse:
    """The whole page, with an item open or none."""
    identity = Identity.of(request.user, request.kept)
    wanted = Wanted.of(request.GET)
    problem = ""
    told: list[tuple[Row, str]] = []
    unreadable = 0
    try:
        told, unreadable = waiting(request.gateway, identity)
    except SignedOut:
        raise
    except GatewayError as exc:
        problem, status = exc.message, exc.status if item is None else status
    for sentence in told_to(request.user):  # not before: who is signed out reads no message
        messages.warning(request, sentence)
    now = now_of(identity)
    markup = {row.id: html for row, html in told}
    rows = wanted.in_order(row for row, _ in told if wanted.fits(row, now))
    context = {
        "item": item,
        "heaps": heaps(rows, markup, wanted, identity, item.id if item else ""),
        "shown": len(rows),
        "hidden": len(told) - len(rows),
        "counts": counts([row for row, _ in told], wanted, identity),
        "choices": choices([row for row, _ in told], wanted),
        "wanted": wanted,
        "cannot_see": identity.cannot_see,
        "problem": problem,
        "unreadable": unreadable_sentence(unreadable),
    }
    return render(request, "confirmations/desk.html", context, status=status)


def waiting(gateway: Gateway, identity: Identity) -> Told:
    """What waits for this person: as the open sockets have it where they do, else as the gateway says."""
    told = rows_now(identity)
    if told is not None:
        return told
    listed = gateway.pending()
    pending = [one for one in listed if identity.may_answer(one)]
    book = NameBook(identity)
    book.find(gateway, pending)
    return Told(rows_of(book, [(one, "waiting", "") for one in pending]), listed.unreadable)


def heaps(rows: list[Row], markup: dict[str, str], wanted: Wanted, identity: Identity, opened: str) -> list[Heap]:
    now = now_of(identity)
    found: list[Heap] = []
    for row in rows:
        name = row.group(wanted.group)
        if not found or found[-1].name != name:
            found.append(Heap(name, []))
        html = finished(markup[row.id], row, now, wanted.query, is_open=row.id == opened)
        found[-1].rows.append(mark_safe(html))  # noqa: S308  (rendered by `_row.html`, everything in it escaped there)
    return found


class Count(NamedTuple):
    risk: str
    number: int
    is_chosen: bool
    query: str  # of the link that chooses it, or no longer does


def counts(rows: list[Row], wanted: Wanted, identity: Identity) -> list[Count]:
    """How many wait a risk, of what fits otherwise."""
    others = replace(wanted, risk="")
    now = now_of(identity)
    fitting = [row.risk for row in rows if others.fits(row, now)]
    return [
        Count(
            risk,
            fitting.count(risk),
            wanted.risk == risk,
            replace(wanted, risk="" if wanted.risk == risk else risk).query,
        )
        for risk in RISKS
    ]


Choices = list[tuple[str, str]]  # value, words


def choices(rows: list[Row], wanted: Wanted) -> dict[str, Choices]:
    """What there is to choose from, and what is chosen, though nothing of it may wait now."""
    offered = {
        "tenant": {row.tenant: row.tenant for row in rows},
        "agent": {row.agent_id: row.agent_name or row.agent_id for row in rows},
        "asker": {row.end_user: row.asker for row in rows},
        "tool": {row.match_tool: row.tool for row in rows},
    }
    for name, words in offered.items():
        words.setdefault(getattr(wanted, name), getattr(wanted, name))
        words.pop("", None)
    return {name: sorted(words.items(), key=lambda one: one[1]) for name, words in offered.items()}
