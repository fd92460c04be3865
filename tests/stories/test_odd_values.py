"""Whatever a gateway, an agent or a client writes, PostgreSQL keeps it, or it is shortened or passed over by itself.

PostgreSQL refuses what SQLite takes: a NUL, half a surrogate pair, more characters or digits than a column has.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from django.apps import apps
from django.conf import settings
from django.db import models

from accounts.drafts import LONGEST_PAGE, page_key
from config.bodies import STRANGERS
from embedded import ids
from gateway import deep
from tests.embedded import Embedded
from tests.portico import OFFERED, ROOT, Portico, Visitor, wait_until_up
from tests.servers import postgres_server
from tests.stories.approving import ANA, BO, held, words
from tests.stories.following import plain, run_of, watched

NUL, HALF, LONG, ASTRAL = "a\0b", "a\ud800b", "x" * 5000, "\U0001f600" * 450
TEXTS = [NUL, HALF, LONG, ASTRAL]
LOTS = 1_000_000


@pytest.fixture(scope="module")
def upstream() -> Iterator[Embedded]:
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd") / "log"


@pytest.fixture(scope="module")
def front(upstream: Embedded, log: Path) -> Iterator[Portico]:
    """With a PostgreSQL, and its log in a file."""
    with postgres_server() as address, log.open("wb") as lines:
        portico = Portico(upstream.url, DATABASE_URL=address, GATEWAY_AGENTS=",".join(OFFERED))
        command = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(command, cwd=ROOT, env=portico.environment, check=True)
        command = [sys.executable, "-m", "config.serve", "--port", str(portico.port)]
        portico.process = subprocess.Popen(command, cwd=ROOT, env=portico.environment, stderr=lines)
        wait_until_up(portico.url, portico.process)
        yield portico
        portico.close()


@pytest.fixture(autouse=True)
def nothing_broke(upstream: Embedded, log: Path) -> Iterator[None]:
    before = log.stat().st_size if log.exists() else 0
    yield
    upstream.dial(fail=None)
    written = log.read_bytes()[before:].decode() if log.exists() else ""
    assert "Traceback" not in written and "DataError" not in written, written[-3000:]


@pytest.fixture
def bo(front: Portico) -> Iterator[Visitor]:
    visitor = Visitor(front)
    visitor.signs_in(BO)
    yield visitor
    visitor.session.close()


def reads(upstream: Embedded, path: str, who: str = BO) -> Any:
    headers = {"Authorization": f"Bearer {upstream.token(who)}"}
    return requests.get(f"{upstream.url}/api/v1/{path}", headers=headers, timeout=5).json()


def says(upstream: Embedded, path: str, body: Any, method: str = "GET", **more: Any) -> None:
    failure = {"path": f"/api/v1/{path}", "method": method, "status": 200, "body": body, "times": LOTS}
    upstream.dial(fail={**failure, **more})


@pytest.mark.parametrize("odd", TEXTS, ids=lambda odd: repr(odd[:5]))
def test_a_call_with_odd_words_is_answered(upstream: Embedded, bo: Visitor, odd: str) -> None:
    call = held(upstream, ANA, "delete_file", agent="File manager", path="/odd.txt")
    told = reads(upstream, "stream/pending")
    row = next(row for row in told["data"] if row["id"] == call)
    row["tool"] |= {"name": odd, "description": odd, "inputSchema": {odd: odd}}
    row["tool"]["provider"] = {"id": "files", "name": odd}
    row |= {"agent": {"id": "an-agent", "name": odd}, "arguments": {odd: [odd, 10**400, 2**64]}}
    says(upstream, "stream/pending", {**told, "data": [row]})
    for step in ("claim", "confirm"):
        assert bo.posts(f"/confirmations/{call}/{step}/", reason="odd" + odd[0]).status_code in (200, 400)
    bo.posts(f"/confirmations/{call}/reject/", reason="no")
    assert upstream.report()["answers"][call] in ("reject", "confirm")
    assert bo.gets("/confirmations/history/").status_code == 200


@pytest.mark.parametrize("place", [("id",), ("agent", "id"), ("user", "endUserId"), ("tenantId",)], ids=".".join)
def test_a_call_with_an_odd_id_is_passed_over_by_itself(
    upstream: Embedded, bo: Visitor, place: tuple[str, ...]
) -> None:
    call = held(upstream, ANA, "delete_file", agent="File manager", path="/whole.txt")
    told = reads(upstream, "stream/pending")
    rows = []
    for odd in (NUL, HALF, LONG):
        row = json.loads(json.dumps(next(row for row in told["data"] if row["id"] == call)))
        row["id"] += "-odd"
        (row[place[0]] if len(place) > 1 else row)[place[-1]] = odd
        rows.append(row)
    says(upstream, "stream/pending", {**told, "data": [*rows, *told["data"]]})
    desk = bo.reads("/confirmations/")
    assert "3 requests could not be read." in words(desk) and f'data-confirmation="{call}"' in desk


def test_whoever_has_an_odd_name_comes_in_or_is_told(upstream: Embedded, front: Portico) -> None:
    address = f"{upstream.url}/api/v1/auth/login"
    whole = requests.post(address, json={"email": ANA, "password": "demo"}, timeout=5).json()
    for odd in TEXTS:
        for changed in ({"name": odd, "email": odd, "roles": [odd, 10**400]}, {"id": odd}, {"tenantId": odd}):
            upstream.dial(fail=None)
            says(upstream, "auth/login", {**whole, "user": {**whole["user"], **changed}}, method="POST")
            visitor = Visitor(front)
            answer = visitor.signs_in(ANA)
            assert answer.status_code == 200 if "name" in changed else answer.status_code in (200, 502)
            visitor.session.close()


def test_an_agent_with_an_odd_name_is_talked_to(upstream: Embedded, bo: Visitor) -> None:
    agent = reads(upstream, f"agents/{ids.ECHO}")
    for odd in TEXTS:
        upstream.dial(fail=None)
        says(upstream, f"agents/{ids.ECHO}", {**agent, "name": odd, "description": odd})
        answer = bo.posts(f"/agents/{ids.ECHO}/", message="hello")
        assert answer.status_code == 200 and "/conversations/" in answer.url
    assert bo.gets("/conversations/").status_code == 200


SPOKEN = '{"type":"TEXT_MESSAGE_CONTENT","messageId":"m","delta":"kept all the same"}'
EVENTS = [
    '{"type":"TOOL_CALL_START","toolCallId":%s,"toolCallName":%s}',
    '{"type":"CUSTOM","name":%s,"value":%s}',
    '{"type":"RAW","event":{"a":%s},"source":%s}',
    '{"type":"STATE_SNAPSHOT","snapshot":{"a":%s,"b":%s}}',
    '{"type":"ACTIVITY_SNAPSHOT","messageId":%s,"activityType":"a","content":{"a":%s}}',
    '{"type":"STEP_STARTED","stepName":%s,"timestamp":%s}',
    '{"type":"TEXT_MESSAGE_START","messageId":%s,"role":"assistant","timestamp":%s}',
]
VALUES = [
    *(r'"a\u0000b"', r'"a\ud800b"', '"' + "x" * 5000 + '"', "1e999", "NaN", "9" * 400, "-" + "9" * 30, "1e-400"),
    *("99999999999999999999", '"99999-01-01"', "null", "[[[]]]", r'{"\u0000":1}', r'{"\ud800":1}'),
]
ENDS = [
    '{"type":"RUN_FINISHED","threadId":"t","runId":"r"}',
    r'{"type":"RUN_ERROR","message":"a\u0000\ud800b","code":"c"}',
]


@pytest.mark.parametrize("end", ENDS, ids=["finished", "failed"])
def test_an_answer_with_odd_values_is_kept(upstream: Embedded, bo: Visitor, end: str) -> None:
    told = [
        '{"type":"RUN_STARTED","threadId":"t","runId":"r"}',
        '{"type":"TEXT_MESSAGE_START","messageId":"m","role":"assistant"}',
        SPOKEN,
        '{"type":"TEXT_MESSAGE_END","messageId":"m"}',
        *(event % (value, value) for event in EVENTS for value in VALUES),
        end,
    ]
    body = "".join(f"data: {line}\n\n" for line in told)
    path = f"agents/{ids.ECHO}/invoke"
    says(upstream, path, body, method="POST", content_type="text/event-stream")
    page = bo.posts(f"/agents/{ids.ECHO}/", message="hello")
    watched(bo, run_of(page.text))
    assert "kept all the same" in words(bo.reads(page.url))
    assert bo.gets("/conversations/?q=kept").status_code == 200
    assert bo.gets("/conversations/export.json").status_code == 200


ORDERED = '{"zeta":1,"al":{"street":-0.0,"no":1e+16},"b":[]}'  # shorter keys come first, where a database sorts them
SHARED = [
    f'{{"type":"STATE_SNAPSHOT","snapshot":{ORDERED}}}',
    f'{{"type":"ACTIVITY_SNAPSHOT","messageId":"p","activityType":"PLAN","content":{ORDERED}}}',
    f'{{"type":"CUSTOM","name":"mood","value":{ORDERED}}}',
    f'{{"type":"SUBAGENT_FINISHED","subagentRunId":"s","result":{ORDERED}}}',
]


def test_values_and_forms_are_read_back_in_the_order_in_which_they_were_written(
    upstream: Embedded, bo: Visitor
) -> None:
    fields = {name: {"type": "string", "title": name.title()} for name in ("street", "zip", "a")}
    ask = {"id": "i", "reason": "form", "responseSchema": {"type": "object", "properties": fields}}
    end = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r", "outcome": {"type": "interrupt", "interrupts": [ask]}}
    told = ['{"type":"RUN_STARTED","threadId":"t","runId":"r"}', *SHARED, json.dumps(end)]
    body = "".join(f"data: {line}\n\n" for line in told)
    says(upstream, f"agents/{ids.ECHO}/invoke", body, method="POST", content_type="text/event-stream")
    page = bo.posts(f"/agents/{ids.ECHO}/", message="hello")
    live, status = watched(bo, run_of(page.text))
    assert status == "asking"
    shown = plain(deep.dumps(deep.loads(ORDERED), indent=2))
    for seen in (live, plain(bo.reads(page.url))):
        assert seen.count(shown) == len(SHARED)
        assert seen.index("Street") < seen.index("Zip") < seen.rindex("A")
    saved = bo.gets(page.url.removeprefix(bo.portico.url) + "export.json").text
    assert ORDERED in saved.replace(" ", "")


PAGES = (
    *("/agents/{}/", "/agents/{}/draft/", "/confirmations/{}/", "/confirmations/{}/row/", "/confirmations/{}/compare/"),
    *("/confirmations/{}/arguments.json", "/conversations/?q={}", "/conversations/?page={}", "/login/?next={}"),
    "/confirmations/history/?tool={0}&who={0}&agent={0}&from={0}&to={0}&page={0}&outcome={0}&risk={0}",
    *("/confirmations/?tool={0}&agent={0}&risk={0}", "/confirmations/decisions.csv?who={0}&from={0}"),
    *("/confirmations/sending/?of={}", "/confirmations/bulk/?item={0}:{0}", "/auth/connect?service={0}&state={0}"),
    *("/credentials/connect/{}/", "/credentials/services/{}/", "/credentials/callback/?state={0}&code={0}"),
)
FIELDS_OF_FORMS = (
    *("message", "reason", "title", "key", "replaces", "tool_name", "seen", "item", "only", "call", "of", "secret"),
    *("name", "email", "current", "new", "again", "description", "kind", "take_over", "pinned", "more"),
)
FORMS = (
    *("/agents/{}/", "/agents/{}/draft/", "/credentials/connect/{}/", "/credentials/{}/delete/"),
    *("/confirmations/{}/confirm/", "/confirmations/{}/reject/", "/confirmations/{}/cancel/"),
    *(
        "/confirmations/{}/claim/",
        "/confirmations/{}/release/",
        "/confirmations/bulk/",
        "/confirmations/sending/cancel/",
    ),
    *("/profile/", "/profile/password/", "/credentials/services/new/", "/logout/"),
)


@pytest.mark.parametrize("odd", [NUL, ASTRAL, "9" * 400], ids=["NUL", "long", "number"])
def test_no_odd_word_of_a_client_breaks_a_page(upstream: Embedded, front: Portico, odd: str) -> None:
    visitor = Visitor(front)
    visitor.signs_in("operator@example.com")
    call = held(upstream, "operator@example.com", "read_file", path="x")
    talk = visitor.posts(f"/agents/{ids.ECHO}/", message="hello").url.removeprefix(front.url)
    written = quote(odd, safe="", errors="surrogatepass")[:6000]
    queries = (f"{talk}?{name}={written}" for name in ("before", "after", "at", "version", "edit"))
    for path in (*(page.format(written) for page in PAGES), *queries):
        assert visitor.gets(path, allow_redirects=False).status_code < 500, path[:80]
    sent = odd.encode(errors="surrogatepass")
    fields = dict.fromkeys(FIELDS_OF_FORMS, sent)
    own = [f"{talk}{what}/" for what in ("messages", "draft", "rename", "pin")]
    own += [f"/confirmations/{call}/{what}/" for what in ("claim", "release", "confirm", "reject")]
    for path in (*own, *(form.format(written) for form in FORMS)):
        for more in ({"ask": "first", "answer": "reject", "item": sent + b":" + b"0" * 64}, {"seen": "", "key": ""}):
            answer = visitor.session.post(
                front.url + path,
                data={"csrfmiddlewaretoken": visitor.csrf_token(), **fields, **more},
                headers={"Referer": front.url + talk},
                timeout=30,
                allow_redirects=False,
            )
            assert answer.status_code < 500, (path[:80], more)
    visitor.session.close()


@pytest.mark.parametrize("key", [r"aaaaaaaa\000aaaaaaaa", r"\000" * 32, r"\377\200" * 16, "a" * 60_000, "';--" * 8])
def test_a_cookie_of_no_session_is_nobodys(front: Portico, key: str) -> None:
    headers = {"Cookie": f'{settings.SESSION_COOKIE_NAME}="{key}"', "Content-Type": "application/x-www-form-urlencoded"}
    nowhere = "runs/00000000-0000-0000-0000-000000000000/events/"
    for path, status in (("login/", 200), ("agents/", 302), (nowhere, 401)):
        answer = requests.get(f"{front.url}/{path}", headers=headers, timeout=10, allow_redirects=False)
        assert answer.status_code == status, path
    assert requests.post(f"{front.url}/login/", b"x" * 2 * STRANGERS, headers=headers, timeout=10).status_code == 413


def test_long_paths_that_begin_alike_have_a_draft_each() -> None:
    keys = {page_key("/agents/" + "%F0%9F%98%80" * 100 + end) for end in ("a/", "b/", "c" * 900)}
    assert len(keys) == 3 and all(len(key) <= LONGEST_PAGE for key in keys)
    assert page_key("/conversations/1/?edit=2") == "/conversations/1/?edit=2"


HELD = {
    "accounts": "User.gateway_id User.tenant User.email User.name User.roles Draft.page Draft.text",
    "agents": "KnownAgent.agent_id Conversation.agent_id Conversation.agent_name Conversation.title Message.text "
    "Run.problem Run.detail Run.parts Run.interrupts Run.resume Increment.changes "
    "Approval.confirmation_id Approval.step Approval.tool Approval.agent_id Approval.who Approval.who_name "
    "Approval.reason Approval.note SearchText.text SearchText.words",
    "confirmations": "Decision.confirmation_id Decision.who Decision.tool Decision.agent_id Decision.agent_name "
    "Decision.end_user Decision.end_user_name Decision.tenant Decision.provider_id Decision.provider_name "
    "Decision.who_name Decision.reason Decision.said Decision.outcome Answering.confirmation_id Answering.reason "
    "Answering.call Hold.confirmation_id Hold.tool Hold.why Hold.reason Hold.call Claim.confirmation_id "
    "FirstApproval.confirmation_id",
    "credentials": "SwitchedOff.service_id SwitchedOff.tenant",
}
"""The columns into which words of a gateway or a client get: an id of 200 characters at most, or cut, or any text."""

OURS = frozenset(
    {
        *("gateway", "hash", "before", "shown", "seen", "arguments_hash", "session", "state", "process", "place"),
        *("born", "id", "kind", "status", "subject", "password", "field", "risk"),
    }
)
"""What Portico alone writes: marks, hashes and choices."""


def test_of_each_column_it_is_known_who_writes_it() -> None:
    known = {f"{room}.{name}" for room, names in HELD.items() for name in names.split()}
    columns = {
        f"{room}.{model.__name__}.{field.name}"
        for room in HELD
        for model in apps.get_app_config(room).get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.CharField | models.TextField | models.JSONField)
    }
    assert known <= columns
    assert {name for name in columns - known if name.rpartition(".")[2] not in OURS} == set()
