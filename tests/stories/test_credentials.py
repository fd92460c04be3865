"""The vault, and connecting services by a key or a token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from credentials.forms import NewServiceForm
from embedded import ids
from gateway.types import Kind
from tests.embedded import Embedded
from tests.portico import Portico
from tests.stories.paging import Browser, Page

PEOPLE = ("user@example.com", "admin@example.com", "operator@example.com", "other@example.com")
SECRET = 'wx-7Qf-very-secret-<b>&"-key'


@dataclass
class House:
    """A gateway, a Portico before it, and the people who come."""

    gateway: Embedded
    portico: Portico
    browsers: list[Browser] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)  # by e-mail: the stories' own view of a vault

    def token(self, email: str) -> str:
        if email not in self.tokens:
            self.tokens[email] = self.gateway.token(email)
        return self.tokens[email]

    def visitor(self, email: str = "user@example.com") -> Browser:
        """Somebody who signed in, with a browser of their own."""
        browser = Browser()
        self.browsers.append(browser)
        browser.opens(f"{self.portico.url}/login/")
        browser.presses("Sign in", email=email, password="demo")
        return browser

    def opens(self, browser: Browser, path: str) -> Page:
        return browser.opens(self.portico.url + path)

    def stored(self, email: str) -> list[str]:
        """The services that the gateway has of this person."""
        return [row["serviceType"] for row in self.vault(email)]

    def vault(self, email: str) -> list[dict[str, str]]:
        answer = requests.get(
            f"{self.gateway.url}/api/v1/credentials",
            headers={"Authorization": f"Bearer {self.token(email)}"},
            timeout=15,
        )
        rows: list[dict[str, str]] = answer.json()["credentials"]
        return rows

    def is_quiet(self) -> None:
        self.gateway.dial(fail=None)
        self.empty_vaults()

    def empty_vaults(self) -> None:
        for email in PEOPLE:
            for row in self.vault(email):
                requests.delete(
                    f"{self.gateway.url}/api/v1/credentials/{row['id']}",
                    headers={"Authorization": f"Bearer {self.token(email)}"},
                    timeout=15,
                ).raise_for_status()

    def received(self, path: str) -> list[dict[str, object]]:
        """The bodies that reached this path of the gateway."""
        return [one["body"] for one in self.gateway.received() if one["path"] == path]


@pytest.fixture
def house(gateway: Embedded, portico: Portico) -> Iterator[House]:
    """With nothing connected and nothing failing, before and after."""
    house = House(gateway, portico)
    house.is_quiet()
    yield house
    house.is_quiet()
    for browser in house.browsers:
        browser.session.close()


def row_of(page: Page, name: str) -> list[str]:
    return next(row for row in page.rows["Credentials"] if row and row[0].startswith(name))


# -- a key and a token --------------------------------------------------------------------------------------------


def test_what_agents_still_need_is_offered_and_a_key_is_all_it_takes(house: House) -> None:
    ana = house.visitor()
    vault = house.opens(ana, "/credentials/")
    assert "Connect Weather" in vault.regions
    assert "Needed by Weather desk" in vault.text
    asking = ana.follows("Connect Weather")
    assert asking.headings == ["Connect Weather"]
    done = ana.presses("Connect Weather", api_key="wx-demo-1234")
    assert done.url == f"{house.portico.url}/credentials/"
    assert "Weather is connected." in done.statuses
    assert "Connect Weather" not in done.regions
    assert row_of(done, "Weather")[1].startswith("just now")
    assert house.stored("user@example.com") == ["weather"]


def test_a_token_is_asked_for_where_the_service_wants_one(house: House) -> None:
    ana = house.visitor()
    house.opens(ana, "/credentials/")
    ana.follows("Connect Notion workspace")
    done = ana.presses("Connect Notion workspace", token="ntn-1")
    assert "Notion workspace is connected." in done.statuses
    assert house.stored("user@example.com") == ["notion"]


def test_a_refused_key_says_why_and_asks_again(house: House) -> None:
    house.gateway.dial(
        fail={
            "path": "/api/v1/credentials/apikey",
            "status": 400,
            "body": {"error": "The key <b>must</b> begin with wx-"},
        }
    )
    ana = house.visitor()
    house.opens(ana, "/credentials/connect/weather/?next=/agents/")
    again = ana.presses("Connect Weather", api_key="nonsense")
    assert again.status == 400
    assert again.alerts == ["The gateway did not accept this: The key <b>must</b> begin with wx-"]
    assert "<b>must</b>" not in again.html
    assert "nonsense" not in again.html
    done = ana.presses("Connect Weather", api_key="wx-demo-1234")  # still on the way to where they were
    assert done.url == f"{house.portico.url}/agents/"
    assert house.stored("user@example.com") == ["weather"]


def test_a_refusal_that_repeats_the_secret_is_not_repeated_to_anybody(house: House) -> None:
    house.gateway.dial(
        fail={"path": "/api/v1/credentials/apikey", "status": 400, "body": {"error": f"bad key {SECRET}"}}
    )
    ana = house.visitor()
    house.opens(ana, "/credentials/connect/weather/")
    again = ana.presses("Connect Weather", api_key=SECRET)
    assert again.alerts == ["The gateway did not accept this."]
    assert "very-secret" not in " ".join(ana.sent_to_me)


def test_a_gateway_in_trouble_is_said_on_the_form_itself(house: House) -> None:
    house.gateway.dial(fail={"path": "/api/v1/credentials/apikey", "status": 500})
    ana = house.visitor()
    house.opens(ana, "/credentials/connect/weather/")
    again = ana.presses("Connect Weather", api_key="wx-demo-1234")
    assert again.status == 503
    assert "cannot be reached right now" in again.alerts[0]
    assert house.stored("user@example.com") == []


def test_an_empty_form_is_not_sent_on(house: House) -> None:
    ana = house.visitor()
    house.opens(ana, "/credentials/connect/weather/")
    before = len(house.received("/api/v1/credentials/apikey"))
    again = ana.presses("Connect Weather", api_key="   ")
    assert again.alerts == ["Paste it here first."]
    assert len(house.received("/api/v1/credentials/apikey")) == before


def test_a_secret_goes_to_the_gateway_and_nowhere_else(house: House) -> None:
    ana = house.visitor()
    asking = house.opens(ana, "/credentials/connect/weather/?next=/credentials/")
    assert [form.kinds["secret"] for form in asking.forms if "secret" in form.kinds] == ["password"]
    ana.presses("Connect Weather", api_key=SECRET)
    for path in ("/credentials/", "/credentials/connect/weather/", "/profile/", "/agents/"):
        house.opens(ana, path)
    assert "very-secret" not in " ".join(ana.sent_to_me)
    assert all(b"very-secret" not in path.read_bytes() for path in Path(house.portico.folder.name).iterdir())
    [*_, body] = house.received("/api/v1/credentials/apikey")
    assert body["apiKey"] == SECRET
    named = {"providerId": ids.WEATHER} if house.gateway.dialect == "guide" else {"serviceType": "weather"}
    assert {name: value for name, value in body.items() if name != "apiKey"} == named


def test_the_way_back_after_connecting_is_on_this_host_only(house: House) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        ana = house.visitor()
        house.opens(ana, f"/credentials/connect/weather/?next={target}")
        assert ana.presses("Connect Weather", api_key="wx-demo-1234").url == f"{house.portico.url}/credentials/"
        house.empty_vaults()


def test_a_wrong_key_is_replaced_on_the_same_page(house: House) -> None:
    ana = house.visitor()
    house.opens(ana, "/credentials/connect/weather/")
    ana.presses("Connect Weather", api_key="wx-wrong")
    [before] = house.vault("user@example.com")
    asking = house.opens(ana, "/credentials/connect/weather/")
    if house.gateway.dialect == "guide":
        ana.presses("Connect Weather", api_key="wx-demo-1234")
    else:  # of something stored, the released gateway tells a person without roles no kind
        assert "takes the place of what is stored" in asking.text
        ana.presses("Connect Weather", api_key_or_token="wx-demo-1234")
    [after] = house.vault("user@example.com")
    assert after["id"] == before["id"]
    assert "updatedAt" in after


def test_a_service_that_nobody_offers_cannot_be_connected(house: House) -> None:
    page = house.opens(house.visitor(), "/credentials/connect/carrier_pigeon/")
    assert page.alerts == ["This gateway cannot connect carrier_pigeon; ask your operator."]


def test_another_organisations_service_cannot_be_connected(house: House) -> None:
    gil = house.visitor("other@example.com")
    assert house.opens(gil, "/credentials/connect/weather/").alerts == [
        "This gateway cannot connect weather; ask your operator."
    ]


def test_a_stranger_is_asked_to_sign_in_first(house: House) -> None:
    stranger = Browser()
    house.browsers.append(stranger)
    page = house.opens(stranger, "/auth/connect?service=weather&next=/agents/")
    assert page.url.startswith(f"{house.portico.url}/login/?next=")
    asking = stranger.presses("Sign in", email="user@example.com", password="demo")
    assert asking.headings == ["Connect Weather"]
    assert stranger.presses("Connect Weather", api_key="wx-demo-1234").url == f"{house.portico.url}/agents/"


def test_the_address_that_gateways_send_people_to_leads_to_the_connect_page(house: House) -> None:
    ana = house.visitor()
    assert house.opens(ana, "/auth/connect?service=notion").url == f"{house.portico.url}/credentials/connect/notion/"
    kept = house.opens(ana, "/auth/connect?service=notion&next=https://evil.example/")
    assert "evil" not in kept.url
    for nothing in ("/auth/connect", "/auth/connect?service=", "/auth/connect?service=a/../b"):
        lost = house.opens(ana, nothing)
        assert lost.url == f"{house.portico.url}/credentials/"
        assert lost.alerts == ["That link does not say which service to connect."]


# -- the table ----------------------------------------------------------------------------------------------------


def test_nothing_connected_and_nothing_needed_says_what_would_be_here(house: House) -> None:
    page = house.opens(house.visitor("other@example.com"), "/credentials/")
    assert "Nothing connected yet" in page.headings
    assert page.regions == []


def test_an_expired_credential_and_one_that_soon_will_be_say_so(house: House) -> None:
    now = datetime.now(UTC)
    for service, expires_at in (("weather", now - timedelta(hours=1)), ("notion", now + timedelta(days=2, hours=1))):
        house.gateway.dial(
            credential={"email": "user@example.com", "service": service, "expiresAt": expires_at.isoformat()}
        )
    house.gateway.dial(credential={"email": "user@example.com", "service": "github"})
    page = house.opens(house.visitor(), "/credentials/")
    assert row_of(page, "Weather")[2] == "Expired"
    assert row_of(page, "Notion workspace")[2] == "In 2 days, 1 hour" or "2 days" in row_of(page, "Notion workspace")[2]
    assert row_of(page, "GitHub")[2] == "Does not expire"
    assert page.regions == ["Connect Weather"]  # an expired one is needed again


def test_an_expired_key_is_replaced_by_a_good_one(house: House) -> None:
    long_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    house.gateway.dial(credential={"email": "user@example.com", "service": "weather", "expiresAt": long_ago})
    ana = house.visitor()
    house.opens(ana, "/credentials/")
    asking = ana.follows("Connect Weather")
    [label] = [label for form in asking.forms for label, name in form.labels.items() if name == "secret"]
    # Of something stored the released gateway tells a person without roles the name, and no kind.
    assert label == ("API key" if house.gateway.dialect == "guide" else "API key or token")
    ana.presses("Connect Weather", **{label.casefold().replace(" ", "_"): "wx-demo-1234"})
    page = house.opens(ana, "/credentials/")
    assert row_of(page, "Weather")[2] == "Does not expire"
    assert "Connect Weather" not in page.regions


def test_people_who_may_read_providers_see_of_which_kind_a_credential_is(house: House) -> None:
    for email in ("operator@example.com", "user@example.com"):
        house.gateway.dial(credential={"email": email, "service": "weather"})
    assert (
        row_of(house.opens(house.visitor("operator@example.com"), "/credentials/"), "Weather")[0] == "Weather API key"
    )
    told = row_of(house.opens(house.visitor(), "/credentials/"), "Weather")[0]
    assert told == ("Weather API key" if house.gateway.dialect == "guide" else "Weather")


def test_an_agent_that_cannot_be_asked_does_not_take_the_page_away(house: House) -> None:
    ana = house.visitor()
    house.gateway.dial(fail={"path": f"/api/v1/agents/{ids.WEATHER_DESK}/credentials-check", "status": 500})
    page = house.opens(ana, "/credentials/")
    assert page.status == 200
    assert page.regions == ["Connect GitHub", "Connect Notion workspace"]


def test_a_vault_that_cannot_be_read_says_so_and_offers_to_try_again(house: House) -> None:
    # more than once: a run of another story may wait for a service, and asks about it as well
    house.gateway.dial(fail={"path": "/api/v1/credentials", "status": 500, "times": 99})
    ana = house.visitor()
    page = house.opens(ana, "/credentials/")
    assert page.status == 503
    assert "cannot be reached right now" in page.alerts[0]
    house.gateway.dial(fail=None)
    assert ana.follows("Try again").status == 200


# -- deleting -----------------------------------------------------------------------------------------------------


def test_deleting_asks_first_naming_the_thing(house: House) -> None:
    house.gateway.dial(credential={"email": "user@example.com", "service": "weather"})
    ana = house.visitor()
    house.opens(ana, "/credentials/")
    question = ana.follows("Delete Weather")
    assert question.headings == ["Delete Weather?"]
    assert house.stored("user@example.com") == ["weather"]
    ana.follows("Keep it")
    assert house.stored("user@example.com") == ["weather"]
    ana.follows("Delete Weather")
    done = ana.presses("Delete Weather")
    assert "Weather is deleted." in done.statuses
    assert done.url == f"{house.portico.url}/credentials/"
    assert house.stored("user@example.com") == []


def test_what_was_deleted_elsewhere_is_told_as_gone(house: House) -> None:
    house.gateway.dial(credential={"email": "user@example.com", "service": "weather"})
    here, there = house.visitor(), house.visitor()
    for browser in (here, there):
        house.opens(browser, "/credentials/")
        browser.follows("Delete Weather")
    here.presses("Delete Weather")
    late = there.presses("Delete Weather")
    assert "That credential was gone already." in late.statuses
    assert late.status == 200


def test_nobody_deletes_the_credential_of_somebody_else(house: House) -> None:
    given = house.gateway.dial(credential={"email": "user@example.com", "service": "weather"})
    for email in ("admin@example.com", "other@example.com"):
        house.gateway.dial(credential={"email": "admin@example.com", "service": "notion"})
        mallory = house.visitor(email)
        assert (
            "There is no such credential among yours"
            in house.opens(mallory, f"/credentials/{given['id']}/delete/").text
        )
        token = next(form for form in house.opens(mallory, "/profile/").forms if "csrfmiddlewaretoken" in form.fields)
        refused = mallory.session.post(
            f"{house.portico.url}/credentials/{given['id']}/delete/",
            {"csrfmiddlewaretoken": token.fields["csrfmiddlewaretoken"]},
            timeout=15,
        )
        assert Page(refused).alerts == ["The gateway refused: that credential is not yours to delete."]
        assert "Weather" not in str(house.opens(mallory, "/credentials/").rows)
    assert house.stored("user@example.com") == ["weather"]


def test_deleting_takes_a_form_of_our_own(house: House) -> None:
    given = house.gateway.dial(credential={"email": "user@example.com", "service": "weather"})
    ana = house.visitor()
    forged = ana.session.post(f"{house.portico.url}/credentials/{given['id']}/delete/", timeout=15)
    assert forged.status_code == 403
    assert house.stored("user@example.com") == ["weather"]


@pytest.mark.parametrize("inside", ["\r\nX-Other: 1", "\n", "\r", "\t", "\x1b[A", "\x7f", "\x85", "\u2028"])
def test_a_key_with_a_line_break_inside_is_refused_with_a_sentence(house: House, inside: str) -> None:
    ana = house.visitor()
    house.opens(ana, "/credentials/connect/weather/")
    again = ana.presses("Connect Weather", api_key=f"wx-demo{inside}1234")
    assert again.status == 400
    assert len(again.alerts) == 1 and again.alerts[0].startswith("This has a line break or another character in it")
    assert house.stored("user@example.com") == []


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("key", "header"),
        ("key", "secret_prefix"),
        ("token", "secret_prefix"),
        *(("oauth", name) for name in ("client_id", "client_secret", "authorization_url", "token_url", "connect_url")),
        *(("basic", name) for name in ("user_field", "password_field")),
    ],
)
def test_nothing_that_goes_into_a_header_has_a_line_break(kind: Kind, field: str) -> None:
    given = {"name": "Tide", "service": "tide", "kind": kind}
    assert NewServiceForm(given).is_valid()
    for inside in ("\r\n", "\n", "\x0b", "\x85"):
        form = NewServiceForm({**given, field: f"a{inside}X-Other:b"})
        assert list(form.errors) == [field]


@pytest.mark.parametrize("header", ["X Key", "X-Key:", "Ключ", "X(Key)"])
def test_a_header_has_a_name_that_headers_can_have(header: str) -> None:
    assert "header" in NewServiceForm({"name": "T", "service": "t", "kind": "key", "header": header}).errors
