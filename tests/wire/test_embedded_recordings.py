"""The embedded gateway answers what the released one answered: every recording, asked once more.

A gateway as freshly installed goes through all recordings in the order in which they were made, so
that each finds what the earlier ones have left: people, agents, rules, entries of the audit log. Each
answer has to be the recorded one, value by value. Only what differs between two gateways may differ,
and has to do so consistently: an id or a token that is learned from one answer is expected ever after.
"""

import asyncio
import contextlib
import io
import json
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
import pytest

from embedded.auth import ISSUER, signing_key
from tests.embedded import SECRET, Embedded
from tests.wire.test_embedded_upstreams import DEAD, NOWHERE, RECORDINGS, Upstreams, running_upstreams

IN_THEIR_ORDER = [
    "admin-users",
    "auth-login",
    "auth-tokens",
    "tool-providers",
    "access-rules",
    "confirmation-timeout",
    "agents-admin",
    "agents-invoke-json",
    "agents-invoke-stream",
    "agents-invoke-long-waits",
    "credential-providers",
    "credentials",
    "mcp-proxy-access",
    "confirmation-lifecycle",
    "confirmation-answers",
    "confirmation-by-agent",
    "confirmation-on-behalf",
    "confirmation-caller-gone",
    "confirmation-two-at-once",
    "confirmation-no-tenant",
    "confirmation-upstreams",
    "tool-gate",
    "mcp-proxy-transport",
    "mcp-unified",
    "audit",
    "api-keys",
    "http-general",
    "confirmation-race",
    "api-keys-scope",
    "confirmation-restart",
    "stream-token-expiry",
    "confirmation-agent-alone",
]

# Where the guide's dialect says nothing else, so that its gateway has to answer the same.
SAME_IN_THE_GUIDE = [
    "admin-users",
    "tool-providers",
    "access-rules",
    "agents-admin",
    "agents-invoke-json",
    "agents-invoke-stream",
    "agents-invoke-long-waits",
    "mcp-proxy-access",
    "mcp-proxy-transport",
]
PLAYED = {"released": IN_THEIR_ORDER, "guide": SAME_IN_THE_GUIDE}
CONFIRMATIONS = {"released": "/confirmation", "guide": "/confirmations"}

# What cannot be asked once more, and why. At most a tenth of all exchanges.
NOT_REPLAYED = {
    ("confirmation-restart", "while it is down"): (
        "the gateway keeps all in memory: a dial loses what a restart loses, and the process goes on"
    ),
}

