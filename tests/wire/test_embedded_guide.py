"""What the guide promises and the released gateway lacks, in the embedded gateway's guide dialect."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import requests

from embedded import ids
from tests.embedded import Embedded

ANA, BO = "user@example.com", "admin@example.com"
PATIENCE = 10  # seconds


@pytest.fixture(scope="module")
def gateway() -> Iterator[Embedded]:
    with Embedded.start(dialect="guide") as embedded:
        yield embedded


def post(gateway: Embedded, path: str, bearer: str = "", **body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return requests.post(f"{gateway.url}{path}", json=body, headers=headers, timeout=PATIENCE)


def get(gateway: Embedded, path: str, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{gateway.url}{path}", headers=headers, timeout=PATIENCE)


def test_somebody_registers_and_refreshes(gateway: Embedded) -> None:
    person = {"email": "Eva@Example.com", "password": "long enough", "name": "Eva"}
    registered = post(gateway, "/api/v1/auth/register", **person)
    assert registered.status_code == 201
    assert registered.json()["user"]["email"] == "eva@example.com"
    assert post(gateway, "/api/v1/auth/register", **person).status_code == 409
    old = registered.json()["token"]
    new = post(gateway, "/api/v1/auth/refresh", old).json()["token"]
    assert new != old
    assert get(gateway, "/api/v1/auth/me", new).json()["user"]["name"] == "Eva"


def test_everybody_finds_the_provider_to_store_for(gateway: Embedded) -> None:
    token = gateway.token(ANA)
    provider = get(gateway, "/api/v1/credential-providers/by-service/notion", token).json()["provider"]
    stored = post(gateway, "/api/v1/credentials/jwt", token, providerId=provider["id"], token="secret-1234")
    assert stored.status_code == 201
    assert stored.json()["credential"]["serviceType"] == "notion"


def test_a_ticket_opens_one_connect_page(gateway: Embedded) -> None:
    check = get(gateway, f"/api/v1/agents/{ids.GITHUB_HELPER}/credentials-check", gateway.token(ANA))
    url = check.json()["authUrls"]["github"]
    assert url.startswith(f"{gateway.url}/auth/connect?service=github&ticket=")
    first = requests.get(url, allow_redirects=False, timeout=PATIENCE)
    assert first.status_code == 303
    sent = parse_qs(urlsplit(first.headers["location"]).query)
    assert sent["response_type"] == ["code"]
    assert sent["code_challenge_method"] == ["S256"]
    second = requests.get(url, allow_redirects=False, timeout=PATIENCE)
    assert second.status_code == 200
    assert "used already" in second.text


@pytest.fixture
async def client(gateway: Embedded) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield session


async def events_of(answer: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    event = ""
    async for line in answer.content:
        name, _, value = line.decode().strip().partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)


async def test_all_who_may_see_an_item_hear_of_its_end(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    ana, bo = gateway.token(ANA), gateway.token(BO)
    async with (
        asyncio.timeout(PATIENCE),
        client.get("/api/v1/stream", params={"_token": ana}) as hers,
        client.get("/api/v1/stream", params={"_token": bo}) as his,
    ):
        streams = [events_of(hers), events_of(his)]
        for events in streams:
            assert (await anext(events))[0] == "connected"
        item = gateway.dial(
            hold={"email": ANA, "tool": "delete_file", "arguments": {"path": "/x"}, "agent": "File manager"}
        )["id"]
        for events in streams:
            event, document = await anext(events)
            assert (event, document["id"]) == ("CONFIRMATION_REQUIRED", item)
            assert document.keys() >= {"id", "tool", "arguments", "risk", "agent", "timestamp"}
            assert document["tool"].keys() >= {"name", "description", "provider"}
        answered = f"/api/v1/confirmations/{item}/confirm"
        async with client.post(answered, json={"reason": "ok"}, headers={"Authorization": f"Bearer {bo}"}) as answer:
            assert answer.status == 200
        for events in streams:
            event, document = await anext(events)
            assert (event, document["id"], document["confirmed"]) == ("CONFIRMATION_RESOLVED", item, True)
        for events in streams:
            await events.aclose()  # type: ignore[attr-defined]
