"""Asks the gateway for calls and shapes them for a page."""

from __future__ import annotations

from django.conf import settings

from confirmations.aftermath import Aftermath, aftermath_of
from confirmations.decisions import until_recorded
from confirmations.hub import now_of
from confirmations.identity import Identity, NameBook
from confirmations.items import (
    LOST,
    Item,
    State,
    item_of,
    state_of,
    verdict_of,
)
from confirmations.models import did_run, doubt_about, doubt_about_lost, with_its_reason, with_our_end
from confirmations.standing import standings
from confirmations.turns import is_being_answered
from gateway import Confirmation, Gateway

A_MOMENT = 0.5  # seconds that a page waits for the record of a call that is held no longer


def read(gateway: Gateway, identity: Identity, confirmation_id: str) -> Item:
    """The item, however it ended. Raises NotFound, NotAllowed."""
    record = gateway.confirmation(confirmation_id)
    state: State = state_of(record)
    book = NameBook(identity)
    verdict, is_ours = "", False
    if state == "waiting":
        told = gateway.pending()
        listed = {one.id: one for one in told}
        if confirmation_id not in listed:
            record = until_recorded(gateway, confirmation_id, A_MOMENT) or record
            state = state_of(record)
    if state == "waiting":
        is_lost = confirmation_id not in listed and told.is_whole
        if is_lost and not is_being_answered(identity.gateway, confirmation_id):
            record = with_our_end(identity.gateway, record)
            is_ours = state_of(record) != "waiting"
            state = state_of(record) if is_ours else "lost"
            verdict = "" if is_ours else doubt_about_lost(identity.gateway, confirmation_id) or LOST
        record = listed.get(confirmation_id, record)  # told with more words there
    book.find(gateway, [record])
    after = None
    if state not in ("waiting", "lost"):
        record = with_its_reason(identity.gateway, record)
        state = state_of(record)
        ran = did_run(identity.gateway, record.id)
        doubt = doubt_about(identity.gateway, record, verdict_of(record, book.names, me=""))
        verdict = verdict or doubt or verdict_of(record, book.names, identity.person, ran=ran, is_ours=is_ours)
        if state == "approved" and ran is not False:
            after = aftermath_of(gateway, record)
    return item_as_shown(book, record, state, verdict, after)


def item_as_shown(
    book: NameBook,
    confirmation: Confirmation,
    state: State = "waiting",
    verdict: str = "",
    aftermath: Aftermath | None = None,
) -> Item:
    return item_of(
        confirmation,
        book.names,
        limit=settings.CONFIRMATION_LIMIT,
        now=now_of(book.identity),
        state=state,
        verdict=verdict,
        standing=standings(book.identity.gateway, [confirmation]).get(confirmation.id),
        aftermath=aftermath,
    )