PATIENCE = 10  # seconds
HOSTS = {
    "http://agent-down.example.test": DEAD,
    "http://agents.example.test": "/agents",
    "http://tools-json.example.test": "/tools-json",
    "http://tools-sse.example.test": "/tools-sse",
    "http://tools-stateful.example.test": "/tools-stateful",
}
WORDS = {
    "<password>": "long enough",
    "<new-password>": "new and long enough",
    "<wrong-password>": "wrong enough",
    "<admin-password>": "demo",
    "<art-token>": "art_unknown",
    "<gk-key>": "gk_unknown",
}
ADMIN = "admin@example.com"
ADDRESSES = {
    "root": ADMIN,
    "alice": "alice@acme.example",
    "bob": "bob@acme.example",
    "temp": "temp@acme.example",
    "carol": "carol@globex.example",
    "nomad": "nomad@nowhere.example",
    "slow": "slow@slowco.example",
    "acme_admin": "boss@acme.example",
    "acme_tadmin": "lead@acme.example",
    "acme_creator": "maker@acme.example",
    "globex_admin": "boss@globex.example",
    "alice-expiring-in-4-s": "alice@acme.example",
}
ALICE = "RL73NilrB-_u3mHv7OPXm"
FORGED: dict[str, dict[str, Any]] = {  # claims that no gateway would sign, or has signed long ago
    "expired": {"exp": 1},
    "not-yet-valid": {"nbf": 4_000_000_000},
    "unknown-issuer": {"iss": "https://idp.example.test/"},
    "no-issuer": {"iss": None},
    "no-expiry": {"exp": None},
    "wrong-signature": {},
}
AGENTS = {  # registered outside of the recordings: how each behaves, and who registers it
    "MTmo9PU97G9XbGwFSDH-c": "accepted",
    "InQ9KnfnTumnvq_Cps2KR": "array",
    "5KE0eSsP6_q0oCWfC80ax": "null",
    "FQCGou_iZtJrwm9yDm3A0": "elsewhere",
    "ZjJI6Y3nGOdxW6IzXvcld": "500",
    "jjD7xOY8VJ9AZGJ7Wqks0": "401",
    "7DT6NYRMwegfg0hVSJ8qj": "403",
    "Ea94gi0GmVqHmfnOYJEbr": "404",
    "o_cI8iNysQzGWuEuluk_T": "422",
    "mDzDgOPnddWUXncsitLNN": "429",
    "QXuTvaMc2WCC0J6a-_2hu": "503",
    "-V7JuntasKFmEeiILsoGV": "text-500",
    "s6pYPhJtGFkzLiA_CyR0I": "sse-503",
    "cT222kFqIoFRTQWPgWAau": "text",
    "cf2N5QhDjmz-58lshkTM8": "html",
    "Wb0V2YuQdilhPfC8jXGiR": "empty",
    "B9UW7U6hCagiq5kTw8lpy": "nothing",
    "2cVvRd-kKW9JuTnHIe7gY": "broken",
    "9ysK2vBSRQxXyfPnHNhgV": "late",
    "s47UiwpNkIRP8-3lYqKY3": "size",
    "J6Psf23hn64da4uWOAPMr": "json",
    "QptWC_H6vULMvN07x2BS_": "sse",
    "dfLwm1t_lfuctsvjsLVH8": "ag-ui",
    "kzGzqdqZqsuwP8LQ1tYxJ": "ag-ui-error",
    "zKhy2WjL8VNkTw3MS4VGu": "verbatim",
    "ZSWgrer2DtXv_mdi8G8N7": "sse-202",
    "2FdkRl3FWf6N5sOmVyqQZ": "dies",
    "3IacT7Sp2DgyytlfPH-n9": "run",
    "UJoCikFerKBu378SUcI1p": "ticks",
    "VtMa1zomYvcROPRzrRGgn": "asks",
    "K5c2QviOwwgwN9zGVYDS2": DEAD,
    "E238DTkRBotN3zTPcgz5w": NOWHERE,
}
SLOW_AGENTS = {"Rl3elkEaH0CLblrRybj92": "silent", "_yevCtFomKQe0fY-VdFAM": "stalls"}
RETIRED = "J6Psf23hn64da4uWOAPMr"
ASKING = "VtMa1zomYvcROPRzrRGgn"
NEEDY = "aGkQ-j71cC1XFT6ezCIsL"
NEEDS = ["google", "legacy_erp", "bare_oauth", "plain_key", "oauth_conn", "nosuch", "off_tool", "shared_tool"]

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"(?<![\w-])(?:[\w-]{21}|[0-9a-f]{32})(?![\w-])")
PLACEHOLDER = re.compile(r"<[a-z][^<> ]*>")
NUMBERS = {"duration", "avgDuration", "mcpLatency"}  # how long something took
COUNTS = {"total", "completed", "failed", "pending"}  # of the statistics
UNKNOWN_CALLS = "stats, admin without a tenant"  # somebody without a tenant had called a tool before
OWN_WORDS = {"authentication", "endpoints"}  # in which a gateway describes itself
UNORDERED = {"providers", "keys"}  # lists that the released gateway shuffles when an item is changed
SAME_HEADERS = {"cache-control", "vary"}
PRESENT_HEADERS = {"x-gateway-request-id", "mcp-session-id"}


