"""Where people connect a service: the gateway's pages on the way to a stored credential."""

import asyncio
import secrets

import aiohttp
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from embedded import vault
from embedded.dialect import Dialect
from embedded.forms import may_return_to, read_form, see_other, with_query
from embedded.oauth_provider import challenge_of
from embedded.pages import alert, button, field, form, page, paragraph
from embedded.people import Person
from embedded.replies import no_such_route
from embedded.routes import open_route
from embedded.state import Attempt, CredentialProvider, Gateway

COOKIE = "embedded_connect"
ATTEMPT_LIFETIME = 600  # seconds
WAIT = aiohttp.ClientTimeout(total=10)


def routes(dialect: Dialect) -> list[Route]:
    shared = [
        open_route("POST", "/connect/sign-in", sign_in),
        open_route("POST", "/connect/secret", store_secret),
        open_route("GET", "/connect/callback", callback),
    ]
    if dialect.sends_tickets:
        return [*shared, open_route("GET", "/auth/connect", arrive)]
    return [*shared, open_route("GET", "/connect/{service}", arrive)]


async def arrive(gateway: Gateway, request: Request) -> Response:
    """Somebody wants to connect a service: with a ticket it is known who, else they sign in."""
    service = request.path_params.get("service") or request.query_params.get("service", "")
    return_to = request.query_params.get("redirect_url", "")
    if return_to and not may_return_to(return_to, gateway.front_origins):
        return page("Connect", alert("The address to return to is not one that this gateway knows."), 400)
    if not any(p.service_type == service for p in gateway.credential_providers.values()):
        return no_such_route(request)
    ticket = request.query_params.get("ticket")
    person = gateway.people.get(vault.redeem_ticket(gateway, ticket, service) or "") if ticket else None
    if person:
        return go_on(gateway, person, service, return_to)
    problem = "That link has been used already, or is too old. Please sign in." if ticket else ""
    return sign_in_page(service, return_to, problem=problem)


def sign_in_page(service: str, return_to: str, *, email: str = "", problem: str = "") -> HTMLResponse:
    return page(
        f"Connect {service}",
        alert(problem)
        + paragraph("Sign in to the gateway, so that it knows whose credential this will be.")
        + form(
            "/connect/sign-in",
            {"service": service, "redirect_url": return_to},
            field("Email", "email", "email", email, "username"),
            field("Password", "password", "password", autocomplete="current-password"),
            button("Sign in"),
        ),
    )


async def sign_in(gateway: Gateway, request: Request) -> Response:
    given = await read_form(request)
    service, return_to, email = (given.get(name, "") for name in ("service", "redirect_url", "email"))
    if return_to and not may_return_to(return_to, gateway.front_origins):
        return page("Connect", alert("The address to return to is not one that this gateway knows."), 400)
    person = gateway.person_by_email(email)
    if person is None or not person.is_active or person.password != given.get("password"):
        return sign_in_page(service, return_to, email=email, problem="Invalid email or password.")
    return go_on(gateway, person, service, return_to)


def go_on(gateway: Gateway, person: Person, service: str, return_to: str) -> Response:
    """The person is known: off to the provider, or to a form where there is none."""
    provider = vault.provider_for(gateway, service, person.tenant_id)
    if provider is None:
        return page("Connect", alert(f"{service} is not available to {person.name or person.email}."), 404)
    if provider.auth_type != "oauth2":
        return secret_page(gateway, person, provider, return_to)
    oauth = (provider.config or {}).get("oauth2", {})
    if not oauth.get("authorizationUrl") or not oauth.get("tokenUrl"):
        return page("Connect", alert(f"{provider.name} is not set up for connecting."), 500)
    clock = asyncio.get_running_loop().time()
    for old in [state for state, attempt in gateway.attempts.items() if attempt.ends_at <= clock]:
        del gateway.attempts[old]
    state = secrets.token_urlsafe(24)
    attempt = Attempt(
        person_id=person.id,
        provider_id=provider.id,
        return_to=return_to,
        browser=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        ends_at=clock + ATTEMPT_LIFETIME,
    )
    gateway.attempts[state] = attempt
    answer = see_other(
        with_query(
            oauth["authorizationUrl"],
            response_type="code",
            client_id=oauth.get("clientId", ""),
            redirect_uri=f"{gateway.url}/connect/callback",
            scope=" ".join(oauth.get("defaultScopes", [])),
            state=state,
            code_challenge=challenge_of(attempt.verifier),
            code_challenge_method="S256",
        )
    )
    answer.set_cookie(COOKIE, attempt.browser, path="/connect", httponly=True, samesite="lax")
    return answer


