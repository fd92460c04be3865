"""Search finds the same in SQLite and in PostgreSQL, and only what is one's own."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import psycopg
import pytest

from agents import search
from agents.words import folded, terms_of
from embedded import ids
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor
from tests.servers import postgres_server
from tests.stories.following import plain, run_of, watched

SAID = """Look at <b class="thimble">this</b> & <!-- a curlew --> in /etc/quartz/lamp.conf, write to ana@walnut.example,
see https://hazel.example/page?tree=acorn#leaf; v3.1415-rc2, well-lit rooms, delete_file(path='x'), Übermut &nettle;"""
WORDS = [
    *("look", "THIMBLE", "thimb", "this", "class", "curlew", "quartz", "lamp", "conf", "ana", "walnut", "example"),
    *("hazel", "page", "acorn", "leaf", "1415", "well", "lit", "delete", "file", "delete_file", "path", "nettle"),
    *("übermut", "etc/quartz/lamp", '<b class="thimble">', "ana@walnut.example", "well-lit rooms", "thimble acorn"),
]
TOGETHER = """今日の天気はどうですか。「東京」の予報を教えてください。iPhone15の値段、ｶﾞｽ代 Café北京
อากาศวันนี้เป็นอย่างไร ອາກາດມື້ນີ້ ភាសាខ្មែរពិរោះ မြန်မာစာသင်တယ် قال ﷺ نعم ½"""
PARTS = [
    *(
        "天気",
        "予報",
        "どうですか",
        "今日",
        "東京",
        "天",
        "京",
        "報",
        "を",
        "気はど",
        "教えて 東京",
        "天気 iphone",
        "iPhone15の値段",
    ),
    *(
        "iphone15の値 天気",
        "ガス",
        "ガ",
        "ス代",
        "cafe北京",
        "CAFÉ",
        "北",
        "อากาศ",
        "วันนี้",
        "ย่าง",
        "ก",
        "ມື້",
        "ນີ້",
        "ខ្មែរ",
        "ពិរោះ",
        "စာသင်",
        "တယ်",
        "ﷺ",
        "عليه",
        "صلى الله",
        "½",
    ),
]
NOT_THERE = ["気天", "天報", "日本", "東京の", "今日天気", "天 気 雨", "iPhone5", "phone15", "北京天", "カス", "อากาศดี"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def front(request: pytest.FixtureRequest) -> Iterator[Portico]:
    with ExitStack() as leaving:
        gateway = leaving.enter_context(Embedded.start())
        portico = Portico(gateway.url, GATEWAY_AGENTS=f"{ids.ECHO},{ids.SHOWCASE}")
        if request.param == "postgresql":
            portico.environment["DATABASE_URL"] = leaving.enter_context(postgres_server())
            command = [sys.executable, "manage.py", "migrate", "-v0"]
            subprocess.run(command, cwd=ROOT, env=portico.environment, check=True)
        leaving.callback(portico.close)
        yield portico.start()


@pytest.fixture(scope="module")
def ana(front: Portico) -> Iterator[Visitor]:
    """Who has said it, and heard it from Echo."""
    ana = Visitor(front)
    ana.signs_in("user@example.com")
    begin(ana, SAID)
    begin(ana, TOGETHER)
    yield ana
    ana.session.close()


def begin(visitor: Visitor, message: str, agent: str = ids.ECHO) -> str:
    page = visitor.posts(f"/agents/{agent}/", message=message)
    assert watched(visitor, run_of(page.text))[1] == "finished"
    return page.url.removeprefix(visitor.portico.url)


def found(visitor: Visitor, asked: str) -> list[str]:
    """The marked words of each hit."""
    page = visitor.reads(f"/conversations/?q={quote(asked)}")
    assert not re.search("[\x00-\x08]", page)
    return re.findall(r"<mark>(.*?)</mark>", page)


@pytest.mark.parametrize("asked", WORDS)
def test_every_word_is_found_and_marked_wherever_it_stands(ana: Visitor, asked: str) -> None:
    words = re.findall(r"\w+", asked.lower().replace("_", " "))
    marked = " ".join(found(ana, asked)).lower()
    assert [word for word in words if word not in marked] == []


def test_what_surrounds_a_word_is_shown_as_it_was_written(ana: Visitor) -> None:
    page = ana.reads("/conversations/?q=thimble")
    assert "Look at &lt;b class=&quot;<mark>thimble</mark>&quot;&gt;this&lt;/b&gt; &amp;" in page
    assert '<b class="thimble">this</b> &' in plain(page)


@pytest.mark.parametrize("asked", PARTS)
def test_words_are_found_where_no_spaces_are_between_them(ana: Visitor, asked: str) -> None:
    marked = folded(" ".join(found(ana, asked)))
    assert [word for word in folded(asked).split() if word not in marked] == []


@pytest.mark.parametrize("asked", NOT_THERE)
def test_characters_are_not_found_where_they_do_not_stand_together(ana: Visitor, asked: str) -> None:
    assert found(ana, asked) == []


@pytest.mark.soak
def test_what_was_said_before_is_found_after_the_tables_changed(front: Portico, ana: Visitor) -> None:
    for step in (["0004"], []):  # back, and to the newest again
        command = [sys.executable, "manage.py", "migrate", "-v0", "agents", *step]
        subprocess.run(command, cwd=ROOT, env=front.environment, check=True)
    assert found(ana, "天気") and found(ana, "thimble")


@pytest.mark.parametrize("asked", ["heron", "thimble heron", "humble", "') | 'zz':* & !!(", '"', "* OR 1", "\\'", "%_"])
def test_what_was_not_said_is_not_found(ana: Visitor, asked: str) -> None:
    assert found(ana, asked) == []


def test_what_stands_far_apart_is_shown_with_what_is_around_it() -> None:
    text = f"<{'first ' * 50}the walnut{' between' * 5000} ÅNGSTRÖM,{' last' * 50}"
    snippet = search.snippet(text, terms_of("ångström walnut"))
    assert re.fullmatch(
        r"…(first )+the <mark>walnut</mark>( between)+…(between )+<mark>ÅNGSTRÖM</mark>,( last)+…", snippet
    )
    assert len(snippet) < 500
    assert search.snippet("<b>", terms_of("b")) == "&lt;<mark>b</mark>&gt;"


@pytest.mark.parametrize(
    ("text", "asked"), [("Donau\u00addampf", "Donaudampf"), ("می\u200cخواهم", "میخواهم"), ("a\u2060b\ufeffc", "ABC")]
)
def test_what_nobody_sees_within_a_word_does_not_hide_it(text: str, asked: str) -> None:
    assert search.indexed(text) == search.indexed(asked)
    for said, other in ((text, asked), (asked, text)):
        assert search.snippet(f"x {said} y", terms_of(other)).startswith("x <mark>")


def test_no_text_has_more_words_than_postgresql_indexes() -> None:
    many = random.Random(0)
    characters = "".join(chr(many.randrange(0x4E00, 0x9FFF)) for _ in range(search.LONGEST))
    words = search.indexed(characters)
    assert search.MOST_WORDS < len(words.encode()) < 1.3 * search.MOST_WORDS
    with postgres_server() as address, psycopg.connect(address) as database:
        database.execute("SELECT array_to_tsvector(string_to_array(%s, ' '))", [words])
    assert search.indexed("x" * 10_000 + " walnut") == f"{'x' * 200} walnut"


def test_what_a_sub_agent_said_is_found(ana: Visitor) -> None:
    path = begin(ana, "Ask a sub-agent", ids.SHOWCASE)
    assert found(ana, "third shelf") == ["third", "shelf"]
    ana.posts(f"{path}delete/", page=path)


def test_only_ones_own_is_found(ana: Visitor, front: Portico) -> None:
    for somebody in ("other@example.com", "admin@example.com"):
        mallory = Visitor(front)
        mallory.signs_in(somebody)
        assert found(mallory, "thimble") == []
        mallory.session.close()


def test_a_new_name_is_found_and_what_is_deleted_is_not(ana: Visitor) -> None:
    path = begin(ana, "a magpie was here")
    assert found(ana, "magpie")
    ana.posts(f"{path}rename/", page=path, title="<i>Sedge/warbler</i>")
    assert found(ana, "warbler") == ["warbler"]
    ana.posts(f"{path}delete/", page=path)
    assert found(ana, "magpie") == found(ana, "warbler") == []
