"""The services that people can connect, as those see them who run the gateway."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico
from tests.stories.paging import Browser, Page

PROVIDERS = "/api/v1/credential-providers"
OPERATOR = "operator@example.com"
MASK = "********"
SECRET = 'hush-9Kq-<b>&"-very-secret'
MAY_NOT_SEE = "The gateway does not let you see its services. If it should, ask your operator."
MAY_NOT_CHANGE = "The gateway does not let you change its services. If it should, ask your operator."
OAUTH = {
    "connectUrl": "https://portal.example.com/connect",
    "oauth2": {
        "authorizationUrl": "https://id.example.com/authorize",
        "tokenUrl": "https://id.example.com/token",
        "clientId": "portal-1",
        "clientSecret": SECRET,
        "defaultScopes": ["mail.read", "mail.send"],
        "audience": "https://api.example.com",
    },
    "theme": "plum",
}


@dataclass
class Office:
    """A gateway whose services are managed, a Portico, and the people who come."""

    gateway: Embedded
    portico: Portico
    browsers: list[Browser] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # ids of services
    tokens: dict[str, str] = field(default_factory=dict)  # by e-mail

    def asks(self, method: str, path: str, body: object = None, who: str = "admin@example.com") -> dict[str, Any]:
        """What the gateway itself answers, beside Portico."""
        if who not in self.tokens:
            self.tokens[who] = self.gateway.token(who)
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = requests.request(method, f"{self.gateway.url}{path}", json=body, headers=headers, timeout=15)
        document: dict[str, Any] = answer.json()
        return document

    def has(self, service: str, name: str, kind: str = "api_key", **more: object) -> str:
        """A service that was there before; its id."""
        body = {"serviceType": service, "name": name, "authType": kind, **more}
        self.made.append(str(self.asks("POST", PROVIDERS, body)["provider"]["id"]))
        return self.made[-1]

    def employs(self, email: str, roles: list[str], tenant: str = "acme") -> Browser:
        """Somebody new, with these roles."""
        body = {"email": email, "password": "long enough", "name": "", "tenantId": tenant, "roles": roles}
        self.asks("POST", "/api/v1/admin/users", body)
        return self.visitor(email, "long enough")

    def visitor(self, email: str = OPERATOR, password: str = "demo") -> Browser:
        browser = Browser()
        self.browsers.append(browser)
        browser.opens(f"{self.portico.url}/login/")
        browser.presses("Sign in", email=email, password=password)
        return browser

    def opens(self, browser: Browser, path: str = "/credentials/services/") -> Page:
        return browser.opens(self.portico.url + path)

    def posts(self, browser: Browser, path: str, **fields: str) -> Page:
        """A form that no page offered."""
        profile = self.opens(browser, "/profile/")
        token = next(form.fields["csrfmiddlewaretoken"] for form in profile.forms)
        answer = browser.session.post(
            self.portico.url + path,
            {"csrfmiddlewaretoken": token, **fields},
            headers={"Referer": profile.url},
            timeout=15,
        )
        return Page(answer)

    def shown(self, service_id: str) -> dict[str, Any]:
        provider: dict[str, Any] = self.asks("GET", f"{PROVIDERS}/{service_id}")["provider"]
        return provider

    def received(self, method: str, path: str) -> list[dict[str, Any]]:
        """The bodies that reached this path of the gateway."""
        requests = self.gateway.received()
        return [one["body"] for one in requests if (one["method"], one["path"]) == (method, path)]

    def listed(self) -> dict[str, str]:
        """{service type: id}, as the gateway lists them."""
        return {row["serviceType"]: row["id"] for row in self.asks("GET", PROVIDERS)["providers"]}

    def is_quiet(self) -> None:
        """Nothing fails, and Ana has nothing connected."""
        self.gateway.dial(fail=None)
        for row in self.asks("GET", "/api/v1/credentials", who="user@example.com")["credentials"]:
            self.asks("DELETE", f"/api/v1/credentials/{row['id']}", who="user@example.com")


@pytest.fixture
def office(gateway: Embedded, portico: Portico) -> Iterator[Office]:
    """Leaves the gateway's services as they were."""
    office = Office(gateway, portico)
    office.is_quiet()
    before = office.listed()
    yield office
    office.is_quiet()
    for made in {*office.made, *(set(office.listed().values()) - set(before.values()))}:
        office.asks("DELETE", f"{PROVIDERS}/{made}")
    assert office.listed() == before
    for browser in office.browsers:
        browser.session.close()


