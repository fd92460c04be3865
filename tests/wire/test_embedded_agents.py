"""The demonstration's agents do what they say, and the services behind them are real."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import aiohttp
import pytest
import requests

from embedded import ids
from embedded.agents.file_language import Wish, wishes
from embedded.agents.storyteller import subject_of
from embedded.agents.weather_desk import place_in
from embedded.file_store import first_files
from tests.embedded import PASSWORD, Embedded

ANA, BO, GIL = "user@example.com", "admin@example.com", "other@example.com"
PATIENCE = 10  # seconds
SINGULAR = {"released": "confirmation", "guide": "confirmations"}
CALLBACK = "http://127.0.0.1:8000/credentials/callback/?state=abc"


@pytest.fixture(scope="module", params=["released", "guide"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with Embedded.start(dialect=request.param) as embedded:
        yield embedded


@pytest.fixture
async def client(gateway: Embedded) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield session


class Person:
    """Somebody with a token, in the words of these tests."""

    def __init__(self, gateway: Embedded, client: aiohttp.ClientSession, email: str) -> None:
        self.gateway = gateway
        self.client = client
        self.email = email
        self.headers = {"Authorization": f"Bearer {gateway.token(email)}"}
        self.confirmations = f"/api/v1/{SINGULAR[gateway.dialect]}"

    async def asks(self, agent_id: str, text: str) -> "Run":
        body = {
            "threadId": "t",
            "runId": "r",
            "messages": [{"id": "1", "role": "user", "content": text}],
            "state": {},
            "tools": [],
            "context": [],
            "forwardedProps": {},
        }
        url = f"/api/v1/agents/{agent_id}/invoke"
        async with asyncio.timeout(PATIENCE), self.client.post(url, json=body, headers=self.headers) as answer:
            return await Run.read(answer)

    async def finds_waiting(self) -> dict[str, Any]:
        """The oldest confirmation that waits, as soon as there is one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                waiting = await self.gets("/api/v1/stream/pending")
                if waiting["data"]:
                    found: dict[str, Any] = waiting["data"][0]
                    return found

    async def gets(self, path: str) -> Any:
        async with self.client.get(path, headers=self.headers) as answer:
            return await answer.json()

    async def posts(self, path: str, **body: Any) -> tuple[int, Any]:
        async with self.client.post(path, json=body, headers=self.headers) as answer:
            return answer.status, await answer.json()

    async def answers(self, item: dict[str, Any], how: str, **body: Any) -> int:
        status, _ = await self.posts(f"{self.confirmations}/{item['id']}/{how}", **body)
        return status

    def has(self, path: str) -> bool:
        return path in self.gateway.report()["files"][self.email]


class Run:
    """One answer of an agent, read to its end."""

    def __init__(self, status: int, text: str, *, is_broken: bool = False) -> None:
        self.status = status
        self.raw = text
        self.is_broken = is_broken
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:")]
        self.events = [event for event in map(parsed, lines) if event]

    @classmethod
    async def read(cls, answer: aiohttp.ClientResponse) -> "Run":
        text = ""
        try:
            async for chunk in answer.content.iter_any():
                text += chunk.decode()
        except aiohttp.ClientPayloadError:
            return cls(answer.status, text, is_broken=True)
        return cls(answer.status, text)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def text(self) -> str:
        return "".join(event["delta"] for event in self.events if event["type"] == "TEXT_MESSAGE_CONTENT")

    @property
    def tools(self) -> list[str]:
        return [event["toolCallName"] for event in self.events if event["type"] == "TOOL_CALL_START"]


def parsed(line: str) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return event


@pytest.fixture
def ana(gateway: Embedded, client: aiohttp.ClientSession) -> Person:
    return Person(gateway, client, ANA)


@pytest.fixture
def bo(gateway: Embedded, client: aiohttp.ClientSession) -> Person:
    return Person(gateway, client, BO)


