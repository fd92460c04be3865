"""What can be proved afterwards: the chain of decisions, the history, and the files that one takes away."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import call_command
from django.utils import timezone

from accounts.models import User
from confirmations.history import Entry, difference
from confirmations.items import Names, State
from confirmations.models import Answering, ChainHead, Decision
from confirmations.record import Evidence, Kind, record
from confirmations.turns import alone
from gateway import Confirmation, Person
from tests.embedded import Embedded
from tests.portico import OFFERED, ROOT, Portico, Visitor
from tests.servers import postgres_server
from tests.stories.approving import ANA, BO, GIL, OLU, held, resolved_elsewhere, words

Arriving = Callable[[str], Visitor]
Verified = Callable[..., tuple[str, int]]

HISTORY = "/confirmations/history/"


# The chain


@pytest.fixture
def bea(db: None) -> User:
    return User.objects.refresh("http://gateway.example", Person("u1", "bea@example.com", "Bea", "acme", ()))


@pytest.fixture
def chain(bea: User) -> list[Decision]:
    return [decide(bea, number) for number in range(1, 8)]


def decide(user: User, number: int, **facts: Any) -> Decision:
    call = Evidence(f"call-{number}", "delete_file", "a" * 64, "high", "agt_1", "Files", "u1", "acme")
    given: dict[str, Any] = {"approve": True, "reason": "fine", "kind": Kind.APPROVED, "outcome": "approved"} | facts
    return record(user, call, **given)


@pytest.fixture
def verified(capsys: pytest.CaptureFixture[str]) -> Verified:
    """What `manage.py verify_decisions` says, and its exit code."""

    def run(*options: str) -> tuple[str, int]:
        code = 0
        try:
            call_command("verify_decisions", *options)
        except SystemExit as ended:
            code = int(ended.code or 0)
        return capsys.readouterr().out, code

    return run


def test_a_whole_chain_is_said_to_be_whole_with_its_count_and_head(chain: list[Decision], verified: Verified) -> None:
    said, code = verified()
    assert code == 0 and "The chain is whole." in said
    assert "Count: 7" in said and f"Head: {chain[-1].hash}" in said
    assert verified("--head", chain[3].hash)[1] == 0  # it has only grown since
    assert verified("--head", chain[3].hash, "--count", "4")[1] == 0
    said, code = verified("--head", chain[3].hash, "--count", "5")
    assert code == 1 and "is that of number 4, not of number 5" in said


def test_a_decision_is_never_changed_or_deleted_and_outlives_the_row_of_whoever_made_it(
    chain: list[Decision], bea: User, verified: Verified
) -> None:
    with pytest.raises(TypeError, match="never changed"):
        chain[0].save()
    with pytest.raises(TypeError, match="never deleted"):
        chain[0].delete()
    bea.delete()
    kept = Decision.objects.get(number=1)
    assert (kept.user, kept.who, kept.who_name) == (None, "u1", "Bea (bea@example.com)")
    assert verified()[1] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason", "not at all"),
        ("approve", False),
        ("who", "u2"),
        ("ran", True),
        ("arguments_hash", "b" * 64),
        ("hash", "0" * 64),
    ],
)
def test_a_changed_field_shows(chain: list[Decision], verified: Verified, field: str, value: object) -> None:
    Decision.objects.filter(number=3).update(**{field: value})
    said, code = verified()
    assert code == 1 and "BROKEN: Number 3 was changed" in said and "Count: 2" in said


def test_a_field_changed_together_with_its_hash_shows_in_the_next_decision(
    chain: list[Decision], verified: Verified
) -> None:
    forge(chain[2], reason="quite another")
    said, code = verified()
    assert code == 1 and "Number 4 does not follow number 3: number 3 was changed after it, or replaced." in said


def forge(decision: Decision, **facts: Any) -> None:
    """With a hash that fits, as somebody who has read the README would."""
    from confirmations.chain import FACTS, LATER_FACTS, sealed  # noqa: PLC0415

    told = {name: getattr(decision, name) for name in (*FACTS, *LATER_FACTS)} | facts
    Decision.objects.filter(pk=decision.pk).update(**facts, hash=sealed(told))


def test_a_deleted_row_shows_even_when_the_others_close_up(chain: list[Decision], verified: Verified) -> None:
    Decision.objects.filter(number=3).delete()
    assert "BROKEN: Number 3 is missing." in verified()[0]
    Decision.objects.filter(number=4).delete()
    assert "BROKEN: Numbers 3 to 4 are missing." in verified()[0]
    for number in (5, 6, 7):
        Decision.objects.filter(number=number).update(number=number - 2)
    said, code = verified()
    assert code == 1 and "Number 3 neither follows number 2 nor fits its own hash" in said


def test_an_inserted_row_shows(chain: list[Decision], verified: Verified) -> None:
    for number in (7, 6, 5, 4):
        Decision.objects.filter(number=number).update(number=number + 1)
    third = Decision.objects.get(number=3)
    Decision.objects.bulk_create([copy_of(third, number=4, before=third.before, reason="slipped in")])
    assert "Numbers 3 and 4 both follow the one before them" in verified()[0]
    Decision.objects.filter(number=4).update(before=third.hash)
    said, code = verified()
    assert code == 1 and "Numbers 4 and 5 both follow number 3: one of the two was inserted." in said


def copy_of(decision: Decision, **facts: Any) -> Decision:
    names = {field.attname for field in Decision._meta.concrete_fields} - {"id"}
    return Decision(**{name: getattr(decision, name) for name in names} | facts)


def test_swapped_rows_show(chain: list[Decision], verified: Verified) -> None:
    for old, new in ((3, 100), (5, 3), (100, 5)):
        Decision.objects.filter(number=old).update(number=new)
    said, code = verified()
    assert code == 1 and "Number 3 does not follow number 2, but number 5 does: the order was changed" in said


def test_a_cut_tail_shows_against_the_head(chain: list[Decision], verified: Verified) -> None:
    Decision.objects.filter(number__gt=5).delete()
    said, code = verified()
    assert code == 1 and "Number 7 was written last, but the chain ends at number 5: its end was cut." in said
    ChainHead.objects.update(number=5, hash=chain[4].hash)  # whoever cut it made that fit too
    assert verified()[1] == 0
    said, code = verified("--head", chain[6].hash)
    assert code == 1 and "The noted head is not in the chain: its end was cut" in said
    assert "7 decisions were noted, but the chain ends at number 5" in verified("--count", "7")[0]


def test_a_row_past_the_head_shows(chain: list[Decision], verified: Verified) -> None:
    last = chain[-1]
    Decision.objects.bulk_create([copy_of(last, number=8, before=last.hash)])
    forge(Decision.objects.get(number=8), reason="never decided")
    said, code = verified()
    assert code == 1 and "Number 8 stands past the head of the chain, which is number 7: it was inserted." in said


def test_what_a_database_cannot_keep_is_kept_readable(bea: User, verified: Verified) -> None:
    decide(bea, 1, reason="half a pair \ud800 and a \0 nul")
    assert Decision.objects.get().reason == "half a pair ? and a \ufffd nul"
    assert verified()[1] == 0


@pytest.mark.parametrize(
    ("state", "recorded"),
    [("rejected", "a rejection"), ("stopped", "a stop"), ("timed_out", "that nobody answered")],
)
def test_a_record_that_tells_of_another_end_is_named_for_what_it_is(bea: User, state: State, recorded: str) -> None:
    approval = Decision(kind=Kind.APPROVED, approve=True, user=bea, who=bea.gateway_id)
    call = Confirmation("call-1", "delete_file", {}, "high", timezone.now(), "u2")
    entry = Entry(call.id, call.asked_at, call, state, [approval])
    assert f"Portico sent an approval and the gateway recorded {recorded}:" in difference(entry, Names())


@pytest.mark.django_db
def test_whoever_was_taken_for_dead_ends_no_turn_but_their_own() -> None:
    with alone("http://gateway.example", "call-1"):
        Answering.objects.all().delete()  # it took too long
        Answering.objects.create(gateway="http://gateway.example", confirmation_id="call-1", since=timezone.now())
    assert Answering.objects.count() == 1


@contextmanager
def sqlite_file(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder}/db.sqlite3"


@contextmanager
def postgres(_: Path) -> Iterator[str]:
    with postgres_server() as address:
        yield address


SETS_UP = """
import sys, threading
import django
django.setup()
from accounts.models import User
from confirmations.record import Evidence, Kind, record
from django.core.management import call_command
from django.db import connection