def kept_by(portico: Portico) -> str:
    """All that is in its database."""
    with closing(sqlite3.connect(f"{portico.folder.name}/db.sqlite3")) as database:
        return "\n".join(database.iterdump())


def row_of(page: Page, name: str) -> list[str]:
    return next(row for row in page.rows["Services"] if row and row[0].startswith(name))


def chooses(browser: Browser, kind: str) -> None:
    """The radio button of this kind."""
    assert browser.page is not None
    next(form for form in browser.page.forms if "kind" in form.fields).fields["kind"] = kind


def filled(page: Page) -> dict[str, str]:
    """What stands in the fields of the form, by label."""
    [form] = [form for form in page.forms if "name" in form.fields]
    return {label: form.fields[name] for label, name in form.labels.items() if label}


# -- the list -----------------------------------------------------------------------------------------------------


def test_an_operator_finds_every_service_from_the_vault(office: Office) -> None:
    olu = office.visitor()
    office.opens(olu, "/credentials/")
    page = olu.follows("Services")
    assert page.headings == ["Services"]
    assert "Who has connected a service is not shown: the gateway does not tell." in page.text
    assert row_of(page, "GitHub")[1:4] == ["OAuth", "acme", "On"]
    assert row_of(page, "Weather")[1:4] == ["API key", "acme", "On"]
    assert row_of(page, "Notion workspace")[1:4] == ["Token", "acme", "On"]


def test_a_list_that_cannot_be_read_says_so_and_offers_to_try_again(office: Office) -> None:
    office.gateway.dial(fail={"path": PROVIDERS, "status": 500})
    olu = office.visitor()
    page = office.opens(olu)
    assert page.status == 503
    assert "cannot be reached right now" in page.alerts[0]
    assert olu.follows("Try again").status == 200


def test_a_service_of_every_tenant_says_so(office: Office) -> None:
    office.gateway.dial(
        fail={
            "path": PROVIDERS,
            "method": "GET",
            "status": 200,
            "body": {"providers": [{"id": "p/1", "serviceType": "clock", "name": "<i>Clock", "authType": "sundial"}]},
        }
    )
    page = office.opens(office.visitor())
    assert row_of(page, "<i>Clock") == ["<i>Clock clock", "Another kind", "Every tenant", "On", ""]


# -- adding -------------------------------------------------------------------------------------------------------


def test_a_service_with_a_key_is_added_and_people_connect_it(office: Office) -> None:
    olu = office.visitor()
    office.opens(olu)
    asking = olu.follows("Add a service")
    assert asking.headings == ["Add a service"]
    chooses(olu, "key")
    done = olu.presses(
        "Add the service",
        name="Tide tables",
        service_type="tides",
        description="Ask the harbour for a key",
        header="X-Tide-Key",
        authorization_address="https://left.over.example/",  # of a kind that was looked at before
    )
    assert done.url == f"{office.portico.url}/credentials/services/"
    assert "Tide tables is added. Agents can ask for it as tides." in done.statuses
    assert row_of(done, "Tide tables")[:4] == ["Tide tables tides Ask the harbour for a key", "API key", "acme", "On"]
    provider = office.shown(office.listed()["tides"])
    assert (provider["authType"], provider["config"]) == ("api_key", {"apiKey": {"headerName": "X-Tide-Key"}})
    ana = office.visitor("user@example.com")
    office.opens(ana, "/credentials/connect/tides/")
    assert "Tide tables is connected." in ana.presses("Connect Tide tables", api_key="td-1").statuses