@dataclass
class Result:
    """How one recording went."""

    compared: int = 0
    left_out: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def exchanges_of(recording: str) -> list[dict[str, Any]]:
    exchanges: list[dict[str, Any]] = json.loads((RECORDINGS / f"{recording}.json").read_text())["exchanges"]
    return exchanges


@pytest.fixture(scope="module")
def results() -> dict[tuple[str, str], Result]:
    """By dialect and recording."""
    return {
        (dialect, recording): result
        for dialect, recordings in PLAYED.items()
        for recording, result in replayed(dialect, recordings).items()
    }


def replayed(dialect: str, recordings: list[str]) -> dict[str, Result]:
    with Embedded.start(dialect) as gateway:
        gateway.dial(empty=True)
        return asyncio.run(replay_all(gateway, recordings))


@pytest.mark.parametrize(
    ("dialect", "recording"), [(dialect, recording) for dialect, names in PLAYED.items() for recording in names]
)
def test_the_embedded_gateway_answers_as_recorded(
    results: dict[tuple[str, str], Result], dialect: str, recording: str
) -> None:
    result = results[dialect, recording]
    assert not result.differences, "\n".join(result.differences)
    assert result.compared + len(result.left_out) == len(exchanges_of(recording))


def test_every_recording_is_replayed_but_for_what_is_listed_with_its_reason(
    results: dict[tuple[str, str], Result],
) -> None:
    released = {recording: result for (dialect, recording), result in results.items() if dialect == "released"}
    assert sorted(released) == sorted(path.stem for path in RECORDINGS.glob("*.json"))
    left_out = {(recording, what) for recording, result in released.items() for what in result.left_out}
    assert left_out == NOT_REPLAYED.keys()
    total = sum(len(exchanges_of(recording)) for recording in released)
    assert len(left_out) * 10 <= total


async def replay_all(gateway: Embedded, recordings: list[str]) -> dict[str, Result]:
    async with running_upstreams() as upstreams, aiohttp.ClientSession() as client:
        world = World(gateway, client, upstreams)
        return {recording: await replay(world, recording) for recording in recordings}


async def replay(world: "World", recording: str) -> Result:
    """Whatever goes wrong is a difference, and the next recording is played all the same."""
    played = Replay(world, recording)
    try:
        async with asyncio.timeout(PATIENCE * 3):
            await played.run()
    except (AssertionError, KeyError, TimeoutError, aiohttp.ClientError) as exc:
        played.result.differences.append(f"{played.at}: {exc!r}")
    finally:
        await played.close()
        world.calm_down()
    return played.result