def decide():
    call = Evidence("call", "delete_file", "a" * 64, "high", "", "", "u1", "acme")
    record(User.objects.get(), call, approve=True, reason="", kind=Kind.APPROVED, outcome="approved")
    connection.close()

def step(done):
    print(done, flush=True)
    sys.stdin.readline()
"""
APPENDS = """
step("ready")
threads = [threading.Thread(target=decide) for _ in range(10)]
for thread in threads: thread.start()
for thread in threads: thread.join()
step("appended")
"""
MIGRATES = """
call_command("migrate", "confirmations", "0002", verbosity=0)
call_command("migrate", "accounts", "0001", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("INSERT INTO accounts_user (password, subject, gateway, gateway_id, email, name, tenant, roles)"
                   " VALUES ('', 's', 'http://g', 'u1', 'bea@example.com', 'Bea', 'acme', '[]')")
    for _ in range(2):
        cursor.execute("INSERT INTO confirmations_decision (gateway, confirmation_id, tool, arguments, risk, agent_id,"
                       " agent_name, end_user, tenant, user_id, at, approve, reason, outcome, ran)"
                       " SELECT 'http://g', 'old', 'delete_file', 'a', 'high', '', '', 'u1', 'acme', id,"
                       " '2020-01-02 03:04:05.000600+00:00', true, '', 'approved', false FROM accounts_user")
call_command("migrate", verbosity=0)
"""
TELLS = """
call_command("export_decisions", "jsonl", "--to", "2020-01-02")
call_command("verify_decisions")
"""


@pytest.mark.parametrize("database", [sqlite_file, postgres])
def test_old_decisions_begin_the_chain_and_two_processes_do_not_fork_it(database: Any, tmp_path: Path) -> None:
    with database(tmp_path) as address:
        environment = os.environ | {"DATABASE_URL": address, "DEBUG": "1", "DJANGO_SETTINGS_MODULE": "config.settings"}
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", "".join(script)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for script in ((SETS_UP, MIGRATES, APPENDS, TELLS), (SETS_UP, APPENDS))
        ]
        for step in ("ready", "appended"):
            for process in processes:
                assert process.stdout and process.stdout.readline() == f"{step}\n"
            for process in processes:
                assert process.stdin
                process.stdin.write("go on\n")
                process.stdin.flush()
        told = [process.communicate(timeout=60)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
    assert "Count: 22" in told[0] and "The chain is whole." in told[0]
    first = json.loads(told[0].splitlines()[0])
    assert first["number"] == 1 and first["at"] == "2020-01-02T03:04:05.000600+00:00"
    assert (first["who"], first["who_name"], first["kind"]) == ("u1", "Bea", "nothing ran")


# The history


@pytest.fixture
def bo(visitor: Arriving) -> Visitor:
    """The admin of Ana's organisation."""
    return visitor(BO)


def entry(page: str, call: str) -> str:
    """What one reads of a call on the history page; empty when it is not there."""
    rows = [row for row in re.findall(r"<tr>.*?</tr>", page, re.S) if f"/confirmations/{call}/" in row]
    return words(rows[0]) if rows else ""


def test_the_history_shows_what_either_side_knows_and_where_they_differ(
    ana: Visitor, bo: Visitor, gateway: Embedded
) -> None:
    ours = held(gateway, ANA, "delete_file", "high", "File manager", path="ours")
    bo.posts(f"/confirmations/{ours}/confirm/", reason="on the phone")
    late = ana.posts(f"/confirmations/{ours}/reject/", reason="oh no")
    assert "already resolved" in words(late.text)
    theirs = held(gateway, ANA, "send_mail", agent="File manager")
    resolved_elsewhere(gateway, BO, theirs, "reject", reason="by another program")
    gone = held(gateway, ANA, "lose_file", agent="File manager")
    gateway.dial(forget_holds=True)
    open_call = held(gateway, ANA, "read_file", "low")

    page = bo.reads(HISTORY)
    told = entry(page, ours)
    assert "delete_file" in told and "High risk" in told and "File manager, for Ana Lima" in told
    assert "Approved by you: on the phone" in told and "You approved: on the phone" in told
    assert (
        "Ana Lima (user@example.com), who asked for it, wanted to reject: oh no Already resolved: Approved by Bo Adler"
        in told
    )
    assert "cannot be sure" not in told and "outside" not in told
    assert "Rejected by you: by another program" in entry(page, theirs)
    assert "Nothing recorded Answered outside Portico." in entry(page, theirs)
    assert "Lost by the gateway" in entry(page, gone)
    assert "Waiting for an answer" in entry(page, open_call)
    positions = [page.index(f"/confirmations/{call}/") for call in (open_call, gone, theirs, ours)]
    assert positions == sorted(positions)  # newest first
    assert "Approved by Bo Adler (admin@example.com): on the phone" in entry(ana.reads(HISTORY), ours)


@pytest.fixture
def crossing(gateway: Embedded) -> Iterator[None]:
    """Two answers of one second are both taken, and the later one is written down."""
    gateway.dial(race="last")
    yield
    gateway.dial(race="")


def test_an_approval_that_the_gateway_wrote_down_as_a_rejection_is_said_to_be_unsure(
    ana: Visitor, bo: Visitor, gateway: Embedded, crossing: None
) -> None:
    for _ in range(5):
        call = held(gateway, ANA, "pay_invoice")
        bo.posts(f"/confirmations/{call}/confirm/")
        try:
            resolved_elsewhere(gateway, ANA, call, "reject", reason="no")
            break
        except requests.HTTPError:  # too late: more than a second had passed
            continue
    told = entry(bo.reads(HISTORY), call)
    assert "Rejected by Ana Lima (user@example.com), who asked for it: no" in told and "You approved" in told
    assert "Portico sent an approval and the gateway recorded a rejection" in told and "cannot be sure" in told
    assert call in bo.reads(f"{HISTORY}?state=differs")
    for who in (ana, bo):
        page = words(who.reads(f"/confirmations/{call}/"))
        assert "Cannot be sure: the gateway took Bo Adler (admin@example.com)'s approval and another answer" in page
        assert "its record says “Rejected by Ana Lima (user@example.com), who asked for it: no”" in page


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Embedded, Portico]]:
    """A gateway and a Portico of this file, where many calls are in nobody's way."""
    with Embedded.start() as gateway:
        portico = Portico(gateway.url, GATEWAY_AGENTS=",".join(OFFERED)).start()
        yield gateway, portico
        portico.close()


