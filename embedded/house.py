"""The whole demonstration: the gateway, and behind it the agents, the tools and two services."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
from starlette.types import ASGIApp

from embedded import file_tools, oauth_provider, weather_api
from embedded.agents import (
    echo,
    file_manager,
    github_helper,
    metronome,
    notes_keeper,
    showcase,
    storyteller,
    unlucky,
    weather_desk,
)
from embedded.app import gateway_app
from embedded.auth import signing_key
from embedded.dialect import Dialect
from embedded.ids import (
    BO,
    ECHO,
    FILE_MANAGER,
    FILES,
    GITHUB,
    GITHUB_HELPER,
    METRONOME,
    NOTES_KEEPER,
    NOTION,
    RETIRED_HELPER,
    RETIRED_TOOLS,
    SHOWCASE,
    STORYTELLER,
    UNLUCKY,
    WEATHER,
    WEATHER_DESK,
)
from embedded.own_tools import add_own_tools
from embedded.people import demonstration_people
from embedded.policy import rules_of_file_manager, rules_of_person
from embedded.servers import KEEP_ALIVE_INSIDE, Servers, listen, listen_inside
from embedded.state import Agent, CredentialProvider, Gateway, Required, ToolProvider

TENANT = "acme"
FILE_TOOLS = "list_files,read_file,rename_file,delete_file,wipe_files"
POOL_KEEPS = 30  # seconds that an idle connection to an agent is kept


@dataclass(frozen=True, slots=True)
class Options:
    host: str
    port: int  # 0: a free one
    dialect: Dialect
    secret: str
    front_origins: tuple[str, ...]  # empty: every loopback origin
    has_dials: bool


@contextlib.asynccontextmanager
async def open_house(options: Options) -> AsyncIterator[Gateway]:
    """Everything runs inside this. Raises `PortTaken`, and `OSError` for a host that is not ours."""
    socket = listen(options.host, options.port)
    port = socket.getsockname()[1]
    servers = Servers()
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=POOL_KEEPS)
    async with aiohttp.ClientSession(connector=connector) as client:
        gateway = Gateway(
            url=f"http://{shown(options.host)}:{port}",
            dialect=options.dialect,
            signing_key=signing_key(options.secret),
            front_origins=options.front_origins,
            client=client,
            people=demonstration_people(),
        )
        try:
            await furnish(gateway, servers, has_dials=options.has_dials)
            await servers.start(gateway_app(gateway, has_dials=options.has_dials), socket)
            yield gateway
        finally:
            lose_held_calls(gateway)
            await servers.stop()


def shown(host: str) -> str:
    """The host as it stands in a URL that this machine can open."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def lose_held_calls(gateway: Gateway) -> None:
    for task in list(gateway.held_calls.values()):
        task.cancel()
    for confirmation in gateway.confirmations.values():
        if confirmation.deadline:
            confirmation.deadline.cancel()


async def furnish(gateway: Gateway, servers: Servers, *, has_dials: bool) -> None:
    """Start what stands behind the gateway and make it known there."""
    for person_id, person in gateway.people.items():
        if person.tenant_id == TENANT:
            gateway.rules += rules_of_person(person_id)
    gateway.rules += rules_of_file_manager()

    add_own_tools(gateway)
    await add_tools(gateway, servers)
    weather_url = await start_inside(servers, weather_api.app())
    github = oauth_provider.Provider(f"{gateway.url}/connect/callback")
    github_url = await start_inside(servers, oauth_provider.app(github))
    add_credential_providers(gateway, github, github_url)
    await add_agents(gateway, servers, github_url, weather_url, has_dials=has_dials)
    gateway.first_things = gateway.things()


async def start_inside(servers: Servers, app: ASGIApp) -> str:
    socket, url = listen_inside()
    await servers.start(app, socket, keep_alive=KEEP_ALIVE_INSIDE)
    return url


async def add_tools(gateway: Gateway, servers: Servers) -> None:
    secret = secrets.token_urlsafe(24)
    url = await start_inside(servers, file_tools.app(gateway.files, secret))
    plans = [(FILES, "Files", FILE_TOOLS, True), (RETIRED_TOOLS, "Retired tools", "retired_*", False)]
    for id_, name, pattern, is_active in plans:
        provider = ToolProvider(id_, name, pattern, f"{url}/mcp", "bearer", secret, TENANT, is_active)
        gateway.tool_providers[id_] = provider


