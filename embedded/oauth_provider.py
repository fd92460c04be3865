"""An OAuth provider to connect to: "Demo GitHub", with sign-in, consent, codes and a small API.

The authorization-code flow of RFC 6749 with PKCE (RFC 7636, S256 only).
"""

import base64
import hashlib
import hmac
import random
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded.forms import read_form, see_other, with_query
from embedded.pages import alert, button, form, page, paragraph
from embedded.pages import field as text_field
from embedded.people import PASSWORD

NAME = "Demo GitHub (embedded)"
COOKIE = "demo_github_session"
AUTHORIZE = "/login/oauth/authorize"
CODE_LIFETIME = 60  # seconds
REQUEST_LIFETIME = 600  # seconds

NOUNS = ["lighthouse", "orchard", "timetable", "compass", "pantry", "telescope", "workbench", "almanac"]
KINDS = ["site", "tools", "notes", "api", "dotfiles", "experiments"]
LANGUAGES = ["Python", "TypeScript", "Go", "Rust", "Elixir", "HTML"]


@dataclass(slots=True)
class Authorization:
    """What a client asks for; `account` once somebody has signed in to decide about it."""

    redirect_uri: str
    state: str
    scope: str
    challenge: str
    asked_at: float  # Unix time
    account: str = ""


@dataclass
class Provider:
    """One client, and in memory whatever is under way."""

    redirect_uri: str  # the only one the client may use
    client_id: str = "portico-embedded-gateway"
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    asked: dict[str, Authorization] = field(default_factory=dict)  # by the key in the forms
    codes: dict[str, Authorization] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)  # cookie: account
    tokens: dict[str, str] = field(default_factory=dict)  # access token: account


def app(provider: Provider) -> ASGIApp:
    starlette = Starlette(
        routes=[
            Route(AUTHORIZE, authorize),
            Route("/login", sign_in, methods=["POST"]),
            Route("/login/decision", decide, methods=["POST"]),
            Route("/login/oauth/access_token", exchange, methods=["POST"]),
            Route("/user", user),
            Route("/user/repos", repositories),
        ]
    )
    starlette.state.provider = provider
    return starlette


def provider_of(request: Request) -> Provider:
    provider = request.app.state.provider
    assert isinstance(provider, Provider)
    return provider


async def authorize(request: Request) -> Response:
    """A wrong client or address is told to the person; it must not be redirected to."""
    provider, query = provider_of(request), request.query_params
    if query.get("client_id") != provider.client_id:
        return page(NAME, alert("This client is not known here."), 400)
    if query.get("redirect_uri") != provider.redirect_uri:
        return page(NAME, alert("The address to return to is not registered."), 400)
    state = query.get("state", "")
    if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
        return see_other(with_query(provider.redirect_uri, error="invalid_request", state=state))
    key = secrets.token_urlsafe(24)
    authorization = Authorization(
        redirect_uri=provider.redirect_uri,
        state=state,
        scope=query.get("scope", ""),
        challenge=query.get("code_challenge", ""),
        asked_at=time.time(),
    )
    provider.asked[key] = authorization
    account = provider.sessions.get(request.cookies.get(COOKIE, ""))
    if account is None:
        return sign_in_page(key)
    authorization.account = account
    return consent_page(key, authorization)


async def sign_in(request: Request) -> Response:
    provider, given = provider_of(request), await read_form(request)
    key = given.get("key", "")
    authorization = pending(provider, key)
    if authorization is None:
        return too_late()
    account = given.get("account", "").strip().lower()
    if not account or given.get("password") != PASSWORD:
        return sign_in_page(key, account, "That account and password do not go together.")
    authorization.account = account
    session = secrets.token_urlsafe(24)
    provider.sessions[session] = account
    answer = consent_page(key, authorization)
    answer.set_cookie(COOKIE, session, path="/login", httponly=True, samesite="lax")
    return answer


