"""Conversations as things that a person keeps: what answers look like, and what can be done with them."""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from urllib.parse import unquote

import pytest

from agents import file_names
from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.following import eventually, plain, run_of, transcript, watched

DIALECTS_DIFFER = False


def said_back(visitor: Visitor, message: str) -> tuple[str, str]:
    """Have Echo say something: (path of the conversation, its page when the answer has ended)."""
    page = visitor.posts(f"/agents/{ids.ECHO}/", message=message)
    watched(visitor, run_of(page.text))
    path = page.url.removeprefix(visitor.portico.url)
    return path, visitor.reads(path)


def answer_on(page: str) -> str:
    """The markup of the last answer on a page."""
    return page.rsplit("data-parts>", 1)[1].split("</article>", 1)[0]


def test_code_is_coloured_when_its_language_is_given(ana: Visitor) -> None:
    _, page = said_back(
        ana, "look:\n\n```python\nreturn 'a<b'\n```\n\n```\nreturn None\n```\n\n```nonsense\nreturn 1\n```"
    )
    answer = answer_on(page)
    assert '<span class="k">return</span>' in answer
    assert "'a&lt;b'" in answer
    assert "<code>return None" in answer
    assert '<code class="language-nonsense">return 1' in answer
    assert "style=" not in answer
    assert answer.count("data-copy-code") == 3


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[my bank](https://evil.example/login)", "my bank (evil.example)"),
        ("[https://bank.example](https://evil.example)", "https://bank.example (evil.example)"),
        ("<https://bank.example@evil.example/>", "https://bank.example@evil.example/ (evil.example)"),
        ("<https://plain.example/page>", "https://plain.example/page"),
        ("[home](/credentials/)", "home"),
        ("![a cat](https://pictures.example/cat.png)", "Show image from pictures.example: a cat"),
        ("![a dog][1]\n\n[1]: https://kennel.example/dog.png", "Show image from kennel.example: a dog"),
        ("![drawn](data:image/svg+xml;base64,AAAA)", "![drawn](data:image/svg+xml;base64,AAAA)"),
    ],
)
def test_links_and_pictures_say_where_they_lead(ana: Visitor, written: str, shown: str) -> None:
    answer = answer_on(said_back(ana, written)[1])
    assert f"You said: {shown}" in plain(answer)
    assert "<img" not in answer
    for link in re.findall(r"<a [^>]*>", answer):
        if "href" in link:
            assert 'rel="noopener noreferrer nofollow"' in link
            assert re.search(r'href="(https://[^"]+)" title="\1"', link)
    assert 'href="/' not in answer


def begin(visitor: Visitor, message: str) -> str:
    return said_back(visitor, message)[0]


def say(visitor: Visitor, path: str, message: str, **fields: str) -> str:
    """Say something more, and read the page when it was answered."""
    page = visitor.posts(f"{path}messages/", page=path, message=message, **fields)
    assert page.status_code == 200
    watched(visitor, run_of(page.text))
    return visitor.reads(path)


def listed(visitor: Visitor, query: str = "") -> str:
    return plain(visitor.reads(f"/conversations/{query}").split('id="main"', 1)[1])


def test_a_conversation_is_named_after_its_first_message_and_renamed(ana: Visitor) -> None:
    path = begin(ana, "plans for the harbour festival")
    assert "plans for the harbour festival" in listed(ana)
    page = ana.posts(f"{path}rename/", page=path, title="Harbour <b>2027</b>")
    assert "<title>Harbour &lt;b&gt;2027&lt;/b&gt; ·" in page.text
    assert "Harbour <b>2027</b>" in listed(ana)
    refused = ana.posts(f"{path}rename/", page=path, title="  ")
    assert "needs a name" in plain(refused.text)
    assert "Harbour <b>2027</b>" in listed(ana)


def test_pinned_conversations_stand_first_in_a_group_of_their_own(ana: Visitor) -> None:
    first, second = begin(ana, "an old matter of quince"), begin(ana, "a new matter of quince")
    for _ in range(2):  # the same form twice does no harm
        page = ana.posts(f"{first}pin/", page=first, pinned="yes").text
    beside = plain(page.split('id="threads"', 1)[1].split("</aside>", 1)[0])
    assert beside.index("Pinned") < beside.index("an old matter") < beside.index("Today") < beside.index("a new matter")
    assert "Unpin" in page
    page = ana.posts(f"{first}pin/", page=first, pinned="no").text
    assert "Pinned" not in page
    ana.reads(second)


