"""What people who run a gateway see of it, as typed values: agents, services, tools, rules and the record of calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self, TypeGuard, get_args

from gateway.errors import MalformedReply
from gateway.types import (
    Agent,
    Kind,
    Risk,
    Service,
    exact_of,
    is_number,
    mapping_of,
    maybe_id,
    maybe_text,
    maybe_time,
    risk_of,
    rows_of,
    text_of,
    texts_of,
    writable,
)

MASK = "********"
"""How a gateway shows a secret; sent back, it keeps the secret that is stored."""

Role = Literal["admin", "tenant_admin", "agent_creator"]
Action = Literal["allow", "deny", "require_confirmation"]
CallStatus = Literal["pending", "completed", "failed"]

AUTH_TYPES: Mapping[Kind, str] = {"key": "api_key", "token": "jwt", "oauth": "oauth2", "basic": "basic"}


def _object(row: object) -> Mapping[str, Any]:
    return mapping_of(row, "row")


def whole_of(doc: Mapping[str, Any], key: str) -> int:
    """The required whole number at `key`. Raises MalformedReply."""
    value = doc.get(key)
    if not is_number(value) or not isinstance(value, int):
        raise MalformedReply(f"{key}: not a whole number")
    return value


@dataclass(frozen=True, slots=True)
class RequiredService:
    """A service that an agent wants its people to have connected."""

    service: str
    description: str = ""
    scopes: tuple[str, ...] = ()

    @classmethod
    def all_from(cls, doc: Mapping[str, Any]) -> tuple[Self, ...]:
        """From `requiredCredentials`: a list, null, or (as the answer to creating tells it) a list inside a text."""
        rows = doc.get("requiredCredentials")
        if isinstance(rows, str):
            try:
                rows = json.loads(rows)
            except (ValueError, RecursionError) as exc:
                raise MalformedReply("requiredCredentials: not JSON") from exc
        return tuple(
            cls(exact_of(row, "serviceType"), maybe_text(row, "description"), texts_of(row.get("scopes")))
            for row in map(_object, rows_of({"requiredCredentials": rows or []}, "requiredCredentials"))
        )

    def to_doc(self) -> dict[str, object]:
        scopes = {"scopes": list(self.scopes)} if self.scopes else {}
        return {"serviceType": self.service, "description": self.description, **scopes}


@dataclass(frozen=True, slots=True)
class AgentRecord(Agent):
    """An agent as those see it who manage agents. Source: `admin/agents`."""

    address: str  # where the gateway calls the agent
    has_secret: bool  # the gateway shows the agent who is calling
    needs_confirmation: bool
    required: tuple[RequiredService, ...]
    owner: str  # id of a person
    token_prefix: str  # the first characters of the runtime token
    created_at: datetime | None
    updated_at: datetime | None

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        shown = Agent.from_doc(doc)
        return cls(
            id=shown.id,
            name=shown.name,
            description=shown.description,
            is_active=shown.is_active,
            tenant=shown.tenant,
            address=text_of(doc, "upstreamUrl"),
            has_secret=doc.get("hasUpstreamSecret") is True,
            needs_confirmation=doc.get("requireConfirmation") is True,
            required=RequiredService.all_from(doc),
            owner=maybe_id(doc, "ownerUserId"),
            token_prefix=maybe_text(doc, "runtimeTokenPrefix"),
            created_at=maybe_time(doc, "createdAt"),
            updated_at=maybe_time(doc, "updatedAt"),
        )


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent that was just made, and its runtime token, which no later answer tells again."""

    agent: AgentRecord
    runtime_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """How a service is connected, and how its secret travels to agents. Which fields count depends on its kind.

    Source: `config` of a credential provider. What we do not know in there is kept in `rest` and sent back.
    """

    connect_url: str = ""  # where people are sent to connect it
    header: str = ""  # key, token: the header that carries the secret
    prefix: str = ""  # key, token: what stands before the secret in it
    authorization_url: str = ""  # this and the following: oauth
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)  # MASK where one is stored
    scopes: tuple[str, ...] = ()
    user_field: str = ""  # basic: what the fields of the form are called
    password_field: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    @classmethod
    def from_doc(cls, config: object, kind: Kind) -> Self:
        doc = config if isinstance(config, dict) else {}
        carried = _section(doc, "jwt" if kind == "token" else "apiKey")
        oauth = _section(doc, "oauth2")
        basic = _section(doc, "basic")
        return cls(
            connect_url=maybe_text(doc, "connectUrl"),
            header=maybe_text(carried, "headerName"),
            prefix=maybe_text(carried, "prefix"),
            authorization_url=maybe_text(oauth, "authorizationUrl"),
            token_url=maybe_text(oauth, "tokenUrl"),
            client_id=maybe_text(oauth, "clientId"),
            client_secret=maybe_text(oauth, "clientSecret"),
            scopes=texts_of(oauth.get("defaultScopes")),
            user_field=maybe_text(basic, "usernameField"),
            password_field=maybe_text(basic, "passwordField"),
            rest=doc,
        )

    def to_doc(self, kind: Kind) -> dict[str, object]:
        """The whole config, as a gateway replaces it whole: what is empty is left out."""
        doc: dict[str, object] = dict(self.rest)
        _put(doc, connectUrl=self.connect_url)
        match kind:
            case "key":
                self._put_section(doc, "apiKey", headerName=self.header, prefix=self.prefix)
            case "token":
                self._put_section(doc, "jwt", headerName=self.header, prefix=self.prefix)
            case "oauth":
                self._put_section(
                    doc,
                    "oauth2",
                    authorizationUrl=self.authorization_url,
                    tokenUrl=self.token_url,
                    clientId=self.client_id,
                    clientSecret=self.client_secret,
                    defaultScopes=list(self.scopes),
                )
            case "basic":
                self._put_section(doc, "basic", usernameField=self.user_field, passwordField=self.password_field)
        return doc

    def _put_section(self, doc: dict[str, object], name: str, **values: object) -> None:
        section = dict(_section(self.rest, name))
        _put(section, **values)
        if any(values.values()) or section:
            doc[name] = section


