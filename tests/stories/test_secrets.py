"""What people and agents say, and every token and key, stays out of the log, at its most talkative."""

from __future__ import annotations

import re
from typing import Any

import pytest

from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import live_page
from tests.stories.following import run_of, watched

PLANTED = "swordfish"  # part of everything below that nobody may read in a log


@pytest.mark.parametrize("debug", ["", "1"], ids=["as in production", "with DEBUG"])
def test_nothing_that_was_planted_reaches_the_log(capfd: pytest.CaptureFixture[str], debug: str) -> None:
    with Embedded.start() as gateway:
        gateway.dial(person={"email": "user@example.com", "password": f"{PLANTED}-password"})
        portico = Portico.as_demo(gateway.url, LOG_LEVEL="DEBUG", DEBUG=debug).start()
        ana, bo = Visitor(portico), Visitor(portico)
        try:
            ana.signs_in("user@example.com", f"{PLANTED}-wrong")
            ana.signs_in("user@example.com", f"{PLANTED}-password")
            bo.signs_in("admin@example.com")
            journey(ana, bo, gateway)
            token = gateway.token("user@example.com", f"{PLANTED}-password")
        finally:
            ana.session.close()
            bo.session.close()
            portico.close()
    told: Any = capfd.readouterr()
    log = told.out + told.err
    assert "/api/v1/agents/" in log  # it does log
    assert PLANTED not in log, [line[:300] for line in log.splitlines() if PLANTED in line][:5]
    assert token.split(".", maxsplit=1)[0] not in log
    assert not re.search(r"eyJ[\w-]{10,}\.", log)
    assert "sessionid=" not in log


def journey(ana: Visitor, bo: Visitor, gateway: Embedded) -> None:
    """Everything that carries something worth keeping to oneself."""
    page = ana.posts(f"/agents/{ids.ECHO}/", message=f"{PLANTED} in a message")
    watched(ana, run_of(page.text))
    for way in ("500", "die", "error event", "garbage"):
        failed = ana.posts(f"/agents/{ids.UNLUCKY}/", message=f"{way}: {PLANTED}")
        watched(ana, run_of(failed.text))
    ana.posts("/credentials/connect/weather/", secret=f"wx-{PLANTED}", api_key=f"wx-{PLANTED}")
    ana.posts("/credentials/connect/notion/", secret=f"{PLANTED}-token", token=f"{PLANTED}-token")
    weather = {"path": "/api/v1/agents", "status": 500, "body": {"error": f"{PLANTED} broke"}}
    gateway.dial(fail=weather)
    ana.gets(f"/agents/{ids.ECHO}/")
    gateway.dial(fail={**weather, "status": 200, "body": f"<html>{PLANTED}"})
    ana.gets(f"/agents/{ids.ECHO}/")
    gateway.dial(fail=None)
    with live_page(bo) as his:
        call = str(
            gateway.dial(
                hold={
                    "email": "user@example.com",
                    "tool": "send_mail",
                    "arguments": {"text": f"{PLANTED} in arguments"},
                    "risk": "high",
                    "agent": "File manager",
                }
            )["id"]
        )
        his.reads(call, "send_mail")
        assert PLANTED in bo.reads(f"/confirmations/{call}/")
        bo.posts(f"/confirmations/{call}/reject/", reason=f"{PLANTED} as a reason")
        his.reads(call, "Rejected by you")