@pytest.fixture
def arrives(house: tuple[Embedded, Portico]) -> Iterator[Arriving]:
    come: list[Visitor] = []

    def arrive(email: str) -> Visitor:
        come.append(Visitor(house[1]))
        come[-1].signs_in(email)
        return come[-1]

    yield arrive
    for one in come:
        one.session.close()
    house[0].dial(reset=True)


def test_filters_are_in_the_address_and_pages_are_links(house: tuple[Embedded, Portico], arrives: Arriving) -> None:
    gateway, ana, bo = house[0], arrives(ANA), arrives(BO)
    first = held(gateway, ANA, "paged_tool", "low", "File manager")
    for _ in range(51):
        last = held(gateway, ANA, "paged_tool", "low", "File manager")
    page = bo.reads(f"{HISTORY}?tool=PAGED&risk=low")
    assert last in page and first not in page and page.count("<tr>") == 51  # with the head of the table
    older = re.search(r'rel="next" href="(.+?)"', page)
    assert older and "tool=PAGED" in older[1] and "risk=low" in older[1]
    page = bo.reads(HISTORY + older[1].replace("&amp;", "&"))
    assert first in page and last not in page and 'rel="prev"' in page and 'rel="next"' not in page

    ana.posts(f"/confirmations/{first}/reject/", reason="paged out")

    def finds(query: str) -> bool:
        return bool(entry(bo.reads(f"{HISTORY}?tool=paged_tool&state=rejected&{query}"), first))

    for query in (
        "risk=low",
        "who=ana",
        "agent=file man",
        "decision=reject",
        "outcome=rejected",
        "from=2020-01-02",
    ):
        assert finds(query), query
    for query in ("risk=high", "who=bo", "agent=nobody", "decision=approve", "outcome=failed", "to=2020-01-02"):
        assert not finds(query), query
    page = bo.reads(f"{HISTORY}?from=yesterday&risk=huge&page=none")
    assert "Enter a valid date" in page and "Select a valid choice" in page


