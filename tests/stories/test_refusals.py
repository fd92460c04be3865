"""What Portico refuses before any view saw it: a page in its words that gives back what was typed, or the way to it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
import requests

from accounts.typed import typed_in
from config.bodies import READ, STRANGERS
from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, held

AGENT = f"/agents/{ids.ECHO}/"
FORM = "application/x-www-form-urlencoded"
Arriving = Callable[[str], Visitor]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def front(gateway: Embedded) -> Iterator[Portico]:
    """As in production: Django shows its own pages for development else."""
    server = Portico.as_demo(gateway.url).start()
    yield server
    server.close()


@pytest.fixture
def arrive(front: Portico) -> Iterator[Arriving]:
    come: list[Visitor] = []

    def arriving(email: str = "") -> Visitor:
        come.append(Visitor(front))
        if email:
            come[-1].signs_in(email)
        return come[-1]

    yield arriving
    for one in come:
        one.session.close()


def post(visitor: Visitor, path: str, body: bytes, content_type: str = FORM, **headers: str) -> requests.Response:
    """A body as it is, from the page of that path."""
    address = visitor.portico.url + path
    named = {"Content-Type": content_type, "Accept": "text/html", "Referer": address, **headers}
    token = visitor.csrf_token()
    return visitor.session.post(
        address, data=body, headers={"X-CSRFToken": token, **named}, timeout=60, allow_redirects=False
    )


def is_a_page(answer: requests.Response, status: int) -> bool:
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["Content-Type"].startswith("text/html") and "Portico</title>" in answer.text
    assert 'role="alert"' in answer.text and "style-src" in answer.headers["Content-Security-Policy"]
    return True


def multipart(fields: dict[str, str], boundary: str = "b" * 30) -> tuple[bytes, str]:
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode(), f"multipart/form-data; boundary={boundary}"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_message_of_twelve_megabytes_is_given_back(arrive: Arriving, is_chunked: bool) -> None:
    ana = arrive(ANA)
    address, text = ana.portico.url + AGENT, "words+%3Cmore%3E+" * 740_000
    answer = ana.session.post(
        address,
        data=iter([b"message=" + text.encode()]) if is_chunked else b"message=" + text.encode(),
        headers={"Content-Type": FORM, "Referer": address, "X-CSRFToken": ana.csrf_token()},
        timeout=60,
    )
    assert is_a_page(answer, 413)
    assert answer.text.count("words &lt;more&gt; ") == 740_000 and "at most 4 MB" in answer.text
    assert f'href="{AGENT}"' in answer.text


def test_what_is_larger_than_portico_reads_leads_back_to_it(arrive: Arriving) -> None:
    answer = post(arrive(ANA), AGENT, b"message=" + b"x" * READ)
    assert is_a_page(answer, 413) and "what you typed is still there" in answer.text
    assert f'href="{AGENT}"' in answer.text


@pytest.mark.parametrize("as_parts", [False, True])
def test_a_form_of_two_thousand_fields_is_given_back(arrive: Arriving, as_parts: bool) -> None:
    ana = arrive(ANA)
    if as_parts:
        body, kind = multipart({"message": "what\r\nI wrote", **{f"f{number}": "" for number in range(2000)}})
    else:
        body, kind = b"&".join([b"f=1"] * 2000 + [b"message=what%0D%0AI+wrote"]), FORM
    answer = post(ana, AGENT, body, kind)
    assert is_a_page(answer, 413) and "too many fields" in answer.text
    assert "what\r\nI wrote</textarea>" in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--x\r\n", "multipart/form-data; boundary=" + "x" * 5000),
        (b"", "multipart/form-data"),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n", "multipart/form-data; boundary=\xe4"),
        (b"message=a", FORM + "; charset=utf-7"),
        (b"--x\r\nContent-Disposition: form-data; name*=utf-8''a; name*0=b\r\n\r\n", "multipart/form-data; boundary=x"),
    ],
    ids=["boundary too long", "no boundary", "odd boundary", "charset", "odd name of a part"],
)
def test_a_form_that_cannot_be_read_is_refused_in_words(arrive: Arriving, body: bytes, kind: str) -> None:
    answer = post(arrive(ANA), AGENT, body, kind)
    assert is_a_page(answer, 400) and "could not be read" in answer.text


@pytest.mark.parametrize("page", ["http://evil.example/", "{own}//evil.example/x"])
def test_no_way_back_leads_to_another_host(front: Portico, page: str) -> None:
    """A foreign page may post what is refused: its link would stand on a page of ours."""
    headers = {"Content-Type": FORM, "Accept": "text/html", "Referer": page.format(own=front.url)}
    for body in (b"&".join([b"f=1"] * 2000), b"x" * 2 * STRANGERS):
        answer = requests.post(f"{front.url}//evil.example/x", data=body, headers=headers, timeout=10)
        assert is_a_page(answer, 413) and 'href="//' not in answer.text and 'href="/' in answer.text


@pytest.mark.parametrize("text", ["%00", "%ff%fe", "%ed%a0%80", "a%00b"])
def test_bytes_that_are_no_text_break_nothing(arrive: Arriving, text: str) -> None:
    answer = post(arrive(ANA), AGENT, f"message={text}".encode())
    assert answer.status_code in (302, 400) and "text/html" in answer.headers["Content-Type"]
    assert answer.status_code == 302 or "Null characters are not allowed" in answer.text


def test_strangers_send_little(arrive: Arriving) -> None:
    stranger = arrive("")
    for path in ("/login/", AGENT, "/nowhere/", "/confirmations/bulk/"):
        answer = post(stranger, path, b"email=" + b"x" * STRANGERS)
        assert is_a_page(answer, 413) and "64 KB" in answer.text, path
    stranger.session.cookies.set("sessionid", "made-up")
    assert post(stranger, "/login/", b"email=" + b"x" * STRANGERS).status_code == 413


@pytest.mark.parametrize("host", ["evil.example", "a b", "[::1", ""])
def test_another_host_is_told_so(front: Portico, host: str) -> None:
    answer = requests.get(f"{front.url}/login/", headers={"Host": host, "Accept": "text/html"}, timeout=10)
    assert is_a_page(answer, 400) and "does not answer to this address" in answer.text
    assert 'class="button' not in answer.text  # it would lead to the same address
    assert not host or host not in answer.text


def test_a_form_that_was_open_too_long_gives_back_what_was_typed(arrive: Arriving) -> None:
    ana = arrive(ANA)
    ana.session.cookies["csrftoken"] = "x" * 32
    answer = ana.session.post(
        ana.portico.url + AGENT,
        data={"message": "an <old> thought", "csrfmiddlewaretoken": "y" * 64, "secret": "not this"},
        headers={"Referer": ana.portico.url + AGENT, "Accept": "text/html"},
        timeout=10,
    )
    assert is_a_page(answer, 403) and "an &lt;old&gt; thought</textarea>" in answer.text
    assert "not this" not in answer.text and f'href="{AGENT}"' in answer.text


def test_what_a_foreign_page_posts_is_not_shown_as_typed(arrive: Arriving) -> None:
    ana = arrive(ANA)
    answer = post(ana, AGENT, b"message=buy+this", Origin="http://evil.example")
    assert is_a_page(answer, 403) and "buy this" not in answer.text
    answer = post(ana, AGENT, b"message=buy+this&" + b"f=1&" * 2000, Origin="http://evil.example")
    assert is_a_page(answer, 413) and "buy this" not in answer.text


def test_empty_lines_at_the_beginning_are_given_back_too(arrive: Arriving) -> None:
    """Browsers take a line break away that follows a textarea's tag."""
    ana = arrive(ANA)
    refused = post(ana, AGENT, b"message=%0A%0A++indented&" + b"f=1&" * 2000)
    assert is_a_page(refused, 413) and " readonly>\n\n\n  indented</textarea>" in refused.text
    post(ana, f"{AGENT}draft/", b"message=%0A%0A++indented")
    assert ">\n\n\n  indented</textarea>" in ana.reads(AGENT)