class World:
    """The gateway, and what is known of it: which id, token or address stands for a recorded one."""

    def __init__(self, gateway: Embedded, client: aiohttp.ClientSession, upstreams: Upstreams) -> None:
        self.gateway = gateway
        self.client = client
        self.upstreams = upstreams
        self.ids: dict[str, str] = {}
        self.words = dict(WORDS)
        self.hosts = {there: f"{upstreams.url}{here}" if here[0] == "/" else here for there, here in HOSTS.items()}
        self.hosts["http://gateway.example.test"] = gateway.url

    def calm_down(self) -> None:
        self.gateway.dial(
            hold_limit=300, heartbeat=30, held_heartbeat=15, agent_silence=300, race=False, drop_streams=True
        )

    def here(self, text: str) -> str:
        """Recorded text with our ids, tokens and addresses; what is not known yet stays."""
        for there, here in self.hosts.items():
            text = text.replace(there, here)
        text = PLACEHOLDER.sub(lambda found: self.words.get(found[0], found[0]), text)
        return ID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    async def get_to_know(self, text: str) -> None:
        """Whatever placeholder the text has and no answer has explained: people sign in, secrets are made up."""
        for placeholder in PLACEHOLDER.findall(text):
            if placeholder not in self.words:
                kind, _, name = placeholder[1:-1].partition(":")
                if kind != "jwt":
                    self.words[placeholder] = placeholder[1:-1]
                elif name in FORGED:
                    self.words[placeholder] = self.forged(name)
                else:
                    self.words[placeholder] = await self.login(name)

    def forged(self, name: str) -> str:
        now = int(time.time())
        claims = {"sub": self.ids[ALICE], "iat": now, "exp": now + 600, "iss": ISSUER, "roles": [], **FORGED[name]}
        present = {claim: value for claim, value in claims.items() if value is not None}
        secret = "another secret" if name == "wrong-signature" else SECRET
        return jwt.encode(present, signing_key(secret), algorithm="HS256")

    async def login(self, name: str) -> str:
        password = WORDS["<admin-password>"] if name == "root" else WORDS["<password>"]
        document = await self.asks("POST", "/auth/login", {"email": ADDRESSES[name], "password": password})
        return str(document["token"])

    async def asks(self, method: str, path: str, body: Any = None, person: str = "") -> Any:
        headers = {}
        if person:
            await self.get_to_know(f"<jwt:{person}>")
            headers["Authorization"] = f"Bearer {self.words[f'<jwt:{person}>']}"
        url = f"{self.gateway.url}/api/v1{path}"
        async with self.client.request(method, url, json=body, headers=headers) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()

    async def register(self, recorded_id: str, way: str, person: str = "acme_admin", **more: Any) -> dict[str, Any]:
        url = way if way.startswith("http") else f"{self.upstreams.url}/agents/{way}"
        document: dict[str, Any] = await self.asks(
            "POST", "/admin/agents", {"name": way, "upstreamUrl": url, **more}, person
        )
        self.ids[recorded_id] = document["agent"]["id"]
        return document


# What happened between the recorded exchanges: before those that begin so.


async def somebody_signs_in(world: World) -> None:
    """Whose token is to be older than what happens to the account."""
    await world.get_to_know("<jwt:temp>")


async def agents_are_registered(world: World) -> None:
    for recorded_id, way in AGENTS.items():
        more = {"name": "v_hitl"} if recorded_id == ASKING else {}
        document = await world.register(recorded_id, way, **more)
        if recorded_id == ASKING:
            world.words["<art-token:v_hitl>"] = document["runtime_token"]
            bank = world.ids["g61gsumuk-F3IH7xf2FVt"]
            world.upstreams.errand["token"] = document["runtime_token"]
            world.upstreams.errand["url"] = f"{world.gateway.url}/api/v1/mcp-proxy/{bank}/mcp"
    await world.asks("POST", f"/admin/agents/{world.ids[RETIRED]}/disable", person="acme_admin")


async def slow_agents_are_registered(world: World) -> None:
    for recorded_id, way in SLOW_AGENTS.items():
        await world.register(recorded_id, way, "root")
    world.gateway.dial(agent_silence=0.4)


async def a_needy_agent_is_registered(world: World) -> None:
    needs = [{"serviceType": service} for service in NEEDS]
    await world.register(NEEDY, "headers", requiredCredentials=needs)


async def the_tool_gate_is_tried(world: World) -> None:
    """A first time, when alice's rules were others."""
    base = CONFIRMATIONS[world.gateway.dialect]
    asking = exchanges_of("tool-gate")
    answers = [exchange["request"] for exchange in asking if "/confirmation/" in exchange["request"]["path"]]
    for exchange in asking:
        request = exchange["request"]
        if exchange["response"]["status"] != 200 or not request["path"].startswith("/api/v1/tool-gate"):
            continue
        path = request["path"].removeprefix("/api/v1")
        body = json.loads(world.here(json.dumps(request["body"])))
        call = asyncio.create_task(world.asks("POST", path, body, "alice"))
        if any(exchange["what"].startswith(beginning) for _, beginning in IN_THE_BACKGROUND):
            while not (held := await world.asks("GET", f"{base}/pending", person="alice"))["data"]:
                pass
            answer = answers.pop(0)
            deed = answer["path"].rpartition("/")[2]
            await world.asks("POST", f"{base}/{held['data'][0]['id']}/{deed}", answer["body"], "alice")
        await call


