"""Connecting a service by OAuth: to the gateway, to the provider, and back, as a browser without JavaScript goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from embedded import ids
from tests.embedded import Embedded
from tests.portico import OFFERED, Portico
from tests.stories.paging import Browser, Page
from tests.stories.test_credentials import House, house

__all__ = ["house"]  # a fixture

CONNECT = f"/credentials/connect/github/?agent={ids.GITHUB_HELPER}&next=/agents/"


def enters(house: House, entry: str, service: str = "github") -> None:
    """The gateway names this entry, once."""
    house.gateway.dial(
        fail={
            "path": f"/api/v1/agents/{ids.GITHUB_HELPER}/credentials-check",
            "status": 401,
            "body": {
                "code": "CREDENTIALS_REQUIRED",
                "missing": [service],
                "authUrls": {service: entry},
                "message": f"Authentication required for: {service}",
            },
        }
    )


def goes_to_the_provider(house: House, ana: Browser, path: str = CONNECT) -> Page:
    """From Portico's connect page to where the provider asks for consent."""
    page = house.opens(ana, path)
    if "Sign in" in {text for form in page.forms for text in form.buttons} and house.gateway.url in page.url:
        # The released gateway's entry holds no ticket: it does not know yet who came.
        page = ana.presses("Sign in", email="user@example.com", password="demo")
    assert page.status == 200
    button = next((text for form in page.forms for text in form.buttons if text == "Sign in"), "")
    return ana.presses(button, account_name="octo-ana", password="demo") if button else page


def decides(ana: Browser, *, allow: bool) -> Page:
    assert ana.page is not None
    texts = [
        text for form in ana.page.forms for text, (_, value) in form.buttons.items() if (value == "allow") == allow
    ]
    return ana.presses(next(text for text in texts if allow or "other" not in text.lower()))


def way_back(browser: Browser) -> str:
    """The address at which the gateway's page sent the browser back to Portico."""
    return next(address for address in reversed(browser.addresses) if "/credentials/callback/" in address)


def target_of(house: House, browser: Browser, path: str = CONNECT) -> str:
    response = browser.peeks(house.portico.url + path)
    assert response.status_code == 302, Page(response).text[:300]
    return response.headers["Location"]


def returning(target: str) -> str:
    """The address to come back to that Portico gave along."""
    return dict(parse_qsl(urlsplit(target).query))["redirect_url"]


# -- there and back -----------------------------------------------------------------------------------------------


def test_github_is_connected_by_signing_in_there_and_coming_back(house: House) -> None:
    ana = house.visitor()
    vault = house.opens(ana, "/credentials/")
    assert "You sign in at GitHub and come back here." in vault.text
    goes_to_the_provider(house, ana, urlsplit(vault.links["Connect GitHub"]).path + "?next=/credentials/")
    done = decides(ana, allow=True)
    assert done.url == f"{house.portico.url}/credentials/"
    assert "GitHub is connected." in done.statuses
    assert "GitHub" in str(done.rows["Credentials"])
    assert house.stored("user@example.com") == ["github"]
    assert house.stored("admin@example.com") == []


def test_the_link_of_a_card_brings_one_back_to_where_the_card_was(house: House) -> None:
    ana = house.visitor()
    goes_to_the_provider(house, ana)
    assert decides(ana, allow=True).url == f"{house.portico.url}/agents/"


def test_no_code_and_no_token_of_the_gateway_passes_through_the_pages_of_portico(house: House) -> None:
    ana = house.visitor()
    goes_to_the_provider(house, ana)
    decides(ana, allow=True)
    ours = [address for address in ana.addresses if address.startswith(house.portico.url)]
    assert ours and not any("code=" in address or "eyJ" in address for address in ours)
    assert all("eyJ" not in text for text in ana.sent_to_me)


def test_somebody_who_says_no_is_told_that_it_is_not_connected(house: House) -> None:
    ana = house.visitor()
    goes_to_the_provider(house, ana)
    page = decides(ana, allow=False)
    assert page.url == f"{house.portico.url}/agents/"
    assert any("GitHub was not connected, because the access was declined." in text for text in page.statuses)
    assert house.stored("user@example.com") == []