async def test_an_approved_deletion_really_deletes(ana: Person, bo: Person) -> None:
    assert ana.has("/report.pdf")
    run = asyncio.create_task(ana.asks(ids.FILE_MANAGER, "Could you please erase report.pdf?"))
    item = await bo.finds_waiting()
    assert item["tool"]["name"] == "delete_file"
    assert item["arguments"] == {"path": "/report.pdf"}
    assert item["risk"] == {"level": "high"}
    assert item["agent"] == {"id": ids.FILE_MANAGER, "name": "File manager"}
    assert item["user"]["endUserId"] == ids.ANA
    assert ana.has("/report.pdf")
    assert await bo.answers(item, "confirm") == 200
    answer = await run
    assert not ana.has("/report.pdf")
    assert bo.has("/report.pdf")
    assert "`/report.pdf` is gone" in answer.text
    assert answer.tools == ["list_files", "delete_file", "list_files"]
    assert answer.types[0] == "RUN_STARTED"
    assert answer.types[-1] == "RUN_FINISHED"


async def test_a_rejected_deletion_keeps_the_file_and_says_why(ana: Person) -> None:
    run = asyncio.create_task(ana.asks(ids.FILE_MANAGER, "notes.txt, remove it"))
    item = await ana.finds_waiting()
    assert await ana.answers(item, "reject", reason="I still need it") == 200
    answer = await run
    assert ana.has("/notes.txt")
    assert "still there" in answer.text
    assert "I still need it" in answer.text


async def test_two_names_are_two_calls_one_after_another(ana: Person) -> None:
    run = asyncio.create_task(ana.asks(ids.FILE_MANAGER, "delete old/draft.docx and team.jpg"))
    first = await ana.finds_waiting()
    assert first["arguments"] == {"path": "/old/draft.docx"}
    await ana.answers(first, "confirm")
    second = await ana.finds_waiting()
    assert second["arguments"] == {"path": "/photos/team.jpg"}
    await ana.answers(second, "reject")
    answer = await run
    assert not ana.has("/old/draft.docx")
    assert ana.has("/photos/team.jpg")
    assert answer.tools == ["list_files", "delete_file", "delete_file", "list_files"]


async def test_nobody_answers_and_the_agent_says_so(ana: Person, gateway: Embedded) -> None:
    gateway.dial(hold_limit=0.3)
    try:
        answer = await ana.asks(ids.FILE_MANAGER, "rename budget.xlsx to costs.xlsx")
    finally:
        gateway.dial(hold_limit=300)
    assert "Request timed out" in answer.text
    assert ana.has("/budget.xlsx")


async def test_the_reason_of_an_approval_is_kept_in_the_guide_alone(ana: Person, gateway: Embedded) -> None:
    item = gateway.dial(hold={"email": ANA, "tool": "delete_file", "arguments": {"path": "/x"}})
    await ana.answers(item, "confirm", reason="go ahead")
    stored = await ana.gets(f"{ana.confirmations}/{item['id']}")
    assert stored.get("reason") == ("go ahead" if gateway.dialect == "guide" else None)
    assert gateway.report()["answers"][item["id"]] == "confirm"
    assert item["id"] in gateway.report()["ran"]


async def test_only_the_own_dialects_path_exists(ana: Person, gateway: Embedded) -> None:
    other = "confirmation" if gateway.dialect == "guide" else "confirmations"
    answer = await ana.gets(f"/api/v1/{other}/list?status=pending")
    assert answer == {"error": "Not Found", "message": f"Route GET /api/v1/{other}/list not found"}


async def test_people_meet_the_policy_at_the_proxy_too(ana: Person, gateway: Embedded) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "wipe_files", "arguments": {}}}
    headers = ana.headers | {"Accept": "application/json, text/event-stream"}
    url = f"/api/v1/mcp-proxy/{ids.FILES}/mcp"
    async with asyncio.timeout(PATIENCE), ana.client.post(url, json=call, headers=headers) as answer:
        item = await ana.finds_waiting()
        assert item["risk"] == {"level": "critical"}
        assert "agent" not in item
        await ana.answers(item, "reject", reason="no")
        assert b'Tool \\"wipe_files\\" was rejected: no' in await answer.read()
    assert ana.has("/notes.txt")


async def test_another_tenant_is_refused(client: aiohttp.ClientSession, gateway: Embedded) -> None:
    gil = Person(gateway, client, GIL)
    assert (await gil.asks(ids.FILE_MANAGER, "list")).status == 403
    assert (await gil.asks(ids.ECHO, "hello")).raw.endswith('"data":{"reply":"You said: hello"}}')


