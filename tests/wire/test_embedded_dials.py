"""The embedded gateway as a process, and the trouble that tests can ask it for."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import requests

from embedded import ids
from tests.embedded import ROOT, Embedded

ANA, BO = "user@example.com", "admin@example.com"
PATIENCE = 10  # seconds


@pytest.fixture(scope="module")
def shared() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture
def gateway(shared: Embedded) -> Embedded:
    """As freshly started; one that a test has ended is started again."""
    if shared.process is None:
        shared.launch(0)
    shared.dial(reset=True)
    return shared


@pytest.fixture
async def client(gateway: Embedded) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield session


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Stream:
    """An open confirmation stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def says(self) -> tuple[str, dict[str, Any]]:
        """The next event's name and document. Raises `ClientPayloadError` when the stream breaks."""
        async with asyncio.timeout(PATIENCE):
            event = (await self.line()).removeprefix("event: ")
            data = (await self.line()).removeprefix("data: ")
            await self.line()
        return event, json.loads(data)

    async def line(self) -> str:
        return (await self.answer.content.readline()).decode().rstrip("\n")


@asynccontextmanager
async def stream(client: aiohttp.ClientSession, token: str) -> AsyncIterator[Stream]:
    async with client.get("/api/v1/stream", headers=bearer(token)) as answer:
        assert answer.status == 200
        yield Stream(answer)


async def me(client: aiohttp.ClientSession, token: str) -> tuple[int, dict[str, Any]]:
    async with client.get("/api/v1/auth/me", headers=bearer(token)) as answer:
        return answer.status, await answer.json()