def test_each_kind_has_settings_of_its_own(office: Office) -> None:
    olu = office.visitor()
    kinds: dict[str, tuple[dict[str, str], str, dict[str, Any]]] = {
        "token": (
            {"header": "Authorization", "prefix": "Bearer "},
            "jwt",
            {"jwt": {"headerName": "Authorization", "prefix": "Bearer "}},
        ),
        "basic": (
            {"user_name_field": "login", "password_field": "pin"},
            "basic",
            {"basic": {"usernameField": "login", "passwordField": "pin"}},
        ),
        "oauth": (
            {
                "token_address": "https://id.example.com/t",
                "scopes": " a  b ",
                "connect_address": "/auth/connect?service=k_oauth",
            },
            "oauth2",
            {
                "connectUrl": "/auth/connect?service=k_oauth",
                "oauth2": {"tokenUrl": "https://id.example.com/t", "defaultScopes": ["a", "b"]},
            },
        ),
    }
    for kind, (typed, auth_type, config) in kinds.items():
        office.opens(olu, "/credentials/services/new/")
        chooses(olu, kind)
        olu.presses("Add the service", name=f"Of kind {kind}", service_type=f"k_{kind}", **typed)
        provider = office.shown(office.listed()[f"k_{kind}"])
        assert (provider["authType"], provider["config"]) == (auth_type, config)


def test_a_client_secret_goes_to_the_gateway_and_nowhere_else(office: Office) -> None:
    olu = office.visitor()
    asking = office.opens(olu, "/credentials/services/new/")
    assert [form.kinds["client_secret"] for form in asking.forms if "client_secret" in form.kinds] == ["password"]
    chooses(olu, "oauth")
    olu.presses("Add the service", name="Mail", service_type="mail", client_id="portal-1", client_secret=SECRET)
    assert office.received("POST", PROVIDERS)[-1]["config"]["oauth2"]["clientSecret"] == SECRET
    service = office.listed()["mail"]
    edit = olu.follows("Edit Mail")
    assert filled(edit)["Client secret"] == MASK
    for path in ("", f"{service}/", f"{service}/delete/"):
        office.opens(olu, f"/credentials/services/{path}")
    assert "very-secret" not in " ".join(olu.sent_to_me)
    assert "very-secret" not in kept_by(office.portico)


def test_a_type_that_is_taken_is_said_at_its_field_with_everything_typed_kept(office: Office) -> None:
    olu = office.visitor()
    office.opens(olu, "/credentials/services/new/")
    chooses(olu, "oauth")
    again = olu.presses(
        "Add the service", name="A second <one>", service_type="github", client_id="portal-1", client_secret=SECRET
    )
    assert again.status == 409
    assert again.alerts == [
        "The gateway did not accept this: Credential provider with service type 'github' already exists"
    ]
    kept = filled(again)
    assert (kept["Name"], kept["Service type"], kept["Client ID"]) == ("A second <one>", "github", "portal-1")
    assert kept["Client secret"] == ""
    assert "What you typed here is not kept on this page" in again.text
    assert "very-secret" not in again.html
    chooses(olu, "oauth")
    assert "A second <one> is added." in olu.presses("Add the service", service_type="git_hub").text


def test_what_the_gateway_does_not_accept_is_told_in_its_own_words(office: Office) -> None:
    olu = office.visitor()
    office.opens(olu, "/credentials/services/new/")
    chooses(olu, "key")
    again = olu.presses("Add the service", name="Tides", service_type="Tide-Tables")
    assert again.status == 400
    assert again.alerts[0].startswith("The gateway did not accept this: Service type must start with a lowercase")
    assert filled(again)["Service type"] == "Tide-Tables"


def test_a_refusal_that_repeats_the_secret_is_not_repeated_to_anybody(office: Office) -> None:
    office.gateway.dial(
        fail={"path": PROVIDERS, "method": "POST", "status": 400, "body": {"error": f"bad secret {SECRET}"}}
    )
    olu = office.visitor()
    office.opens(olu, "/credentials/services/new/")
    chooses(olu, "oauth")
    again = olu.presses("Add the service", name="Mail", service_type="mail", client_secret=SECRET)
    assert again.alerts == ["The gateway did not accept this."]
    assert "very-secret" not in " ".join(olu.sent_to_me)