async def test_the_storyteller_speaks_about_its_subject(ana: Person) -> None:
    answer = await ana.asks(ids.STORYTELLER, "Tell me a short story about lighthouses, please")
    assert "About lighthouses" in answer.text
    assert 40 <= answer.types.count("TEXT_MESSAGE_CONTENT") <= 90


async def test_weather_needs_a_good_key(ana: Person, gateway: Embedded) -> None:
    missing = await ana.asks(ids.WEATHER_DESK, "weather in Paris")
    assert missing.status == 401
    assert json.loads(missing.raw)["missing"] == ["weather"]
    named = {"providerId": ids.WEATHER} if gateway.dialect == "guide" else {"serviceType": "weather"}
    status, _ = await ana.posts("/api/v1/credentials/apikey", apiKey="wrong", **named)
    assert status == 201
    assert "refused your API key" in (await ana.asks(ids.WEATHER_DESK, "weather in Paris")).text
    await ana.posts("/api/v1/credentials/apikey", apiKey="wx-demo-1234", **named)
    assert "**Paris**" in (await ana.asks(ids.WEATHER_DESK, "Is it going to rain in Paris tomorrow?")).text


async def test_each_dialect_refuses_the_others_way_of_storing(ana: Person, gateway: Embedded) -> None:
    foreign = {"serviceType": "notion"} if gateway.dialect == "guide" else {"providerId": ids.NOTION}
    status, _ = await ana.posts("/api/v1/credentials/jwt", token="t", **foreign)
    assert status == 400


async def test_github_is_connected_through_consent(ana: Person, gateway: Embedded) -> None:
    before = json.loads((await ana.asks(ids.GITHUB_HELPER, "my repositories?")).raw)
    assert before["code"] == "CREDENTIALS_REQUIRED"
    browser = Browser(gateway)
    denied = browser.connects(before["authUrls"]["github"], ANA, "deny")
    assert parse_qs(urlsplit(denied).query) == {"state": ["abc"], "service": ["github"], "status": ["denied"]}

    again = json.loads((await ana.asks(ids.GITHUB_HELPER, "my repositories?")).raw)
    allowed = browser.connects(again["authUrls"]["github"], ANA, "allow")
    assert parse_qs(urlsplit(allowed).query)["status"] == ["connected"]
    answer = await ana.asks(ids.GITHUB_HELPER, "my repositories?")
    assert "**octo-ana**" in answer.text
    assert "octo-ana/" in answer.text

    assert browser.opens(browser.last_callback).status_code == 400

    gateway.dial(credential={"email": ANA, "service": "github", "secret": "gho_revoked"})
    assert "refused your token" in (await ana.asks(ids.GITHUB_HELPER, "my repositories?")).text


def test_people_are_not_sent_to_strangers(gateway: Embedded) -> None:
    path = "auth/connect?service=github&" if gateway.dialect == "guide" else "connect/github?"
    for target in ("https://evil.example/", "http://127.0.0.1@evil.example/", "javascript:alert(1)"):
        url = f"{gateway.url}/{path}redirect_url={target}"
        assert requests.get(url, timeout=PATIENCE).status_code == 400


class Browser:
    """Follows links and posts forms, as a person at the connect pages does."""

    def __init__(self, gateway: Embedded) -> None:
        self.gateway = gateway
        self.session = requests.Session()
        self.last_callback = ""

    def connects(self, url: str, email: str, decision: str) -> str:
        """All the way; gives where the gateway sends the browser in the end."""
        url += f"{'&' if urlsplit(url).query else '?'}redirect_url={quote(CALLBACK, safe='')}"
        with self.session:
            page = self.follow(self.opens(url))
            if self.gateway.dialect == "released":
                page = self.submit(page, email=email, password=PASSWORD)
            if 'name="account"' in page.text:
                page = self.submit(page, account="octo-ana", password=PASSWORD)
            final = self.submit(page, decision=decision)
            assert final.is_redirect
            return str(final.headers["location"])

    def opens(self, url: str) -> requests.Response:
        return self.session.get(url, allow_redirects=False, timeout=PATIENCE)

    def submit(self, page: requests.Response, **given: str) -> requests.Response:
        assert page.status_code == 200, page.text
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)
        assert action, page.text
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        fields = {name: unescape(value) for name, value in hidden} | given
        url = urljoin(page.url, action.group(1))
        return self.follow(self.session.post(url, fields, allow_redirects=False, timeout=PATIENCE))

    def follow(self, answer: requests.Response) -> requests.Response:
        """Redirects, but the last one, which leads to the front."""
        while answer.is_redirect and not answer.headers["location"].startswith("http://127.0.0.1:8000/"):
            if "/connect/callback" in answer.headers["location"]:
                self.last_callback = answer.headers["location"]
            answer = self.opens(answer.headers["location"])
        return answer


