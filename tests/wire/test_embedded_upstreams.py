"""What operators register at the embedded gateway is really called: agents, and tool servers over MCP.

The agents and tool servers here are the test doubles of the recordings, as small real servers; the
replay of the recordings registers them too.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from embedded.servers import Servers, listen_inside, quiet_expected_endings
from embedded.streaming import Cut, Streamed, frame, hung_up
from tests.embedded import Embedded

RECORDINGS = Path(__file__).parent / "recordings"
UPSTREAM_SECRET, UPSTREAM_KEY, AGENT_SECRET = "upstream-secret", "upstream-api-key", "agent-upstream-secret"
DEAD = "http://127.0.0.1:1"
NOWHERE = "http://nowhere.invalid"
PATIENCE = 10  # seconds
BOTH_KINDS = "application/json, text/event-stream"
Way = Callable[[Request], Awaitable[ASGIApp]]


# Agents: the last part of the path says how one behaves.


async def agent(request: Request) -> ASGIApp:
    way = request.path_params["way"]
    if way.isdecimal():
        return Response(
            f'{{"error":"model overloaded","detail":{{"n":{way}}}}}', int(way), media_type="application/json"
        )
    return await WAYS[way](request)


async def echo(request: Request) -> ASGIApp:
    return JSONResponse({"reply": "hello from the agent", "received": await request.json()})


async def echo_headers(request: Request) -> ASGIApp:
    headers = [[name.decode(), value.decode()] for name, value in request.headers.raw]
    return JSONResponse({"headers": headers, "body": await request.json()})


async def measure(request: Request) -> ASGIApp:
    return JSONResponse({"received_bytes": len(await request.body())})


def saying(answer: Callable[[], ASGIApp]) -> Way:
    async def say(_: Request) -> ASGIApp:
        return answer()

    return say


def events(*documents: Any) -> bytes:
    return "".join(f"data: {json.dumps(document)}\n\n" for document in documents).encode()


def streaming(*chunks: bytes, then: str = "end", status: int = 200) -> Way:
    """Sends the chunks, and then ends, breaks off, or waits for the client to go."""

    async def generate(heard: asyncio.Event) -> AsyncGenerator[bytes, None]:
        heard.clear()
        for chunk in chunks:
            yield chunk
        if then == "break":
            await heard.wait()
            raise Cut
        if then == "wait":
            await asyncio.Event().wait()

    async def stream(request: Request) -> ASGIApp:
        return Streamed(generate(request.app.state.heard), status=status)

    return stream


async def never(_: Scope, receive: Receive, __: Send) -> None:
    await hung_up(receive)


async def broken_json(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"reply": "and th', "more_body": True})
    raise Cut


def a_run(request_body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """How a run starts and how it ends."""
    ids = {"threadId": request_body.get("threadId", "t1"), "runId": request_body.get("runId", "r1")}
    return {"type": "RUN_STARTED", **ids}, {"type": "RUN_FINISHED", **ids}


def a_message(message_id: str, *deltas: str) -> list[dict[str, Any]]:
    return [
        {"type": "TEXT_MESSAGE_START", "messageId": message_id, "role": "assistant"},
        *({"type": "TEXT_MESSAGE_CONTENT", "messageId": message_id, "delta": delta} for delta in deltas),
        {"type": "TEXT_MESSAGE_END", "messageId": message_id},
    ]


async def ag_ui(request: Request) -> ASGIApp:
    start, end = a_run(await request.json())
    call = {"toolCallId": "c1"}
    return await streaming(
        events(
            start,
            *a_message("m1", "Let me ", "look ", "that up."),
            {"type": "TOOL_CALL_START", **call, "toolCallName": "read_balance", "parentMessageId": "m1"},
            *({"type": "TOOL_CALL_ARGS", **call, "delta": delta} for delta in ('{"acc', 'ount":', '"main"}')),
            {"type": "TOOL_CALL_END", **call},
            {
                "type": "TOOL_CALL_RESULT",
                "messageId": "m2",
                **call,
                "content": '{"balance": 120.5}',
                "role": "tool",
            },
            *a_message("m3", "Your balance is 120.50."),
            end,
        )
    )(request)


async def ag_ui_error(request: Request) -> ASGIApp:
    start, _ = a_run(await request.json())
    error = {"type": "RUN_ERROR", "message": "model quota exceeded", "code": "QUOTA"}
    return await streaming(events(start, error))(request)


async def asking_agent(request: Request) -> ASGIApp:
    """Moves money through the gateway's MCP proxy, for the person whose session token it got."""
    return Streamed(moving_money(request, await request.json()))