def test_without_the_gateway_the_history_is_porticos_record_and_what_only_that_knows_is_said(
    house: tuple[Embedded, Portico], arrives: Arriving
) -> None:
    gateway, bo = house[0], arrives(BO)
    call = held(gateway, ANA, "delete_file", agent="File manager")
    bo.posts(f"/confirmations/{call}/reject/", reason="too broad")
    port = gateway.port
    gateway.kill()
    page = bo.reads(f"{HISTORY}?state=waiting")
    assert "The gateway cannot be reached right now" in words(page) and "Portico's record alone" in words(page)
    assert "Not asked" in entry(page, call) and "You rejected: too broad" in entry(page, call)
    assert "No call of the history" not in words(bo.reads(f"{HISTORY}?agent=nobody"))  # who knows?
    gateway.launch(port)  # its memory is gone
    page = bo.reads(f"{HISTORY}?state=unlisted")
    assert "Not listed: only Portico knows of this call" in entry(page, call)
    assert call not in bo.reads(f"{HISTORY}?state=rejected")


def test_what_the_gateway_lists_no_more_is_asked_for_by_itself(
    house: tuple[Embedded, Portico], arrives: Arriving
) -> None:
    gateway, bo = house[0], arrives(BO)
    call = held(gateway, ANA, "old_tool", agent="File manager")
    bo.posts(f"/confirmations/{call}/reject/", reason="long ago")
    assert "gateway lists its newest" not in words(bo.reads(HISTORY))
    for _ in range(100):
        held(gateway, ANA, "newer_tool", "low")
    page = bo.reads(f"{HISTORY}?tool=old_tool")
    assert "The gateway lists its newest 100 calls" in words(page)
    told = entry(page, call)
    assert "Rejected by you: long ago" in told and "You rejected: long ago" in told
    assert "only Portico knows" not in told