async def nobody_has_time(world: World) -> None:
    world.gateway.dial(hold_limit=0.4, held_heartbeat=0.1, heartbeat=0.1)


async def a_minute_passes(world: World) -> None:
    world.gateway.dial(forget_tools=True)


async def the_last_call_ends(world: World) -> None:
    while (await world.asks("GET", "/audit/logs?limit=1", person="alice"))["data"][0]["status"] == "pending":
        pass


async def answers_cross(world: World) -> None:
    world.gateway.dial(race=True)


async def the_gateway_restarts(world: World) -> None:
    world.gateway.dial(forget_holds=True, drop_streams=True, drop_runs=True, forget_tools=True)


async def tokens_expire(world: World) -> None:
    """All of them; the others sign in again."""
    world.gateway.dial(expire_tokens=True)
    for placeholder in [word for word in world.words if word.startswith("<jwt:") and "expiring" not in word]:
        del world.words[placeholder]


MEANWHILE: dict[tuple[str, str], Callable[[World], Awaitable[None]]] = {
    ("admin-users", "duplicate email with"): somebody_signs_in,
    ("agents-invoke-json", "invoke ok"): agents_are_registered,
    ("agents-invoke-long-waits", "agent silent"): slow_agents_are_registered,
    ("credentials", "every kind of authUrls"): a_needy_agent_is_registered,
    ("confirmation-timeout", "a tool call that"): nobody_has_time,
    ("mcp-proxy-access", "rules in force"): the_tool_gate_is_tried,
    ("confirmation-lifecycle", "stream of the asking"): a_minute_passes,
    ("confirmation-caller-gone", "audit log entry"): the_last_call_ends,
    ("confirmation-race", "confirm, sent"): answers_cross,
    ("confirmation-restart", "stream of the end user when"): a_minute_passes,
    ("confirmation-restart", "health after"): the_gateway_restarts,
    ("stream-token-expiry", "the same token on another"): tokens_expire,
}
IN_THE_BACKGROUND = {  # requests that are held without a byte
    ("tool-gate", "unknown provider, delete_*"),
    ("tool-gate", "the same, rejected"),
}
NULL_BODIES = {("auth-login", "body is JSON null")}


