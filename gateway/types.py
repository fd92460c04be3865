"""What a gateway tells, as typed values. Read strictly what we use, ignore what we do not know."""

from __future__ import annotations

import logging
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self, TypeGuard, TypeVar, get_args

from gateway.canonical import fingerprint
from gateway.errors import MalformedReply
from gateway.segments import is_segment

logger = logging.getLogger(__name__)
T = TypeVar("T")
LONGEST_ID = 200  # characters: what Portico's tables hold
EARLIEST, LATEST = 1900, 9000  # years
MILLISECONDS = 1e11  # a number from here on counts milliseconds since 1970, as the year would be 5138
LOGGED = 1000  # malformed rows that are remembered, so that each leaves one line in the log

_logged: OrderedDict[str, None] = OrderedDict()
_NO_CHARACTER = re.compile("[\x00\ud800-\udfff]")

Risk = Literal["low", "medium", "high", "critical"]
Status = Literal["pending", "confirmed", "rejected", "expired", "consumed"]
Kind = Literal["key", "token", "oauth", "basic", ""]
"""How a service is connected; empty where the gateway does not tell."""

REVIEWER = "admin"
LISTS_AGENTS = frozenset({"admin", "tenant_admin", "agent_creator"})


def is_status(text: object) -> TypeGuard[Status]:
    return text in get_args(Status)


def _is_risk(text: object) -> TypeGuard[Risk]:
    return text in get_args(Risk)


def text_of(doc: Mapping[str, Any], key: str) -> str:
    """The required string at `key`. Raises MalformedReply."""
    value = doc.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedReply(f"{key}: not a text")
    return writable(value)


def exact_of(doc: Mapping[str, Any], key: str) -> str:
    """The required name at `key` by which things are told apart: one altered or cut might be another's.

    Raises MalformedReply.
    """
    value = text_of(doc, key)
    if value != doc[key] or len(value) > LONGEST_ID:
        raise MalformedReply(f"{key}: not an id")
    return value


def id_of(doc: Mapping[str, Any], key: str = "id") -> str:
    """The required id at `key`: one that an address can have as a segment. Raises MalformedReply."""
    value = exact_of(doc, key)
    if "/" in value or not is_segment(value):
        raise MalformedReply(f"{key}: not an id")
    return value


def maybe_id(doc: Mapping[str, Any], key: str) -> str:
    """The optional id at `key`, or an empty text. Raises MalformedReply for one that `exact_of` refuses."""
    return exact_of(doc, key) if maybe_text(doc, key) else ""


def maybe_text(doc: Mapping[str, Any], key: str) -> str:
    """The optional string at `key`, or an empty one: gateways say nothing, null or leave it out."""
    value = doc.get(key)
    return writable(value) if isinstance(value, str) else ""


def texts_of(value: object) -> tuple[str, ...]:
    """The texts of a list, numbers as texts; without what holds other values, which may be nested without end."""
    if not isinstance(value, list):
        return ()
    return tuple(writable(str(one)) for one in value if not isinstance(one, dict | list))


def writable(text: str) -> str:
    """With U+FFFD for what JSON can spell and nobody can keep: NUL, and half a surrogate pair."""
    return _NO_CHARACTER.sub("\ufffd", text)