FILES = (f"{HISTORY}decisions.jsonl", f"{HISTORY}decisions.csv")


def test_history_and_files_are_shut_for_whom_the_gateway_would_not_let_see_them(
    house: tuple[Embedded, Portico], arrives: Arriving
) -> None:
    gateway, ana, bo = house[0], arrives(ANA), arrives(BO)
    call = held(gateway, ANA, "secret_tool", "critical", "File manager", path="private")
    bo.posts(f"/confirmations/{call}/reject/", reason="secret reason")
    own = held(gateway, OLU, "own_tool")
    olu = arrives(OLU)  # an admin in name, of nothing here
    olu.posts(f"/confirmations/{own}/reject/", reason="own reason")
    gateway.dial(person={"email": GIL, "roles": ["admin"]})
    mallory = arrives(GIL)  # the admin of another tenant
    gateway.dial(person={"email": BO, "tenantId": None})
    nobodys = arrives(BO)  # an admin of none
    for page in (HISTORY, *FILES):
        for insider in (ana, bo):
            assert "secret_tool" in insider.reads(page) and "secret reason" in insider.reads(page)
        for outsider in (olu, mallory, nobodys):
            assert "secret" not in outsider.reads(page) and call not in outsider.reads(page)
        assert "own reason" in olu.reads(page) and "own reason" not in ana.reads(page)
    assert "You see only what you asked for yourself" in words(olu.reads(HISTORY))
    assert "You have no tenant: the gateway lets you answer what people without one asked for" in words(
        nobodys.reads(HISTORY)
    )
    bo.posts("/logout/")
    for page in (HISTORY, *FILES):
        assert "/login/" in bo.gets(page).url