class Replay:
    """One recording, asked in its order; what stays open meanwhile is compared as it comes."""

    def __init__(self, world: World, recording: str) -> None:
        self.world = world
        self.recording = recording
        self.exchanges = exchanges_of(recording)
        self.result = Result()
        self.open: list[OpenAnswer] = []
        self.waiting: list[asyncio.Task[None]] = []
        self.at = ""  # where we are

    async def run(self) -> None:
        for exchange in self.exchanges:
            self.at = exchange["what"]
            if self.is_listed(exchange["what"], NOT_REPLAYED):
                self.result.left_out.append(exchange["what"])
                continue
            await self.catch_up(exchange["t_ms"])
            for (recording, beginning), act in MEANWHILE.items():
                if recording == self.recording and exchange["what"].startswith(beginning):
                    await act(self.world)
            asking = self.ask(exchange)
            if self.is_listed(exchange["what"], IN_THE_BACKGROUND):
                self.waiting.append(asyncio.create_task(asking))
            else:
                await asking
        self.at = "the end"
        await asyncio.gather(*self.waiting)
        for answer in self.open:
            self.at = answer.what
            await answer.finish()
            self.conclude(answer)

    def is_listed(self, what: str, among: Any) -> bool:
        return any(recording == self.recording and what.startswith(beginning) for recording, beginning in among)

    async def catch_up(self, moment: int) -> None:
        """Until every open answer has said as much as the recorded one had said by then."""
        async with asyncio.timeout(PATIENCE):
            for answer in self.open:
                await answer.has_said_as_much_as_by(moment)
                if answer.is_hung_up_by_client and answer.ended_at < moment:
                    await answer.hang_up()

    async def ask(self, exchange: dict[str, Any]) -> None:
        request, recorded, what = exchange["request"], exchange["response"], exchange["what"]
        body = self.body_of(request, what)
        text = f"{request['path']} {json.dumps(request['headers'])}"
        await self.world.get_to_know(f"{text} {body.decode()[:10_000] if body else ''}")
        await self.learn_ids_in(request["path"])
        here = self.world.here
        response = await self.world.client.request(
            request["method"],
            self.world.gateway.url + here(request["path"]),
            data=io.BytesIO(here(body.decode()).encode()) if body is not None else None,
            headers={name: here(value) for name, value in request["headers"].items()},
            allow_redirects=False,
        )
        self.compare_heads(recorded, response, what)
        if response.content_type == "text/event-stream":
            self.open.append(OpenAnswer(self, exchange, response))
            return
        content = await response.read()
        self.result.compared += 1
        if recorded.get("body_encoding") == "empty":
            self.check(content == b"", what, f"a body: {content[:100]!r}")
        else:
            self.compare(recorded.get("body"), json.loads(content), what)

    def body_of(self, request: dict[str, Any], what: str) -> bytes | None:
        body = request.get("body")
        if request.get("body_encoding"):
            return str(body).encode()
        if body is None:
            return b"null" if self.is_listed(what, NULL_BODIES) else None
        if isinstance(body, dict) and "_placeholder" in body:
            size = 12_000_000 if what.startswith("12 MB") else 1_000_000
            body = {"messages": [{"role": "user", "content": "x" * size}]}
        return json.dumps(body).encode()

    async def learn_ids_in(self, path: str) -> None:
        """Wait until an open stream has named the confirmation that the path names."""
        async with asyncio.timeout(PATIENCE):
            for recorded_id in ID.findall(path.partition("?")[0]):
                while recorded_id not in self.world.ids and self.is_awaited(recorded_id):
                    await asyncio.wait([answer.listens() for answer in self.open], return_when=asyncio.FIRST_COMPLETED)

    def is_awaited(self, recorded_id: str) -> bool:
        return any(
            recorded_id in str(frame.get("data")) for answer in self.open for frame in answer.expected[answer.seen :]
        )

    def check(self, is_right: bool, where: str, difference: str) -> None:
        if not is_right:
            self.result.differences.append(f"{where}: {difference}")

    def compare_heads(self, recorded: dict[str, Any], ours: aiohttp.ClientResponse, what: str) -> None:
        self.check(ours.status == recorded["status"], what, f"status {ours.status} for {recorded['status']}")
        for name, value in recorded["headers"].items():
            if name == "content-type":
                self.check(ours.content_type == value.split(";")[0], what, f"{name} {ours.content_type}")
            elif name in SAME_HEADERS or name.startswith("access-control"):
                self.check(ours.headers.get(name) == value, what, f"{name} {ours.headers.get(name)} for {value}")
        for name in PRESENT_HEADERS:
            is_recorded = name in recorded["headers"]
            self.check((name in ours.headers) == is_recorded, what, f"{name} is there or not")
            if is_recorded:
                self.compare(recorded["headers"][name], ours.headers.get(name, ""), what)

    def compare(self, recorded: Any, ours: Any, where: str) -> None:
        """Value by value; the world learns the ids and tokens that it did not know."""
        key = where.rpartition(".")[2]
        if key in OWN_WORDS or (key == "description" and where.startswith("service description")):
            self.check(bool(ours), where, "nothing")
        elif isinstance(recorded, dict) and isinstance(ours, dict):
            self.compare_objects(recorded, ours, where)
        elif key == "headers" and isinstance(recorded, list):
            self.compare(told_headers(recorded), told_headers(ours), f"{where}.told")
        elif isinstance(recorded, list) and isinstance(ours, list):
            ours = self.in_their_order(recorded, ours) if key in UNORDERED else ours
            self.check(len(ours) == len(recorded), where, f"{len(ours)} items for {len(recorded)}")
            for number, (theirs, our) in enumerate(zip(recorded, ours, strict=False)):
                self.compare(theirs, our, f"{where}[{number}]")
        elif isinstance(recorded, str) and isinstance(ours, str):
            self.compare_texts(recorded, ours, where, key)
        elif key in NUMBERS or (key in COUNTS and where.startswith(UNKNOWN_CALLS)):
            self.check(is_number(ours), where, f"{ours!r} for {recorded!r}")
        else:
            self.check(type(ours) is type(recorded) and ours == recorded, where, f"{ours!r} for {recorded!r}")

    def in_their_order(self, recorded: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[dict[str, Any]]:
        places = {self.world.ids.get(item["id"], item["id"]): place for place, item in enumerate(recorded)}
        return sorted(ours, key=lambda item: places.get(item["id"], len(places)))

    def compare_objects(self, recorded: dict[str, Any], ours: dict[str, Any], where: str) -> None:
        difference = f"keys {sorted(ours)} for {sorted(recorded)}"
        self.check(ours.keys() == recorded.keys(), where, difference)
        for name in recorded.keys() & ours.keys():
            theirs, our = recorded[name], ours[name]
            if is_cut(recorded, name) and isinstance(our, list):
                our = our[: len(theirs)]
            elif name == "pagination" and is_cut(recorded, "data"):
                our = our | {"total": theirs["total"]}
            self.compare(theirs, our, f"{where}.{name}")

    def compare_texts(self, recorded: str, ours: str, where: str, key: str) -> None:
        world = self.world
        if INSTANT.fullmatch(recorded) and not recorded.endswith("00:00:00.000Z"):
            self.check(bool(INSTANT.fullmatch(ours)), where, f"{ours!r} is no instant")
        elif PLACEHOLDER.fullmatch(recorded):
            known = world.words.get(recorded)
            if known is None or recorded.startswith(("<jwt", "<confirmation-token")):
                world.words[recorded] = ours
            else:
                self.check(ours in (known, recorded), where, f"{ours!r} for {known!r}")
        elif ID.fullmatch(recorded) and recorded not in world.ids and key != "toolName":
            self.check(bool(ID.fullmatch(ours)) and ours not in world.ids.values(), where, f"{ours!r} is no new id")
            world.ids[recorded] = ours
        elif key.endswith("Prefix"):
            is_alike = len(ours) == len(recorded) and ours[:3] == recorded[:3]
            self.check(is_alike, where, f"{ours!r} for {recorded!r}")
        else:
            self.check(ours == world.here(recorded), where, f"{ours!r} for {world.here(recorded)!r}")

    def conclude(self, answer: "OpenAnswer") -> None:
        self.result.compared += 1
        recorded, what = answer.recorded, answer.what
        if "ended_by" not in recorded:
            return  # of this one only the head was recorded
        is_broken = recorded["ended_by"].startswith("transport error")
        self.check(answer.is_broken == is_broken, what, f"broken: {answer.is_broken}")
        self.check(answer.seen == len(answer.expected), what, f"{answer.seen} events for {len(answer.expected)}")
        self.check(answer.beats == any(not is_news(frame) for frame in recorded["frames"]), what, "heartbeats")
        if answer.is_an_agents:
            raw = recorded["raw_first_bytes"]
            self.check(answer.text[: len(raw)] == self.world.here(raw), what, f"{answer.text!r} for {raw!r}")

    async def close(self) -> None:
        for task in self.waiting:
            task.cancel()
        await asyncio.gather(*self.waiting, return_exceptions=True)
        for answer in self.open:
            await answer.hang_up()


class OpenAnswer:
    """A streamed answer, read and compared in the background."""

    def __init__(self, replay: Replay, exchange: dict[str, Any], response: aiohttp.ClientResponse) -> None:
        self.replay = replay
        self.what: str = exchange["what"]
        self.recorded: dict[str, Any] = exchange["response"]
        self.is_an_agents = exchange["request"]["path"].split("?")[0].endswith("/invoke")
        self.expected = [frame for frame in self.recorded.get("frames", []) if is_news(frame)]
        self.response = response
        self.text = ""
        self.seen = 0  # events
        self.beats = False  # something else came too
        self.is_broken = False
        self.grew = asyncio.Event()
        self.begun_at: int = exchange["t_ms"]
        self.ended_at: int = self.begun_at + (self.recorded.get("ended_at_ms") or 0)
        self.reading = asyncio.create_task(self.read())

    @property
    def is_hung_up_by_client(self) -> bool:
        return bool(self.recorded.get("ended_by") == "client closed") or "ended_by" not in self.recorded

    async def read(self) -> None:
        try:
            async for frame in self.frames():
                self.take(frame)
                self.grew.set()
        except aiohttp.ClientPayloadError:
            self.is_broken = True
        finally:
            self.grew.set()

    async def frames(self) -> AsyncIterator[dict[str, str]]:
        frame: dict[str, str] = {}
        async for line in self.response.content:
            self.text += line.decode()
            name, _, value = line.decode().rstrip("\r\n").partition(":")
            if name and name in frame:
                frame[name] += "\n" + value.removeprefix(" ")
            elif name:
                frame[name] = value.removeprefix(" ")
            elif frame or value:
                yield frame or {"comment": value}
                frame = {}

    def take(self, frame: dict[str, str]) -> None:
        if not is_news(frame):
            self.beats = True
            return
        if self.seen < len(self.expected):
            theirs = self.expected[self.seen]
            where = f"{self.what}, event {self.seen + 1}"
            self.replay.check(frame.get("event") == theirs.get("event"), where, f"{frame.get('event')}")
            self.replay.compare(parsed(theirs["data"]), parsed(frame["data"]), where)
        self.seen += 1
        if self.seen == len(self.expected):
            self.replay.world.upstreams.heard.set()

    def listens(self) -> "asyncio.Task[bool]":
        self.grew.clear()
        return asyncio.ensure_future(self.grew.wait())

    async def has_said_as_much_as_by(self, moment: float) -> None:
        wanted = sum(1 for frame in self.expected if self.begun_at + frame["at_ms"] < moment)
        while self.seen < wanted and not self.reading.done():
            self.grew.clear()
            await self.grew.wait()

    async def finish(self) -> None:
        """Let it end as the recorded one did: by itself, or when it has said as much."""
        async with asyncio.timeout(PATIENCE):
            if not self.is_hung_up_by_client:
                await asyncio.wait({self.reading})
            await self.has_said_as_much_as_by(math.inf)
        await self.hang_up()

    async def hang_up(self) -> None:
        self.reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.reading
        self.response.close()


def is_news(frame: Mapping[str, Any]) -> bool:
    return "data" in frame and frame.get("event") != "heartbeat"


def parsed(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data


def told_headers(pairs: list[list[str]]) -> dict[str, str]:
    """What an agent is told by the gateway; the rest is said by its HTTP library."""
    return {name: value for name, value in pairs if name.startswith("x-") or name in {"authorization", "content-type"}}


def is_cut(recorded: Mapping[str, Any], name: str) -> bool:
    """Of some long lists only the beginning was kept; the number beside them tells."""
    number = recorded.get("count") or (recorded.get("pagination") or {}).get("total") or 0
    return isinstance(recorded[name], list) and len(recorded[name]) < number


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