async def test_unlucky_fails_as_asked(ana: Person) -> None:
    refused = await ana.asks(ids.UNLUCKY, "give me a 500")
    assert (refused.status, json.loads(refused.raw)["code"]) == (500, "RUNTIME_ERROR")
    refused = await ana.asks(ids.UNLUCKY, "be unauthorized")
    assert (refused.status, json.loads(refused.raw)["code"]) == (401, "RUNTIME_ERROR")
    page = await ana.asks(ids.UNLUCKY, "html please")
    assert (page.status, json.loads(page.raw)["code"]) == (502, "INVOKE_FAILED")
    dead = await ana.asks(ids.UNLUCKY, "die")
    assert dead.is_broken
    assert dead.text.startswith("I was just")
    unfinished = await ana.asks(ids.UNLUCKY, "no end")
    assert not unfinished.is_broken
    assert "RUN_FINISHED" not in unfinished.types
    assert (await ana.asks(ids.UNLUCKY, "an error event")).types[-1] == "RUN_ERROR"
    garbage = await ana.asks(ids.UNLUCKY, "garbage")
    assert garbage.types[-1] == "RUN_FINISHED"
    assert garbage.text.startswith("This got through")


@pytest.mark.parametrize("way", ["silent", "stall"])
async def test_hanging_up_ends_the_agents_connection(ana: Person, gateway: Embedded, way: str) -> None:
    run = asyncio.create_task(ana.asks(ids.UNLUCKY, way))
    async with asyncio.timeout(PATIENCE):
        while await agent_connections(ana) == 0:
            assert not run.done()
        run.cancel()
        while await agent_connections(ana) > 0:
            pass


async def agent_connections(person: Person) -> int:
    return int((await person.gets("/_dials"))["agent_connections"])


KNOWN = list(first_files())


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("which files do I have?", [Wish("list")]),
        ("what is in the old folder", [Wish("list", folder="/old")]),
        ("Remove the budget", [Wish("delete", ("/budget.xlsx",))]),
        ("trash my invoice and notes.txt", [Wish("delete", ("/old/invoice-0042.pdf", "notes.txt"))]),
        ("the budget should be renamed to costs.xlsx", [Wish("rename", ("/budget.xlsx", "costs.xlsx"))]),
        ("read notes.txt and delete it", [Wish("read", ("notes.txt",)), Wish("delete", ("notes.txt",))]),
        ("don't delete report.pdf", [Wish("keep", ("report.pdf",))]),
        ("delete all my files", [Wish("wipe")]),
        ("please wipe everything", [Wish("wipe")]),
        ("rename read-me.md to list.txt", [Wish("rename", ("read-me.md", "list.txt"))]),
        ("remove the old folder", [Wish("wipe", folder="/old")]),
        ("what time is it", []),
    ],
)
def test_the_file_manager_understands_plain_words(text: str, meant: list[Wish]) -> None:
    assert wishes(text, KNOWN) == meant


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("tell me about bridges", "bridges"),
        ("Please write a short story about the sea, thanks!", "the sea"),
        ("Explain tides", "tides"),
        ("volcanoes", "volcanoes"),
        ("What are black holes?", "black holes"),
    ],
)
def test_the_storyteller_finds_the_subject(text: str, subject: str) -> None:
    assert subject_of(text) == subject


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Weather in Paris", "Paris"),
        ("what's the weather like in São Paulo today?", "São Paulo"),
        ("Tokyo forecast please", "Tokyo"),
        ("weather", None),
    ],
)
def test_the_weather_desk_finds_the_place(text: str, place: str | None) -> None:
    assert place_in(text) == place