def test_a_deleted_conversation_is_gone_at_once_and_undo_brings_it_back(ana: Visitor) -> None:
    path = begin(ana, "forget this about walnuts")
    say(ana, path, "and this about hazelnuts")
    before = ana.gets(f"{path}export.json").json()
    page = ana.posts(f"{path}delete/", page=path)
    assert "“forget this about walnuts” was deleted." in plain(page.text)
    assert 'data-undo="10"' in page.text
    assert ana.gets(path).status_code == 404
    assert ana.gets(f"{path}export.md").status_code == 404
    assert "walnuts" not in plain(ana.reads(f"/agents/{ids.ECHO}/"))
    assert "Nothing." in listed(ana, "?q=walnuts")
    back = ana.posts(f"{path}undo/", page="/conversations/")
    assert back.url.endswith(path)
    assert "forget this about walnuts" in listed(ana)
    assert "was deleted" not in listed(ana)
    assert ana.gets(f"{path}export.json").json() == before
    assert "You said: and this about hazelnuts" in transcript(ana.reads(path))
    assert "hazelnuts" in listed(ana, "?q=hazelnuts")


def test_undo_is_offered_for_ten_seconds(ana: Visitor) -> None:
    path = begin(ana, "forget this about pistachios")
    ana.posts(f"{path}delete/", page=path)
    for seconds, is_offered in ((8, True), (11, False)):
        with closing(sqlite3.connect(f"{ana.portico.folder.name}/db.sqlite3", timeout=20)) as database, database:
            ago = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')"
            database.execute(
                f"UPDATE agents_conversation SET deleted_at = {ago} WHERE id = ?",  # noqa: S608  (a number of ours)
                [path.split("/")[2].replace("-", "")],
            )
        assert ("“forget this about pistachios” was deleted." in listed(ana)) is is_offered
    assert ana.posts(f"{path}undo/", page="/conversations/").url.endswith(path)  # a page that was read late


def test_deleting_stops_the_answer_that_is_being_given(ana: Visitor, gateway: Embedded) -> None:
    page = ana.posts(f"/agents/{ids.STORYTELLER}/", message="everything about tides")
    path = page.url.removeprefix(ana.portico.url)
    ana.posts(f"{path}delete/", page=path)
    eventually(lambda: gateway.report()["open_runs"] == 0)
    ana.posts(f"{path}undo/", page="/conversations/")
    assert "Stopped by you" in plain(ana.reads(path))


def test_words_are_found_in_titles_messages_and_answers(ana: Visitor, gil: Visitor) -> None:
    path = begin(ana, "Ask about <i>marzipan</i> & pomegranates")
    say(ana, path, "second thoughts on rhubarb")
    ana.posts(f"{path}rename/", page=path, title="Sweets of Tallinn")
    page = ana.reads("/conversations/?q=MARZIPAN+pomegran")
    assert "&lt;i&gt;<mark>marzipan</mark>&lt;/i&gt; &amp; <mark>pomegranates</mark>" in page
    assert plain(page).count("Sweets of Tallinn") == 2  # what was said, and what was said back
    assert "Echo" in plain(page)
    assert "Sweets of Tallinn" in listed(ana, "?q=tallinn")
    [link] = set(re.findall(r'href="(/conversations/[^"]*at=\d+#message-\d+)"', ana.reads("/conversations/?q=rhubarb")))
    assert f'id="{link.partition("#")[2]}"' in ana.reads(link.partition("#")[0].replace("&amp;", "&"))
    assert "Nothing." in listed(ana, "?q=marzipan+rhubarb")
    assert "Nothing." in listed(ana, "?q=%22%29+OR+1+--+*+NEAR%28")
    assert "Nothing." in listed(gil, "?q=marzipan")


def test_all_that_is_found_can_be_looked_through(ana: Visitor) -> None:
    path = begin(ana, "about the limpets")
    fill(ana.portico, path, 60, "limpet")
    seen: list[str] = []
    query = "?q=limpet"
    while True:
        page = ana.reads(f"/conversations/{query}")
        seen += re.findall(r"limpet</mark> (\d+)", page)
        older = re.search(r'href="(\?q=limpet&amp;page=\d)">Older', page)
        if older is None:
            break
        query = older[1].replace("&amp;", "&")
    assert sorted(map(int, seen)) == list(range(60))
    assert "Newer" in page
    assert "Nothing more." in plain(ana.reads("/conversations/?q=limpet&page=9"))
    assert ana.gets("/conversations/?q=limpet&page=x").status_code == 404


