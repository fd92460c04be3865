"""The queue while the gateway is in trouble: the page says so, and is right again by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import InvalidStatus

from embedded import ids
from tests.embedded import Embedded
from tests.portico import BOTH, Portico, Visitor
from tests.stories.approving import ANA, BO, GIL, SOON, connected, held, live_page, open_page, words
from tests.stories.following import events_of, eventually, run_of
from tests.stories.test_chat import ask

BACK = 35.0  # seconds in which a page has to be right again by itself
TAKEN_BACK = "approval was cancelled before it was sent: the session that it was given in ended"


@pytest.fixture(scope="module", params=BOTH)
def shared(request: pytest.FixtureRequest) -> Iterator[tuple[Embedded, Portico]]:
    with Embedded.start(dialect=request.param) as embedded:
        server = Portico(embedded.url, DJANGO_SETTINGS_MODULE="tests.impatient", APPROVAL_HOLD="20").start()
        yield embedded, server
        server.close()


@pytest.fixture
def frail(shared: tuple[Embedded, Portico]) -> Iterator[Embedded]:
    """Whatever a test does to it, the next one finds it as it was."""
    embedded, _ = shared
    yield embedded
    if embedded.process is None:
        embedded.launch(embedded.port)
    embedded.dial(reset=True)


@pytest.fixture
def arrive(frail: Embedded, shared: tuple[Embedded, Portico]) -> Iterator[Callable[[str], Visitor]]:
    _, server = shared
    come: list[Visitor] = []

    def arriving(email: str) -> Visitor:
        come.append(Visitor(server))
        come[-1].signs_in(email)
        return come[-1]

    yield arriving
    for one in come:
        one.posts("/logout/")
        one.session.close()


Arriving = Callable[[str], Visitor]


def test_a_gateway_that_goes_and_comes_back(frail: Embedded, arrive: Arriving) -> None:
    bo = arrive(BO)
    with live_page(bo) as page:
        before = held(frail, ANA, "delete_file", agent="File manager", path="before")
        page.reads(before, "delete_file")
        frail.kill()
        killed_at = time.monotonic()
        page.sees(lambda page: page.state == "reconnecting")
        assert before in page.items
        away = bo.gets("/confirmations/")
        assert away.status_code == 503 and "cannot be reached" in words(away.text)
        assert bo.posts(f"/confirmations/{before}/reject/", reason="kept for later").status_code == 503
        with open_page(bo) as later:  # knows it, too, and how long it has been
            later.sees(lambda page: page.state == "reconnecting")
            assert abs(later.away - (time.monotonic() - killed_at)) < 1
        frail.launch(int(frail.url.rsplit(":", 1)[1]))
        page.sees(lambda page: page.state == "live", BACK)
        page.reads(before, "does not know this call any more")
        after = held(frail, ANA, "delete_file", agent="File manager", path="after")
        page.reads(after, "delete_file")


def test_a_typed_reason_outlives_a_gateway_that_is_away(frail: Embedded, arrive: Arriving) -> None:
    ana = arrive(ANA)
    call = held(frail, ANA, "delete_file", path="x")
    frail.dial(fail={"path": f"/api/v1/{base(frail)}/{call}", "status": 503, "times": 2})
    assert ana.posts(f"/confirmations/{call}/reject/", reason="kept for later").status_code == 503
    assert "kept for later" in ana.reads(f"/confirmations/{call}/")


def test_a_gateway_that_takes_long_to_answer_is_said_to_be_away_until_it_does(
    frail: Embedded, arrive: Arriving
) -> None:
    listed = "/api/v1/confirmations/list" if frail.dialect == "guide" else "/api/v1/stream/pending"
    with live_page(arrive(BO)) as page:
        call = held(frail, ANA, "delete_file", agent="File manager", path="slow")
        page.reads(call, "delete_file")
        frail.dial(fail={"path": listed, "delay": 6, "times": 1})
        page.sees(lambda page: page.state == "reconnecting", 9)
        assert page.away >= 4
        page.sees(lambda page: page.state == "live" and not page.away, 5)
        assert call in page.items


@pytest.mark.parametrize("shared", ["released"], indirect=True, scope="module")
def test_a_page_hears_often_enough_to_know_that_its_line_lives(arrive: Arriving) -> None:
    with live_page(arrive(BO)) as page:
        heard = page.heard
        page.sees(lambda page: page.heard > heard, 12)
        assert page.state == "live"


def test_an_approval_is_cancelled_though_the_gateway_is_away(frail: Embedded, arrive: Arriving) -> None:
    bo = arrive(BO)
    call = held(frail, ANA, "delete_file", agent="File manager", path="cancelled")
    bo.posts(f"/confirmations/{call}/confirm/")
    frail.dial(fail={"path": f"/api/v1/{base(frail)}/{call}", "status": 503, "times": 9})
    answer = bo.session.post(
        f"{bo.portico.url}/confirmations/{call}/cancel/",
        headers={"HX-Request": "true", "X-CSRFToken": bo.csrf_token(), "Referer": bo.portico.url},
    )
    told = "Cancelled: your approval of delete_file was not sent. How the call stands cannot be read right now."
    assert answer.text == told
    frail.dial(fail=None)
    assert "Your approval was cancelled before it was sent" in words(bo.reads(f"/confirmations/{call}/"))


def test_a_line_that_breaks_loses_nothing(frail: Embedded, arrive: Arriving) -> None:
    with live_page(arrive(BO)) as page:
        frail.dial(refuse_streams=True, drop_streams=True)
        page.sees(lambda page: page.state != "live")
        meanwhile = held(frail, ANA, "delete_file", agent="File manager", path="meanwhile")
        page.reads(meanwhile, "delete_file")
        assert page.state == "polling"
        frail.dial(refuse_streams=False)
        page.sees(lambda page: page.state == "live", BACK)
        assert meanwhile in page.items


def test_a_list_that_cannot_be_read_is_said_and_mended(frail: Embedded, arrive: Arriving) -> None:
    with live_page(arrive(BO)) as page:
        call = held(frail, ANA, "delete_file", agent="File manager", path="x")
        page.reads(call, "delete_file")
        path = "/api/v1/confirmations/list" if frail.dialect == "guide" else "/api/v1/stream/pending"
        frail.dial(fail={"path": path, "status": 500, "times": 3})
        page.sees(lambda page: page.state == "reconnecting")
        page.sees(lambda page: page.state == "live", BACK)
        assert call in page.items


def test_a_refused_token_asks_to_sign_in_again(frail: Embedded, arrive: Arriving) -> None:
    ana = arrive(ANA)
    with live_page(ana) as page:
        call = held(frail, ANA, "delete_file", path="x")
        page.reads(call, "delete_file")
        kept = held(frail, ANA, "delete_file", path="kept for a moment")
        assert "It is sent in 20 seconds" in words(ana.posts(f"/confirmations/{kept}/confirm/").text)
        token = ana.csrf_token()
        frail.dial(expire_tokens=True)
        assert page.closes(10) == 4401
        assert "sign in again" in page.ended
    item = f"{ana.portico.url}/confirmations/{call}/"
    form = {"csrfmiddlewaretoken": token, "reason": "typed in vain"}
    refused = ana.session.post(f"{item}reject/", data=form, headers={"Referer": item}, timeout=SOON)
    assert "/login/" in refused.url
    ana.signs_in(ANA)
    assert "typed in vain" in ana.reads(f"/confirmations/{call}/")
    assert TAKEN_BACK in words(ana.reads(f"/confirmations/{kept}/"))
    assert kept in frail.report()["held"]


def test_somebody_who_is_an_admin_no_longer_is_shown_nothing_more(frail: Embedded, arrive: Arriving) -> None:
    bo, ana = arrive(BO), arrive(ANA)
    kept = held(frail, ANA, "delete_file", agent="File manager", path="kept for a moment")
    with live_page(bo) as page:
        assert "It is sent in 20 seconds" in words(bo.posts(f"/confirmations/{kept}/confirm/").text)
        frail.dial(person={"email": BO, "roles": []})
        assert page.closes(10) == 4401
        assert "Your roles changed" in page.ended
    eventually(lambda: f"Bo Adler (admin@example.com)'s {TAKEN_BACK}" in words(ana.reads(f"/confirmations/{kept}/")))
    assert kept in frail.report()["held"]


def test_nobody_is_said_to_have_rejected_what_was_approved_and_then_went_with_its_answer(
    frail: Embedded, arrive: Arriving
) -> None:
    bo, ana = arrive(BO), arrive(ANA)
    path, run = ask(ana, ids.FILE_MANAGER, "please throw away meeting-notes.md")
    eventually(lambda: bool(frail.report()["held"]))
    [call] = frail.report()["held"]
    bo.posts(f"/confirmations/{call}/confirm/")
    ana.posts(f"/runs/{run}/cancel/", page=path)
    told = words(bo.reads(f"/confirmations/{call}/"))
    assert "before it was sent: Ana Lima (user@example.com) stopped the answer that asked for it" in told
    assert "rejected the call" not in told + words(bo.reads("/confirmations/history/"))


def test_one_stream_serves_all_pages_of_a_person_and_ends_with_them(frail: Embedded, arrive: Arriving) -> None:
    first, second = arrive(BO), arrive(BO)
    with live_page(first) as one, live_page(first), live_page(second) as other:
        assert frail.report()["open_streams"] == 1
        first.posts("/logout/")
        assert one.closes() == 4401
        other.sees(lambda page: page.state == "live")
        call = held(frail, ANA, "delete_file", agent="File manager", path="still told")
        other.reads(call, "delete_file")
        assert frail.report()["open_streams"] == 1
        second.posts("/logout/")
        assert other.closes() == 4401
    assert frail.report()["open_streams"] == 0


def test_a_page_opened_while_the_gateway_is_away_comes_alive(frail: Embedded, arrive: Arriving) -> None:
    bo = arrive(BO)
    frail.stop()
    with open_page(bo) as page:
        page.sees(lambda page: page.state == "reconnecting")
        frail.launch(int(frail.url.rsplit(":", 1)[1]))
        page.sees(lambda page: page.state == "live", BACK)


def test_a_page_that_does_not_read_slows_nobody_and_catches_up(frail: Embedded, arrive: Arriving) -> None:
    bo = arrive(BO)
    with live_page(bo) as stalled, live_page(bo) as brisk:
        for number in range(150):
            last = held(frail, ANA, "note", agent="File manager", text=f"{number} " * 20_000)
        brisk.sees(lambda page: last in page.items, 15)
        assert len(brisk.ever) == 150
        stalled.sees(lambda page: last in page.items, 15)
        assert len(stalled.ever) == 150


def test_an_admin_without_a_tenant_is_told_why_nothing_is_there(frail: Embedded, arrive: Arriving) -> None:
    frail.dial(person={"email": BO, "tenantId": None})
    bo = arrive(BO)
    call = held(frail, ANA, "delete_file", agent="File manager", path="not for you")
    page = bo.reads("/confirmations/")
    assert "You have no tenant: the gateway lets you answer what people without one asked for" in words(page)
    assert call not in page
    with live_page(bo) as live:
        own = held(frail, BO, "tidy_up")
        live.reads(own, "tidy_up")
        assert call not in live.ever


def test_an_admin_without_a_tenant_answers_people_without_one(frail: Embedded, arrive: Arriving) -> None:
    for email in (BO, GIL):
        frail.dial(person={"email": email, "tenantId": None})
    bo = arrive(BO)
    with live_page(bo) as live:
        call = held(frail, GIL, "tidy_up")
        live.reads(call, "tidy_up")
        with pytest.raises(AssertionError, match="not within"):  # longer than a lost call is taken for a held one
            live.sees(lambda page: page.states.get(call) != "waiting", 7)
    assert call in bo.reads("/confirmations/")
    assert "cannot be approved" not in words(bo.reads(f"/confirmations/{call}/"))
    bo.posts(f"/confirmations/{call}/reject/", reason="not now")
    assert frail.report()["answers"][call] == "reject"


def base(gateway: Embedded) -> str:
    return "confirmations" if gateway.dialect == "guide" else "confirmation"


def is_let_in(visitor: Visitor) -> bool:
    """Whether a socket is opened for this session, without a page that is asked for."""
    try:
        with connected(visitor, visitor.portico.url):
            return True
    except InvalidStatus as refused:
        assert refused.response.status_code == 403
        return False


@pytest.mark.parametrize("change", [{"roles": []}, {"isActive": False}])
def test_coming_back_shows_nothing_to_whom_the_gateway_takes_no_more(
    frail: Embedded, arrive: Arriving, change: dict[str, object]
) -> None:
    bo = arrive(BO)
    assert is_let_in(bo)
    frail.dial(person={"email": BO, **change})
    eventually(lambda: not is_let_in(bo), 10)
    frail.dial(reset=True)  # whatever the gateway says from now on, this session has ended
    assert not any(is_let_in(bo) for _ in range(5))
    page = bo.gets("/confirmations/")
    assert "/login/" in page.url
    assert ("Your roles changed" if "roles" in change else "Your session ended") in words(page.text)


def test_nobody_follows_a_run_whom_the_gateway_takes_no_more(frail: Embedded, arrive: Arriving) -> None:
    ana = arrive(ANA)
    page = ana.posts(f"/agents/{ids.STORYTELLER}/", message="at length about mountains")
    run = run_of(page.text)
    events = events_of(ana, run)
    next(events)
    frail.dial(person={"email": ANA, "roles": ["operator"]})
    assert all(name != "end" for _, name, _ in events)  # closed long before the story's end, though no page was open
    frail.dial(reset=True)
    assert ana.gets(f"/runs/{run}/events/").status_code == 401


def test_a_silent_gateway_is_told_within_two_seconds(frail: Embedded, arrive: Arriving) -> None:
    """Whether it holds its tongue on the stream, or on the list after it."""
    bo = arrive(BO)
    listed = "/api/v1/confirmations/list" if frail.dialect == "guide" else "/api/v1/stream/pending"
    for path in ("/api/v1/stream", listed):
        frail.dial(fail={"path": path, "delay": 3, "times": 1})
        with open_page(bo) as page:
            page.sees(lambda page: page.state == "reconnecting", 2)
            frail.dial(fail=None)
            page.sees(lambda page: page.state == "live", BACK)
        bo.posts("/logout/")  # else the next page would find the line as this one left it
        bo.signs_in(BO)
