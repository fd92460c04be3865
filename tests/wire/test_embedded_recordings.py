"""The embedded gateway answers what the released one answered: recordings, asked once more.

Each recorded request is sent to the embedded gateway with its own ids and tools in the place of the
recorded ones. Status, headers, keys and types have to be the same, and so have sentences and codes.
"""

import asyncio
import contextlib
import json
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from embedded import ids
from embedded.auth import ISSUER, signing_key
from tests.embedded import SECRET, Embedded

RECORDINGS = Path(__file__).parent / "recordings"
PATIENCE = 10  # seconds

BOB, ROOT, CREATOR, GLOBEX_ADMIN, NOMAD = (letter * 21 for letter in "BRCGN")

PEOPLE = {  # as recorded: as here
    "RL73NilrB-_u3mHv7OPXm": ids.ANA,
    "a2ED-EbhpCG4Nv7M4aiof": ids.BO,
    "jmU14A9-tdgRyg9sxc2F8": ids.OLU,
    "6Xi1oTlkK_TUcknyTCOdG": ids.GIL,
    "-Zo_BqMhI5nuxtFlXyC26": BOB,
    "MvX8875DnR8CDjsI7vP0I": ROOT,
    "Ybhu-3aCibZ6c6ro6iyxe": CREATOR,
    "e6CFwdS2XdJxSL3OJUY1p": GLOBEX_ADMIN,
    "Mo9ErazzaBNtJCORooMbT": NOMAD,
}
TOKENS: dict[str, dict[str, Any]] = {  # the claims behind a recorded placeholder
    "<jwt:alice>": {"sub": ids.ANA, "email": "user@example.com", "tenant_id": "acme", "roles": []},
    "<jwt:acme_admin>": {
        "sub": ids.BO,
        "email": "admin@example.com",
        "tenant_id": "acme",
        "roles": ["admin"],
    },
    "<jwt:acme_tadmin>": {
        "sub": ids.OLU,
        "email": "operator@example.com",
        "tenant_id": "acme",
        "roles": ["tenant_admin"],
    },
    "<jwt:carol>": {"sub": ids.GIL, "email": "other@example.com", "tenant_id": "globex", "roles": []},
    "<jwt:bob>": {"sub": BOB, "tenant_id": "acme", "roles": []},
    "<jwt:acme_creator>": {"sub": CREATOR, "tenant_id": "acme", "roles": ["agent_creator"]},
    "<jwt:globex_admin>": {"sub": GLOBEX_ADMIN, "tenant_id": "globex", "roles": ["admin"]},
    "<jwt:root>": {"sub": ROOT, "roles": ["admin", "agent_creator"]},
    "<jwt:nomad>": {"sub": NOMAD, "roles": []},
    "<jwt:expired>": {"sub": ids.ANA, "exp": 1},
    "<jwt:not-yet-valid>": {"sub": ids.ANA, "nbf": 4_000_000_000},
    "<jwt:unknown-issuer>": {"sub": ids.ANA, "iss": "https://idp.example.test/"},
    "<jwt:no-issuer>": {"sub": ids.ANA, "iss": None},
    "<jwt:no-expiry>": {"sub": ids.ANA, "exp": None},
    "<session-jwt:alice>": {"sub": ids.ANA, "tenant_id": "acme", "roles": [], "type": "session"},
}
WORDS = {
    "<password>": "demo",
    "<wrong-password>": "not demo",
    "<art-token>": "art_unknown",
    "alice@acme.example": "user@example.com",
    "ALICE@Acme.Example": "User@Example.com",
    "Alice": "Ana Lima",
    "RL73": "RL73",
}
TOOLS: dict[str, tuple[str, dict[str, Any] | None]] = {  # a recorded tool: ours with the same risk
    "transfer_money": ("delete_file", None),
    "delete_report": ("wipe_files", {"folder": "/old"}),
    "read_balance": ("list_files", {"folder": "/"}),
    "break_things": ("read_file", {"path": "/nothing.txt"}),
    "slow_report": ("slow_report", {}),
    "zzz": ("zzz", {}),
}
DOOMED = ["/notes.txt", "/report.pdf", "/budget.xlsx", "/old/draft.docx", "/photos/team.jpg", "/meeting-notes.md"]
BANK = "g61gsumuk-F3IH7xf2FVt"
JSON_AGENT = "FLxmrqd9r7dKqyGtGTgty"
RETIRED = "J6Psf23hn64da4uWOAPMr"
GLOBAL_AGENT = "cP-tjQ9Lx2A3QzzUOHyIP"
NAMES = PEOPLE | WORDS | {BANK: ids.FILES, "fzRIhSoaOlgLPSQmhC1mx": ids.RETIRED_TOOLS, "Acme Off": "Retired tools"}