def test_coming_back_proves_nothing_the_gateway_has_the_last_word(house: House) -> None:
    ana = house.visitor()
    back = returning(target_of(house, ana))
    page = ana.opens(f"{back}&status=connected&service=github")
    assert page.url == f"{house.portico.url}/agents/"
    assert any("GitHub is still not connected for user@example.com" in text for text in page.statuses)


def test_a_gateway_that_never_sends_anybody_back_is_fine_too(house: House) -> None:
    ana = house.visitor()
    target_of(house, ana)
    house.gateway.dial(credential={"email": "user@example.com", "service": "github", "secret": "stored elsewhere"})
    vault = house.opens(ana, "/credentials/")
    assert "Connect GitHub" not in vault.regions
    assert "GitHub" in str(vault.rows["Credentials"])


def test_what_is_connected_already_is_not_asked_for_again(house: House) -> None:
    ana = house.visitor()
    goes_to_the_provider(house, ana)
    decides(ana, allow=True)
    page = house.opens(ana, CONNECT)
    assert page.url == f"{house.portico.url}/agents/"
    assert any("GitHub is connected already." in text for text in page.statuses)


def test_a_gateway_that_cannot_say_how_it_went_is_told_and_leads_on(house: House) -> None:
    ana = house.visitor()
    back = returning(target_of(house, ana))
    house.gateway.dial(
        fail={"path": f"/api/v1/agents/{ids.GITHUB_HELPER}/credentials-check", "status": 500, "times": 1}
    )
    page = ana.opens(back)
    assert page.url == f"{house.portico.url}/agents/"
    assert any("Whether GitHub is connected is not known." in text for text in page.statuses)


# -- the state ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1])
def test_a_way_back_that_is_opened_again_says_what_is_so(house: House, others: int) -> None:
    ana = house.visitor()
    for _ in range(others):
        target_of(house, ana)  # is still under way
    goes_to_the_provider(house, ana)
    decides(ana, allow=True)
    back = way_back(ana)
    again = ana.opens(back)
    assert again.url == f"{house.portico.url}/agents/"
    assert (again.statuses, again.alerts) == (["GitHub is connected."], [])
    vault = house.opens(ana, "/credentials/")
    ana.opens(vault.links["Delete GitHub"])
    ana.presses("Delete GitHub")
    assert "GitHub is still not connected for user@example.com. Please try again." in ana.opens(back).statuses


def test_a_way_back_that_was_refused_stays_refused(house: House) -> None:
    ana = house.visitor()
    for error, sentence in (
        ("access_denied", "GitHub was not connected, because the access was declined."),
        ("server_error", "GitHub was not connected: its sign-in reported an error."),
    ):
        back = returning(target_of(house, ana))
        ana.opens(f"{back}&error={error}")
        house.gateway.dial(credential={"email": "user@example.com", "service": "github"})
        again = ana.opens(back)
        assert [*again.statuses, *again.alerts] == [sentence]
        house.opens(ana, "/credentials/")
        ana.opens(ana.page.links["Delete GitHub"] if ana.page else "")
        ana.presses("Delete GitHub")


def test_a_way_back_that_was_used_is_of_no_use_to_somebody_else(house: House) -> None:
    ana = house.visitor()
    goes_to_the_provider(house, ana)
    decides(ana, allow=True)
    mallory = house.visitor("admin@example.com")
    assert any("No connection was under way here." in text for text in mallory.opens(way_back(ana)).statuses)


@pytest.mark.parametrize("query", ["", "?state=", "?state=forged", "?state=forged&status=connected&service=github"])
def test_a_forged_way_back_is_refused(house: House, query: str) -> None:
    ana = house.visitor()
    page = house.opens(ana, f"/credentials/callback/{query}")
    assert any("No connection was under way here." in text for text in page.statuses)
    real = returning(target_of(house, ana))
    page = house.opens(ana, f"/credentials/callback/{query}")
    assert page.alerts == ["That way back was used before, is too old, or was not begun here."]
    house.gateway.dial(credential={"email": "user@example.com", "service": "github"})
    assert "GitHub is connected." in ana.opens(real).statuses  # the real one is none the worse for it


def test_the_way_back_of_somebody_else_is_of_no_use(house: House) -> None:
    back = returning(target_of(house, house.visitor()))
    mallory = house.visitor("admin@example.com")
    target_of(house, mallory)
    assert mallory.opens(back).alerts == ["That way back was used before, is too old, or was not begun here."]