async def decide(request: Request) -> Response:
    provider, given = provider_of(request), await read_form(request)
    key = given.get("key", "")
    authorization = pending(provider, key)
    account = provider.sessions.get(request.cookies.get(COOKIE, ""))
    if authorization is None or account is None or account != authorization.account:
        return too_late()
    del provider.asked[key]
    if given.get("decision") == "other":
        authorization.account = ""
        provider.asked[key] = authorization
        return sign_in_page(key)
    if given.get("decision") != "allow":
        return see_other(with_query(authorization.redirect_uri, error="access_denied", state=authorization.state))
    code = secrets.token_urlsafe(24)
    authorization.asked_at = time.time()
    provider.codes[code] = authorization
    return see_other(with_query(authorization.redirect_uri, code=code, state=authorization.state))


def pending(provider: Provider, key: str) -> Authorization | None:
    authorization = provider.asked.get(key)
    if authorization is None or time.time() - authorization.asked_at > REQUEST_LIFETIME:
        return None
    return authorization


def sign_in_page(key: str, account: str = "", problem: str = "") -> Response:
    return page(
        f"Sign in to {NAME}",
        alert(problem)
        + form(
            "/login",
            {"key": key},
            text_field("Account name", "account", value=account, autocomplete="username"),
            text_field("Password", "password", "password", autocomplete="current-password"),
            button("Sign in"),
        )
        + "<p></p>"
        + paragraph("Any account name will do, such as octo-ana. The password is demo."),
    )


def consent_page(key: str, authorization: Authorization) -> Response:
    return page(
        "Allow access?",
        paragraph(f"The embedded gateway wants to see the repositories of {authorization.account} on {NAME}.")
        + paragraph(f"Scope: {authorization.scope or 'none'}")
        + form(
            "/login/decision",
            {"key": key},
            button("Allow", "decision", "allow"),
            button("Deny", "decision", "deny"),
            button("Other account", "decision", "other"),
        ),
    )


def too_late() -> Response:
    return page(NAME, alert("This request is no longer open. Go back and start again."), 400)


async def exchange(request: Request) -> JSONResponse:
    """A code for a token, once (RFC 6749, section 4.1.3)."""
    provider, given = provider_of(request), await read_form(request)
    is_client = given.get("client_id") == provider.client_id and hmac.compare_digest(
        given.get("client_secret", ""), provider.client_secret
    )
    if not is_client:
        return JSONResponse({"error": "invalid_client"}, 401)
    authorization = provider.codes.pop(given.get("code", ""), None)
    if (
        authorization is None
        or time.time() - authorization.asked_at > CODE_LIFETIME
        or given.get("redirect_uri") != authorization.redirect_uri
        or challenge_of(given.get("code_verifier", "")) != authorization.challenge
    ):
        return JSONResponse({"error": "invalid_grant"}, 400)
    token = f"gho_{secrets.token_urlsafe(24)}"
    provider.tokens[token] = authorization.account
    return JSONResponse({"access_token": token, "token_type": "bearer", "scope": authorization.scope})


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def user(request: Request) -> JSONResponse:
    account = account_of(request)
    if account is None:
        return JSONResponse({"message": "Bad credentials"}, 401)
    return JSONResponse({"login": account, "name": account.replace("-", " ").title()})


async def repositories(request: Request) -> JSONResponse:
    account = account_of(request)
    if account is None:
        return JSONResponse({"message": "Bad credentials"}, 401)
    return JSONResponse(repositories_of(account))


def account_of(request: Request) -> str | None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return provider_of(request).tokens.get(token)


def repositories_of(account: str) -> list[dict[str, Any]]:
    """The same account has the same ones each time, another account others."""
    chance = random.Random(account)  # noqa: S311 - variety, not secrecy
    return [
        {
            "full_name": f"{account}/{noun}-{chance.choice(KINDS)}",
            "language": chance.choice(LANGUAGES),
            "open_issues_count": chance.randint(0, 12),
        }
        for noun in chance.sample(NOUNS, 4)
    ]
