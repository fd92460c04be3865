"""What has no answer on record: held, lost with its caller, or other people's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gateway import Gateway
from tests.embedded import Embedded


@pytest.fixture
def own(gateway: Embedded) -> Iterator[Callable[..., str]]:
    """Hold a call for somebody: gives its id. Nothing is held before and after a test."""
    gateway.dial(reset=True)
    yield lambda email: str(gateway.dial(hold={"email": email, "tool": "delete_file", "arguments": {}})["id"])
    gateway.dial(reset=True)


def of(gateway: Embedded, email: str) -> Gateway:
    return Gateway(gateway.url, gateway.token(email))


def test_a_call_that_lost_its_caller_is_told_apart_from_one_that_is_held(
    gateway: Embedded, own: Callable[..., str]
) -> None:
    lost = own("user@example.com")
    gateway.dial(forget_holds=True)
    held = own("user@example.com")
    for email in ("user@example.com", "admin@example.com"):
        unanswered = of(gateway, email).unanswered()
        assert [one.id for one in unanswered.held] == [held]
        assert [one.id for one in unanswered.lost] == [lost]
        assert unanswered.unknown == ()


def test_what_was_answered_is_in_neither(gateway: Embedded, own: Callable[..., str]) -> None:
    answered = own("user@example.com")
    of(gateway, "admin@example.com").answer(answered, approve=False, reason="no")
    unanswered = of(gateway, "user@example.com").unanswered()
    assert (unanswered.held, unanswered.lost, unanswered.unknown) == ((), (), ())


def test_other_peoples_are_not_called_lost(gateway: Embedded, own: Callable[..., str]) -> None:
    """An admin without a tenant sees everybody's in the list, and may open none of a tenant's (wire notes, Traps)."""
    held = own("user@example.com")
    gateway.dial(person={"email": "operator@example.com", "roles": ["admin"], "tenantId": None})
    unanswered = of(gateway, "operator@example.com").unanswered()
    assert (unanswered.held, unanswered.lost) == ((), ())
    assert [one.id for one in unanswered.unknown] == [held]


def test_an_admin_without_a_tenant_finds_what_people_without_one_asked_for(
    gateway: Embedded, own: Callable[..., str]
) -> None:
    """The gateway lets such a one answer it, and leaves it out of what is held (wire notes, Traps)."""
    for email in ("user@example.com", "admin@example.com"):
        gateway.dial(person={"email": email, "tenantId": None})
    admin = of(gateway, "admin@example.com")
    lost = own("user@example.com")
    gateway.dial(forget_holds=True)
    held = own("user@example.com")
    of_a_tenant = own("other@example.com")
    assert [one.id for one in admin.pending()] == [held]
    unanswered = admin.unanswered()
    assert [one.id for one in unanswered.held] == [held]
    assert [one.id for one in unanswered.lost] == [lost]
    assert [one.id for one in unanswered.unknown] == [of_a_tenant]
    admin.answer(held, approve=True)
    assert admin.pending() == []
