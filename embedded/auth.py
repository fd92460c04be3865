"""Tokens, and who is calling."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import jwt
from starlette.requests import Request

from embedded.clock import now, seconds
from embedded.people import Person
from embedded.replies import unauthorized
from embedded.state import Agent, Gateway

ISSUER = "simplaix-gateway"
SESSION_LIFETIME = 600  # seconds

MISSING_IN_HEADER = "Missing or invalid Authorization header"
MISSING_EVERYWHERE = "Missing authentication: provide Authorization header or X-Api-Key header"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as the token says: the store may say something else by now."""

    id: str
    email: str | None
    tenant_id: str | None
    roles: tuple[str, ...]
    agent: Agent | None = None
    scopes: tuple[str, ...] | None = None  # of the API key; None: there was none


def signing_key(secret: str) -> bytes:
    """32 bytes, so that a short `--secret` makes a key of the proper length too."""
    return hashlib.sha256(secret.encode()).digest()


def login_token(gateway: Gateway, person: Person) -> str:
    return issue(gateway, claims_of(person), gateway.dials.token_lifetime)


def session_token(gateway: Gateway, caller: Caller, agent: Agent, request_id: str) -> str:
    """What an agent is handed to act for the caller. The gateway takes it for a login token too."""
    claims = {
        "sub": caller.id,
        "type": "session",
        "agent_id": agent.id,
        "roles": list(caller.roles),
        "email": caller.email,
        "request_id": request_id,
    }
    if caller.tenant_id:
        claims["tenant_id"] = caller.tenant_id
    return issue(gateway, claims, SESSION_LIFETIME)


def claims_of(person: Person) -> dict[str, Any]:
    claims: dict[str, Any] = {"sub": person.id, "email": person.email, "roles": list(person.roles)}
    if person.tenant_id:
        claims["tenant_id"] = person.tenant_id
    return claims


def issue(gateway: Gateway, claims: dict[str, Any], lifetime: float) -> str:
    """Sign, and remember when: `iat` has whole seconds, too coarse for the dial `expire_tokens`."""
    issued_at = int(seconds())
    while True:
        times = {"iat": issued_at, "exp": issued_at + int(lifetime), "iss": ISSUER}
        token = jwt.encode({**claims, **times}, gateway.signing_key, algorithm="HS256")
        if token not in gateway.issued:
            break
        issued_at += 1  # two tokens of one second stay two tokens
    gateway.issued[token] = seconds()
    return token


def bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" and token else None


def jwt_caller(gateway: Gateway, request: Request) -> Caller:
    """The caller of a route that takes nothing but a token in the header. Raises `Refused` (401)."""
    token = bearer(request)
    if token is None:
        raise unauthorized(MISSING_IN_HEADER, "MISSING_TOKEN")
    return verified(gateway, token)


def jwt_or_query_caller(gateway: Gateway, request: Request) -> Caller:
    token = bearer(request) or request.query_params.get("_token")
    if not token:
        raise unauthorized(MISSING_IN_HEADER, "MISSING_TOKEN")
    return verified(gateway, token)


def flexible_caller(gateway: Gateway, request: Request) -> Caller:
    """The caller of a route that takes header, query, API keys and runtime tokens. Raises `Refused` (401)."""
    token = bearer(request) or request.query_params.get("_token")
    api_key = request.headers.get("x-api-key") or request.query_params.get("_api_key")
    if api_key:
        return keyed_caller(gateway, request, api_key, token)
    if not token:
        raise unauthorized(MISSING_EVERYWHERE, "MISSING_TOKEN")
    return agent_caller(gateway, token) if token.startswith("art_") else verified(gateway, token)


def keyed_caller(gateway: Gateway, request: Request, api_key: str, token: str | None) -> Caller:
    """Somebody with an API key: the person of the token, else whomever X-User-Id names."""
    if api_key.startswith("art_"):
        return agent_caller(gateway, api_key)
    person_id = request.headers.get("x-user-id")
    if not token and not person_id:
        raise unauthorized("API key requires either Authorization (JWT) or X-User-Id header", "MISSING_USER_IDENTITY")
    key = next((key for key in gateway.api_keys.values() if key.key == api_key), None)
    if key is None or not key.is_good:
        raise unauthorized("Invalid or expired API key", "INVALID_API_KEY")
    if token:
        caller = replace(verified(gateway, token), scopes=key.scopes)
    else:
        caller = Caller(str(person_id), None, key.tenant_id, (), scopes=key.scopes)
    key.last_used_at = now()
    return caller


def agent_caller(gateway: Gateway, runtime_token: str) -> Caller:
    agent = gateway.agent_by_runtime_token(runtime_token)
    if agent is None:
        raise unauthorized("Invalid or expired agent runtime token", "INVALID_ART")
    return Caller(agent.id, None, agent.tenant_id, (), agent)


def verified(gateway: Gateway, token: str) -> Caller:
    """Issuer first, then signature, then expiry; the store is not asked. Raises `Refused` (401)."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError as exc:
        raise unauthorized("Invalid token format", "INVALID_TOKEN") from exc
    if issuer != ISSUER:
        raise unauthorized(f"Unknown JWT issuer: {issuer or 'none'}", "UNKNOWN_ISSUER")
    try:
        claims = jwt.decode(
            token,
            gateway.signing_key,
            algorithms=["HS256"],
            options={"verify_iat": False, "verify_aud": False, "verify_exp": False},
        )
        if claims.get("exp", float("inf")) <= seconds():
            raise jwt.ExpiredSignatureError
    except jwt.ExpiredSignatureError as exc:
        raise unauthorized("Token expired", "TOKEN_EXPIRED") from exc
    except jwt.PyJWTError as exc:
        raise unauthorized("Gateway JWT verification failed", "AUTH_FAILED") from exc
    if gateway.issued.get(token, claims.get("iat", 0)) < gateway.dials.expired_before:
        raise unauthorized("Token expired", "TOKEN_EXPIRED")
    return Caller(claims["sub"], claims.get("email"), claims.get("tenant_id"), tuple(claims.get("roles") or ()))


def session_user(gateway: Gateway, request: Request) -> str | None:
    """The person for whom an agent calls; None without a session token, or with a bad one."""
    token = request.headers.get("x-gateway-session-token")
    if not token:
        return None
    try:
        claims = jwt.decode(
            token,
            gateway.signing_key,
            algorithms=["HS256"],
            issuer=ISSUER,
            options={"verify_iat": False, "verify_exp": False},
        )
    except jwt.PyJWTError:
        return None
    is_good = claims.get("type") == "session" and claims.get("exp", float("inf")) > seconds()
    return str(claims["sub"]) if is_good else None
