"""How people are named beside decisions: nobody can look like somebody else, and what was known stays known."""

from __future__ import annotations

import json

import pytest

from accounts.naming import LONGEST_NAME, distinct_name
from embedded.ids import FILE_MANAGER, FILES
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import ANA, BO, OLU, held, live_page, resolved_elsewhere, words

HISTORY = "/confirmations/history/"


@pytest.mark.parametrize(
    ("name", "email", "person", "named"),
    [
        ("Ana Lima", "ana@a.example", "u1", "Ana Lima (ana@a.example)"),
        ("", "ana@a.example", "u1", "ana@a.example"),
        ("ana@a.example", "ana@a.example", "u1", "ana@a.example"),
        ("Ana Lima", "", "V1StGXR8_Z5jdHi6B-myT", "Ana Lima (id …Hi6B-myT)"),
        ("Ana Lima", "", "u1", "Ana Lima (id u1)"),
        ("", "", "u1", "u1"),
        ("Bo Adler (bo@a.example)", "eve@a.example", "u9", "eve@a.example"),
        ("bo\uff20a.example", "eve@a.example", "u9", "eve@a.example"),
        ("Bo", "b\u0254\u0131@a.example", "u9", "Bo (b⟨\u0254 U+0254⟩⟨\u0131 U+0131⟩@a.example)"),
        ("", "\u0251na@a.example", "u9", "⟨\u0251 U+0251⟩na@a.example"),
        ("\u0251na@a.example", "\u0251na@a.example", "u9", "⟨\u0251 U+0251⟩na@a.example"),
        ("Jo", "j\u00f6rg@m\u00fcller.example", "u9", "Jo (j\u00f6rg@m\u00fcller.example)"),
        ("Bo   \n Adler ", "eve@a.example", "u9", "Bo Adler (eve@a.example)"),
    ],
)
def test_a_person_is_named_by_what_only_they_have(name: str, email: str, person: str, named: str) -> None:
    assert distinct_name(name, email, person) == named


def test_a_long_name_does_not_push_the_email_out_of_sight() -> None:
    named = distinct_name("Bo Adler " * 100, "eve@a.example", "u9")
    assert named.endswith("… (eve@a.example)") and len(named) < LONGEST_NAME + 20


def test_nobody_decides_under_somebody_elses_name(own_portico: Portico, own_gateway: Embedded) -> None:
    own_gateway.dial(person={"email": OLU, "name": "Bo Adler"})  # whoever likes may be called so
    bo, olu = Visitor(own_portico), Visitor(own_portico)
    bo.signs_in(BO)
    olu.signs_in(OLU)
    call = held(own_gateway, OLU, "delete_file", agent="File manager", path="/own.txt")
    with live_page(bo) as his:
        his.reads(call, f"for Bo Adler ({OLU})")
        olu.posts(f"/confirmations/{call}/confirm/", reason="mine")
        his.reads(call, f"Approved by Bo Adler ({OLU}), who asked for it: mine")
    page = words(bo.reads(f"/confirmations/{call}/"))
    assert f"Approved by Bo Adler ({OLU}), who asked for it: mine" in page and f"Answered by Bo Adler ({OLU})" in page
    told = words(bo.reads(HISTORY))
    assert f"Bo Adler ({OLU}), who asked for it, approved: mine" in told
    (decision,) = exported(bo, "delete_file")
    assert decision["who_name"] == decision["end_user_name"] == f"Bo Adler ({OLU})"
    assert decision["who"] == decision["end_user"] and f"by {decision['who']}" in told
    assert "who asked for it" not in words(olu.reads(f"/confirmations/{call}/"))  # that is you

    for visitor in (bo, olu):
        visitor.session.close()


def test_names_follow_the_gateway_and_what_was_known_stays_known(own_portico: Portico, own_gateway: Embedded) -> None:
    bo, ana = Visitor(own_portico), Visitor(own_portico)
    ana.signs_in(ANA)
    own_gateway.dial(person={"email": ANA, "name": "Ana Moor"})  # by another admin, with another program
    bo.signs_in(BO)
    call = held(own_gateway, ANA, "rename_file", agent="File manager")
    assert f"for Ana Moor ({ANA})" in words(bo.reads("/confirmations/"))
    bo.posts(f"/confirmations/{call}/reject/", reason="no")
    (decision,) = exported(bo, "rename_file")
    provider = decision["provider_name"]
    assert provider and decision["agent_name"] == "File manager" and decision["end_user_name"] == f"Ana Moor ({ANA})"
    for reader in (bo, ana):
        assert f"Provider {provider} " in words(reader.reads(f"/confirmations/{call}/"))
        assert f"· {provider}" in words(reader.reads(HISTORY))
    ana.signs_in(ANA)
    own_gateway.stop()
    away = words(bo.reads(HISTORY))
    assert f"File manager, for Ana Moor ({ANA}) · {provider}" in away
    for visitor in (bo, ana):
        visitor.session.close()


def test_a_name_that_the_gateway_could_not_tell_once_is_asked_for_again(
    own_portico: Portico, own_gateway: Embedded
) -> None:
    call = held(own_gateway, ANA, "rename_file", agent="File manager")
    resolved_elsewhere(own_gateway, BO, call, "reject")  # what its record then says has ids alone
    bo = Visitor(own_portico)
    bo.signs_in(BO)
    page = f"/confirmations/{call}/"
    named = {"/api/v1/admin/tool-providers/": (FILES, "Files"), "/api/v1/agents/": (FILE_MANAGER, "File manager")}
    for path, (some_id, _) in named.items():
        own_gateway.dial(fail={"path": f"{path}{some_id}", "status": 503, "times": 9})
    unnamed = words(bo.reads(page))
    own_gateway.dial(fail=None)
    found = words(bo.reads(page))
    for some_id, name in named.values():
        assert some_id in unnamed and name not in unnamed
        assert name in found
    bo.session.close()


def exported(visitor: Visitor, tool: str) -> list[dict[str, object]]:
    lines = visitor.reads(f"{HISTORY}decisions.jsonl?tool={tool}").splitlines()
    return [json.loads(line) for line in lines]