def test_a_form_that_lacks_something_is_not_sent_on(office: Office) -> None:
    olu = office.visitor()
    before = len(office.received("POST", PROVIDERS))
    office.opens(olu, "/credentials/services/new/")
    chooses(olu, "oauth")
    again = olu.presses("Add the service", name=" ", service_type="", client_secret=MASK)
    assert again.alerts == [
        "Give it a name.",
        "Say how agents name it.",
        "None is stored yet that could be kept: enter the secret itself.",
    ]
    chooses(olu, "carrier pigeon")
    assert olu.presses("Add the service", name="Mail", service_type="mail").status == 400
    assert len(office.received("POST", PROVIDERS)) == before


# -- editing ------------------------------------------------------------------------------------------------------


def test_a_secret_that_is_left_masked_is_kept_and_so_is_what_portico_does_not_know(office: Office) -> None:
    service = office.has("mail", "Mail", "oauth2", config=OAUTH)
    olu = office.visitor()
    office.opens(olu)
    edit = olu.follows("Edit Mail")
    assert edit.headings == ["Edit Mail"]
    assert filled(edit) == {
        "Name": "Mail",
        "Description": "",
        "Authorization address": "https://id.example.com/authorize",
        "Token address": "https://id.example.com/token",
        "Client ID": "portal-1",
        "Client secret": MASK,
        "Scopes": "mail.read mail.send",
        "Connect address": "https://portal.example.com/connect",
    }
    done = olu.presses("Save Mail", name="Post", scopes="mail.read", connect_address="")
    assert "Post is saved." in done.statuses
    [*_, sent] = office.received("PUT", f"{PROVIDERS}/{service}")
    wanted = {**OAUTH["oauth2"], "clientSecret": MASK, "defaultScopes": ["mail.read"]}  # type: ignore[dict-item]
    assert sent["config"] == {"theme": "plum", "oauth2": wanted}
    assert office.shown(service)["config"] == sent["config"]


def test_a_new_name_alone_leaves_the_settings_untouched(office: Office) -> None:
    service = office.has("mail", "Mail", "oauth2", config=OAUTH)
    olu = office.visitor()
    office.opens(olu)
    olu.follows("Edit Mail")
    olu.presses("Save Mail", description="Of the whole house")
    [*_, sent] = office.received("PUT", f"{PROVIDERS}/{service}")
    assert sent == {"name": "Mail", "description": "Of the whole house"}


def test_a_space_at_the_end_of_a_prefix_is_part_of_it(office: Office) -> None:
    config = {"jwt": {"headerName": "Authorization", "prefix": "Bearer "}}
    service = office.has("diary", "Diary", "jwt", config=config)
    olu = office.visitor()
    office.opens(olu)
    olu.follows("Edit Diary")
    olu.presses("Save Diary", header="X-Diary")
    assert office.shown(service)["config"] == {"jwt": {"headerName": "X-Diary", "prefix": "Bearer "}}


def test_a_secret_is_replaced_by_a_new_one_and_removed_by_none(office: Office) -> None:
    service = office.has("mail", "Mail", "oauth2", config=OAUTH)
    olu = office.visitor()
    office.opens(olu)
    olu.follows("Edit Mail")
    olu.presses("Save Mail", client_secret="another-very-secret")
    [*_, sent] = office.received("PUT", f"{PROVIDERS}/{service}")
    assert sent["config"]["oauth2"]["clientSecret"] == "another-very-secret"
    olu.follows("Edit Mail")
    olu.presses("Save Mail", client_secret="")
    assert "clientSecret" not in office.shown(service)["config"]["oauth2"]
    assert filled(olu.follows("Edit Mail"))["Client secret"] == ""
    assert "very-secret" not in " ".join(olu.sent_to_me)


def test_a_gateway_in_trouble_takes_nothing_away_that_was_typed(office: Office) -> None:
    service = office.has("mail", "Mail", "oauth2", config=OAUTH)
    olu = office.visitor()
    for method in ("GET", "PUT"):
        office.opens(olu, f"/credentials/services/{service}/")
        trouble = {"path": f"{PROVIDERS}/{service}", "method": method, "status": 500, "times": 2}
        office.gateway.dial(fail=trouble)
        again = olu.presses("Save Mail", name="Post", client_id="portal-2", client_secret="another-very-secret")
        office.gateway.dial(fail=None)
        assert again.status == 503
        assert "cannot be reached right now" in again.alerts[0]
        assert (filled(again)["Name"], filled(again)["Client ID"]) == ("Post", "portal-2")
        assert "What you typed here is not kept on this page" in again.text
        assert "very-secret" not in again.html
    assert "Post is saved." in olu.presses("Save Mail").statuses


