"""Signing in and out, and what happens when the gateway stops knowing somebody."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable

import pytest
from django.contrib.sessions.serializers import JSONSerializer
from django.core import signing
from django.utils.html import escape

from config.settings import public_host
from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.following import plain, transcript

NEW = "a longer one"
Arrive = Callable[..., Visitor]


def test_a_stranger_is_led_to_sign_in_and_then_to_where_they_wanted_to_go(visitor: Arrive) -> None:
    stranger = visitor()
    page = stranger.gets("/credentials/")
    assert page.url.endswith("/login/?next=%2Fcredentials%2F")
    assert stranger.signs_in("user@example.com", then="/credentials/").url.endswith("/credentials/")


def test_a_wrong_password_is_told_in_a_sentence_and_the_address_stays(visitor: Arrive) -> None:
    stranger = visitor()
    answer = stranger.signs_in("user@example.com", "not it")
    assert answer.status_code == 401
    assert "do not match" in plain(answer.text)
    assert 'value="user@example.com"' in answer.text
    assert "not it" not in answer.text


def test_signing_in_leads_to_the_own_host_only(visitor: Arrive, portico: Portico) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        assert visitor().signs_in("user@example.com", then=target).url == f"{portico.url}/agents/"


def test_ten_failures_pause_an_account_and_not_others(own_portico: Portico) -> None:
    guesser = Visitor(own_portico)
    for _ in range(10):
        assert guesser.signs_in("operator@example.com", "guess").status_code == 401
    paused = guesser.signs_in("operator@example.com", "demo")
    assert paused.status_code == 429
    assert "wait five minutes" in plain(paused.text)
    assert guesser.signs_in("user@example.com").status_code == 200


def test_the_session_rotates_and_the_token_is_not_readable_in_the_database(
    visitor: Arrive, portico: Portico, gateway: Embedded
) -> None:
    stranger = visitor()
    stranger.gets("/login/")
    before = stranger.session.cookies.get("sessionid")
    stranger.signs_in("user@example.com")
    assert stranger.session.cookies.get("sessionid") != before
    stored = sqlite3.connect(f"{portico.folder.name}/db.sqlite3")
    [[row]] = stored.execute("SELECT session_data FROM django_session ORDER BY expire_date DESC LIMIT 1").fetchall()
    stored.close()
    salt = "django.contrib.sessions.SessionStore"
    kept = signing.loads(row, key=portico.environment["SECRET_KEY"], salt=salt, serializer=JSONSerializer)
    assert kept["gateway"]["token"].startswith("gAAAA")  # Fernet, and no JWT, which would start with "eyJ"
    assert "eyJ" not in stranger.reads("/profile/")


def test_the_profile_says_who_one_is(ana: Visitor) -> None:
    profile = plain(ana.reads("/profile/"))
    for word in ("Ana Lima", "user@example.com", "acme"):
        assert word in profile


@pytest.mark.parametrize("name", ["", "Acme & Sons"])
def test_nobody_is_shown_an_address_that_is_internal(own_gateway: Embedded, name: str) -> None:
    server = Portico(own_gateway.url, GATEWAY_NAME=name, GATEWAY_AGENTS=ids.ECHO).start()
    visitor = Visitor(server)
    pages = [visitor.gets("/login/").text]
    visitor.signs_in("user@example.com")
    own_gateway.dial(fail={"path": "/api/v1/credentials", "status": 500})
    for path in ("/profile/", "/credentials/connect/weather/", "/agents/", "/credentials/"):
        pages.append(visitor.gets(path).text)
    own_gateway.kill()
    pages += [visitor.gets("/credentials/connect/weather/").text, visitor.gets("/agents/").text]
    assert "Try again" in pages[-2]
    for page in pages:
        assert str(own_gateway.port) not in page and own_gateway.url not in page
    named = [escape(name) in page for page in (*pages[:3], pages[-2])]
    assert named == [True] * 4
    assert ("to the gateway" in plain(pages[0])) == (not name)
    visitor.session.close()
    server.close()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://gateway.example.com:8443", "gateway.example.com"),
        ("http://93.184.216.34:9000", "93.184.216.34"),
        ("http://127.0.0.1:9000", ""),
        ("http://[::1]:9000", ""),
        ("http://10.1.2.3", ""),
        ("http://192.168.0.7:3001", ""),
        ("http://[fd00::7]", ""),
        ("http://169.254.169.254", ""),
        ("http://localhost:9000", ""),
        ("http://gateway:3001", ""),
        ("http://gateway.default.svc.cluster.local", ""),
        ("http://gateway.prod.svc:80", ""),
        ("http://gw.internal", ""),
        ("http://printer.home.arpa.", ""),
    ],
)
def test_only_a_public_host_is_a_name(url: str, host: str) -> None:
    assert public_host(url) == host


def test_signing_out_ends_it(ana: Visitor) -> None:
    assert ana.posts("/logout/").url.endswith("/login/")
    assert "/login/" in ana.gets("/agents/").url


def test_signing_out_takes_a_form_and_not_a_link(ana: Visitor) -> None:
    assert ana.gets("/logout/").status_code == 405
    assert ana.gets("/profile/").status_code == 200


def test_a_gateway_that_is_away_is_told_at_sign_in_and_forgiven_afterwards(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    port = own_gateway.port
    own_gateway.kill()
    stranger = Visitor(own_portico)
    answer = stranger.signs_in("user@example.com")
    assert answer.status_code == 503
    assert "cannot be reached" in plain(answer.text)
    own_gateway.launch(port)
    assert stranger.signs_in("user@example.com", then="").url.endswith("/agents/")
    stranger.session.close()


def test_a_refused_token_brings_the_person_back_with_what_they_had_typed(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    ana, bo = Visitor(own_portico), Visitor(own_portico)
    ana.signs_in("user@example.com")
    chat = ana.posts(f"/agents/{ids.ECHO}/", message="first words")
    path = chat.url.removeprefix(own_portico.url)
    token = ana.csrf_token()
    own_gateway.dial(expire_tokens=True)
    answer = ana.session.post(
        f"{own_portico.url}{path}messages/",
        data={"csrfmiddlewaretoken": token, "message": "words in hand"},
        headers={"Referer": chat.url},
    )
    assert "/login/" in answer.url
    assert "Your session ended. Please sign in again. You will be back where you were." in plain(answer.text)
    bo.signs_in("admin@example.com")
    assert bo.gets(path).status_code == 404
    back = ana.signs_in("user@example.com", then=path)
    assert back.url == chat.url
    assert "words in hand</textarea>" in back.text
    assert "words in hand" not in transcript(back.text)
    for person in (ana, bo):
        person.session.close()


def test_what_was_not_done_when_the_session_ended_is_said_after_signing_in(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    ana = Visitor(own_portico)
    cases = (
        ("/credentials/connect/weather/", {"secret": "wx-1"}, "secrets are not kept: paste it once more."),
        ("/profile/password/", {"current": "demo", "new": NEW, "again": NEW}, "Please do it once more."),
        (f"/agents/{ids.ECHO}/", {"message": "words in hand"}, ""),
    )
    for path, typed, said in cases:
        ana.signs_in("user@example.com")
        own_gateway.dial(expire_tokens=True)
        page = "/profile/" if "password" in path else path
        asked = ana.posts(path, page=page, **typed)
        fields = dict(re.findall(r'<input type="hidden" name="(next|unsent)" value="([^"]*)"', asked.text))
        back = ana.posts("/login/", email="user@example.com", password="demo", **fields)
        assert back.url.endswith(page) and said in plain(back.text)
        assert ("You were signed out before" in plain(back.text)) == bool(said)
        assert "wx-1" not in back.text
        ana.posts("/logout/")
    ana.session.close()


def test_a_first_message_that_a_refused_token_stops_leaves_no_conversation_behind(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    refused = {"status": 401, "body": {"error": "Unauthorized", "code": "TOKEN_EXPIRED", "message": "Token expired"}}
    ana, page = Visitor(own_portico), f"/agents/{ids.ECHO}/"
    ana.signs_in("user@example.com")
    own_gateway.dial(fail={"path": f"/api/v1/agents/{ids.ECHO}/credentials-check", **refused})
    assert "/login/" in ana.posts(page, message="never said to anybody").url
    back = ana.signs_in("user@example.com", then=page)
    assert "never said to anybody</textarea>" in back.text
    assert "never said" not in ana.reads("/conversations/")
    ana.session.close()


def test_a_failure_of_an_agent_with_status_401_signs_nobody_out(ana: Visitor) -> None:
    chat = ana.posts(f"/agents/{ids.UNLUCKY}/", message="be unauthorized")
    assert "/conversations/" in chat.url
    assert ana.gets("/profile/").url.endswith("/profile/")