@dataclass(frozen=True, slots=True)
class ServiceRecord(Service):
    """A service as those see it who manage services: a credential provider, its secrets masked."""

    tenant: str = ""  # empty: every tenant's
    is_active: bool = True
    settings: ServiceSettings = ServiceSettings()
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @classmethod
    def from_provider(cls, doc: Mapping[str, Any]) -> Self:
        shown = Service.from_provider(doc)
        return cls(
            service=shown.service,
            name=shown.name,
            kind=shown.kind,
            id=exact_of(doc, "id"),
            description=shown.description,
            tenant=maybe_id(doc, "tenantId"),
            is_active=doc.get("isActive") is not False,
            settings=ServiceSettings.from_doc(doc.get("config"), shown.kind),
            created_at=maybe_time(doc, "createdAt"),
            updated_at=maybe_time(doc, "updatedAt"),
        )


@dataclass(frozen=True, slots=True)
class ToolProvider:
    """A server of tools behind the gateway, spoken to through its MCP proxy. Source: `admin/tool-providers`."""

    id: str
    name: str
    description: str
    pattern: str  # the tools it is for: comma-separated, with `*`
    address: str
    tenant: str  # empty: every tenant's
    is_active: bool
    priority: int

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        return cls(
            id=exact_of(doc, "id"),
            name=text_of(doc, "name"),
            description=maybe_text(doc, "description"),
            pattern=maybe_text(doc, "pattern"),
            address=maybe_text(doc, "endpoint"),
            tenant=maybe_id(doc, "tenantId"),
            is_active=doc.get("isActive") is not False,
            priority=whole_of(doc, "priority") if doc.get("priority") is not None else 0,
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as its server describes it: untrusted, show as text."""

    name: str
    description: str

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        return cls(text_of(doc, "name"), maybe_text(doc, "description"))


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What one person or agent may do with the tools of a provider; no rule, no access.

    Source: `admin/provider-access`. A `deny` closes the whole provider to its subject, whatever the pattern.
    """

    id: str
    subject_kind: Literal["user", "agent"]
    subject: str
    provider_id: str  # `*`: all
    action: Action
    tools: str  # comma-separated, with `*`
    risk: Risk | None
    description: str
    tenant: str

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        action = doc.get("action")
        kind = doc.get("subjectType")
        if not _is_action(action) or kind not in ("user", "agent"):
            raise MalformedReply("rule: neither action nor subject known")
        return cls(
            id=exact_of(doc, "id"),
            subject_kind="user" if kind == "user" else "agent",
            subject=exact_of(doc, "subjectId"),
            provider_id=exact_of(doc, "providerId"),
            action=action,
            tools=maybe_text(doc, "toolPattern"),
            risk=risk_of(doc["riskLevel"]) if doc.get("riskLevel") is not None else None,
            description=maybe_text(doc, "description"),
            tenant=maybe_id(doc, "tenantId"),
        )


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One tool call in the gateway's own record."""

    id: str
    tool: str
    provider_id: str
    user: str  # who called: a person, or an agent on behalf of one
    end_user: str
    agent_id: str
    tenant: str
    arguments: Mapping[str, Any] | None  # untrusted, as all that follows from tools
    result: object
    status: str  # a CallStatus as far as was seen
    confirmation_id: str
    duration: float | None  # seconds
    created_at: datetime | None
    completed_at: datetime | None

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        arguments = doc.get("arguments")
        duration = doc.get("duration")
        return cls(
            id=exact_of(doc, "id"),
            tool=text_of(doc, "toolName"),
            provider_id=maybe_id(doc, "providerId"),
            user=maybe_id(doc, "userId"),
            end_user=maybe_id(doc, "endUserId") or maybe_id(doc, "userId"),
            agent_id=maybe_id(doc, "agentId"),
            tenant=maybe_id(doc, "tenantId"),
            arguments=arguments if isinstance(arguments, dict) else None,
            result=doc.get("result"),
            status=text_of(doc, "status"),
            confirmation_id=maybe_id(doc, "confirmationId"),
            duration=duration / 1000 if is_number(duration) else None,
            created_at=maybe_time(doc, "createdAt"),
            completed_at=maybe_time(doc, "completedAt"),
        )


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first. `next_offset` is None on the last page; how many there are is not told."""

    entries: tuple[AuditEntry, ...]
    next_offset: int | None


@dataclass(frozen=True, slots=True)
class AuditStats:
    """Over the gateway's last 1,000 calls that this person may see."""

    total: int
    by_status: Mapping[str, int]
    average: float  # seconds

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        counts = mapping_of(doc.get("byStatus"), "byStatus")
        average = doc.get("avgDuration")
        if not is_number(average):
            raise MalformedReply("avgDuration: not a number")
        return cls(whole_of(doc, "total"), {status: whole_of(counts, status) for status in counts}, average / 1000)


@dataclass(frozen=True, slots=True)
class Health:
    """How the gateway says it is. Source: `GET /api/health`, open to everybody."""

    is_healthy: bool
    version: str
    services: Mapping[str, str]  # {name: "healthy"}
    pending: int | None  # calls that wait for an answer
    at: datetime | None

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Self:
        metrics = doc.get("metrics")
        pending = metrics.get("pendingConfirmations") if isinstance(metrics, dict) else None
        services = doc.get("services")
        return cls(
            is_healthy=text_of(doc, "status") == "healthy",
            version=maybe_text(doc, "version"),
            services={writable(name): maybe_text(services, name) for name in services}
            if isinstance(services, dict)
            else {},
            pending=pending if is_number(pending) and isinstance(pending, int) else None,
            at=maybe_time(doc, "timestamp"),
        )


def _is_action(value: object) -> TypeGuard[Action]:
    return value in get_args(Action)


def _section(doc: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = doc.get(name)
    return section if isinstance(section, dict) else {}


def _put(doc: dict[str, object], **values: object) -> None:
    """Set what has a value, and drop what has none any more."""
    for name, value in values.items():
        if value:
            doc[name] = value
        else:
            doc.pop(name, None)