def test_a_name_that_was_emptied_is_asked_for_again(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    olu = office.visitor()
    office.opens(olu, f"/credentials/services/{service}/")
    again = olu.presses("Save Tide tables", name="", header="X-Tide")
    assert again.alerts == ["Give it a name."]
    assert filled(again)["Header"] == "X-Tide"
    assert again.headings == ["Edit Tide tables"]
    assert office.received("PUT", f"{PROVIDERS}/{service}") == []


# -- switching off and on -----------------------------------------------------------------------------------------


def test_a_service_that_is_switched_off_stays_in_sight_and_comes_back(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    olu = office.visitor()
    office.opens(olu)
    off = olu.presses("Switch off Tide tables")
    assert "Tide tables is switched off: nobody can connect it" in off.statuses[0]
    assert row_of(off, "Tide tables")[3] == "Switched off"
    assert "tides" not in office.listed()  # the gateway lists it no more, to nobody
    ana = office.visitor("user@example.com")
    assert "cannot connect tides" in office.opens(ana, "/credentials/connect/tides/").alerts[0]
    bo = office.visitor("admin@example.com")
    assert row_of(office.opens(bo), "Tide tables")[3] == "Switched off"
    on = bo.presses("Switch on Tide tables")
    assert "Tide tables is switched on." in on.statuses
    assert office.listed()["tides"] == service
    assert office.opens(ana, "/credentials/connect/tides/").headings == ["Connect Tide tables"]


def test_what_was_switched_off_and_then_deleted_elsewhere_is_forgotten(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    olu = office.visitor()
    office.opens(olu)
    olu.presses("Switch off Tide tables")
    office.asks("DELETE", f"{PROVIDERS}/{service}")
    assert "Tide tables" not in str(office.opens(olu).rows)


def test_a_gateway_that_refuses_to_switch_is_quoted_on_the_list(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    olu = office.visitor()
    office.opens(olu)
    office.gateway.dial(
        fail={"path": f"{PROVIDERS}/{service}", "method": "PUT", "status": 400, "body": {"error": "not <b>now"}}
    )
    page = olu.presses("Switch off Tide tables")
    assert page.alerts == ["The gateway did not accept this: not <b>now"]
    assert row_of(page, "Tide tables")[3] == "On"
    lost = office.posts(olu, f"/credentials/services/{service}/switch/", turn="sideways")
    assert lost.alerts == ["That did not say whether to switch it on or off."]


# -- deleting -----------------------------------------------------------------------------------------------------


def test_deleting_asks_once_and_says_what_becomes_of_what_people_stored(office: Office) -> None:
    office.has("tides", "Tide tables")
    ana, olu = office.visitor("user@example.com"), office.visitor()
    office.opens(ana, "/credentials/connect/tides/")
    ana.presses("Connect Tide tables", api_key="td-1")
    office.opens(olu)
    question = olu.follows("Delete Tide tables")
    assert question.headings == ["Delete Tide tables?"]
    assert "What people have stored of it becomes unusable" in question.text
    olu.follows("Keep it")
    assert "tides" in office.listed()
    olu.follows("Delete Tide tables")
    done = olu.presses("Delete Tide tables")
    assert "Tide tables is deleted." in done.statuses
    assert "tides" not in office.listed()
    assert "Tide tables" not in str(done.rows)
    [left] = office.asks("GET", "/api/v1/credentials", who="user@example.com")["credentials"]
    assert left["serviceType"] == "unknown"


def test_what_somebody_else_deleted_meanwhile_is_told_as_gone(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    olu = office.visitor()
    office.asks("DELETE", f"{PROVIDERS}/{service}")
    here = f"/credentials/services/{service}/"
    gone = "There is no such service any more; somebody may have deleted it."
    for page in (
        *(office.opens(olu, here), office.opens(olu, f"{here}delete/")),
        *(office.posts(olu, here, name="Tides"), office.posts(olu, f"{here}delete/")),
        office.posts(olu, f"{here}switch/", turn="on"),
    ):
        assert page.url == f"{office.portico.url}/credentials/services/"
        assert gone in page.statuses


# -- doors --------------------------------------------------------------------------------------------------------


def test_people_without_roles_are_offered_no_services_and_change_none(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    before = office.shown(service)
    ana = office.visitor("user@example.com")
    assert "Services" not in office.opens(ana, "/credentials/").links
    page = office.opens(ana)
    if office.gateway.dialect == "guide":  # where everybody may read providers
        assert row_of(page, "Tide tables") == ["Tide tables tides", "API key", "acme", "On"]
        assert "Add a service" not in page.links
    else:
        assert (page.status, page.alerts) == (403, [MAY_NOT_SEE])
        assert page.rows == {}
    for path in ("new/", f"{service}/", f"{service}/delete/"):
        shut = office.opens(ana, f"/credentials/services/{path}")
        assert (shut.status, shut.alerts) == (403, [MAY_NOT_CHANGE])
    new = office.posts(ana, "/credentials/services/new/", name="Mine", service="mine", kind="key")
    changed = office.posts(ana, f"/credentials/services/{service}/", name="Mine", kind="key")
    for refused in (new, changed):
        assert (refused.status, refused.alerts) == (403, [MAY_NOT_CHANGE])
    office.posts(ana, f"/credentials/services/{service}/switch/", turn="off")
    office.posts(ana, f"/credentials/services/{service}/delete/")
    assert office.shown(service) == before
    assert "mine" not in office.listed()


def test_people_who_make_agents_may_look_and_not_change(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    mia = office.employs("mia@example.com", ["agent_creator"])
    office.opens(mia, "/credentials/")
    page = mia.follows("Services")
    assert row_of(page, "Tide tables") == ["Tide tables tides", "API key", "acme", "On"]
    assert not {"Add a service", "Edit Tide tables", "Delete Tide tables"} & set(page.links)
    assert office.opens(mia, "/credentials/services/new/").alerts == [MAY_NOT_CHANGE]
    assert office.posts(mia, f"/credentials/services/{service}/delete/").alerts == [MAY_NOT_CHANGE]
    assert office.posts(mia, f"/credentials/services/{service}/switch/", turn="off").alerts == [MAY_NOT_CHANGE]
    assert office.listed()["tides"] == service


def test_another_organisations_services_are_neither_shown_nor_changed(office: Office) -> None:
    service = office.has("tides", "Tide tables")
    olu = office.visitor()
    office.opens(olu)
    olu.presses("Switch off Tide tables")
    gus = office.employs("gus@example.com", ["admin"], tenant="globex")
    assert "Tide tables" not in office.opens(gus).text
    for path in (f"{service}/", f"{service}/delete/"):
        assert "There is no such service any more" in office.opens(gus, f"/credentials/services/{path}").statuses[0]
    office.posts(gus, f"/credentials/services/{service}/delete/")
    office.posts(gus, f"/credentials/services/{service}/switch/", turn="on")
    assert row_of(office.opens(olu), "Tide tables")[3] == "Switched off"


def test_a_stranger_is_asked_to_sign_in_first(office: Office) -> None:
    stranger = Browser()
    office.browsers.append(stranger)
    assert office.opens(stranger).url == f"{office.portico.url}/login/?next=%2Fcredentials%2Fservices%2F"
    page = stranger.presses("Sign in", email=OPERATOR, password="demo")
    assert page.headings == ["Services"]


def test_changing_a_service_takes_a_form_of_our_own(office: Office) -> None:
    olu = office.visitor()
    for path, fields in (
        (f"{ids.WEATHER}/delete/", {}),
        (f"{ids.WEATHER}/switch/", {"turn": "off"}),
        (f"{ids.WEATHER}/", {"name": "Storms"}),
        ("new/", {"name": "Storms", "service": "storms", "kind": "key"}),
    ):
        forged = olu.session.post(f"{office.portico.url}/credentials/services/{path}", fields, timeout=15)
        assert forged.status_code == 403
    assert office.opens(olu, f"/credentials/services/{ids.WEATHER}/switch/").status == 405
    assert office.shown(ids.WEATHER)["name"] == "Weather"