def test_several_connections_may_be_under_way_and_ten_are_enough(house: House) -> None:
    ana = house.visitor()
    backs = [returning(target_of(house, ana)) for _ in range(11)]
    assert len(set(backs)) == 11
    house.gateway.dial(credential={"email": "user@example.com", "service": "github"})
    assert ana.opens(backs[0]).alerts != []
    for back in (backs[5], backs[1], backs[10]):
        assert "GitHub is connected." in ana.opens(back).statuses


def test_a_session_that_ended_meanwhile_leads_through_the_sign_in_page(house: House) -> None:
    ana = house.visitor()
    back = returning(target_of(house, ana))
    ana.session.cookies.clear()
    page = ana.opens(back)
    assert page.url.startswith(f"{house.portico.url}/login/")
    again = ana.presses("Sign in", email="user@example.com", password="demo")
    assert again.url == f"{house.portico.url}/credentials/"
    assert any("No connection was under way here." in text for text in again.statuses)


# -- the address --------------------------------------------------------------------------------------------------


def test_the_entry_is_fetched_for_each_click(house: House) -> None:
    ana = house.visitor()
    checks = len(house.received(f"/api/v1/agents/{ids.GITHUB_HELPER}/credentials-check"))
    targets = [target_of(house, ana) for _ in range(2)]
    assert len(house.received(f"/api/v1/agents/{ids.GITHUB_HELPER}/credentials-check")) == checks + 2
    tickets = [dict(parse_qsl(urlsplit(target).query)).get("ticket") for target in targets]
    if house.gateway.dialect == "guide":
        assert tickets[0] and tickets[1] and tickets[0] != tickets[1]
    else:
        assert tickets == [None, None]


def test_the_entry_keeps_its_query_and_gets_the_way_back_added(house: House) -> None:
    ana = house.visitor()
    entry = f"{house.gateway.url}/auth/connect?x=1&x=2&blank=&odd=%2Fa%20b+c#part"
    enters(house, entry)
    target = target_of(house, ana)
    assert target.startswith(entry.removesuffix("#part") + "&redirect_url=")
    assert target.endswith("#part")
    back = returning(target)
    assert back.startswith(f"{house.portico.url}/credentials/callback/?state=")
    assert len(dict(parse_qsl(urlsplit(back).query))["state"]) >= 32


def test_a_relative_entry_belongs_to_the_gateway(house: House) -> None:
    ana = house.visitor()
    enters(house, "/my/own/page?x=1")
    target = target_of(house, ana)
    assert target.startswith(f"{house.gateway.url}/my/own/page?x=1&redirect_url=")


@pytest.mark.parametrize(
    "entry",
    [
        "/api/v1/credentials/oauth/github/auth",
        "",
        "/auth/connect?service=github",
        "{portico}/auth/connect?service=github",
        "javascript:alert(1)",
        "ftp://gateway.example/",
        "http://user:password@{gateway}/",
        "http://{gateway}\\@evil.example/",
        "http://evil.example\\.{gateway}/",
        "http://[::1/",
        "https://evil.example:port/",
    ],
)
def test_where_the_gateway_has_no_way_that_is_what_the_page_says(house: House, entry: str) -> None:
    ana = house.visitor()
    address = entry.format(gateway=house.gateway.url.removeprefix("http://"), portico=house.portico.url)
    house.gateway.dial(
        fail={
            "path": "/api/v1/credentials/check/github",
            "body": {"hasCredential": False, "authUrl": address, "provider": {"name": "GitHub", "authType": "oauth2"}},
            "status": 200,
            "times": 9,
        }
    )
    for _ in range(9):
        enters(house, address)
    page = house.opens(ana, CONNECT)
    assert page.alerts == ["This gateway cannot connect GitHub; ask your operator."]
    assert page.url == f"{house.portico.url}/credentials/connect/github/?agent={ids.GITHUB_HELPER}&next=/agents/"
    house.gateway.dial(fail=None)