async def test_an_open_stream_outlives_its_token(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    token = gateway.token(ANA)
    async with stream(client, token) as events:
        assert (await events.says())[0] == "connected"
        gateway.dial(expire_tokens=True)
        status, body = await me(client, token)
        assert (status, body["code"]) == (401, "TOKEN_EXPIRED")
        item = gateway.dial(hold={"email": ANA, "tool": "delete_file", "agent": "File manager", "risk": "high"})
        event, document = await events.says()
        assert (event, document["id"]) == ("CONFIRMATION_REQUIRED", item["id"])
    assert (await me(client, gateway.token(ANA)))[0] == 200


async def test_tokens_live_as_long_as_the_dial_says(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    gateway.dial(token_lifetime=0)
    status, body = await me(client, gateway.token(ANA))
    assert (status, body["code"]) == (401, "TOKEN_EXPIRED")


async def test_heartbeats_come_at_the_dialled_pace_and_muting_ends_them(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    async with stream(client, gateway.token(ANA)) as events:
        await events.says()
        gateway.dial(heartbeat=0.05)
        assert (await events.says())[0] == "heartbeat"
        gateway.dial(mute_streams=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                while True:
                    await events.says()
        assert gateway.report()["open_streams"] == 1


async def test_dropped_streams_break_and_refused_ones_do_not_open(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    token = gateway.token(ANA)
    async with stream(client, token) as events:
        await events.says()
        gateway.dial(drop_streams=True)
        with pytest.raises(aiohttp.ClientPayloadError):
            await events.says()
    gateway.dial(refuse_streams=True)
    async with client.get("/api/v1/stream", headers=bearer(token)) as answer:
        assert answer.status == 503
    gateway.dial(refuse_streams=False)
    async with stream(client, token) as events:
        assert (await events.says())[0] == "connected"


async def test_dropped_runs_break(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    url = f"/api/v1/agents/{ids.STORYTELLER}/invoke"
    body = {"messages": [{"role": "user", "content": "tell me about rivers"}]}
    async with client.post(url, json=body, headers=bearer(gateway.token(ANA))) as answer:
        await answer.content.readany()
        assert gateway.report()["open_runs"] == 1
        gateway.dial(drop_runs=True)
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    assert gateway.report()["open_runs"] == 0


async def test_the_metronome_keeps_its_pace(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    url = f"/api/v1/agents/{ids.METRONOME}/invoke"
    question = json.dumps({"rate": 100, "count": 60, "size": 30})
    body = {"messages": [{"role": "user", "content": question}]}
    async with client.post(url, json=body, headers=bearer(gateway.token(ANA))) as answer:
        lines = (await answer.text()).splitlines()
    events = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    deltas = [event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT"]
    times = [float(delta.split()[0]) for delta in deltas]
    assert len(deltas) == 60
    assert {len(delta) for delta in deltas} == {30}
    assert 0.5 < times[-1] - times[0] < 1.0
    assert abs(times[0] - time.time()) < PATIENCE


async def test_the_next_requests_fail_as_told(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    token = gateway.token(ANA)
    page = {"path": "/api/v1/auth/me", "status": 502, "body": "<h1>Bad</h1>", "content_type": "text/html", "times": 2}
    gateway.dial(fail=page)
    for _ in range(2):
        async with client.get("/api/v1/auth/me", headers=bearer(token)) as answer:
            assert (answer.status, answer.content_type, await answer.text()) == (502, "text/html", "<h1>Bad</h1>")
    assert (await me(client, token))[0] == 200
    gateway.dial(fail={"path": "/api/v1/auth", "delay": 0.2})
    start = time.monotonic()
    assert (await me(client, token))[0] == 200
    assert time.monotonic() - start >= 0.2


async def test_requests_are_written_down(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    token = gateway.token(ANA)
    async with client.post("/api/v1/credentials/jwt?x=1", json={"a": 1}, headers=bearer(token)) as answer:
        assert answer.status == 400
    last = gateway.received()[-1]
    assert {name: last[name] for name in ("method", "path", "query", "user", "body")} == {
        "method": "POST",
        "path": "/api/v1/credentials/jwt",
        "query": {"x": "1"},
        "user": ANA,
        "body": {"a": 1},
    }


async def test_people_change_and_their_tokens_do_not(gateway: Embedded, client: aiohttp.ClientSession) -> None:
    token = gateway.token(ANA)
    gateway.dial(person={"email": ANA, "isActive": False, "roles": ["admin"]})
    _, body = await me(client, token)
    assert (body["user"]["isActive"], body["user"]["roles"]) == (False, ["admin"])
    async with client.get("/api/v1/admin/agents", headers=bearer(token)) as answer:
        assert answer.status == 403
    with pytest.raises(requests.HTTPError):
        gateway.token(ANA)


async def test_forgotten_holds_are_still_listed_and_run_nothing(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    item = gateway.dial(hold={"email": ANA, "tool": "delete_file", "arguments": {"path": "/x"}})["id"]
    gateway.dial(forget_holds=True)
    headers = bearer(gateway.token(BO))
    async with client.get("/api/v1/confirmation/pending", headers=headers) as answer:
        assert (await answer.json())["data"] == []
    async with client.get("/api/v1/confirmation/list?status=pending", headers=headers) as answer:
        assert [found["requestId"] for found in (await answer.json())["confirmations"]] == [item]
    async with client.post(f"/api/v1/confirmation/{item}/confirm", headers=headers) as answer:
        assert (await answer.json())["expiresIn"] == 1800
    assert gateway.report()["ran"] == []


async def test_a_tool_gate_that_nobody_answers_says_so_in_the_end(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    gateway.dial(hold_limit=0.2)
    question = {"toolName": "delete_file", "providerId": "elsewhere", "params": {"path": "/x"}}
    headers = bearer(gateway.token(ANA))
    async with client.post("/api/v1/tool-gate/evaluate", json=question, headers=headers) as answer:
        decision = await answer.json()
    assert (decision["decision"], decision["reason"]) == ("timeout", "Request timed out")


async def test_an_agent_may_be_silent_as_long_as_the_dial_says(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    gateway.dial(agent_silence=0.2)
    url, headers = f"/api/v1/agents/{ids.UNLUCKY}/invoke", bearer(gateway.token(ANA))
    async with client.post(url, json={"messages": [{"content": "silent"}]}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (502, "INVOKE_FAILED")
    async with client.post(url, json={"messages": [{"content": "stall"}]}, headers=headers) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_events_describe_a_tool_until_the_list_of_tools_is_forgotten(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    headers = bearer(gateway.token(ANA))
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with client.post("/api/v1/mcp/mcp", json=question, headers=headers) as answer:
        assert len((await answer.json())["result"]["tools"]) == 5
    for is_described in (True, False):
        item = gateway.dial(hold={"email": ANA, "tool": "delete_file"})["id"]
        async with client.get("/api/v1/stream/pending", headers=headers) as answer:
            waiting = {one["id"]: one for one in (await answer.json())["data"]}
        assert ("inputSchema" in waiting[item]["tool"]) == is_described
        gateway.dial(forget_tools=True)


def test_a_restart_keeps_tokens_and_loses_the_rest(gateway: Embedded) -> None:
    token = gateway.token(ANA)
    gateway.dial(hold={"email": ANA, "tool": "delete_file"})
    url = gateway.url
    gateway.restart()
    assert gateway.url == url
    assert requests.get(f"{url}/api/v1/auth/me", headers=bearer(token), timeout=PATIENCE).status_code == 200
    assert gateway.report()["held"] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_ends_at_once_although_streams_are_open(
    gateway: Embedded, client: aiohttp.ClientSession, how: signal.Signals
) -> None:
    url = f"/api/v1/agents/{ids.UNLUCKY}/invoke"
    body = {"messages": [{"role": "user", "content": "stall"}]}
    headers = bearer(gateway.token(ANA))
    silent = asyncio.create_task(client.post(url, json={"messages": [{"content": "silent"}]}, headers=headers))
    async with stream(client, gateway.token(ANA)) as events, client.post(url, json=body, headers=headers) as run:
        await events.says()
        await run.content.readany()
        assert gateway.process
        process = gateway.process
        start = time.monotonic()
        await asyncio.to_thread(gateway.end, how)
        assert time.monotonic() - start < 3
        assert process.returncode == 0
        with pytest.raises(aiohttp.ClientPayloadError):
            while True:
                await events.says()
    with pytest.raises(aiohttp.ClientError):
        await silent


def test_a_taken_port_gets_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "embedded", "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"Port {port} on 127.0.0.1 is taken; choose another one with --port.\n"


def test_without_the_dials_nobody_can_turn_them() -> None:
    command = [sys.executable, "-m", "embedded", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        answer = requests.get(f"{url}/_dials", timeout=PATIENCE)
        process.terminate()
        process.wait(PATIENCE)
    assert answer.status_code == 404