async def moving_money(request: Request, body: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    start, end = a_run(body)
    arguments = body.get("args") or {"to": "ACME-42", "amount": 250, "currency": "EUR"}
    call = {"toolCallId": "c1"}
    yield events(
        start,
        {"type": "TOOL_CALL_START", **call, "toolCallName": "transfer_money"},
        {"type": "TOOL_CALL_ARGS", **call, "delta": json.dumps(arguments)},
        {"type": "TOOL_CALL_END", **call},
    )
    known = request.app.state.errand
    headers = {
        "Authorization": f"Bearer {known['token']}",
        "X-Gateway-Session-Token": request.headers["x-gateway-session-token"],
        "Accept": BOTH_KINDS,
    }
    params = {"name": "transfer_money", "arguments": arguments}
    question = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with aiohttp.ClientSession() as client, client.post(known["url"], json=question, headers=headers) as answer:
        async for line in answer.content:
            if line.startswith(b"data:"):
                break
    text = json.loads(line[5:])["result"]["content"][0]["text"]
    yield events(
        {"type": "TOOL_CALL_RESULT", "messageId": "m2", **call, "content": text, "role": "tool"},
        *a_message("m3", "Done."),
        end,
    )


STARTED = events({"type": "RUN_STARTED", "threadId": "t1", "runId": "r1"})
FINISHED = events({"type": "RUN_FINISHED", "threadId": "t1", "runId": "r1"})
BEGUN = events(*a_message("m1", "I was about to")[:2])
SPEECH = 'data: {"delta": "Hel"}\n\ndata: {"delta": "lo, "}\n\ndata: {"delta": "wörld"}\n\n'
VERBATIM = [
    b": a comment\r\n\r\nretry: 4000\r\nid: 17\r\nevent: custom\r\ndata: first line\r\ndata: second line\r\n\r\n",
    b"data:no space\n\nda",
    b"ta: cut in two\n\ndata: last frame without a blank line",
]
WAYS: dict[str, Way] = {
    "json": echo,
    "headers": echo_headers,
    "size": measure,
    "accepted": saying(lambda: JSONResponse({"queued": True}, 202)),
    "array": saying(lambda: JSONResponse([1, "two", None])),
    "null": saying(lambda: JSONResponse(None)),
    "elsewhere": saying(lambda: RedirectResponse("json", 307)),
    "late": saying(lambda: JSONResponse({"reply": "late"})),
    "text-500": saying(lambda: PlainTextResponse("Traceback: boom", 500)),
    "sse-503": streaming(b'data: {"error": "bad"}\n\n', status=503),
    "text": saying(lambda: PlainTextResponse("plain words")),
    "html": saying(lambda: Response("<!doctype html><h1>It works!</h1>", media_type="text/html")),
    "empty": saying(lambda: Response(media_type="application/json")),
    "nothing": saying(lambda: Response(status_code=204)),
    "broken": saying(lambda: broken_json),
    "silent": saying(lambda: never),
    "sse": streaming(SPEECH.encode(), b"data: not json at all\n\ndata: [DONE]\n\n"),
    "ag-ui": ag_ui,
    "ag-ui-error": ag_ui_error,
    "verbatim": streaming(*VERBATIM),
    "sse-202": streaming(b'data: {"ok": true}\n\n', status=202),
    "dies": streaming(STARTED, BEGUN, then="break"),
    "run": streaming(STARTED, FINISHED),
    "ticks": streaming(events({"i": 0}), events({"i": 1}), events({"i": 2}), then="wait"),
    "stalls": streaming(STARTED, then="wait"),
    "asks": asking_agent,
}


# Tool servers: one that answers JSON, one that answers events, one that keeps sessions.


def tools() -> list[dict[str, Any]]:
    exchanges = json.loads((RECORDINGS / "mcp-proxy-transport.json").read_text())["exchanges"]
    listed: list[dict[str, Any]] = exchanges[2]["response"]["body"]["result"]["tools"]
    return listed


class ToolServer:
    """The bank of the recordings."""

    def __init__(self, name: str, authorization: tuple[str, str], *, streams: bool, keeps_sessions: bool) -> None:
        self.name = name
        self.authorization = authorization
        self.streams = streams
        self.keeps_sessions = keeps_sessions
        self.sessions: set[str] = set()
        self.tools = tools()
        self.calls: list[tuple[str, Any, dict[str, str]]] = []  # tool, arguments, headers

    async def handle(self, request: Request) -> ASGIApp:
        name, secret = self.authorization
        if secret and request.headers.get(name) != secret:
            return self.failed(401, -32600, "Unauthorized")
        if request.method == "POST":
            return await self.post(request)
        return self.get(request) if request.method == "GET" else self.delete(request)

    async def post(self, request: Request) -> ASGIApp:
        if "application/json" not in request.headers.get("accept", ""):
            return self.failed(406, -32600, "Not Acceptable: Client must accept application/json")
        try:
            message = json.loads(await request.body())
        except ValueError as exc:
            return self.failed(400, -32700, f"Parse error: {exc}")
        if not isinstance(message, dict):
            return self.failed(400, -32602, complaint_about(message))
        headers: dict[str, str] = {}
        if self.keeps_sessions:
            session = request.headers.get("mcp-session-id")
            if message.get("method") == "initialize":
                session = secrets.token_hex(16)
                self.sessions.add(session)
            elif session is None:
                return self.failed(400, -32600, "Bad Request: Missing session ID", session=secrets.token_hex(16))
            elif session not in self.sessions:
                return self.failed(404, -32600, "Session not found")
            headers["mcp-session-id"] = session
        if "id" not in message:
            return Response(status_code=202, headers=headers, media_type="application/json")
        reply = {"jsonrpc": "2.0", "id": message["id"], **self.answer(message, dict(request.headers))}
        if not self.streams:
            return JSONResponse(reply, headers=headers)
        return Response(frame(reply, "message"), headers=headers, media_type="text/event-stream")

    def get(self, request: Request) -> ASGIApp:
        session = request.headers.get("mcp-session-id")
        headers = {"content-type": "text/event-stream"} | ({"mcp-session-id": session} if session else {})

        async def silence() -> AsyncGenerator[bytes, None]:
            await asyncio.Event().wait()
            yield b""

        return Streamed(silence(), headers=headers)

    def delete(self, request: Request) -> ASGIApp:
        session = request.headers.get("mcp-session-id", "")
        if session not in self.sessions:
            return Response(status_code=400)
        self.sessions.remove(session)
        return Response()

    def answer(self, message: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        match message["method"]:
            case "initialize":
                return {"result": self.greeting()}
            case "ping":
                return {"result": {}}
            case "tools/list":
                return {"result": {"tools": self.tools}}
            case "tools/call":
                params = message["params"]
                self.calls.append((params["name"], params.get("arguments"), headers))
                return {"result": self.call(params["name"], params.get("arguments", {}))}
        return {"error": {"code": -32602, "message": "Invalid request parameters", "data": ""}}

    def greeting(self) -> dict[str, Any]:
        return {
            "protocolVersion": "2025-03-26",
            "capabilities": {
                "experimental": {},
                "prompts": {"listChanged": False},
                "resources": {"subscribe": False, "listChanged": False},
                "tools": {"listChanged": False},
            },
            "serverInfo": {"name": self.name, "version": "1.30.0"},
        }

    def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        tool = next((tool for tool in self.tools if tool["name"] == name), None)
        if tool is None:
            return failure(f"Unknown tool: {name}")
        for needed in tool["inputSchema"].get("required", []):
            if needed not in arguments:
                return failure(
                    f"Error executing tool {name}: 1 validation error for {name}Arguments\n{needed}\n"
                    f"  Field required [type=missing, input_value={arguments}, input_type=dict]\n"
                    "    For further information visit https://errors.pydantic.dev/2.14/v/missing"
                )
        match name:
            case "transfer_money":
                amount, currency = float(arguments["amount"]), arguments.get("currency", "EUR")
                return success(f"sent {amount} {currency} to {arguments['to']}")
            case "delete_report":
                return success(f"deleted {arguments['report_id']}")
            case "read_balance":
                return success(json.dumps({"account": arguments["account"], "balance": 120.5}))
        return failure(f"Error executing tool {name}: upstream tool failed")

    @staticmethod
    def failed(status: int, code: int, message: str, session: str = "") -> JSONResponse:
        body = {"jsonrpc": "2.0", "id": "server-error", "error": {"code": code, "message": message}}
        return JSONResponse(body, status, {"mcp-session-id": session} if session else None)


def success(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "structuredContent": {"result": text}, "isError": False}


def failure(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def complaint_about(message: Any) -> str:
    """As the recorded tool server put it."""
    shown = repr(message)
    kinds = ["JSONRPCRequest", "JSONRPCNotification", "JSONRPCResponse", "JSONRPCError"]
    return "Validation error: 4 validation errors for JSONRPCMessage" + "".join(
        f"\n{kind}\n  Input should be a valid dictionary or instance of {kind} [type=model_type, "
        f"input_value={shown[:25]}...{shown[-24:]}, input_type={type(message).__name__}]\n"
        "    For further information visit https://errors.pydantic.dev/2.14/v/model_type"
        for kind in kinds
    )


class Upstreams:
    """Where the agents and tool servers are."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.errand: dict[str, str] = {}  # the asking agent's: its runtime `token` and the proxy's `url`
        self.heard = asyncio.Event()  # set when an agent may break off
        bearer = ("authorization", f"Bearer {UPSTREAM_SECRET}")
        self.tool_servers = {
            "tools-json": ToolServer("Acme Bank", ("", ""), streams=False, keeps_sessions=False),
            "tools-bearer": ToolServer("Acme Bank", bearer, streams=False, keeps_sessions=False),
            "tools-sse": ToolServer("Acme Bank", ("x-api-key", UPSTREAM_KEY), streams=True, keeps_sessions=False),
            "tools-stateful": ToolServer("Acme Files", ("", ""), streams=True, keeps_sessions=True),
        }

    def app(self) -> ASGIApp:
        async def tools(request: Request) -> ASGIApp:
            return await self.tool_servers[request.path_params["server"]].handle(request)

        methods = ["GET", "POST", "DELETE"]
        app = Starlette(
            routes=[
                Route("/agents/{way}", agent, methods=["POST"]),
                Route("/{server}/mcp", tools, methods=methods),
            ]
        )
        app.state.errand = self.errand
        app.state.heard = self.heard
        return app


@asynccontextmanager
async def running_upstreams() -> AsyncIterator[Upstreams]:
    quiet_expected_endings()
    socket, url = listen_inside()
    upstreams = Upstreams(url)
    servers = Servers()
    await servers.start(upstreams.app(), socket)
    try:
        yield upstreams
    finally:
        await servers.stop()


# The tests.


@pytest.fixture(scope="module", params=["released", "guide"])
def shared(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with Embedded.start(dialect=request.param) as embedded:
        yield embedded


@pytest.fixture
def gateway(shared: Embedded) -> Embedded:
    shared.dial(reset=True)
    return shared


@pytest.fixture
async def upstreams() -> AsyncIterator[Upstreams]:
    async with running_upstreams() as running:
        yield running


class Person:
    """Somebody with a token."""

    def __init__(self, gateway: Embedded, client: aiohttp.ClientSession, email: str, password: str = "demo") -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {gateway.token(email, password)}", "Accept": BOTH_KINDS}

    async def asks(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.client.request(method, f"/api/v1{path}", json=body, headers=self.headers) as answer:
            return answer.status, json.loads(await answer.read() or b"null")

    async def gets(self, path: str) -> Any:
        return (await self.asks("GET", path))[1]

    async def posts(self, path: str, body: Any = None) -> Any:
        return (await self.asks("POST", path, body))[1]


@pytest.fixture
async def client(gateway: Embedded) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url) as session:
        yield session


@pytest.fixture
def ana(gateway: Embedded, client: aiohttp.ClientSession) -> Person:
    return Person(gateway, client, "user@example.com")


@pytest.fixture
def bo(gateway: Embedded, client: aiohttp.ClientSession) -> Person:
    return Person(gateway, client, "admin@example.com")


async def test_a_created_agent_is_called_with_its_secret_and_the_required_keys(
    bo: Person, ana: Person, upstreams: Upstreams, gateway: Embedded
) -> None:
    service = {"serviceType": "ledger", "name": "Ledger", "authType": "api_key"}
    provider = (await bo.posts("/credential-providers", service))["provider"]
    fields = {
        "name": "Clerk",
        "upstreamUrl": f"{upstreams.url}/agents/headers",
        "upstreamSecret": AGENT_SECRET,
        "requiredCredentials": [{"serviceType": "ledger"}],
    }
    created = await bo.posts("/admin/agents", fields)
    assert created["agent"]["requiredCredentials"] == '[{"serviceType":"ledger","description":""}]'
    invoke = f"/agents/{created['agent']['id']}/invoke"
    assert (await ana.posts(invoke, {}))["missing"] == ["ledger"]
    named = {"serviceType": "ledger"} if gateway.dialect == "released" else {"providerId": provider["id"]}
    assert (await ana.posts("/credentials/apikey", named | {"apiKey": "ledger-key-1"}))["success"]
    headers = dict((await ana.posts(invoke, {}))["data"]["headers"])
    assert headers["authorization"] == f"Bearer {AGENT_SECRET}"
    assert headers["x-credential-ledger"] == "ledger-key-1"


async def test_rules_open_a_created_tool_server_and_close_it_again(
    bo: Person, ana: Person, upstreams: Upstreams
) -> None:
    fields = {
        "name": "Bank",
        "pattern": "*",
        "endpoint": f"{upstreams.url}/tools-bearer/mcp",
        "authType": "bearer",
        "authSecret": UPSTREAM_SECRET,
    }
    bank = (await bo.posts("/admin/tool-providers", fields))["provider"]["id"]
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call["params"] = {"name": "read_balance", "arguments": {"account": "main"}}
    proxy = f"/mcp-proxy/{bank}/mcp"
    assert (await ana.posts(proxy, call))["code"] == "PROVIDER_ACCESS_DENIED"
    me = (await ana.gets("/auth/me"))["user"]["id"]
    rule = {"subjectType": "user", "subjectId": me, "providerId": bank, "action": "allow", "toolPattern": "read_*"}
    rule_id = (await bo.posts("/admin/provider-access", rule))["rule"]["id"]
    assert (await ana.posts(proxy, call))["result"]["isError"] is False
    assert [entry["status"] for entry in (await ana.gets("/audit/logs"))["data"]] == ["completed"]
    await bo.asks("PUT", f"/admin/provider-access/{rule_id}", {"action": "deny"})
    assert (await ana.posts(proxy, call))["message"] == "End-user explicitly denied"
    assert len(upstreams.tool_servers["tools-bearer"].calls) == 1


async def test_an_agents_new_runtime_token_works_at_the_proxy_and_the_old_one_does_not(
    bo: Person, upstreams: Upstreams, client: aiohttp.ClientSession
) -> None:
    created = await bo.posts("/admin/agents", {"name": "Clerk", "upstreamUrl": f"{upstreams.url}/agents/json"})
    agent_id, old = created["agent"]["id"], created["runtime_token"]
    new = (await bo.posts(f"/admin/agents/{agent_id}/regenerate-token"))["runtime_token"]
    fields = {"name": "Bank", "pattern": "*", "endpoint": f"{upstreams.url}/tools-json/mcp"}
    bank = (await bo.posts("/admin/tool-providers", fields))["provider"]["id"]
    rules = {"rules": [{"providerId": bank, "action": "allow"}]}
    assert (await bo.asks("PUT", f"/admin/provider-access/agent/{agent_id}", rules))[0] == 200
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    for token, status in [(old, 401), (new, 200)]:
        headers = {"Authorization": f"Bearer {token}", "Accept": BOTH_KINDS}
        async with client.post(f"/api/v1/mcp-proxy/{bank}/mcp", json=ping, headers=headers) as answer:
            assert answer.status == status


async def test_new_people_get_in_and_their_tokens_outlive_them(
    bo: Person, gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    account = {"email": "root@example.com", "password": "long enough", "roles": ["admin"]}
    created = (await bo.posts("/admin/users", account))["user"]
    assert created["tenantId"] is None
    root = Person(gateway, client, "root@example.com", "long enough")
    assert (await root.gets("/admin/users"))["count"] == 5
    await bo.asks("DELETE", f"/admin/users/{created['id']}")
    assert (await root.asks("GET", "/auth/me"))[0] == 404
    assert (await root.gets("/admin/users"))["count"] == 4


async def test_a_masked_secret_that_comes_back_is_kept(bo: Person) -> None:
    config = {"oauth2": {"authorizationUrl": "https://a.example/o", "tokenUrl": "https://a.example/t"}}
    config["oauth2"] |= {"clientId": "c", "clientSecret": "hush"}
    service = {"serviceType": "calendar", "name": "Calendar", "authType": "oauth2", "config": config}
    provider = (await bo.posts("/credential-providers", service))["provider"]
    assert provider["config"]["oauth2"]["clientSecret"] == "********"
    path = f"/credential-providers/{provider['id']}"
    updated = (await bo.asks("PUT", path, {"name": "Diary", "config": provider["config"]}))[1]["provider"]
    assert (updated["name"], updated["config"]) == ("Diary", provider["config"])
    await bo.asks("PUT", path, {"isActive": False})
    assert (await bo.asks("GET", "/credential-providers/by-service/calendar"))[0] == 404


@pytest.mark.parametrize("kept", ["confirmed", "rejected"])
async def test_answers_that_cross_both_count_and_the_first_one_decides(
    bo: Person, ana: Person, gateway: Embedded, kept: str
) -> None:
    base = "/confirmation" if gateway.dialect == "released" else "/confirmations"
    gateway.dial(race="last" if kept == "rejected" else True)
    item = gateway.dial(hold={"email": "user@example.com", "tool": "delete_file"})["id"]
    assert await ana.asks("POST", f"{base}/{item}/confirm") == (
        200,
        {"success": True, "message": "Request confirmed"},
    )
    assert (await bo.asks("POST", f"{base}/{item}/reject"))[0] == 200
    assert (await ana.gets(f"{base}/{item}"))["status"] == kept
    assert gateway.report()["ran"] == [item]
    assert "confirmation_token" in await ana.posts(f"{base}/{item}/confirm")


async def test_an_emptied_gateway_holds_one_admin_and_is_furnished_again_by_a_reset(
    gateway: Embedded, client: aiohttp.ClientSession
) -> None:
    gateway.dial(empty=True)
    admin = Person(gateway, client, "admin@example.com")
    assert (await admin.gets("/admin/users"))["count"] == 1
    assert (await admin.gets("/admin/agents"))["agents"] == []
    gateway.dial(reset=True)
    assert (await Person(gateway, client, "admin@example.com").gets("/admin/users"))["count"] == 4
