"""Which pages may open a socket or follow a run, and that no header leaves a request without an answer."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import override_settings
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from accounts.addresses import split
from accounts.origins import is_own
from tests.portico import Visitor
from tests.stories.approving import cookies

DIALECTS_DIFFER = False

MALFORMED = [
    "http://[",
    "http://[::1",
    "http://a]b",
    "null",
    "",
    "http://",
    "://",
    "http://user@{host}",
    "http://{host}/",
    "http://{host}, http://{host}",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:x",
    "http://127.0.0.1:٣",
    "http://exämple.test",
    "\xff\xfe",
]
KEPT_PRIVATE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}


def asked(scheme: str, host: str, *origins: str, has_to_say: bool = True) -> bool:
    headers = [(b"host", host.encode()), *((b"origin", one.encode()) for one in origins)]
    return is_own({"scheme": scheme, "headers": headers}, has_to_say=has_to_say)


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("ws", "localhost", "http://localhost"),
        ("ws", "localhost:80", "http://localhost"),
        ("ws", "localhost", "http://localhost:80"),
        ("http", "127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("wss", "localhost", "https://localhost"),
        ("https", "localhost:443", "https://LOCALHOST"),
        ("ws", "[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_page_of_this_scheme_host_and_port_may(scheme: str, host: str, origin: str) -> None:
    assert asked(scheme, host, origin)


@pytest.mark.parametrize(
    ("scheme", "host", "origin"),
    [
        ("wss", "localhost", "http://localhost"),
        ("ws", "localhost", "https://localhost"),
        ("https", "localhost", "http://localhost:443"),
        ("ws", "localhost:8000", "http://localhost"),
        ("ws", "localhost:8000", "ftp://localhost:8000"),
        ("ws", "localhost:8000", "file://localhost:8000"),
        ("ws", "localhost:8000", "chrome-extension://localhost:8000"),
        ("ws", "localhost", "http://localhost:0"),
        ("ws", "evil.example", "http://evil.example"),  # not a host of ours
        ("ws", "localhost", "http://localhost.evil.example"),
        ("ws", "", "http://"),
        *(("ws", "127.0.0.1", one.format(host="127.0.0.1")) for one in MALFORMED),
    ],
)
def test_no_other_page_may(scheme: str, host: str, origin: str) -> None:
    assert not asked(scheme, host, origin)


def test_one_origin_has_to_be_named_for_a_socket_and_never_two() -> None:
    assert not asked("ws", "localhost")
    assert not asked("ws", "localhost", "http://localhost", "http://localhost")
    assert asked("http", "localhost", has_to_say=False)
    assert not asked("http", "localhost", "http://evil.example", has_to_say=False)


def test_pages_that_the_installation_trusts_may() -> None:
    with override_settings(CSRF_TRUSTED_ORIGINS=["https://desk.example.com", "https://*.example.org:8443"]):
        assert asked("ws", "localhost", "https://desk.example.com")
        assert asked("ws", "localhost", "https://a.example.org:8443")
        for foreign in ("http://desk.example.com", "https://a.example.org", "https://xexample.org:8443"):
            assert not asked("ws", "localhost", foreign)


def test_a_proxy_says_what_the_browser_sees() -> None:
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        headers = [(b"host", b"localhost"), (b"x-forwarded-proto", b"https"), (b"origin", b"https://localhost")]
        assert is_own({"scheme": "ws", "headers": headers}, has_to_say=True)


@pytest.mark.parametrize("address", ["http://[", "http://a:99999/x", "http://a:x", "//[::1", "http://[v1]x/"])
def test_looking_at_a_malformed_address_gives_nothing(address: str) -> None:
    assert split(address).path == ""


def head(visitor: Visitor, **headers: str) -> dict[str, Any]:
    written = {name.replace("_", "-"): value.encode() for name, value in headers.items()}
    return {"headers": written, "timeout": 10, "allow_redirects": False}


@pytest.mark.parametrize("origin", MALFORMED)
def test_a_follower_with_a_malformed_origin_is_answered(visitor: Any, origin: str) -> None:
    stranger = visitor()
    named = origin.format(host=f"127.0.0.1:{stranger.portico.port}")
    path = f"{stranger.portico.url}/runs/{uuid.uuid4()}/events/"
    answer = stranger.session.get(path, **head(stranger, Origin=named))
    assert answer.status_code == 403
    assert KEPT_PRIVATE.items() <= answer.headers.items()


@pytest.mark.parametrize("referer", ["http://[", "http://[::1", "http://127.0.0.1:99999/", "null", "\xff"])
def test_a_malformed_referer_breaks_no_page(ana: Visitor, referer: str) -> None:
    answer = ana.session.get(f"{ana.portico.url}/credentials/connect/github/", **head(ana, Referer=referer))
    assert answer.status_code < 400
    token = ana.csrf_token()
    form = {"csrfmiddlewaretoken": token, "reason": "kept", "message": "kept"}
    for path in ("/confirmations/nothing/reject/", "/login/"):
        gone = ana.session.post(ana.portico.url + path, data=form, **head(ana, Referer=referer, HX_Current_URL=referer))
        assert gone.status_code < 500


def refused(visitor: Visitor, path: str, origin: str) -> InvalidStatus:
    url = visitor.portico.url.replace("http", "ws", 1) + path
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(url, additional_headers={"Cookie": cookies(visitor), "Origin": origin}),
    ):
        pass
    return caught.value


@pytest.mark.parametrize(
    "origin", ["http://[", "http://127.0.0.1:99999", "null", "http://user@{host}", "https://{host}"]
)
def test_a_socket_of_another_page_is_refused(ana: Visitor, origin: str) -> None:
    answer = refused(ana, "/ws/confirmations/", origin.format(host=f"127.0.0.1:{ana.portico.port}")).response
    assert answer.status_code == 403
    assert all(answer.headers[name] == value for name, value in KEPT_PRIVATE.items())


@pytest.mark.parametrize("path", ["/ws/", "/ws/confirmations", "/", "/ws/confirmations/x/", "/agents/"])
def test_there_is_no_socket_elsewhere(ana: Visitor, path: str) -> None:
    answer = refused(ana, path, ana.portico.url).response
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"