def test_a_basic_service_cannot_be_connected(house: House) -> None:
    house.gateway.dial(
        fail={
            "path": "/api/v1/credential-providers/by-service/legacy_erp",
            "body": {"error": "Credential provider for service 'legacy_erp' not found"},
            "status": 404,
        }
    )
    house.gateway.dial(
        fail={
            "path": "/api/v1/credentials/check/legacy_erp",
            "body": {
                "hasCredential": False,
                "authUrl": "/auth/connect?service=legacy_erp",
                "provider": {"name": "Legacy ERP", "authType": "basic"},
            },
            "status": 200,
        }
    )
    page = house.opens(house.visitor(), "/credentials/connect/legacy_erp/")
    assert page.alerts == ["This gateway cannot connect Legacy ERP; ask your operator."]


# -- other sites --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("https://accounts.example.net/start?x=1", "accounts.example.net"),
        ("https://Accounts.Example.net:8443/start", "accounts.example.net:8443"),
        ("//accounts.example.net/start", "accounts.example.net"),
        ("http://127.0.0.1:1/start", "127.0.0.1:1"),
        ("https://\u0430pple.example/", "xn--pple-43d.example"),  # the first letter is Cyrillic
        ("http://127.0.0.1.evil.example/", "127.0.0.1.evil.example"),
    ],
)
def test_another_site_is_named_and_asked_about_first(house: House, entry: str, host: str) -> None:
    ana = house.visitor()
    enters(house, entry)
    page = house.opens(ana, CONNECT)
    assert page.headings == ["Continue to another site?"]
    assert page.status == 200
    onwards = page.links[f"Continue to {host}"]
    assert "redirect_url=" in onwards and "state%3D" in onwards
    assert page.links["Cancel"] == f"{house.portico.url}/agents/"
    assert "http-equiv" not in page.html.lower()


def test_the_gateway_itself_is_followed_without_asking_also_on_a_host_that_looks_otherwise(house: House) -> None:
    ana = house.visitor()
    enters(house, house.gateway.url.replace("http://", "HTTP://") + "/connect/github")
    assert target_of(house, ana).lower().startswith(house.gateway.url)


def test_after_the_sign_in_form_one_goes_on_by_a_link(house: House) -> None:
    """A page whose policy names `form-action 'self'` may not be redirected to another host by its form."""
    stranger = Browser()
    house.browsers.append(stranger)
    house.opens(stranger, CONNECT)
    page = stranger.presses("Sign in", email="user@example.com", password="demo")
    # `requests` keeps the referrer of the form through its redirects, as browsers do.
    assert page.headings == ["Continue to the gateway?"]
    assert "form-action 'self'" in page.response.headers["Content-Security-Policy"]


@pytest.fixture
def knows_hosts() -> Iterator[House]:
    with Embedded.start() as gateway:
        portico = Portico(
            gateway.url, GATEWAY_AGENTS=",".join(OFFERED), CONNECT_HOSTS="accounts.example.net,127.0.0.1:1"
        )
        try:
            house = House(gateway, portico.start())
            yield house
            for browser in house.browsers:
                browser.session.close()
        finally:
            portico.close()


def test_hosts_that_the_installation_names_are_followed_without_asking(knows_hosts: House) -> None:
    ana = knows_hosts.visitor()
    for entry in ("https://accounts.example.net/start", "http://127.0.0.1:1/start"):
        enters(knows_hosts, entry)
        assert target_of(knows_hosts, ana).startswith(f"{entry}?redirect_url=")
    for entry in ("https://accounts.example.net:8443/", "https://sub.accounts.example.net/", "http://127.0.0.1:2/"):
        enters(knows_hosts, entry)
        assert knows_hosts.opens(ana, CONNECT).headings == ["Continue to another site?"]


def test_the_secret_of_a_person_reaches_no_log(capfd: pytest.CaptureFixture[str]) -> None:
    with Embedded.start() as gateway:
        portico = Portico(gateway.url, GATEWAY_AGENTS=",".join(OFFERED), LOG_LEVEL="DEBUG")
        try:
            house = House(gateway, portico.start())
            ana = house.visitor()
            gateway.dial(fail={"path": "/api/v1/credentials/apikey", "status": 400, "body": {"error": "no"}})
            house.opens(ana, "/credentials/connect/weather/")
            ana.presses("Connect Weather", api_key="a-secret-of-ana")
            ana.presses("Connect Weather", api_key="a-secret-of-ana")
            ana.session.close()
        finally:
            portico.close()
    told: Any = capfd.readouterr()
    assert "/credentials/apikey" in told.out + told.err  # it does log
    assert "a-secret-of-ana" not in told.out + told.err