def add_credential_providers(gateway: Gateway, github: oauth_provider.Provider, github_url: str) -> None:
    oauth = {
        "authorizationUrl": f"{github_url}/login/oauth/authorize",
        "tokenUrl": f"{github_url}/login/oauth/access_token",
        "clientId": github.client_id,
        "clientSecret": github.client_secret,
        "defaultScopes": ["repo"],
    }
    providers = [
        CredentialProvider(
            GITHUB,
            "github",
            "GitHub",
            "Demo GitHub of the embedded gateway: sign in with any account name, password demo",
            "oauth2",
            {"connectUrl": f"{gateway.url}/connect/github", "oauth2": oauth},
            TENANT,
        ),
        CredentialProvider(WEATHER, "weather", "Weather", "Demo key: wx-demo-1234", "api_key", None, TENANT),
        CredentialProvider(NOTION, "notion", "Notion workspace", "Any token will do here", "jwt", None, TENANT),
    ]
    for provider in providers:
        gateway.credential_providers[provider.id] = provider


@dataclass(frozen=True, slots=True)
class Plan:
    """An agent that is to be started."""

    id: str
    name: str
    description: str
    make: Callable[[str, str], ASGIApp]  # with its upstream secret and its runtime token
    tenant_id: str | None = TENANT
    required: tuple[Required, ...] = ()
    is_active: bool = True


def plans(gateway: Gateway, github_url: str, weather_url: str) -> list[Plan]:
    client = gateway.client
    proxy_url = f"{gateway.url}/api/v1/mcp-proxy/{FILES}/mcp"
    return [
        Plan(ECHO, "Echo", "Says back what you say.", lambda secret, _: echo.app(secret), None),
        Plan(
            STORYTELLER,
            "Storyteller",
            "Tells you about any subject, at length or in short.",
            lambda secret, _: storyteller.app(secret),
            None,
        ),
        Plan(
            FILE_MANAGER,
            "File manager",
            "Lists, reads, renames and deletes your files. Risky steps wait for an approval.",
            lambda secret, token: file_manager.app(secret, client, proxy_url, token),
        ),
        Plan(
            GITHUB_HELPER,
            "GitHub helper",
            "Shows the repositories of the GitHub account that you connect.",
            lambda secret, _: github_helper.app(secret, client, github_url),
            required=(Required("github", "To list your repositories", ("repo",)),),
        ),
        Plan(
            WEATHER_DESK,
            "Weather desk",
            "Tells you the weather anywhere, with your own key (demo key: wx-demo-1234).",
            lambda secret, _: weather_desk.app(secret, client, weather_url),
            required=(Required("weather", "Demo key: wx-demo-1234"),),
        ),
        Plan(
            NOTES_KEEPER,
            "Notes keeper",
            "Works with your Notion workspace; any token will do.",
            lambda secret, _: notes_keeper.app(secret),
            required=(Required("notion", "A token of your workspace"),),
        ),
        Plan(
            UNLUCKY,
            "Unlucky",
            "Fails in the way you name, so that you can see what that looks like.",
            lambda secret, _: unlucky.app(secret),
        ),
        Plan(
            SHOWCASE,
            "Showcase",
            "Shows what agents can do beside talking: thinking, steps, helpers, plans, and asking you back.",
            lambda secret, _: showcase.app(secret),
        ),
        Plan(
            RETIRED_HELPER,
            "Retired helper",
            "Used to help, and is switched off now.",
            lambda secret, _: echo.app(secret),
            is_active=False,
        ),
    ]


METRONOME_PLAN = Plan(
    METRONOME,
    "Metronome",
    "Sends text at an exact pace, for measuring.",
    lambda secret, _: metronome.app(secret),
    None,
)


async def add_agents(gateway: Gateway, servers: Servers, github_url: str, weather_url: str, *, has_dials: bool) -> None:
    planned = plans(gateway, github_url, weather_url)
    if has_dials:
        planned.append(METRONOME_PLAN)
    for plan in planned:
        secret = secrets.token_urlsafe(24)
        runtime_token = f"art_{secrets.token_urlsafe(24)}"
        url = await start_inside(servers, plan.make(secret, runtime_token))
        gateway.agents[plan.id] = Agent(
            plan.id,
            plan.name,
            plan.description,
            f"{url}/",
            secret,
            runtime_token,
            plan.tenant_id,
            BO,
            plan.required,
            plan.is_active,
            is_on_every_list=plan.tenant_id is None,
        )