OPAQUE = {
    "arguments",
    "inputSchema",
    "data",
    "details",
    "endpoints",
    "structuredContent",
    "authentication",
    "config",
    "outputSchema",
    "capabilities",
}
NULLABLE = {"description", "requiredCredentials"}
OPTIONAL = {"updatedAt", "config", "scopes", "structuredContent"}
EXACT = {"error", "message", "code", "status", "missing", "level", "risk", "success", "confirmed", "ok"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"[\w-]{21}")


@dataclass
class Scenario:
    recording: str
    names: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()  # beginnings of `what`; empty: all
    skip: tuple[str, ...] = ()
    instead: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # other request, by `what`
    before: Mapping[str, Callable[[Embedded], Any]] = field(default_factory=dict)
    knows_tools: bool = False  # the gateway has just read the list of tools

    def __str__(self) -> str:
        return self.recording


def message(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def to_unlucky(text: str) -> dict[str, Any]:
    return {"path": f"/api/v1/agents/{ids.UNLUCKY}/invoke", "body": message(text)}


def to_files(text: str) -> dict[str, Any]:
    return {"path": f"/api/v1/agents/{ids.FILE_MANAGER}/invoke", "body": message(text)}


def as_after_a_restart(gateway: Embedded) -> None:
    gateway.dial(forget_holds=True, drop_streams=True, drop_runs=True)


TOOL_LIST = {
    "path": f"/api/v1/mcp-proxy/{ids.FILES}/mcp",
    "body": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
}
COURIER = {"57a9a1Plprjs_P8umlaZt": ids.NOTES_KEEPER}

SCENARIOS = [
    Scenario(
        "auth-login",
        names={"<jwt:bob>": "<jwt:carol>", "-Zo_BqMhI5nuxtFlXyC26": ids.GIL, "bob@acme.example": "other@example.com"},
        skip=("login as the tenantless", "me for the tenantless", "login with the old"),
        only=(
            "login",
            "wrong",
            "unknown",
            "missing",
            "empty",
            "body is",
            "password is",
            "email is",
            "invalid",
            "form",
            "JSON body",
            "GET",
            "verify",
            "me",
            "update email to one",
            "update with",
            "PATCH",
            "change password: wrong",
            "change password: too",
            "change password: missing",
            "change password without",
            "register",
            "refresh",
            "logout",
        ),
        instead={"change password: wrong": {"body": {"currentPassword": "x", "newPassword": "long enough"}}},
    ),
    Scenario(
        "auth-tokens",
        skip=(
            "token in the _token query parameter: unified",
            "token in the _token query parameter: tool gate",
            "token in the _token query parameter: notification",
            "token in the _token query parameter: audit",
        ),
    ),
    Scenario(
        "http-general",
        names={"QptWC_H6vULMvN07x2BS_": ids.UNLUCKY},
        skip=("MCP management", "register", "list devices", "remove", "list after", "service description"),
        before={"simple": lambda gateway: gateway.dial(credential={"email": "user@example.com", "service": "notion"})},
    ),
    Scenario(
        "agents-admin",
        names={JSON_AGENT: ids.UNLUCKY, GLOBAL_AGENT: ids.ECHO, "iWyoNdH7i5XKO19Jf9D_s": ids.RETIRED_HELPER},
        only=("list as admin of acme", "list as a user", "no public", "get", "public view"),
        skip=("list as admin of acme asking", "public view of a disabled", "get an agent of another"),
    ),
    Scenario(
        "agents-invoke-json",
        names={JSON_AGENT: ids.ECHO, GLOBAL_AGENT: ids.ECHO, RETIRED: ids.RETIRED_HELPER},
        only=(
            "invoke ok",
            "the session token",
            "token in the query",
            "request body is",
            "unknown agent",
            "an admin of another",
            "agent of another",
            "agent without a tenant",
            "disabled agent",
            "invalid JSON",
            "empty body",
            "form body",
            "no token",
            "expired token",
            "GET on invoke",
            "runtime answers 500 with a JSON",
            "runtime answers 401",
            "runtime answers 200 with HTML",
        ),
        instead={
            "runtime answers 500 with a JSON": to_unlucky("500"),
            "runtime answers 401": to_unlucky("401"),
            "runtime answers 200 with HTML": to_unlucky("html"),
            "agent of another": {"path": f"/api/v1/agents/{ids.UNLUCKY}/invoke"},
            "an admin of another": {"path": f"/api/v1/agents/{ids.UNLUCKY}/invoke"},
        },
    ),
    Scenario(
        "agents-invoke-stream",
        names={RETIRED: ids.RETIRED_HELPER},
        only=("AG-UI agent that", "runtime dies", "errors come as JSON"),
        instead={"AG-UI agent that": to_unlucky("error event"), "runtime dies": to_unlucky("die")},
    ),
    Scenario(
        "credential-providers",
        names={
            "GobAw3-wrLk7aMWgXdhMG": ids.GITHUB,
            "C2D3eGqMXqMA50YwF8IoQ": ids.GITHUB,
            "by-service/slack": "by-service/weather",
        },
        only=("get", "by service", "list as", "list without"),
        skip=("by service, provider without", "by service, admin without"),
    ),
    Scenario(
        "credentials",
        names=COURIER
        | {
            JSON_AGENT: ids.ECHO,
            RETIRED: ids.RETIRED_HELPER,
            "github": "notion",
            "GitHub": "Notion workspace",
            "slack": "weather",
            "Slack": "Weather",
            "google": "github",
        },
        only=(
            "the public view",
            "list, empty",
            "credentials-check, ",
            "check one service, none stored, jwt",
            "check, unknown",
            "store",
            "an expired credential in",
            "expiresAt that",
            "nothing missing",
            "missing token",
            "missing apiKey",
            "empty token",
            "token is a number",
            "invalid JSON",
            "no generic",
            "no token",
            "list with",
            "check one that",
            "resolve, ",
            "resolve with a user's",
            "get one",
            "delete",
            "oauth start, oauth2 service",
            "oauth start with",
            "oauth start, service of",
            "oauth start, unknown",
            "oauth start without",
            "oauth callback",
            "the relative url",
            "nor under",
        ),
        skip=("store an api key for a basic", "credentials-check, other tenant"),
    ),
    Scenario("confirmation-lifecycle"),
    Scenario(
        "confirmation-answers",
        instead={"unified tools/list": TOOL_LIST},
        knows_tools=True,
    ),
    Scenario(
        "confirmation-by-agent",
        names={"VtMa1zomYvcROPRzrRGgn": ids.FILE_MANAGER},
        instead={
            "run 1": to_files("delete report.pdf"),
            "run 2": to_files("please remove notes.txt"),
            "run 3": to_files("erase budget.xlsx"),
        },
        skip=("the agent calls without", "the agent calls with a session"),
        knows_tools=True,
    ),
    Scenario(
        "confirmation-agent-alone",
        names={JSON_AGENT: ids.FILE_MANAGER, "<art-token:a_json>": "<art-token:v_hitl>"},
        skip=("set the agent's rules", "rules must", "read the agent's", "read them"),
    ),
    Scenario("confirmation-caller-gone", skip=("audit",), knows_tools=True),
    Scenario("confirmation-on-behalf", knows_tools=True),
    Scenario("confirmation-two-at-once", knows_tools=True),
    Scenario(
        "confirmation-restart",
        names={"VtMa1zomYvcROPRzrRGgn": ids.FILE_MANAGER},
        instead={"agent run whose": to_files("delete report.pdf")},
        before={"health after": as_after_a_restart},
        skip=("while it is down", "audit", "list of"),
    ),
    Scenario(
        "confirmation-timeout",
        names={
            "3_os5t2FeXArvSL88lv14": ids.ANA,
            "<jwt:slow>": "<jwt:alice>",
            "mDfA_SQnn64pg1Yn1EIbh": ids.FILES,
            "slowco": "acme",
            "medium": "high",
        },
        before={"the asking": lambda gateway: gateway.dial(hold_limit=0.4, held_heartbeat=0.1)},
        skip=("audit",),
    ),
    Scenario(
        "mcp-proxy-access",
        skip=(
            "rules in force",
            "delete",
            "replace",
            "…",
            "alice has allow",
            "and so is",
            "a tool that does not exist upstream",
            "an admin of the tenant without any",
        ),
    ),
    Scenario(
        "mcp-proxy-transport",
        only=(
            "initialize (JSON",
            "tools/list (JSON",
            "tools/call, allowed (JSON",
            "tools/call, the tool fails (JSON",
            "ping (JSON",
            "tools/call with a string id",
            "token in the query",
        ),
    ),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture
def gateway(shared: Embedded) -> Embedded:
    """As freshly started."""
    shared.dial(reset=True)
    return shared


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
async def test_the_embedded_gateway_answers_as_recorded(gateway: Embedded, scenario: Scenario) -> None:
    async with aiohttp.ClientSession() as client, asyncio.timeout(60):
        replay = Replay(gateway, client, scenario)
        try:
            await replay.run()
        finally:
            await replay.close()
    assert replay.compared > 0


class Replay:
    """One recording, asked in its order; what stays open meanwhile is compared when it has ended."""

    def __init__(self, gateway: Embedded, client: aiohttp.ClientSession, scenario: Scenario) -> None:
        self.gateway = gateway
        self.client = client
        self.scenario = scenario
        self.compared = 0
        self.open: list[OpenAnswer] = []
        self.asked_ids: list[str] = []  # confirmations in the order in which our streams named them
        self.heard = asyncio.Event()
        self.doomed = iter(DOOMED)
        exchanges = json.loads((RECORDINGS / f"{scenario.recording}.json").read_text())["exchanges"]
        self.exchanges = [exchange for exchange in exchanges if self.is_wanted(exchange["what"])]
        self.recorded_ids = confirmation_ids(exchanges)
        runtime_tokens = gateway.report()["runtime_tokens"]
        self.names = {
            **NAMES,
            **scenario.names,
            "<art-token:v_hitl>": runtime_tokens["File manager"],
            "<art-token:courier>": runtime_tokens["Notes keeper"],
        }
        self.tokens = {name: forged(claims) for name, claims in TOKENS.items()}
        self.tokens["<jwt:wrong-signature>"] = forged({"sub": ids.ANA}, "another secret")

    def is_wanted(self, what: str) -> bool:
        only, skip = self.scenario.only, self.scenario.skip
        return (not only or what.startswith(only)) and not (skip and what.startswith(skip))

    async def run(self) -> None:
        if self.scenario.knows_tools:
            await self.read_tools()
        for exchange in self.exchanges:
            await self.wait_for_what_was_heard_before(exchange["t_ms"])
            await self.hang_up_before(exchange["t_ms"])
            for beginning, act in self.scenario.before.items():
                if exchange["what"].startswith(beginning):
                    act(self.gateway)
            await self.ask(exchange)
        for answer in self.open:
            await answer.finish()
            self.compare_stream(answer)

    async def read_tools(self) -> None:
        headers = {
            "Authorization": f"Bearer {self.tokens['<jwt:alice>']}",
            "Accept": "application/json, text/event-stream",
        }
        url = self.gateway.url + TOOL_LIST["path"]  # type: ignore[operator]
        async with self.client.post(url, json=TOOL_LIST["body"], headers=headers) as answer:
            assert answer.status == 200

    async def ask(self, exchange: dict[str, Any]) -> None:
        request = exchange["request"] | next(
            (other for what, other in self.scenario.instead.items() if exchange["what"].startswith(what)),
            {},
        )
        await self.learn_ids_in(request["path"])
        url = self.gateway.url + self.here(request["path"])
        headers = {name: self.here(value) for name, value in request["headers"].items()}
        if "mcp-proxy" in request["path"]:
            headers.setdefault("Accept", "application/json, text/event-stream")
        response = await self.client.request(
            request["method"], url, data=self.body_of(request), headers=headers, allow_redirects=False
        )
        recorded = exchange["response"]
        where = exchange["what"]
        assert response.status == recorded["status"], (where, await response.text())
        compare_headers(recorded["headers"], response.headers, where)
        if response.content_type == "text/event-stream":
            self.open.append(OpenAnswer(exchange, response, self.note))
            return
        content = await response.read()
        self.compared += 1
        if recorded.get("body_encoding") == "empty":
            assert content == b"", where
        else:
            document = json.loads(content)
            agree(self.expected(recorded["body"]), document, where)
            if isinstance(document, dict) and "credential" in document:
                self.names[recorded["body"]["credential"]["id"]] = document["credential"]["id"]

    def body_of(self, request: dict[str, Any]) -> bytes | None:
        body = request.get("body")
        if request.get("body_encoding"):
            return self.here(str(body)).encode()
        if body is None:
            return b"null" if request["path"].endswith("/login") and request["method"] == "POST" else None
        if isinstance(body, dict) and body.get("method") == "tools/call":
            params = body["params"]
            name, arguments = TOOLS[params["name"]]
            arguments = arguments or {"path": next(self.doomed)}
            given = {"arguments": arguments} if "arguments" in params else {}
            body = body | {"params": {"name": name, **given}}
        return self.here(json.dumps(body)).encode()

    def here(self, text: str) -> str:
        """Recorded text with our ids, tokens and names."""
        for recorded, ours in {**self.names, **self.known_confirmations()}.items():
            text = text.replace(recorded, ours)
        for name, token in self.tokens.items():
            text = text.replace(name, token)
        return text

    def expected(self, body: Any) -> Any:
        text = json.dumps(body)
        for tool, (name, _) in TOOLS.items():
            text = text.replace(tool, name)
        return json.loads(self.here(text))

    def known_confirmations(self) -> dict[str, str]:
        return dict(zip(self.recorded_ids, self.asked_ids, strict=False))

    async def learn_ids_in(self, path: str) -> None:
        """Wait until our streams have named as many confirmations as the path needs."""
        needed = max((n for n, id_ in enumerate(self.recorded_ids, 1) if id_ in path), default=0)
        while len(self.asked_ids) < needed:
            self.heard.clear()
            async with asyncio.timeout(PATIENCE):
                await self.heard.wait()

    def note(self, frame: dict[str, Any]) -> None:
        if frame.get("event") == "CONFIRMATION_REQUIRED":
            id_ = json.loads(frame["data"])["id"]
            if id_ not in self.asked_ids:
                self.asked_ids.append(id_)
        self.heard.set()

    async def wait_for_what_was_heard_before(self, moment: int) -> None:
        """Until every open stream has said as much as the recorded one had said by then."""
        async with asyncio.timeout(PATIENCE):
            for answer in self.open:
                await answer.has_said_as_much_as_by(moment)

    async def hang_up_before(self, moment: int) -> None:
        for answer in self.open:
            if answer.is_hung_up_by_client and answer.ended_at < moment:
                await answer.finish()

    def compare_stream(self, answer: "OpenAnswer") -> None:
        """The same events in the same order, heartbeats apart; what an agent says is its own matter."""
        where = answer.what
        self.compared += 1
        if "ended_by" not in answer.recorded:
            return
        assert answer.is_broken == answer.recorded["ended_by"].startswith("transport error"), where
        if answer.is_an_agents:
            return
        recorded = [frame for frame in answer.recorded["frames"] if is_news(frame)]
        ours = [frame for frame in answer.frames if is_news(frame)]
        assert [f["event"] for f in ours] == [f["event"] for f in recorded], where
        for theirs, frame in zip(recorded, ours, strict=True):
            agree(self.expected(json.loads(theirs["data"])), json.loads(frame["data"]), where)

    async def close(self) -> None:
        for answer in self.open:
            await answer.hang_up()


class OpenAnswer:
    """A streamed answer, read in the background."""

    def __init__(
        self,
        exchange: dict[str, Any],
        response: aiohttp.ClientResponse,
        note: Callable[[dict[str, Any]], None],
    ) -> None:
        self.what: str = exchange["what"]
        self.recorded: dict[str, Any] = exchange["response"]
        self.is_an_agents = exchange["request"]["path"].split("?")[0].endswith("/invoke")
        self.response = response
        self.note = note
        self.frames: list[dict[str, Any]] = []
        self.is_broken = False
        self.grew = asyncio.Event()
        self.begun_at: int = exchange["t_ms"]
        self.ended_at: int = self.begun_at + self.recorded.get("ended_at_ms", 0)
        self.reading = asyncio.create_task(self.read())

    @property
    def is_hung_up_by_client(self) -> bool:
        return bool(self.recorded.get("ended_by") == "client closed") or "ended_by" not in self.recorded

    async def read(self) -> None:
        try:
            async for frame in frames_of(self.response.content):
                self.frames.append(frame)
                self.note(frame)
                self.grew.set()
        except aiohttp.ClientPayloadError:
            self.is_broken = True
        finally:
            self.grew.set()

    async def has_said_as_much_as_by(self, moment: float) -> None:
        begun_at = self.begun_at
        recorded = [frame for frame in self.recorded.get("frames", []) if is_news(frame)]
        wanted = sum(1 for frame in recorded if begun_at + frame["at_ms"] < moment)
        while sum(map(is_news, self.frames)) < wanted and not self.is_an_agents and not self.reading.done():
            self.grew.clear()
            await self.grew.wait()

    async def finish(self) -> None:
        """Let it end as the recorded one did: by itself, or when it has said as much."""
        if self.reading.done():
            return
        if not self.is_hung_up_by_client:
            async with asyncio.timeout(PATIENCE):
                await self.reading
            return
        async with asyncio.timeout(PATIENCE):
            await self.has_said_as_much_as_by(math.inf)
        await self.hang_up()

    async def hang_up(self) -> None:
        self.reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.reading
        self.response.close()


async def frames_of(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    frame: dict[str, Any] = {}
    async for line in content:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        if name:
            frame[name] = value.removeprefix(" ")
        elif frame or value:
            yield frame
            frame = {}


def is_news(frame: Mapping[str, Any]) -> bool:
    return "data" in frame and frame.get("event") != "heartbeat"


def confirmation_ids(exchanges: list[dict[str, Any]]) -> list[str]:
    """In the order in which the recorded streams named them."""
    named = [
        (exchange["t_ms"] + frame["at_ms"], json.loads(frame["data"])["id"])
        for exchange in exchanges
        for frame in exchange["response"].get("frames", [])
        if frame.get("event") == "CONFIRMATION_REQUIRED"
    ]
    return list(dict.fromkeys(id_ for _, id_ in sorted(named)))


def forged(claims: dict[str, Any], secret: str = SECRET) -> str:
    """A token as if the gateway had issued it; a claim that is None is left out."""
    now = int(time.time())
    whole = {"iat": now, "exp": now + 600, "iss": ISSUER, "roles": [], **claims}
    present = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(present, signing_key(secret), algorithm="HS256")


def compare_headers(recorded: Mapping[str, str], ours: Mapping[str, str], where: str) -> None:
    for name, value in recorded.items():
        if name == "content-type":
            assert ours[name].split(";")[0] == value.split(";")[0], where
        elif name == "cache-control" or name.startswith("access-control"):
            assert ours[name] == value, (where, name)
        elif name == "x-gateway-request-id":
            assert ID.fullmatch(ours[name]), where


def agree(recorded: Any, ours: Any, where: str, key: str = "") -> None:
    """The same keys and types all the way down; the same words where a client reads them."""
    place = f"{where}: {key}: {recorded!r} and {ours!r}"
    if key in OPAQUE or (key in NULLABLE and None in (recorded, ours)):
        return
    if key in EXACT and not isinstance(recorded, dict):
        assert ours == recorded, place
    assert is_number(ours) if is_number(recorded) else type(ours) is type(recorded), place
    if isinstance(recorded, dict):
        assert recorded.keys() - OPTIONAL == ours.keys() - OPTIONAL, place
        for name in recorded.keys() & ours.keys():
            agree(recorded[name], ours[name], where, name)
    elif isinstance(recorded, list):
        assert bool(recorded) == bool(ours), place
        if recorded:
            agree_with_one(recorded, ours[0], where)
    elif isinstance(recorded, str):
        if INSTANT.fullmatch(recorded):
            assert INSTANT.fullmatch(ours), place
        elif recorded in NAMES.values():
            assert ours == recorded, place
        elif ID.fullmatch(recorded):
            assert ID.fullmatch(ours), place


def agree_with_one(recorded: list[Any], ours: Any, where: str) -> None:
    """Lists hold other things here; the first of ours has to be like one of theirs."""
    for number, theirs in enumerate(recorded, 1):
        try:
            return agree(theirs, ours, where)
        except AssertionError:
            if number == len(recorded):
                raise
    return None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