async def callback(gateway: Gateway, request: Request) -> Response:
    """Back from the provider. The state is used up before anything else is looked at."""
    attempt = gateway.attempts.pop(request.query_params.get("state", ""), None)
    if attempt is None or attempt.ends_at <= asyncio.get_running_loop().time():
        return page("Connect", alert("This way back is not open any more. Please start again."), 400)
    if request.cookies.get(COOKIE) != attempt.browser:
        return page("Connect", alert("This was started in another browser. Please start again."), 400)
    provider = gateway.credential_providers.get(attempt.provider_id)
    if provider is None:
        return page("Connect", alert("This service is not offered any more."), 404)
    code = request.query_params.get("code")
    if "error" in request.query_params or not code:
        return leave(attempt.return_to, provider, is_connected=False)
    granted = await exchange(gateway, provider, attempt, code)
    if granted is None:
        return leave(attempt.return_to, provider, is_connected=False)
    token, scopes = granted
    vault.store(gateway, attempt.person_id, provider, token, scopes=scopes)
    return leave(attempt.return_to, provider, is_connected=True)


async def exchange(
    gateway: Gateway, provider: CredentialProvider, attempt: Attempt, code: str
) -> tuple[str, tuple[str, ...]] | None:
    """The access token and its scopes, from the provider's server; None when it refuses or is away."""
    oauth = (provider.config or {})["oauth2"]
    question = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{gateway.url}/connect/callback",
        "client_id": oauth.get("clientId", ""),
        "client_secret": oauth.get("clientSecret", ""),
        "code_verifier": attempt.verifier,
    }
    try:
        async with gateway.client.post(oauth["tokenUrl"], data=question, timeout=WAIT) as answer:
            document = await answer.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    if answer.status != 200:
        return None
    return str(document["access_token"]), tuple(document.get("scope", "").split())


def leave(return_to: str, provider: CredentialProvider, *, is_connected: bool) -> Response:
    """To where the person came from, or to a page that says how it went."""
    status = "connected" if is_connected else "denied"
    if return_to:
        return see_other(with_query(return_to, service=provider.service_type, status=status))
    if is_connected:
        return page(f"{provider.name} is connected", paragraph("You can close this page."))
    return page(f"{provider.name} is not connected", alert("Access was denied."))


def secret_page(
    gateway: Gateway, person: Person, provider: CredentialProvider, return_to: str, problem: str = ""
) -> HTMLResponse:
    """Keys and tokens are typed in. A fresh ticket carries the person to the next request."""
    label = "API key" if provider.auth_type == "api_key" else "Token"
    hidden = {
        "service": provider.service_type,
        "redirect_url": return_to,
        "ticket": vault.issue_ticket(gateway, person.id, provider.service_type),
    }
    return page(
        f"Connect {provider.name}",
        alert(problem)
        + paragraph(provider.description or "")
        + form("/connect/secret", hidden, field(label, "secret", "password"), button("Store")),
    )


async def store_secret(gateway: Gateway, request: Request) -> Response:
    given = await read_form(request)
    service, return_to = given.get("service", ""), given.get("redirect_url", "")
    person = gateway.people.get(vault.redeem_ticket(gateway, given.get("ticket", ""), service) or "")
    if person is None or (return_to and not may_return_to(return_to, gateway.front_origins)):
        return page("Connect", alert("This form is not open any more. Please start again."), 400)
    provider = vault.provider_for(gateway, service, person.tenant_id)
    if provider is None or provider.auth_type == "oauth2":
        return page("Connect", alert(f"{service} takes no key here."), 400)
    if not given.get("secret"):
        return secret_page(gateway, person, provider, return_to, "Something has to be typed in.")
    vault.store(gateway, person.id, provider, given["secret"])
    return leave(return_to, provider, is_connected=True)
