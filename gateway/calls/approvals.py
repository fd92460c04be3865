"""Confirmations: tool calls that wait for a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gateway import clock, streams
from gateway.calls.wire import Wire, done, part, query
from gateway.dialect import Dialect
from gateway.errors import MalformedReply, NotAllowed, NotConfirmed, NotFound, NotOffered
from gateway.tokens import claims_of, roles_of, tenant_of
from gateway.types import REVIEWER, Answer, Confirmation, Rows, Unanswered, mapping_of, readable, rows_of

ROUTES = frozenset({"list", "pending"})
MOST_LISTED = 100
"""Confirmations, the newest: a gateway lists no older ones, and has no further pages."""

HELD_AT_MOST = timedelta(minutes=10)
"""Gateways hold a call for half of that."""

_tell_nothing_of_held: set[str] = set()
"""Gateways without that route, found out by asking; kept for the life of the process."""


class Approvals(Wire):
    __slots__ = ()

    def confirmation_events(self) -> streams.ConfirmationEvents:
        """What is asked and decided, as it happens: `async with … as events`, then `async for event in events`."""
        return streams.ConfirmationEvents(self._address("stream"), self.token)

    def pending(self) -> Rows[Confirmation]:
        """The calls that wait and that this person may answer: what the stream replays, for whoever polls."""

        def ask(dialect: Dialect) -> Rows[Confirmation]:
            if dialect.pending_rows == "event":
                return self._held()
            listed = readable(rows_of(self._ask("GET", dialect.pending), "confirmations"), Confirmation.from_row)
            return self._without_lost(listed) if listed else listed

        return self._in_dialect(ask)

    def confirmations(self, status: str = "") -> Rows[Confirmation]:
        """What was asked, newest first, as far as the gateway lists it (`MOST_LISTED`).

        Pending ones may include some that nobody can resume any more.
        """
        path = f"list{query(status=status)}"
        doc = self._in_dialect(lambda dialect: self._ask("GET", f"{dialect.confirmations}/{path}"))
        return readable(rows_of(doc, "confirmations"), Confirmation.from_row)

    def unanswered(self) -> Unanswered:
        """Every call without an answer on record, those that are held told apart from those nobody waits for.

        The record is read before and after what is held, so that a call asked or answered meanwhile is not taken for
        a lost one. Where a gateway cannot tell the two apart, all count as held; where one of the held could not be
        read, it may be any of the others, and none counts as lost.
        """
        before = {one.id for one in self.confirmations("pending")}
        try:
            held = self._held()
        except NotOffered:
            return Unanswered(tuple(self.confirmations("pending")), ())
        after = self.confirmations("pending")
        left = [one for one in after if one.id in before and one.id not in {call.id for call in held}]
        return Unanswered(
            held=tuple(held),
            lost=tuple(one for one in left if held.is_whole and self._may_open(one)),
            unknown=tuple(one for one in left if not (held.is_whole and self._may_open(one))),
        )

    def confirmation(self, confirmation_id: str) -> Confirmation:
        """Raises NotFound, NotAllowed."""
        if confirmation_id in ROUTES:  # the gateway would answer with the route of that name
            raise NotFound
        return Confirmation.from_one(self._read(confirmation_id))

    def _read(self, confirmation_id: str) -> Mapping[str, Any]:
        doc = self._in_dialect(lambda dialect: self._ask("GET", f"{dialect.confirmations}/{part(confirmation_id)}"))
        record = mapping_of(doc, "confirmation")
        if "status" not in record:  # which would make a call that ran one that waits
            raise MalformedReply("status: not told")
        return record

    def answer(self, confirmation_id: str, *, approve: bool, reason: str = "") -> Answer:
        """Approve or reject a held call. Raises AlreadyResolved, NotFound, NotAllowed.

        Never sent twice: where the outcome is unknown (GatewayUnavailable, MalformedReply) read `confirmation` to
        learn it.
        """

        def ask(dialect: Dialect) -> object:
            path = f"{dialect.confirmations}/{part(confirmation_id)}"
            given = {"reason": reason} if reason else {}
            if dialect.has_respond:
                return self._ask("POST", f"{path}/respond", {"confirmed": approve, **given})
            return self._ask("POST", f"{path}/{'confirm' if approve else 'reject'}", given)

        words = "Request confirmed" if approve else "Request rejected"
        doc = done(self._in_dialect(ask), "answer", words)
        if doc.get("confirmation_id", confirmation_id) != confirmation_id:
            raise NotConfirmed("answer: to another call")
        ran = None if not approve else "confirmation_token" not in doc
        return Answer(approved=approve, ran=ran)

    def _without_lost(self, listed: Rows[Confirmation]) -> Rows[Confirmation]:
        """A list by status also names calls that nobody holds since a restart; some gateways tell which are held,
        with more words than the list has."""
        if self.url in _tell_nothing_of_held:
            return listed
        try:
            told = self._held()
        except NotOffered:
            _tell_nothing_of_held.add(self.url)
            return listed
        held = {one.id: one for one in told}
        found = Rows(held[one.id] for one in listed if one.id in held)
        found.unreadable = max(listed.unreadable, told.unreadable)
        return found

    def _held(self) -> Rows[Confirmation]:
        """The calls that a caller waits for and that this person may answer, oldest first. Raises NotOffered."""
        told = readable(rows_of(self._ask("GET", "stream/pending"), "data"), Confirmation.from_event)
        if REVIEWER not in roles_of(self.token) or tenant_of(self.token):
            return told
        further = self._held_without_tenant({one.id for one in told})
        both = Rows(sorted([*told, *further], key=lambda one: one.asked_at))
        both.unreadable = told.unreadable + further.unreadable
        return both

    def _held_without_tenant(self, told: set[str]) -> Rows[Confirmation]:
        """What an admin without a tenant may answer and the gateway leaves out of what is held: each is read by itself.

        A record that nobody waits for names its rule, if only as null; what is held never does.
        """
        listed = self.confirmations("pending")
        oldest = clock.now(self.url) - HELD_AT_MOST
        found = Rows[Confirmation]()
        found.unreadable = listed.unreadable
        for one in listed:
            if one.tenant or one.id in told or one.asked_at < oldest:
                continue
            try:
                doc = self._read(one.id)
            except (NotFound, NotAllowed):
                continue
            except MalformedReply:
                found.unreadable += 1
                continue
            if "rule_id" not in doc:
                call = readable([doc], Confirmation.from_one)
                found += call
                found.unreadable += call.unreadable
        return found

    def _may_open(self, call: Confirmation) -> bool:
        """By the gateway's rule: the end user, and an admin of exactly the call's tenant."""
        is_own = claims_of(self.token).get("sub") == call.end_user
        return is_own or (REVIEWER in roles_of(self.token) and tenant_of(self.token) == call.tenant)