def test_conversations_are_taken_away_as_markdown_and_as_json(ana: Visitor) -> None:
    path = begin(ana, 'Übung "eins"/../..\\ ```x``` \u202egnp')
    say(ana, path, "and the second")
    markdown = ana.gets(f"{path}export.md")
    assert markdown.headers["content-type"] == "text/markdown; charset=utf-8"
    header = markdown.headers["content-disposition"]
    assert (
        header == "attachment; filename=\"ubung-eins-x-gnp.md\"; filename*=UTF-8''%C3%9Cbung%20eins%20```x```%20gnp.md"
    )
    assert markdown.text.count("## You, ") == 2
    assert "You said: and the second" in markdown.text
    one = ana.gets(f"{path}export.json").json()
    assert [message["text"] for message in one["messages"]][1] == "and the second"
    [answer] = one["messages"][1]["answers"]
    assert answer["status"] == "finished"
    assert answer["parts"][0]["text"] == "You said: and the second"
    everything = ana.gets("/conversations/export.json").json()["conversations"]
    assert one in everything
    assert "You said: and the second" in ana.gets("/conversations/export.md").text
    assert ana.gets("/conversations/export.pdf").status_code == 404


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("    def f():\n        pass", "    def f():\n        pass"),
        ("\r\n \t\r\n\t- one\r\n\t\t- two\r\n\r\n", "\t- one\n\t\t- two"),
        ("\u3000こんにちは ", "\u3000こんにちは"),
    ],
)
def test_the_first_line_of_a_message_stays_indented(ana: Visitor, gateway: Embedded, written: str, kept: str) -> None:
    path, page = said_back(ana, written)
    assert f'<p class="said">{kept}</p>' in page
    [message] = ana.gets(f"{path}export.json").json()["messages"]
    sent = [one["body"] for one in gateway.received() if one["path"].endswith("/invoke")][-1]
    assert message["text"] == sent["messages"][0]["content"] == kept


def test_an_answer_that_is_no_markdown_keeps_its_lines(ana: Visitor) -> None:
    _, page = said_back(ana, "line one\nline two\n  line three")  # Echo answers with JSON
    assert "<p>You said: line one<br>\nline two<br>\nline three</p>" in answer_on(page)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("天気 🖖 と予報", "天気 🖖 と予報"),
        ('a/b\\c:d*e?f"g<h>i|j', "a b c d e f g h i j"),
        ("../../etc/passwd", "etc passwd"),
        ("..", ""),
        ("\u202egnp.exe\u200b\x07\ud800", "gnp.exe"),
        (" .hidden. ", "hidden"),
        ("--rf ~", "rf"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Console", "Console"),
        ("line one\nline\ttwo", "line one line two"),
        ("e\u0301", "é"),
        ("水" * 120, "水" * 50),
        ("???", ""),
    ],
)
def test_a_title_becomes_a_name_that_every_file_system_takes(title: str, name: str) -> None:
    assert file_names.cleaned(title) == name
    header = file_names.disposition(title, "md")
    plain_name = re.match(r'attachment; filename="([a-z0-9_-]+\.md)"', header)
    assert plain_name and header.isascii()
    exact = re.search(r"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)\Z", header)
    assert (unquote(exact[1]) if exact else plain_name[1]) == f"{name or 'conversation'}.md"


def test_an_answer_is_copied_as_the_agent_wrote_it(ana: Visitor) -> None:
    _, page = said_back(ana, "**bold** & [x](https://example.org)")
    source = ana.gets(f"/runs/{run_of(page)}/answer.md")
    assert source.text == "You said: **bold** & [x](https://example.org)"
    assert source.headers["content-type"] == "text/plain; charset=utf-8"