# The files


def test_an_export_can_be_verified_by_others_and_is_safe_in_a_spreadsheet(
    house: tuple[Embedded, Portico], arrives: Arriving, tmp_path: Path
) -> None:
    gateway, bo = house[0], arrives(BO)
    formulas = ['=HYPERLINK("http://evil.example")', "+1", "-1", "@x", "\uff1d1+1", "'quoted"]
    reasons = [*formulas, "plain, with “é” and\na line"]
    for reason in reasons:
        call = held(gateway, ANA, "export_me", agent="File manager", path=reason)
        bo.posts(f"/confirmations/{call}/reject/", reason=reason)
    answer = bo.gets(FILES[0])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="portico-decisions.jsonl"'
    lines = answer.content.decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["reason"].replace("\r\n", "\n") for row in rows[-len(reasons) :]] == reasons
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    last = rows[-1]
    assert (last["who_name"], last["agent_name"], last["tool"]) == (
        "Bo Adler (admin@example.com)",
        "File manager",
        "export_me",
    )
    assert (last["approve"], last["kind"], last["said"]) == (False, "rejected", "rejected")

    recipe = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert recipe

    def check(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "decisions.jsonl").write_text(text)
        return subprocess.run(
            [sys.executable, "-c", recipe[1]], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert rows[-1]["hash"] in check(answer.content.decode()).stdout
    assert "was changed" in check(answer.content.decode().replace('"reason":"+1"', '"reason":"+2"')).stderr
    assert f"number {len(rows)} does not follow" in check("\n".join([*lines[:-2], lines[-1]])).stderr

    table = list(csv.DictReader(io.StringIO(bo.gets(FILES[1]).content.decode(), newline="")))
    assert [row["reason"][0] for row in table[-len(reasons) :]] == ["'"] * len(formulas) + ["p"]
    for cells, row in zip(table, rows, strict=True):
        assert cells["reason"].removeprefix("'") == row["reason"]
        assert cells["hash"] == row["hash"] and cells["approve"] == "false" and cells["ran"] == ""

    some = bo.reads(f"{FILES[0]}?decision=reject&outcome=rejected&who=bo&tool=EXPORT&risk=high&agent=file")
    assert len(some.splitlines()) == len(reasons)
    for nothing in ("decision=approve", "outcome=failed", "who=ana", "risk=low", "to=2020-01-02"):
        assert not bo.reads(f"{FILES[0]}?tool=EXPORT&{nothing}")
    refused = bo.gets(f"{FILES[0]}?from=soon")
    assert refused.status_code == 400 and "From: Enter a valid date." in refused.text
    assert bo.gets(f"{HISTORY}decisions.xls").status_code == 404