def maybe_time(doc: Mapping[str, Any], key: str) -> datetime | None:
    """The time at `key`, aware, UTC: ISO 8601, or a number of seconds or milliseconds since 1970.

    None where it is no time, or one that nobody can reckon with: too near to the first or the last year there is.
    """
    value = doc.get(key)
    try:
        if is_number(value):
            moment = datetime.fromtimestamp(value / 1000 if abs(value) >= MILLISECONDS else value, UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if EARLIEST <= moment.year <= LATEST else None


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether one can reckon with it: JSON also spells infinities, and whole numbers of any length."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def time_of(doc: Mapping[str, Any], key: str) -> datetime:
    moment = maybe_time(doc, key)
    if moment is None:
        raise MalformedReply(f"{key}: not a time")
    return moment


def mapping_of(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedReply(f"{what}: not an object")
    return value


def rows_of(doc: object, key: str) -> list[Any]:
    """The list at `key` of an answer. Raises MalformedReply."""
    rows = mapping_of(doc, "answer").get(key)
    if not isinstance(rows, list):
        raise MalformedReply(f"{key}: not a list")
    return rows


class Rows(list[T]):
    """What could be read of a list, and how many of its rows could not: nothing is proved by what is not in it then."""

    unreadable: int = 0

    @property
    def is_whole(self) -> bool:
        return not self.unreadable


def readable(rows: Iterable[object], read: Callable[[Mapping[str, Any]], T]) -> Rows[T]:
    """Skip malformed rows, and count them: one bad row, perhaps sent on purpose, must not hide the rest."""
    values = Rows[T]()
    for row in rows:
        try:
            values.append(read(mapping_of(row, "row")))
        except MalformedReply as exc:
            values.unreadable += 1
            _log_once(row, exc)
    return values


def _log_once(row: object, exc: MalformedReply) -> None:
    """A line for each row, not for each reading of it: lists are read again every few seconds."""
    try:
        mark = fingerprint(row)
    except (TypeError, ValueError, OverflowError, RecursionError):
        mark = str(exc)
    if mark in _logged:
        _logged.move_to_end(mark)
        return
    _logged[mark] = None
    if len(_logged) > LOGGED:
        _logged.popitem(last=False)
    logger.warning("a row was passed over: %s", exc)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody the gateway knows. Source: `user` of login and of `GET /auth/me`."""

    id: str
    email: str
    name: str
    tenant: str  # empty: none
    roles: tuple[str, ...]
    is_active: bool = True
    created_at: datetime | None = None  # told to those only who manage people, and by `me`

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        return cls(
            id=id_of(doc),
            email=text_of(doc, "email"),
            name=maybe_text(doc, "name"),
            tenant=maybe_id(doc, "tenantId"),
            roles=tuple(sorted(texts_of(doc.get("roles")))),
            is_active=doc.get("isActive") is not False,
            created_at=maybe_time(doc, "createdAt"),
        )


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a login gives. `tenant` and `roles` of `person` are as the token says them, which is what counts."""

    token: str = field(repr=False)
    person: Person
    expires_at: datetime | None  # aware, UTC, by the gateway's clock; None where the token does not tell
    lifetime: float | None = None  # seconds from its issue on; None where the token does not tell


@dataclass(frozen=True, slots=True)
class Agent:
    id: str
    name: str
    description: str
    is_active: bool
    tenant: str

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        """From a row of the admin list (camelCase) or the public view (snake_case)."""
        return cls(
            id=id_of(doc),
            name=maybe_text(doc, "name") or text_of(doc, "id"),
            description=maybe_text(doc, "description"),
            is_active=doc.get("isActive", doc.get("is_active")) is not False,
            tenant=maybe_id(doc, "tenantId") or maybe_id(doc, "tenant_id"),
        )


@dataclass(frozen=True, slots=True)
class Service:
    """What can be connected. Source: a credential provider, or `provider` of `credentials/check`."""

    service: str  # the gateway's service type: "github"
    name: str  # for people: "GitHub"
    kind: Kind = ""
    id: str = ""  # the provider's id, where this person may read it
    description: str = ""

    @classmethod
    def from_provider(cls, doc: Mapping[str, Any]) -> Self:
        service = exact_of(doc, "serviceType")
        return cls(
            service=service,
            name=maybe_text(doc, "name") or service,
            kind=kind_of(doc),
            id=maybe_id(doc, "id"),
            description=maybe_text(doc, "description"),
        )


def kind_of(doc: Mapping[str, Any]) -> Kind:
    match doc.get("authType"):
        case "api_key":
            return "key"
        case "jwt":
            return "token"
        case "oauth2":
            return "oauth"
        case "basic":
            return "basic"
    return ""


@dataclass(frozen=True, slots=True)
class MissingService:
    """A service that an agent needs and this person has not connected.

    `entry` is opaque: the address that the gateway would send the person to.
    """

    service: str
    entry: str  # empty: the gateway names no way

    @classmethod
    def all_from(cls, doc: Mapping[str, Any]) -> tuple[Self, ...]:
        """From a CREDENTIALS_REQUIRED answer: `{missing: [service], authUrls: {service: url}}`."""
        missing = doc.get("missing")
        urls = doc.get("authUrls")
        entries = urls if isinstance(urls, dict) else {}
        if not isinstance(missing, list) or len(services := texts_of(missing)) < len(missing):
            raise MalformedReply("missing: not a list of texts")
        return tuple(cls(service, maybe_text(entries, service)) for service in services)


@dataclass(frozen=True, slots=True)
class Credential:
    """A connected service; the secret itself never leaves the gateway."""

    id: str
    service: str
    name: str
    created_at: datetime | None
    expires_at: datetime | None
    expires_unknown: bool = False  # it has an end that could not be read
    was_granted: bool = False  # by OAuth, as far as the list tells: it has scopes, or can be refreshed

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        return cls(
            id=id_of(doc),
            service=exact_of(doc, "serviceType"),
            name=maybe_text(doc, "providerName") or text_of(doc, "serviceType"),
            created_at=maybe_time(doc, "createdAt"),
            expires_at=maybe_time(doc, "expiresAt"),
            expires_unknown=doc.get("expiresAt") not in (None, "") and maybe_time(doc, "expiresAt") is None,
            was_granted=doc.get("hasRefreshToken") is True or bool(doc.get("scopes")),
        )


@dataclass(frozen=True, slots=True)
class CredentialCheck:
    """What `credentials/check/:service` tells anybody: is it there, what is it called, where would one connect it."""

    credential: Credential | None
    service: Service | None  # None: the gateway knows no such service
    entry: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A tool call that waits for a person's answer, or waited.

    One value for the four spellings on the wire: the stream's event, the list, `pending` and the single read.
    """

    id: str
    tool: str
    arguments: Mapping[str, Any]  # as the model wrote them: untrusted, show as text
    risk: Risk
    asked_at: datetime  # aware, UTC
    end_user: str  # id of the person it is for
    status: Status = "pending"
    tool_description: str = ""
    input_schema: Mapping[str, Any] | None = None
    provider_id: str = ""
    provider_name: str = ""
    end_user_name: str = ""  # the gateway tells ids alone: filled in by whoever knows people
    agent_id: str = ""
    agent_name: str = ""
    tenant: str = ""
    reason: str = ""
    answered_by: str = ""  # id of a person or an agent
    resolved_at: datetime | None = None

    @classmethod
    def from_event(cls, doc: Mapping[str, Any]) -> Self:
        """From a CONFIRMATION_REQUIRED event, or a row of `stream/pending`."""
        tool = mapping_of(doc.get("tool"), "tool")
        provider = tool.get("provider")
        provider = provider if isinstance(provider, dict) else {}
        agent = doc.get("agent")
        agent = agent if isinstance(agent, dict) else {}
        user = doc.get("user")
        user = user if isinstance(user, dict) else {}
        risk = doc.get("risk")
        schema = tool.get("inputSchema")
        return cls(
            id=id_of(doc),
            tool=text_of(tool, "name"),
            arguments=_arguments(doc),
            risk=risk_of(risk.get("level") if isinstance(risk, dict) else risk),
            asked_at=time_of(doc, "timestamp"),
            end_user=maybe_id(user, "endUserId") or maybe_id(user, "id"),
            tool_description=maybe_text(tool, "description"),
            input_schema=schema if isinstance(schema, dict) else None,
            provider_id=maybe_id(provider, "id"),
            provider_name=maybe_text(provider, "name"),
            agent_id=maybe_id(agent, "id"),
            agent_name=maybe_text(agent, "name"),
            tenant=maybe_id(doc, "tenantId"),
        )

    @classmethod
    def from_row(cls, doc: Mapping[str, Any]) -> Self:
        """From a row of the list: `requestId` is the id, `id` is of no use."""
        return cls(
            id=id_of(doc, "requestId" if maybe_text(doc, "requestId") else "id"),
            tool=text_of(doc, "toolName"),
            arguments=_arguments(doc),
            risk=risk_of(doc.get("risk")),
            asked_at=time_of(doc, "createdAt"),
            end_user=maybe_id(doc, "endUserId") or maybe_id(doc, "userId"),
            status=_status(doc),
            provider_id=maybe_id(doc, "providerId"),
            agent_id=maybe_id(doc, "agentId"),
            tenant=maybe_id(doc, "tenantId"),
            reason=maybe_text(doc, "reason"),
            answered_by=maybe_id(doc, "confirmedBy"),
            resolved_at=maybe_time(doc, "resolvedAt"),
        )

    @classmethod
    def from_one(cls, doc: Mapping[str, Any]) -> Self:
        """From `GET confirmation/:id`, or a row of `confirmation/pending`, which has no status."""
        return cls(
            id=id_of(doc, "confirmation_id" if maybe_text(doc, "confirmation_id") else "id"),
            tool=text_of(doc, "tool"),
            arguments=_arguments(doc),
            risk=risk_of(doc.get("risk")),
            asked_at=time_of(doc, "created_at"),
            end_user=maybe_id(doc, "end_user_id") or maybe_id(doc, "user_id"),
            status=_status(doc) if "status" in doc else "pending",
            provider_id=maybe_id(doc, "provider_id"),
            agent_id=maybe_id(doc, "agent_id"),
            tenant=maybe_id(doc, "tenant_id"),
            reason=maybe_text(doc, "reason"),
            answered_by=maybe_id(doc, "confirmed_by"),
            resolved_at=maybe_time(doc, "resolved_at"),
        )


def _arguments(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """A call without arguments says `{}`, null or nothing, by the place it is read in."""
    arguments = doc.get("arguments")
    return {} if arguments is None else mapping_of(arguments, "arguments")


def risk_of(level: object) -> Risk:
    """An unknown level is shown as the highest one: a new word must not make a call look harmless."""
    return level if _is_risk(level) else "critical"


def _status(doc: Mapping[str, Any]) -> Status:
    status = doc.get("status")
    if not is_status(status):
        raise MalformedReply("status: unknown")
    return status


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway made of an answer to a confirmation."""

    approved: bool
    ran: bool | None
    """False: approved, but nobody was waiting any more and nothing ran. None: the gateway does not tell."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The calls that the gateway has no answer to on record."""

    held: tuple[Confirmation, ...]
    """A caller waits for these."""
    lost: tuple[Confirmation, ...]
    """Nobody waits for these any more, since the gateway forgot its callers at a restart: approving runs nothing."""
    unknown: tuple[Confirmation, ...] = ()
    """Other people's, which this person may see in the list but not open, so that one cannot tell."""