def test_what_is_sent_without_any_session_is_given_back(arrive: Arriving) -> None:
    """It was signed out elsewhere, and its row is gone: nobody knows whose draft this would be."""
    ana = arrive(ANA)
    token = ana.csrf_token()
    ana.session.cookies.clear()
    ana.session.cookies["csrftoken"] = token
    answer = ana.posts(AGENT, message="a <thought> too late")
    assert is_a_page(answer, 401) and "a &lt;thought&gt; too late</textarea>" in answer.text
    assert f'href="/login/?next={AGENT.replace("/", "%2F")}"' in answer.text
    live = post(ana, AGENT, b"message=late", **{"HX-Request": "true"})
    assert (live.status_code, live.headers["Content-Type"]) == (401, "text/plain; charset=utf-8")
    assert live.text.startswith("You were signed out.")


HTMX = {"HX-Request": "true", "Accept": "*/*"}
PROGRAM = {"Accept": "application/json"}
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/nowhere/", "GET", 404),
        (f"/conversations/{uuid.UUID(int=0)}/", "GET", 404),
        (f"/runs/{uuid.UUID(int=0)}/cancel/", "GET", 405),
        ("/logout/", "GET", 405),
        (AGENT, "POST", 403),
        ("/confirmations/bulk/", "POST", 403),
    ],
)
def test_each_caller_reads_a_refusal_in_its_own_shape(arrive: Arriving, path: str, method: str, status: int) -> None:
    ana = arrive(ANA)
    ana.csrf_token()

    def asked(headers: dict[str, str]) -> requests.Response:
        answer = ana.session.request(method, ana.portico.url + path, headers=headers, timeout=10)
        assert answer.status_code == status
        return answer

    for headers in (HTMX, SCRIPT):
        said = asked(headers)
        assert said.headers["Content-Type"] == "text/plain; charset=utf-8" and 10 < len(said.text) < 500
    said = asked(PROGRAM)
    assert said.headers["Content-Type"] == "application/json" and said.json()["error"]
    page = asked({"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html") and "Portico</title>" in page.text


def test_a_message_that_is_too_long_for_one_is_given_back(arrive: Arriving) -> None:
    ana = arrive(ANA)
    text = "one word more " * 7200
    answer = ana.posts(AGENT, message=text)
    assert is_a_page(answer, 413) and "at most 100000 characters" in answer.text and text.strip() in answer.text
    conversation = ana.posts(AGENT, message="hello").url.removeprefix(ana.portico.url)
    answer = ana.posts(f"{conversation}messages/", page=conversation, message=text)
    assert is_a_page(answer, 413) and text.strip() in answer.text and f'href="{conversation}"' in answer.text
    live = post(ana, f"{conversation}messages/", b"message=" + text.encode(), **{"HX-Request": "true"})
    assert live.status_code == 413 and len(live.text) < 500 and "still here" in live.text
    draft = post(ana, f"{conversation}draft/", b"message=" + text.encode())
    assert draft.status_code == 413 and "too long to be kept" in draft.text


def test_a_reason_on_the_desk_that_is_too_much_is_given_back(arrive: Arriving, gateway: Embedded) -> None:
    bo = arrive(BO)
    call = held(gateway, ANA, "delete_file", path="too much")
    path = f"/confirmations/{call}/reject/"
    answer = post(bo, path, b"reason=" + b"because " * 600_000)
    assert is_a_page(answer, 413) and answer.text.count("because ") == 600_000
    answer = bo.posts(path, reason="why " * 501)
    assert answer.status_code == 400 and "keep the reason to 2000 characters" in answer.text
    assert "why " * 501 in answer.text


@pytest.mark.parametrize("size", [10, 65_530, 65_536, 65_540, 200_003])
def test_texts_are_found_in_a_body_whole(size: int) -> None:
    text = ("ä%&=+\r\n\u20ac" * size)[:size]
    as_address = urlencode({"f": "1", "message": text})
    assert typed_in(as_address.encode(), FORM) == [text]
    body, kind = multipart({"f": "1", "reason": text})
    assert typed_in(body, kind) == [text]


@pytest.mark.parametrize("more", ['; name="message"', '; name="message"\r\n', '; name="reason"\r\nX: y\r\n'])
def test_a_body_of_heads_without_an_end_is_looked_through_once(more: str) -> None:
    began = time.monotonic()
    assert typed_in(more.encode() * (1024**2 // len(more)), "multipart/form-data; boundary=x") == []
    assert time.monotonic() - began < 2  # seconds; minutes, if each head is searched to the end of the body
