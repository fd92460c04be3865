"""Changing one's name, e-mail and password."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from tests.embedded import Embedded
from tests.portico import Portico
from tests.stories.paging import Browser, Page

DIALECTS_DIFFER = False

ME = "/api/v1/auth/me"
CHANGE = "/api/v1/auth/change-password"
FIRST = "the first password"
SECOND = "a second <password>"
_numbers = itertools.count(1)


@dataclass
class Somebody:
    """A person of their own, whom no other story knows."""

    gateway: Embedded
    portico: Portico
    email: str
    browsers: list[Browser] = field(default_factory=list)

    def signs_in(self, email: str = "", password: str = FIRST) -> Browser:
        browser = Browser()
        self.browsers.append(browser)
        browser.opens(f"{self.portico.url}/login/")
        browser.presses("Sign in", email=email or self.email, password=password)
        return browser

    def profile(self, browser: Browser) -> Page:
        return browser.opens(f"{self.portico.url}/profile/")

    def received(self, method: str, path: str) -> list[dict[str, Any]]:
        """The bodies that reached this path of the gateway."""
        requests = self.gateway.received()
        return [one["body"] for one in requests if (one["method"], one["path"]) == (method, path)]

    def lacks(self, method: str, path: str) -> None:
        """The gateway answers once as one that has no such route."""
        body = {"error": "Not Found", "message": f"Route {method} {path} not found"}
        self.gateway.dial(fail={"path": path, "method": method, "status": 404, "body": body})

    def can_sign_in(self, password: str, email: str = "") -> bool:
        body = {"email": email or self.email, "password": password}
        return requests.post(f"{self.gateway.url}/api/v1/auth/login", json=body, timeout=15).status_code == 200


@pytest.fixture
def eva(gateway: Embedded, portico: Portico) -> Iterator[Somebody]:
    gateway.dial(fail=None)
    eva = Somebody(gateway, portico, f"eva{next(_numbers)}@example.com")
    body = {"email": eva.email, "password": FIRST, "name": "Eva Moor", "tenantId": "acme", "roles": []}
    bearer = {"Authorization": f"Bearer {gateway.token('admin@example.com')}"}
    requests.post(f"{gateway.url}/api/v1/admin/users", json=body, headers=bearer, timeout=15).raise_for_status()
    yield eva
    gateway.dial(fail=None)
    for browser in eva.browsers:
        browser.session.close()


def kept_by(portico: Portico) -> str:
    """All that is in its database."""
    with closing(sqlite3.connect(f"{portico.folder.name}/db.sqlite3")) as database:
        return "\n".join(database.iterdump())


def filled(page: Page, label: str) -> str:
    return next(form.fields[form.labels[label]] for form in page.forms if label in form.labels)


def with_button(page: Page, button: str) -> bool:
    return any(button in form.buttons for form in page.forms)


# -- name and e-mail ----------------------------------------------------------------------------------------------


def test_a_new_name_is_shown_at_once_and_known_to_the_gateway(eva: Somebody) -> None:
    browser = eva.signs_in()
    page = eva.profile(browser)
    assert (filled(page, "Name"), filled(page, "Email")) == ("Eva Moor", eva.email)
    done = browser.presses("Save profile", name="Eva <Moor> Lind")
    assert "Your profile is saved." in done.statuses
    assert done.text.count("Eva <Moor> Lind") == 3  # under the menu's name, in the menu, and among the facts
    assert eva.received("PUT", ME)[-1] == {"name": "Eva <Moor> Lind"}


def test_a_new_email_is_what_one_signs_in_with_from_then_on(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    new = f"new-{eva.email}"
    done = browser.presses("Save profile", email=new.upper())
    told = f"From now on you sign in as {new}. You stay signed in here; other sessions too, until their tokens end."
    assert told in done.statuses
    assert new in done.text
    assert eva.profile(browser).url == f"{eva.portico.url}/profile/"  # the token says the old one, and stays good
    assert browser.opens(f"{eva.portico.url}/agents/").headings[0] == "Agents"
    assert eva.can_sign_in(FIRST, new)
    assert not eva.can_sign_in(FIRST)
    assert filled(eva.profile(eva.signs_in(new)), "Email") == new


def test_an_email_that_somebody_else_has_is_said_at_its_field(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    again = browser.presses("Save profile", name="Eva", email="user@example.com")
    assert again.status == 409
    assert again.alerts == ["Somebody else has this address already."]
    assert (filled(again, "Name"), filled(again, "Email")) == ("Eva", "user@example.com")
    assert "Your profile is saved." in browser.presses("Save profile", email=eva.email).statuses
    assert eva.received("PUT", ME)[-1] == {"name": "Eva"}


def test_what_is_no_email_is_not_sent_on(eva: Somebody) -> None:
    browser = eva.signs_in()
    before = len(eva.received("PUT", ME))
    for wrong, sentence in (("", "Enter the address that you sign in with."), ("eva", "Enter a valid email address.")):
        eva.profile(browser)
        again = browser.presses("Save profile", email=wrong)
        assert (again.status, again.alerts) == (400, [sentence])
    assert len(eva.received("PUT", ME)) == before


def test_an_email_that_the_gateway_refuses_is_told_in_its_own_words(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    eva.gateway.dial(fail={"path": ME, "method": "PUT", "status": 400, "body": {"error": "only @acme.example"}})
    again = browser.presses("Save profile", email="eva@elsewhere.example")
    assert again.alerts == ["The gateway did not accept this: only @acme.example"]
    assert filled(again, "Email") == "eva@elsewhere.example"


def test_a_gateway_in_trouble_takes_nothing_away_that_was_typed(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    eva.gateway.dial(fail={"path": ME, "method": "PUT", "status": 500})
    again = browser.presses("Save profile", name="Eva Lind")
    assert again.status == 503
    assert "cannot be reached right now" in again.alerts[0]
    assert filled(again, "Name") == "Eva Lind"
    assert "Your profile is saved." in browser.presses("Save profile").statuses


def test_a_page_that_was_open_for_long_does_not_undo_what_was_changed_elsewhere(eva: Somebody) -> None:
    here, there = eva.signs_in(), eva.signs_in()
    eva.profile(here)
    eva.profile(there)
    there.presses("Save profile", email=f"new-{eva.email}")
    done = here.presses("Save profile", name="Eva Lind")
    assert eva.received("PUT", ME)[-1] == {"name": "Eva Lind"}
    assert filled(done, "Email") == f"new-{eva.email}"


def test_changing_nothing_asks_the_gateway_who_one_is(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    eva.gateway.dial(person={"email": eva.email, "name": "Eva Elsewhere"})
    before = len(eva.received("PUT", ME))
    done = browser.presses("Save profile")
    assert "You changed nothing." in done.statuses
    assert filled(done, "Name") == "Eva Elsewhere"
    assert len(eva.received("PUT", ME)) == before


# -- the password -------------------------------------------------------------------------------------------------


def test_a_new_password_is_good_at_once_and_other_sessions_stay(eva: Somebody) -> None:
    browser, elsewhere = eva.signs_in(), eva.signs_in()
    page = eva.profile(browser)
    [form] = [form for form in page.forms if "current" in form.fields]
    assert [form.kinds[name] for name in ("current", "new", "again")] == ["password"] * 3
    done = browser.presses("Change password", current_password=FIRST, new_password=SECOND, new_password_again=SECOND)
    assert done.url == f"{eva.portico.url}/profile/"
    told = "Your password is changed. You stay signed in here; other sessions too, until their tokens end."
    assert told in done.statuses
    for session in (browser, elsewhere):
        assert session.opens(f"{eva.portico.url}/credentials/").headings[0] == "Credentials"
    assert eva.can_sign_in(SECOND)
    assert not eva.can_sign_in(FIRST)


def test_a_wrong_current_password_is_said_at_its_field(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    again = browser.presses(
        "Change password", current_password="not it, really", new_password=SECOND, new_password_again=SECOND
    )
    assert again.status == 400
    assert again.alerts == ["This is not the password that you have now."]
    assert eva.can_sign_in(FIRST)
    reloaded = browser.opens(f"{eva.portico.url}/profile/password/")
    assert reloaded.url == f"{eva.portico.url}/profile/"


def test_a_new_password_is_long_enough_and_typed_twice(eva: Somebody) -> None:
    browser = eva.signs_in()
    before = len(eva.received("POST", CHANGE))
    for new, again, alerts in (
        ("short 7", "short 7", ["A password has at least 8 characters."]),
        (SECOND, f"{SECOND} ", ["This is not the same as the new password."]),
        ("", "", ["Enter a new password.", "Enter the new password once more."]),
    ):
        eva.profile(browser)
        page = browser.presses("Change password", current_password=FIRST, new_password=new, new_password_again=again)
        assert (page.status, page.alerts) == (400, alerts)
    assert len(eva.received("POST", CHANGE)) == before


def test_passwords_are_never_shown_nor_kept(eva: Somebody) -> None:
    browser = eva.signs_in()
    secret = "a-very-secret-password"
    eva.profile(browser)
    browser.presses("Change password", current_password=f"{secret}-1", new_password=secret, new_password_again=secret)
    eva.gateway.dial(fail={"path": CHANGE, "status": 400, "body": {"error": f"too much like others: {secret}"}})
    refused = browser.presses("Change password", current_password=FIRST, new_password=secret, new_password_again=secret)
    assert refused.alerts == ["The gateway did not accept this."]
    browser.presses("Change password", current_password=FIRST, new_password=secret, new_password_again=secret)
    eva.profile(browser)
    assert eva.can_sign_in(secret)
    assert "very-secret" not in " ".join(browser.sent_to_me)
    assert "very-secret" not in kept_by(eva.portico)


def test_guessing_the_current_password_is_paused_as_signing_in_is(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    for _ in range(10):
        browser.presses("Change password", current_password="a guess", new_password=SECOND, new_password_again=SECOND)
    paused = browser.presses("Change password", current_password=FIRST, new_password=SECOND, new_password_again=SECOND)
    assert paused.status == 429
    assert "Too many failed attempts." in paused.alerts[0]
    assert eva.can_sign_in(FIRST)


def test_a_gateway_in_trouble_is_said_on_the_form_itself(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    eva.gateway.dial(fail={"path": CHANGE, "status": 500})
    again = browser.presses("Change password", current_password=FIRST, new_password=SECOND, new_password_again=SECOND)
    assert again.status == 503
    assert "cannot be reached right now" in again.alerts[0]
    assert eva.can_sign_in(FIRST)


# -- what this gateway does not offer -----------------------------------------------------------------------------


def test_a_gateway_without_profile_changes_is_not_asked_again(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    eva.lacks("PUT", ME)
    page = browser.presses("Save profile", name="Eva Lind")
    assert "This gateway does not let people change their name or e-mail." in page.statuses
    assert not with_button(page, "Save profile")
    assert with_button(page, "Change password")
    assert "Eva Moor" in eva.profile(browser).text
    assert not with_button(eva.profile(browser), "Save profile")
    assert with_button(eva.profile(eva.signs_in()), "Save profile")  # it may have learned it by the next sign-in


def test_a_gateway_without_password_changes_is_not_asked_again(eva: Somebody) -> None:
    browser = eva.signs_in()
    eva.profile(browser)
    eva.lacks("POST", CHANGE)
    page = browser.presses("Change password", current_password=FIRST, new_password=SECOND, new_password_again=SECOND)
    assert "This gateway does not let people change their password." in page.statuses
    assert not with_button(page, "Change password")
    assert with_button(page, "Save profile")


# -- doors --------------------------------------------------------------------------------------------------------


def test_a_stranger_is_asked_to_sign_in_first(eva: Somebody) -> None:
    stranger = Browser()
    eva.browsers.append(stranger)
    for path in ("/profile/", "/profile/password/"):
        assert "/login/?next=" in stranger.opens(eva.portico.url + path).url


def test_changing_oneself_takes_a_form_of_our_own(eva: Somebody) -> None:
    browser = eva.signs_in()
    for path, fields in (
        ("/profile/", {"name": "Mallory", "email": "mallory@example.com"}),
        ("/profile/password/", {"current": FIRST, "new": SECOND, "again": SECOND}),
    ):
        assert browser.session.post(eva.portico.url + path, fields, timeout=15).status_code == 403
    assert eva.can_sign_in(FIRST)


def test_roles_are_shown_as_people_call_them(eva: Somebody) -> None:
    assert "Roles None: you chat with agents" in eva.profile(eva.signs_in()).text
    assert "Roles Tenant admin" in eva.profile(eva.signs_in("operator@example.com", "demo")).text