def test_an_edited_message_takes_the_place_of_what_followed_which_is_kept(ana: Visitor, gateway: Embedded) -> None:
    path = begin(ana, "first things")
    say(ana, path, "second thing, misspelt")
    page = say(ana, path, "third thing")
    messages = re.findall(r'id="message-(\d+)"', page)
    editing = ana.reads(f"{path}?edit={messages[1]}")
    assert "second thing, misspelt</textarea>" in editing
    assert f'name="replaces" value="{messages[1]}"' in editing
    page = say(ana, path, "second thing, well spelt", replaces=messages[1])
    shown = transcript(page)
    assert "first things" in shown
    assert "You said: second thing, well spelt" in shown
    assert "You said: second thing, misspelt" not in shown
    assert "third thing" not in shown
    told = [entry["body"] for entry in gateway.received() if entry["path"].endswith("/invoke")][-1]["messages"]
    assert [message["content"] for message in told if message["role"] == "user"] == [
        "first things",
        "second thing, well spelt",
    ]
    [version] = re.findall(r'href="(/conversations/[^"]*\?version=\d+)"', page)
    earlier = ana.reads(version)
    assert "You said: second thing, misspelt" in transcript(earlier)
    assert "You said: third thing" in transcript(earlier)
    assert "Back to the conversation" in plain(earlier)
    assert 'aria-label="Message"' not in earlier
    assert "version=" in ana.reads("/conversations/?q=misspelt")
    late = ana.posts(f"{path}messages/", page=path, message="from an old window", replaces=messages[2])
    assert "edited before, in another window" in plain(late.text)
    assert "from an old window</textarea>" in late.text
    texts = [message["text"] for message in ana.gets(f"{path}export.json").json()["messages"] if message["is_replaced"]]
    assert texts == ["second thing, misspelt", "third thing"]


def test_only_the_last_message_is_answered_again(ana: Visitor) -> None:
    page = ana.posts(f"/agents/{ids.UNLUCKY}/", message="give me a 500")
    path, run = page.url.removeprefix(ana.portico.url), run_of(page.text)
    watched(ana, run)
    assert "Retry" in transcript(ana.reads(path))
    page_now = say(ana, path, "and a 500 again")
    assert page_now.count("data-retry") == 1
    refused = ana.posts(f"/runs/{run}/retry/", page=path)
    assert "Only the last message can be answered again" in plain(refused.text)


def test_a_draft_is_there_after_signing_out_and_gone_when_sent(ana: Visitor, key: str) -> None:
    path = begin(ana, "hello")
    assert ana.posts(f"{path}draft/", page=path, message=" half a thou", key=key).status_code == 204
    ana.posts("/logout/")
    ana.signs_in("user@example.com")
    assert " half a thou</textarea>" in ana.reads(path)
    assert " half a thou</textarea>" in ana.reads(path)  # looking at it does not take it away
    page = say(ana, path, "half a thought", key=key)
    assert "half a thou</textarea>" not in page
    ana.posts(f"{path}draft/", page=path, message="half a thou", key=key)  # what was on its way when it was sent
    assert "half a thou</textarea>" not in ana.reads(path)
    ana.posts(f"/agents/{ids.ECHO}/draft/", page=path, message="a new beginning")
    assert "a new beginning</textarea>" in ana.reads(f"/agents/{ids.ECHO}/")
    ana.posts(f"/agents/{ids.ECHO}/", message="a new beginning, sent")
    assert "a new beginning</textarea>" not in ana.reads(f"/agents/{ids.ECHO}/")


def test_another_text_under_a_key_that_was_sent_is_another_message(ana: Visitor, key: str) -> None:
    """As who goes back in their browser sends it; each is sent once, however often it comes."""
    agent = f"/agents/{ids.ECHO}/"
    first, again, other, repeated = (ana.posts(agent, message=text, key=key) for text in ("one", "one", "two", "two"))
    assert first.url == again.url != other.url == repeated.url
    path = other.url.removeprefix(ana.portico.url)
    watched(ana, run_of(other.text))
    for text in ("two", "three", "three", "four"):
        say(ana, path, text, key=key)
    texts = [message["text"] for message in ana.gets(f"{path}export.json").json()["messages"]]
    assert texts == ["two", "three", "four"]


def test_an_edit_that_was_begun_is_kept_until_it_is_sent(ana: Visitor, key: str) -> None:
    path = begin(ana, "one\r\ntwo")  # as browsers send lines
    [number] = re.findall(r'id="message-(\d+)"', ana.reads(path))
    ana.posts(f"{path}draft/", page=path, message="one\r\nthr", key=key, replaces=number)
    ana.posts("/logout/")
    ana.signs_in("user@example.com")
    assert "one\nthr</textarea>" in ana.reads(f"{path}?edit={number}")
    assert "Edit: not sent yet" in plain(ana.reads(path))
    assert "thr</textarea>" not in ana.reads(path)
    page = say(ana, path, "one\r\nthree", key=key, replaces=number)
    assert "not sent yet" not in page
    texts = [message["text"] for message in ana.gets(f"{path}export.json").json()["messages"]]
    assert texts == ["one\ntwo", "one\nthree"]


