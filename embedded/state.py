"""Everything the gateway knows, in memory: gone when it stops."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from embedded.clock import now
from embedded.dialect import Dialect
from embedded.file_store import FileStore
from embedded.people import Person
from embedded.streaming import Streamed

if TYPE_CHECKING:
    from embedded.listening import Listener


@dataclass(frozen=True, slots=True)
class Required:
    """A credential that an agent needs."""

    service_type: str
    description: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(slots=True)
class Agent:
    id: str
    name: str
    description: str | None
    upstream_url: str
    upstream_secret: str | None
    runtime_token: str
    tenant_id: str | None
    owner_id: str
    required: tuple[Required, ...] = ()
    is_active: bool = True
    requires_confirmation: bool = False  # stored and shown; nothing follows from it
    is_on_every_list: bool = False
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None


@dataclass(slots=True)
class CredentialProvider:
    id: str
    service_type: str
    name: str
    description: str | None
    auth_type: str  # jwt, api_key, oauth2, basic
    config: dict[str, Any] | None
    tenant_id: str | None = None
    is_active: bool = True
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None


@dataclass(slots=True)
class Credential:
    id: str
    person_id: str
    provider_id: str
    secret: str
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= now()


@dataclass(slots=True)
class ToolProvider:
    id: str
    name: str
    pattern: str  # the tools that the unified endpoint finds here: comma-separated, with `*`
    endpoint: str
    auth_type: str  # bearer, api_key, none
    upstream_secret: str | None
    tenant_id: str | None
    is_active: bool = True
    priority: int = 0
    description: str | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)  # as the last tools/list said
    tools_read_at: float = float("-inf")  # loop time, seconds


@dataclass(slots=True)
class Rule:
    """What one subject may do with the tools of one provider; no rule, no access."""

    id: str
    subject_type: str  # user, agent
    subject_id: str
    provider_id: str
    action: str  # allow, deny, require_confirmation
    tool_pattern: str  # comma-separated, with `*`
    risk: str | None = None
    tenant_id: str | None = None
    confirmation_mode: str | None = None  # always, never: stored and shown
    description: str | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime | None = None


@dataclass(slots=True)
class ApiKey:
    id: str
    key: str
    name: str
    scopes: tuple[str, ...]
    created_by: str
    tenant_id: str | None
    expires_at: datetime | None = None
    is_active: bool = True
    created_at: datetime = field(default_factory=now)
    last_used_at: datetime | None = None

    @property
    def is_good(self) -> bool:
        return self.is_active and (self.expires_at is None or self.expires_at > now())


@dataclass(slots=True)
class AuditEntry:
    """One tool call, as far as it got."""

    id: str
    user_id: str  # for whom the call was made
    tenant_id: str | None
    agent_id: str | None
    provider_id: str
    tool: str
    arguments: Any  # None: the call had none
    status: str = "pending"  # completed, failed
    result: Any = None
    confirmation_id: str | None = None
    duration: int | None = None  # milliseconds
    created_at: datetime = field(default_factory=now)
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """Where push messages would go; none are sent."""

    id: str
    person_id: str
    platform: str
    name: str | None
    created_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Answer:
    confirmed: bool
    reason: str | None
    by: str | None  # None: nobody, the time was up


@dataclass(slots=True, eq=False)
class Confirmation:
    """A tool call that waits for a person's answer, or its record afterwards."""

    id: str  # what event, path and list's `requestId` say
    record_id: str  # the list's `id`, which opens nothing
    caller_id: str  # who called the gateway: the agent, or the person
    end_user_id: str
    tenant_id: str | None
    tool: str
    arguments: dict[str, Any] | None
    risk: str
    provider_id: str
    agent_id: str | None
    rule_id: str | None
    created_at: datetime
    asked_at: datetime  # in the event: some milliseconds after the record
    described: dict[str, Any]  # description and inputSchema, when known
    status: str = "pending"
    confirmed_by: str | None = None
    reason: str | None = None
    resolved_at: datetime | None = None
    answered: asyncio.Future[Answer] | None = None  # None when nobody waits any more
    deadline: asyncio.TimerHandle | None = None

    @property
    def is_held(self) -> bool:
        return self.status == "pending" and self.answered is not None and not self.answered.done()


@dataclass(slots=True)
class Failure:
    """What the next requests to a path get instead of their answer."""

    path: str
    method: str | None
    status: int | None  # None: only delayed
    body: Any
    content_type: str
    times: int
    delay: float  # seconds


@dataclass(slots=True)
class Dials:
    """What a test may turn. The values here are the released gateway's. All times in seconds."""

    token_lifetime: float = 86400
    hold_limit: float = 300
    record_lag: float = 0  # from the answer's 200 to the record: reads in between still say pending
    heartbeat: float = 30
    held_heartbeat: float = 15
    agent_silence: float = 300  # before and within an agent's answer
    race: bool | str = False  # answers given within a moment all count; "last": the record keeps the last
    mute_streams: bool = False
    refuse_streams: bool = False
    expired_before: float = 0  # Unix time; tokens issued earlier are refused
    failures: list[Failure] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str | None] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Ticket:
    person_id: str
    service_type: str
    expires_at: float  # loop time


@dataclass(frozen=True, slots=True)
class Attempt:
    """A person on the way to an OAuth provider and back."""

    person_id: str
    provider_id: str
    return_to: str
    browser: str  # in a cookie of the browser that left
    verifier: str
    ends_at: float  # loop time


@dataclass(slots=True)
class Things:
    """What operators manage."""

    people: dict[str, Person]
    agents: dict[str, Agent]
    credential_providers: dict[str, CredentialProvider]
    tool_providers: dict[str, ToolProvider]
    rules: list[Rule]


@dataclass(eq=False)
class Gateway:
    url: str
    dialect: Dialect
    signing_key: bytes
    front_origins: tuple[str, ...]  # empty: every loopback origin
    client: aiohttp.ClientSession
    people: dict[str, Person]
    agents: dict[str, Agent] = field(default_factory=dict)
    credential_providers: dict[str, CredentialProvider] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    tool_providers: dict[str, ToolProvider] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    audit: dict[str, AuditEntry] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    confirmations: dict[str, Confirmation] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)  # by OAuth state
    issued: dict[str, float] = field(default_factory=dict)  # token: Unix time
    runs: set[Streamed] = field(default_factory=set)
    streams: set[Streamed] = field(default_factory=set)
    held_answers: set[Streamed] = field(default_factory=set)
    listeners: set[Listener] = field(default_factory=set)
    held_calls: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    dials: Dials = field(default_factory=Dials)
    files: FileStore = field(default_factory=FileStore)  # the tool server's; only the dials look in
    agent_connections: int = 0
    first_things: Things | None = None  # what was there when the gateway started

    def things(self) -> Things:
        """What operators manage, copied."""
        things = Things(self.people, self.agents, self.credential_providers, self.tool_providers, self.rules)
        return copy.deepcopy(things)

    def take(self, things: Things) -> None:
        """Have exactly these."""
        mine = copy.deepcopy(things)
        self.people, self.agents, self.rules = mine.people, mine.agents, mine.rules
        self.credential_providers, self.tool_providers = mine.credential_providers, mine.tool_providers

    def person_by_email(self, email: str) -> Person | None:
        wanted = email.strip().lower()
        return next((person for person in self.people.values() if person.email == wanted), None)

    def agent_by_runtime_token(self, token: str) -> Agent | None:
        return next((agent for agent in self.agents.values() if agent.runtime_token == token), None)
