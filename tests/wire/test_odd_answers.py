"""What a gateway may say that can be read and not reckoned with: it costs itself, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway import clock, deep
from gateway.errors import MalformedReply
from gateway.records import Health
from gateway.refusals import refusal
from gateway.types import MissingService, Person, readable

DEEP = deep.loads("[" * 100_000 + "]" * 100_000)


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:58 -1200",
        "Mon, 01 Jan 0001 00:00:00 +1200",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Sat, 00 Nov 2026 00:00:00 GMT",
        "",
    ],
)
def test_a_date_that_no_clock_shows_tells_no_time(date: str) -> None:
    url = "http://odd.example"
    clock.hear_headers(url, {"Date": date}, datetime.now(UTC))
    assert not clock.is_known(url)


def test_a_role_that_is_no_word_is_nobodys() -> None:
    rows = [{"id": "a", "email": "a@x"}, {"id": "b", "email": "b@x", "roles": [DEEP, "admin", 7, {"a": DEEP}]}]
    assert [person.roles for person in readable(rows, Person.from_doc)] == [(), ("7", "admin")]


def test_a_missing_service_that_is_no_word_is_no_answer() -> None:
    assert [one.service for one in MissingService.all_from({"missing": ["github", 7]})] == ["github", "7"]
    odd: tuple[object, ...] = ([DEEP], ["github", {}], {}, "github", None)
    for missing in odd:
        with pytest.raises(MalformedReply):
            MissingService.all_from({"missing": missing})
    assert isinstance(refusal(401, b"[" * 100_000), MalformedReply)


def test_a_service_of_the_gateway_whose_state_is_no_word_has_none() -> None:
    assert Health.from_doc({"status": "healthy", "services": {"db": "up", "queue": DEEP}}).services == {
        "db": "up",
        "queue": "",
    }
