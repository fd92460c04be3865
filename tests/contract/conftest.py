"""The gateway to be asked, and everything that has to be in it: made for the suite, and gone after it.

`GATEWAY_URL`, `GATEWAY_EMAIL` and `GATEWAY_PASSWORD` name a live gateway and an admin's account; without them the
embedded gateway is asked in both dialects. `AGENT_HOST` is the host under which a gateway reaches this machine.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Timer
from typing import Any

import pytest
import requests

from gateway import Gateway, Person, RequiredService, ServiceRecord, streams
from gateway.errors import GatewayError
from tests.contract.report import Contract, Row, table
from tests.embedded import PASSWORD, ROOT, TIMEOUT, Embedded

LIVE = os.environ.get("GATEWAY_URL", "").rstrip("/") if "GATEWAY_EMAIL" in os.environ else ""
AGENT_HOST = os.environ.get("AGENT_HOST", "127.0.0.1")
LACKING = {"released": frozenset({"POST /auth/register", "POST /auth/refresh"}), "guide": frozenset[str]()}

_rows: list[Row] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _rows and all("contract" in argument for argument in config.args):
        terminalreporter.section("contract")
        for line in table(_rows):
            terminalreporter.write_line(line)


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway, and an admin of it."""

    admin: Gateway
    contract: Contract

    def signed_in(self, person: Person, password: str) -> Gateway:
        url, chosen = self.admin.url, self.admin.chosen
        return Gateway(url, Gateway(url, chosen=chosen).sign_in(person.email, password).token, chosen)

    def raw(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """A call that a front has no use for, and so the client no method. Raises requests.HTTPError."""
        answer = requests.request(
            method,
            f"{self.admin.url}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token or self.admin.token}"},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="session", params=["live"] if LIVE else ["released", "guide"])
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    if request.param == "live":
        url, email, password = LIVE, os.environ["GATEWAY_EMAIL"], os.environ["GATEWAY_PASSWORD"]
        admin = Gateway(url, Gateway(url).sign_in(email, password).token)
        yield Target(admin, Contract(admin.dialect().name, None, _rows))
        return
    with Embedded.start(dialect=request.param) as embedded:
        signed_in = Gateway(embedded.url).sign_in("admin@example.com", PASSWORD)
        admin = Gateway(embedded.url, signed_in.token)
        yield Target(admin, Contract(admin.dialect().name, LACKING[request.param], _rows))


@pytest.fixture
def contract(target: Target) -> Contract:
    return target.contract


@pytest.fixture(scope="session")
def outside() -> Iterator[str]:
    """Where the gateway reaches the suite's agents and tools."""
    is_here = AGENT_HOST in ("127.0.0.1", "localhost")
    command = [sys.executable, "-m", "tests.contract.outside", AGENT_HOST if is_here else "0.0.0.0"]  # noqa: S104
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        impatience = Timer(TIMEOUT, process.kill)
        impatience.start()
        assert process.stdout is not None
        port = process.stdout.readline().strip().rsplit(":", 1)[1]
        impatience.cancel()
        yield f"http://{AGENT_HOST}:{port}"
        process.kill()


@dataclass(slots=True)
class World:
    """What the suite has made in a gateway: three people of its own, their agents, a service, tools and rules."""

    target: Target
    tag: str
    password: str
    outside: str  # where the suite's own servers are, as the gateway reaches them
    boss_person: Person
    user_person: Person
    boss: Gateway  # an admin of the suite's own tenant
    user: Gateway  # somebody of that tenant without roles
    stranger: Gateway  # somebody of another one
    agents: dict[str, str] = field(default_factory=dict)  # id by kind
    service: ServiceRecord | None = None
    provider_id: str = ""
    rule_ids: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def world(target: Target, outside: str) -> Iterator[World]:
    tag = f"contract{secrets.token_hex(4)}"
    password = secrets.token_urlsafe(12)
    with ExitStack() as leaving:

        def person(name: str, tenant: str, *roles: Any) -> Person:
            email = f"{name}-{tag}@example.test"
            made = target.admin.create_person(email, password, name=name.title(), tenant=tenant, roles=roles)
            leaving.callback(gone, lambda: target.admin.delete_person(made.id))
            return made

        boss, user, stranger = person("boss", tag, "admin"), person("user", tag), person("stranger", f"{tag}-other")
        world = World(
            target,
            tag,
            password,
            outside,
            boss,
            user,
            target.signed_in(boss, password),
            target.signed_in(user, password),
            target.signed_in(stranger, password),
        )
        furnish(world, leaving)
        yield world


def furnish(world: World, leaving: ExitStack) -> None:
    boss = world.boss
    service = boss.create_service(f"{world.tag}_key", "Contract service", "key", description="Of the contract suite")
    world.service = service
    leaving.callback(gone, lambda: boss.delete_service(service.id))
    for kind in ("json", "agui", "text", "breaking", "refusing", "silent"):
        add_agent(world, leaving, kind, f"{world.outside}/agents/{kind}")
    add_agent(world, leaving, "down", "http://127.0.0.1:9/")
    add_agent(world, leaving, "needy", f"{world.outside}/agents/json", RequiredService(service.service, "To try it"))

    def raw(method: str, path: str, body: object = None) -> Any:
        return world.target.raw(method, path, body, boss.token)

    tools = {"name": f"Tools {world.tag}", "pattern": "*", "endpoint": f"{world.outside}/mcp", "description": "Notes"}
    world.provider_id = raw("POST", "admin/tool-providers", tools)["provider"]["id"]
    leaving.callback(raw, "DELETE", f"admin/tool-providers/{world.provider_id}")
    subject = {"subjectType": "user", "subjectId": world.user_person.id, "providerId": world.provider_id}
    for rule in (
        {"action": "allow", "toolPattern": "read_*"},
        {"action": "require_confirmation", "toolPattern": "burn_*", "riskLevel": "high", "description": "Burning"},
    ):
        world.rule_ids.append(raw("POST", "admin/provider-access", subject | rule)["rule"]["id"])
        leaving.callback(raw, "DELETE", f"admin/provider-access/{world.rule_ids[-1]}")


def add_agent(world: World, leaving: ExitStack, kind: str, address: str, *required: RequiredService) -> None:
    made = world.boss.create_agent(f"{kind} {world.tag}", address, description=f"Answers {kind}", required=required)
    world.agents[kind] = made.agent.id
    leaving.callback(gone, lambda: world.boss.delete_agent(made.agent.id))


def gone(delete: Callable[[], None]) -> None:
    """Delete; what a test deleted already, or nobody can reach any more, is not there either."""
    try:
        delete()
    except GatewayError:
        return


@pytest.fixture
async def streaming() -> AsyncIterator[None]:
    yield
    await streams.close()
