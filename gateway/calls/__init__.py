"""The plain calls: ask a gateway something, get a typed value or one of `gateway.errors`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

import jwt
import requests
from ag_ui.core import RunAgentInput
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from gateway import streams
from gateway.dialect import DIALECTS, GUIDE, RELEASED, Dialect
from gateway.errors import (
    CredentialsRequired,
    GatewayError,
    GatewayUnavailable,
    MalformedReply,
    NotFound,
    NotOffered,
    SignedOut,
)
from gateway.refusals import refusal
from gateway.types import (
    Agent,
    Answer,
    Confirmation,
    Credential,
    CredentialCheck,
    MissingService,
    Person,
    Service,
    SignedIn,
    mapping_of,
    maybe_text,
    rows_of,
    text_of,
)

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0  # seconds
READ_TIMEOUT = 15.0  # seconds between two bytes of an answer
LARGEST_ANSWER = 32 * 1024 * 1024  # bytes

_known: dict[str, Dialect] = {}
"""Dialects found out by asking, a gateway each; kept for the life of the process."""


def _pool() -> requests.Session:
    """One pool of connections a process, shared by all people: so it must remember nobody's cookies."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_connections=8, pool_maxsize=64))
    return session


_session = _pool()


@dataclass(frozen=True, slots=True)
class _Bearer(AuthBase):
    token: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway as one person sees it: every method is a thing that person can do there.

    Each raises GatewayUnavailable when it cannot be reached, SignedOut when it refuses the token, NotAllowed where
    the person may not, MalformedReply when the answer makes no sense.
    """

    url: str
    """Without `/api/v1`."""
    token: str = field(default="", repr=False)
    chosen: str = "auto"
    """A dialect by name, or `auto`: found out by asking."""

    def is_alive(self) -> bool:
        """Whether anything of a gateway answers there; asked without a token."""
        try:
            self._ask("GET", "auth/me")
        except GatewayUnavailable:
            return False
        except GatewayError:
            return True
        return True

    # -- who I am -----------------------------------------------------------------------------------------------

    def sign_in(self, email: str, password: str) -> SignedIn:
        """Raises WrongPassword."""
        doc = mapping_of(self._ask("POST", "auth/login", {"email": email, "password": password}), "login")
        token = text_of(doc, "token")
        person = Person.from_doc(mapping_of(doc.get("user"), "user"))
        return SignedIn(token, person, expires_at(token))

    def me(self) -> Person:
        """As the gateway's store has this person now. Raises SignedOut when they are gone or switched off."""
        try:
            doc = mapping_of(self._ask("GET", "auth/me"), "me")
        except NotOffered:
            raise
        except NotFound as exc:
            raise SignedOut from exc
        person = Person.from_doc(mapping_of(doc.get("user"), "user"))
        if not person.is_active:
            raise SignedOut
        return person

    # -- agents -------------------------------------------------------------------------------------------------

    def agents(self) -> list[Agent]:
        """Every agent there is. Raises NotAllowed for people without a role that may list them."""
        return [Agent.from_doc(row) for row in rows_of(self._ask("GET", "admin/agents"), "agents")]

    def agent(self, agent_id: str) -> Agent:
        """Raises NotFound, and NotAllowed for an agent of another tenant."""
        return Agent.from_doc(mapping_of(self._ask("GET", f"agents/{_part(agent_id)}"), "agent"))

    def missing_services(self, agent_id: str) -> tuple[MissingService, ...]:
        """What this person has to connect before the agent can answer; empty when nothing is missing."""
        try:
            self._ask("GET", f"agents/{_part(agent_id)}/credentials-check")
        except CredentialsRequired as exc:
            return exc.missing
        return ()

    def run_agent(self, agent_id: str, run: RunAgentInput) -> AbstractAsyncContextManager[streams.RunEvents]:
        """The agent's answer as AG-UI events: `async with … as events`, then `async for event in events`."""
        return streams.run_agent(self._url(f"agents/{_part(agent_id)}/invoke"), self.token, run)

    # -- credentials --------------------------------------------------------------------------------------------

    def credentials(self) -> list[Credential]:
        return [Credential.from_doc(row) for row in rows_of(self._ask("GET", "credentials"), "credentials")]

    def check_credential(self, service: str) -> CredentialCheck:
        doc = mapping_of(self._ask("GET", f"credentials/check/{_part(service)}"), "check")
        provider = doc.get("provider")
        stored = doc.get("credential")
        return CredentialCheck(
            credential=Credential.from_doc(stored) if isinstance(stored, dict) else None,
            service=Service.from_provider({**provider, "serviceType": service}) if isinstance(provider, dict) else None,
            entry=maybe_text(doc, "authUrl"),
        )

    def services(self) -> list[Service]:
        """Every credential provider. Raises NotAllowed for people without roles."""
        rows = rows_of(self._ask("GET", "credential-providers"), "providers")
        return [Service.from_provider(row) for row in rows]

    def service(self, service: str) -> Service:
        """One service by its type: the provider where this person may read it, else what `check` tells.

        Raises NotFound for a service that the gateway does not know.
        """
        try:
            doc = mapping_of(self._ask("GET", f"credential-providers/by-service/{_part(service)}"), "provider")
            return Service.from_provider(mapping_of(doc.get("provider"), "provider"))
        except GatewayError as exc:
            if exc.status not in (403, 404):
                raise
        check = self.check_credential(service)
        if check.service is not None:
            return check.service
        if check.credential is not None:
            return Service(service, check.credential.name)
        raise NotFound

    def store_key(self, service: Service, key: str) -> Credential:
        """Raises NotAccepted when the gateway does not want it; storing again replaces."""
        return self._store("credentials/apikey", service, "apiKey", key)

    def store_token(self, service: Service, token: str) -> Credential:
        return self._store("credentials/jwt", service, "token", token)

    def _store(self, path: str, service: Service, key: str, secret: str) -> Credential:
        which = (
            {"providerId": service.id}
            if self.dialect().stores_by_provider and service.id
            else {"serviceType": service.service}
        )
        doc = mapping_of(self._ask("POST", path, {**which, key: secret}), "credential")
        return Credential.from_doc(mapping_of(doc.get("credential"), "credential"))

    def delete_credential(self, credential_id: str) -> None:
        self._ask("DELETE", f"credentials/{_part(credential_id)}")

    def connect_address(self, entry: str) -> str:
        """The absolute address behind an `authUrls` entry, empty when this gateway cannot connect the service.

        `/auth/connect?service=…` is the application's own page and comes back as it is; the gateway's OAuth routes
        answer 501; any other relative entry belongs to the gateway.
        """
        try:
            parts = urlsplit(entry)
        except ValueError:
            return ""
        if parts.scheme and parts.scheme not in ("http", "https"):
            return ""
        if not parts.scheme and not parts.netloc and parts.path == "/auth/connect":
            return entry
        if not entry or parts.path.startswith("/api/v1/credentials/oauth/"):
            return ""
        return urljoin(self.url + "/", entry)

    # -- confirmations ------------------------------------------------------------------------------------------

    def confirmation_events(self) -> AbstractAsyncContextManager[streams.ConfirmationEvents]:
        return streams.confirmation_events(self._url("stream"), self.token)

    def pending(self) -> list[Confirmation]:
        """The calls that wait and that this person may answer."""

        def ask(dialect: Dialect) -> list[Confirmation]:
            doc = self._ask("GET", dialect.pending)
            if dialect.pending_rows == "event":
                return [Confirmation.from_event(row) for row in rows_of(doc, "data")]
            return [Confirmation.from_row(row) for row in rows_of(doc, "confirmations")]

        return self._in_dialect(ask)

    def confirmations(self, status: str = "") -> list[Confirmation]:
        """What was asked so far, newest first; pending ones may include some that nobody can resume any more."""
        query = f"?status={_part(status)}" if status else ""
        doc = self._in_dialect(lambda dialect: self._ask("GET", f"{dialect.confirmations}/list{query}"))
        return [Confirmation.from_row(row) for row in rows_of(doc, "confirmations")]

    def confirmation(self, confirmation_id: str) -> Confirmation:
        """Raises NotFound, NotAllowed."""
        doc = self._in_dialect(lambda dialect: self._ask("GET", f"{dialect.confirmations}/{_part(confirmation_id)}"))
        return Confirmation.from_one(mapping_of(doc, "confirmation"))

    def answer(self, confirmation_id: str, *, approve: bool, reason: str = "") -> Answer:
        """Approve or reject a held call. Raises AlreadyResolved, NotFound, NotAllowed.

        Never sent twice: where the outcome is unknown (GatewayUnavailable) read `confirmation` to learn it.
        """

        def ask(dialect: Dialect) -> object:
            path = f"{dialect.confirmations}/{_part(confirmation_id)}"
            given = {"reason": reason} if reason else {}
            if dialect.has_respond:
                return self._ask("POST", f"{path}/respond", {"confirmed": approve, **given})
            return self._ask("POST", f"{path}/{'confirm' if approve else 'reject'}", given)

        doc = mapping_of(self._in_dialect(ask), "answer")
        ran = None if not approve else "confirmation_token" not in doc
        return Answer(approved=approve, ran=ran)

    # -- the wire -----------------------------------------------------------------------------------------------

    def dialect(self) -> Dialect:
        """The dialect chosen, or found out once a process by asking for a route that only the guide's has."""
        if self.chosen != "auto":
            return DIALECTS[self.chosen]
        if self.url not in _known:
            try:
                self._ask("GET", GUIDE.pending)
                _known[self.url] = GUIDE
            except NotOffered:
                _known[self.url] = RELEASED
        return _known[self.url]

    def _in_dialect(self, ask: Callable[[Dialect], T]) -> T:
        """Ask in this gateway's dialect; once more when the route is gone, since gateways are upgraded."""
        try:
            return ask(self.dialect())
        except NotOffered:
            if self.chosen != "auto" or _known.pop(self.url, None) is None:
                raise
        return ask(self.dialect())

    def _url(self, path: str) -> str:
        return f"{self.url}/api/v1/{path}"

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> object:
        """One call. Returns the decoded JSON of a 2xx answer; raises for everything else."""
        try:
            with _session.request(
                method,
                self._url(path),
                json=body,
                auth=_Bearer(self.token),
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = bytearray()
                for chunk in response.iter_content(64 * 1024):
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        raise MalformedReply("longer than we read")
        except requests.RequestException as exc:  # refused, reset, timed out, cut off
            raise GatewayUnavailable from exc
        if not 200 <= response.status_code < 300:
            raise refusal(response.status_code, bytes(content))
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:  # the latter: nested deeper than we follow
            raise MalformedReply("not JSON") from exc


def _part(text: str) -> str:
    """One segment of a path, or one value of a query."""
    return quote(text, safe="")


def expires_at(token: str) -> datetime | None:
    """When a login token ends, as it says itself (unverified: the gateway is who checks); None when it does not say."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError):
        return None


def tenant_of(token: str) -> str:
    """The tenant that a login token names (unverified: the gateway is who checks); empty when it names none."""
    try:
        return maybe_text(jwt.decode(token, options={"verify_signature": False}), "tenant_id")
    except jwt.InvalidTokenError:
        return ""
