"""Where a connect may lead: what counts as the gateway, and what a browser is never sent to."""

from __future__ import annotations

import pytest

from credentials.targets import is_trusted, target_of

GATEWAY = "https://gateway.example.com"


@pytest.mark.parametrize(
    "address",
    [
        "https://gateway.example.com/auth/connect",
        "https://GATEWAY.example.com:443/",
        "https://accounts.example.net/",
        "http://accounts.example.net/",
        "https://sso.example.net:8443/x",
    ],
)
def test_the_gateway_and_the_named_hosts_are_trusted(address: str) -> None:
    target = target_of(address)
    assert target is not None
    assert is_trusted(target, GATEWAY, ["accounts.example.net", " SSO.example.net:8443"])


@pytest.mark.parametrize(
    "address",
    [
        "http://gateway.example.com/",  # another port, and nobody else's business to read along
        "https://gateway.example.com:8443/",
        "https://gateway.example.com.evil.example/",
        "https://evil.example/gateway.example.com",
        "https://evil.example/?https://gateway.example.com/",
        "https://accounts.example.net:444/",
        "https://x.accounts.example.net/",
    ],
)
def test_what_only_looks_like_it_is_not(address: str) -> None:
    target = target_of(address)
    assert target is not None
    assert not is_trusted(target, GATEWAY, ["accounts.example.net", ""])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/relative",
        "//gateway.example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://gateway.example.com/",
        "https://gateway.example.com:0/",
        "https://gateway.example.com:00/",
        "https://gateway.example.com:65536/",
        "https://gateway.example.com@evil.example/",
        "https://@gateway.example.com/",
        "https://evil.example\\@gateway.example.com/",
        "https://gateway.example.com\t.evil.example/",
        "https://gateway.example.com/\r\nSet-Cookie: a=b",
        "https://gateway.example.com/?a=\nb",
        "https://gateway%2eexample.com/",
        "https://gateway.example.com:port/",
        "https://gateway.example.com:99999/",
        "https:///path",
        "https://[::1/",
        "https://xn--\u0430" + "a" * 70 + ".example/",
    ],
)
def test_what_no_browser_is_sent_to(address: str) -> None:
    assert target_of(address) is None


def test_a_host_is_named_as_a_browser_reads_it() -> None:
    named = {
        address: target.host
        for address in (
            "https://A.example:443/",
            "http://a.example:8080/",
            "http://[::1]:80/",
            "https://b\u00fc.example/",
        )
        if (target := target_of(address))
    }
    assert list(named.values()) == ["a.example", "a.example:8080", "[::1]", "xn--b-eha.example"]


def test_a_browser_goes_to_the_host_that_was_judged() -> None:
    target = target_of("https://stra\u00dfe.example:8443/x?a=1&b=#c")
    assert target is not None
    assert (target.host, target.address) == ("strasse.example:8443", "https://strasse.example:8443/x?a=1&b=#c")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://gateway.example.com/", True),
        ("https://gateway.example.com/", False),
        ("http://127.0.0.1:9000/", False),
        ("http://[::1]/", False),
        ("http://localhost:9000/", False),
        ("http://127.0.0.1.evil.example/", True),
    ],
)
def test_plain_http_over_a_network_can_be_read_by_others(address: str, expected: bool) -> None:
    target = target_of(address)
    assert target is not None
    assert target.is_readable_by_others is expected


@pytest.mark.parametrize(
    ("address", "returning"),
    [
        ("https://a.example/x", "https://a.example/x?redirect_url=https%3A%2F%2Fme%2F%3Fstate%3D1"),
        ("https://a.example/x?", "https://a.example/x?&redirect_url=https%3A%2F%2Fme%2F%3Fstate%3D1"),
        (
            "https://a.example/x?a=1&a=2&b=&c=%2F+%20#top?not=query",
            "https://a.example/x?a=1&a=2&b=&c=%2F+%20&redirect_url=https%3A%2F%2Fme%2F%3Fstate%3D1#top?not=query",
        ),
    ],
)
def test_the_way_back_is_added_and_nothing_else_is_touched(address: str, returning: str) -> None:
    target = target_of(address)
    assert target is not None
    assert target.returning_to("https://me/?state=1") == returning
