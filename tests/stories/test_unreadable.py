"""What a gateway tells and nobody can read: it hides nothing else, and its absence proves nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from gateway.types import Agent, readable
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, held, live_page, words
from tests.stories.following import eventually

HALF = "a\ud800b\0c"
FIRST, LAST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
LOTS = 1_000_000


@pytest.fixture(scope="module")
def upstream() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def front(upstream: Embedded) -> Iterator[Portico]:
    server = Portico(upstream.url).start()
    yield server
    server.close()


@pytest.fixture
def bo(front: Portico) -> Iterator[Visitor]:
    visitor = Visitor(front)
    visitor.signs_in(BO)
    yield visitor
    visitor.session.close()


@pytest.fixture(autouse=True)
def tidy(upstream: Embedded) -> Iterator[None]:
    yield
    upstream.dial(fail=None)


def reads(upstream: Embedded, path: str, who: str = BO) -> Any:
    headers = {"Authorization": f"Bearer {upstream.token(who)}"}
    return requests.get(f"{upstream.url}/api/v1/{path}", headers=headers, timeout=5).json()


def says(upstream: Embedded, path: str, body: Any, status: int = 200, method: str = "GET") -> None:
    upstream.dial(fail={"path": f"/api/v1/{path}", "method": method, "status": status, "body": body, "times": LOTS})


@pytest.mark.parametrize(
    ("field", "value"), [("tool", None), ("id", 7), ("timestamp", FIRST), ("arguments", "none"), ("id", HALF)]
)
def test_a_call_that_cannot_be_read_is_counted_and_not_lost(
    upstream: Embedded, bo: Visitor, field: str, value: object
) -> None:
    whole = held(upstream, ANA, "read_file", agent="File manager", path="/whole.txt")
    call = held(upstream, ANA, "delete_file", agent="File manager", path="/odd.txt")
    told = reads(upstream, "stream/pending")
    for row in told["data"]:
        if row["id"] == call:
            row[field] = value
    says(upstream, "stream/pending", told)
    desk = bo.reads("/confirmations/")
    assert "1 request could not be read." in words(desk) and whole in desk
    page = bo.reads(f"/confirmations/{call}/")
    assert "Lost by the gateway" not in words(page) and f'data-confirmation="{call}" data-state="waiting"' in page
    assert "history__state--lost" not in bo.reads("/confirmations/history/")
    bo.posts(f"/confirmations/{call}/confirm/")
    assert upstream.report()["answers"][call] == "confirm"


def test_an_open_page_says_that_a_call_cannot_be_read(upstream: Embedded, bo: Visitor) -> None:
    held(upstream, ANA, "delete_file", agent="File manager", path="/odd.txt")
    says(upstream, "stream/pending", {"data": ["no row", {"id": "x"}]})
    with live_page(bo) as page:
        page.sees(lambda page: page.unreadable == "2 requests could not be read.", 10)


def test_a_refusal_that_names_an_end_is_not_recorded_as_lost(upstream: Embedded, bo: Visitor) -> None:
    call = held(upstream, ANA, "delete_file", agent="File manager", path="/x.txt")
    says(upstream, f"confirmation/{call}/", {"error": "resolved", "status": "confirmed"}, 409, "POST")
    said = words(bo.posts(f"/confirmations/{call}/reject/", reason="no").text)
    assert "already resolved: approved" in said and "Lost" not in said, said


def test_a_record_without_a_status_is_not_one_that_waits(upstream: Embedded, bo: Visitor) -> None:
    call = held(upstream, ANA, "delete_file", agent="File manager", path="/y.txt")
    record = reads(upstream, f"confirmation/{call}")
    bo.posts(f"/confirmations/{call}/confirm/")
    del record["status"]
    says(upstream, f"confirmation/{call}", record)
    page = bo.gets(f"/confirmations/{call}/")
    assert page.status_code == 502 and "Lost" not in words(page.text)


@pytest.mark.parametrize("moment", [FIRST, LAST, "9999-12-31", 10**400, "9" * 400])
def test_a_time_out_of_range_costs_no_other_row(upstream: Embedded, bo: Visitor, moment: object) -> None:
    call = held(upstream, ANA, "read_file", agent="File manager", path="/z.txt")
    told = reads(upstream, "stream/pending")
    odd = {**told["data"][-1], "id": "odd", "timestamp": moment}
    says(upstream, "stream/pending", {**told, "data": [odd, *told["data"]]})
    listed = reads(upstream, "confirmation/list")
    odd = {**listed["confirmations"][0], "requestId": "odd", "createdAt": moment}
    says(upstream, "confirmation/list", {**listed, "confirmations": [odd, *listed["confirmations"]]})
    assert "1 request could not be read." in words(bo.reads("/confirmations/"))
    assert "1 request could not be read." in words(bo.reads("/confirmations/history/"))
    stored = upstream.dial(credential={"email": BO, "service": "github"})["id"]
    vault = reads(upstream, "credentials")
    for row in vault["credentials"]:
        row |= {"createdAt": moment, "expiresAt": moment}
    says(upstream, "credentials", vault)
    page = words(bo.reads("/credentials/"))
    assert stored and "Unknown" in page and "Does not expire" not in page and "()" not in page
    assert f'data-confirmation="{call}"' in bo.reads("/confirmations/")


def test_half_a_character_or_a_long_name_breaks_no_page(upstream: Embedded, bo: Visitor) -> None:
    agents = reads(upstream, "admin/agents")
    agents["agents"][0] |= {"name": HALF + "n" * 400, "description": HALF}
    agents["agents"][1]["id"] = HALF
    says(upstream, "admin/agents", agents)
    upstream.dial(credential={"email": BO, "service": "github"})
    vault = reads(upstream, "credentials")
    vault["credentials"][0]["providerName"] = HALF
    says(upstream, "credentials", vault)
    held(upstream, ANA, "read_file", agent="File manager", path="/z.txt")
    told = reads(upstream, "stream/pending")
    told["data"][0]["agent"]["name"] = told["data"][0]["tool"]["description"] = HALF
    says(upstream, "stream/pending", told)
    catalogue = words(bo.reads("/agents/"))
    assert "a\ufffdb\ufffdc" in catalogue and "1 agent could not be read." in catalogue
    assert "a\ufffdb\ufffdc" in words(bo.reads("/credentials/"))
    bo.reads("/confirmations/")


@pytest.mark.parametrize("field", ["name", "email", "id", "tenantId", "token"])
@pytest.mark.parametrize("value", [HALF, "n" * 5000])
def test_signing_in_as_somebody_with_an_odd_name_is_no_error_of_ours(
    upstream: Embedded, front: Portico, field: str, value: str
) -> None:
    login = requests.post(
        f"{upstream.url}/api/v1/auth/login", json={"email": ANA, "password": "demo"}, timeout=5
    ).json()
    (login if field == "token" else login["user"])[field] = value
    says(upstream, "auth/login", login, method="POST")
    visitor = Visitor(front)
    answer = visitor.signs_in(ANA)
    assert answer.status_code in (200, 502) and visitor.gets("/").status_code < 500
    visitor.session.close()


def test_a_token_of_somebody_else_ends_the_session(upstream: Embedded, front: Portico) -> None:
    portico = Portico(upstream.url, DJANGO_SETTINGS_MODULE="tests.impatient").start()
    visitor = Visitor(portico)
    visitor.signs_in(ANA)
    me = reads(upstream, "auth/me", ANA)
    me["user"]["id"] = "somebody-else"
    says(upstream, "auth/me", me)
    eventually(lambda: "/login/" in visitor.gets("/conversations/").url)
    visitor.session.close()
    portico.close()


def test_a_conflict_on_a_page_that_only_reads_resolves_nothing(upstream: Embedded, bo: Visitor) -> None:
    says(upstream, "confirmation/list", {"error": "x", "status": "confirmed"}, 409)
    page = words(bo.gets("/confirmations/history/").text)
    assert "This was already" not in page and "could not read" in page


def test_a_row_that_cannot_be_read_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"id": HALF}, {"name": json.dumps("nobody")}]
    for _ in range(50):
        assert readable(rows, Agent.from_doc).unreadable == 2
    assert len(caplog.records) == 2