def test_what_mallory_may_not_touch(ana: Visitor, gil: Visitor) -> None:
    path, page = said_back(ana, "mine alone")
    for act in ("rename", "pin", "delete", "undo", "draft"):
        gil.posts(f"{path}{act}/", page="/agents/", title="Gil's", pinned="yes", message="Gil's")
    assert gil.gets(f"{path}export.md").status_code == 404
    assert gil.gets(f"{path}export.json").status_code == 404
    assert gil.gets(f"/runs/{run_of(page)}/answer.md").status_code == 404
    assert "mine alone" not in gil.gets("/conversations/export.md").text
    assert "mine alone" in ana.reads(path)
    assert "Gil&#x27;s" not in ana.reads(path)
    assert ana.gets(f"{path}delete/").status_code == 405


def test_another_tab_is_told_what_it_lacks(ana: Visitor) -> None:
    path = begin(ana, "first")
    [known] = re.findall(r'id="message-(\d+)"', ana.reads(path))
    page = say(ana, path, "second")
    newer = ana.reads(f"{path}?after={known}")
    assert "<html" not in newer
    articles = r'<article [^>]*(?:id="message-|data-run=")([^"]+)'
    assert re.findall(articles, newer) == re.findall(articles, page)
    assert len(re.findall(articles, newer)) == 4
    say(ana, path, "first, again", replaces=known)
    assert "<article" not in ana.reads(f"{path}?after={known}")  # it was replaced: the tab has to begin anew


def test_a_transcript_of_two_thousand_messages_opens_at_its_end(ana: Visitor) -> None:
    path = begin(ana, "the very first")
    fill(ana.portico, path, 2000)
    page = ana.reads(path)
    assert page.count("message--mine") == 25
    assert "question 1999" in page
    assert "the very first" not in transcript(page)
    seen: list[str] = []
    while more := re.search(r'<a class="button" href="(\?before=\d+)"', page):
        seen = re.findall(r'class="said">question (\d+)<', page) + seen
        assert len(seen) <= 2000
        page = ana.reads(path + more[1])
        assert "Go to the latest messages" in page
    assert "the very first" in transcript(page)
    seen = re.findall(r'class="said">question (\d+)<', page) + seen
    assert [int(number) for number in seen] == list(range(2000))  # each once, in order
    fragment = ana.session.get(f"{ana.portico.url}{path}?before=500", headers={"HX-Request": "true"}, timeout=30).text
    assert fragment.count("message--mine") == 25
    assert "<html" not in fragment
    assert ana.gets(f"{path}?before=x").status_code == 404


def fill(portico: Portico, path: str, number: int, word: str = "question") -> None:
    """As if so much had been said and answered in this conversation."""
    answers: list[dict[str, object]] = [
        {"parts": json.dumps([{"kind": "text", "id": "1", "text": f"Answer **{i}**."}])} for i in range(number)
    ]
    write_into(portico, path, [(f"{word} {i}", answer) for i, answer in enumerate(answers)])


def write_into(portico: Portico, path: str, said: Sequence[tuple[str, Mapping[str, object]]]) -> None:
    """Messages, each with an answer; what is not told of an answer is as in the last one there is."""
    conversation = path.split("/")[2].replace("-", "")
    with closing(sqlite3.connect(f"{portico.folder.name}/db.sqlite3", timeout=20)) as database, database:
        database.row_factory = sqlite3.Row
        last = database.execute("SELECT max(id) FROM agents_message").fetchone()[0]
        model = dict(database.execute("SELECT * FROM agents_run WHERE status = 'finished' LIMIT 1").fetchone())
        names, places = ", ".join(model), ", ".join(f":{name}" for name in model)
        database.executemany(
            "INSERT INTO agents_message (id, conversation_id, key, text, created_at)"
            " VALUES (?, ?, ?, ?, '2026-01-01 12:00:00')",
            [(last + 1 + i, conversation, uuid.uuid4().hex, text) for i, (text, _) in enumerate(said)],
        )
        database.executemany(
            f"INSERT INTO agents_run ({names}) VALUES ({places})",  # noqa: S608  (names of columns)
            [{**model, "id": uuid.uuid4().hex, "message_id": last + 1 + i, **run} for i, (_, run) in enumerate(said)],
        )
