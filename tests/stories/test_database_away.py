"""While the database is away, people read so, keep what they typed, and go on when it is back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from agents.purging import purge
from embedded import ids
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor, empty_database, wait_until_up
from tests.servers import postgres_server


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "db.sqlite3").write_bytes(empty_database().read_bytes())
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def front(own_gateway: Embedded, place: Path, log: Path) -> Iterator[Portico]:
    """As in production, with its log in a file."""
    portico = Portico.as_demo(own_gateway.url, DATABASE_URL=f"sqlite:///{place}/db.sqlite3")
    command = [sys.executable, "-m", "config.serve", "--port", str(portico.port)]
    with log.open("wb") as lines:
        portico.process = subprocess.Popen(command, cwd=ROOT, env=portico.environment, stderr=lines)
    wait_until_up(portico.url, portico.process)
    yield portico
    portico.close()


def test_what_was_typed_is_given_back_and_all_is_well_when_the_database_is(
    front: Portico, place: Path, log: Path
) -> None:
    ana = Visitor(front)
    ana.signs_in("user@example.com")
    away = place.with_name("away")
    place.rename(away)
    for _ in range(5):
        page = ana.gets("/conversations/")
        assert (page.status_code, "cannot use its database" in page.text) == (503, True)
    sent = ana.posts(f"/agents/{ids.ECHO}/", message="a <long> thought")
    assert sent.status_code == 503
    assert "\na &lt;long&gt; thought</textarea>" in sent.text
    secret = ana.posts("/login/", email="user@example.com", password="not to be shown")
    assert "not to be shown" not in secret.text
    for step in ("confirm", "reject", "claim"):
        answered = ana.posts(f"/confirmations/some-call/{step}/", reason="as <agreed>")
        assert answered.status_code == 503 and "\nas &lt;agreed&gt;</textarea>" in answered.text
        assert 'href="/confirmations/some-call/' in answered.text
    live = ana.session.post(
        f"{front.url}/confirmations/some-call/reject/",
        data={"reason": "as agreed", "csrfmiddlewaretoken": ana.csrf_token()},
        headers={"HX-Request": "true", "Referer": f"{front.url}/confirmations/some-call/"},
        timeout=10,
    )
    assert live.status_code == 503 and live.headers["Content-Type"].startswith("text/plain")
    assert live.text.startswith("Portico cannot use its database right now.")
    away.rename(place)
    assert ana.posts(f"/agents/{ids.ECHO}/", message="a <long> thought").status_code == 200
    ana.session.close()
    said = log.read_text()
    assert said.count("database does not answer") == 1
    assert "Traceback" not in said


def test_what_was_typed_is_given_back_while_postgresql_takes_no_writing(own_gateway: Embedded, log: Path) -> None:
    with postgres_server() as address, log.open("wb") as lines:
        front = Portico.as_demo(own_gateway.url, DATABASE_URL=address)
        command = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(command, cwd=ROOT, env=front.environment, check=True)
        command = [sys.executable, "-m", "config.serve", "--port", str(front.port)]
        front.process = subprocess.Popen(command, cwd=ROOT, env=front.environment, stderr=lines)
        wait_until_up(front.url, front.process)
        ana = Visitor(front)
        ana.signs_in("user@example.com")
        with psycopg.connect(address, autocommit=True) as database:
            database.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        sent = ana.posts(f"/agents/{ids.ECHO}/", message="a <long> thought")
        assert sent.status_code == 503 and "cannot use its database" in sent.text
        assert "\na &lt;long&gt; thought</textarea>" in sent.text
        assert ana.gets("/conversations/").status_code == 200
        ana.session.close()
        front.close()
    said = log.read_text()
    assert said.count("database does not answer") == 1
    assert "Traceback" not in said


@pytest.mark.django_db
def test_sessions_that_are_over_are_purged_with_their_tokens_and_others_stay() -> None:
    now = timezone.now()
    for key, ends in (("over", now - timedelta(seconds=1)), ("open", now + timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="sealed", expire_date=ends)
    purge()
    assert set(Session.objects.values_list("session_key", flat=True)) == {"open"}
