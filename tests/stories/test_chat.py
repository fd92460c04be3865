"""Chatting with agents: nothing is lost, nothing is shown twice, and every end says what it is."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.approving import held, live_page
from tests.stories.following import events_of, eventually, plain, run_of, transcript, watched

Arrive = Callable[..., Visitor]


def ask(visitor: Visitor, agent: str, message: str) -> tuple[str, str]:
    """Begin a conversation: (path of its page, id of its run)."""
    page = visitor.posts(f"/agents/{agent}/", message=message)
    assert "/conversations/" in page.url, plain(page.text)[:300]
    return page.url.removeprefix(visitor.portico.url), run_of(page.text)


def test_the_catalogue_names_the_agents_and_what_they_need(ana: Visitor) -> None:
    catalogue = plain(ana.reads("/agents/"))
    for name in ("Echo", "Storyteller", "File manager", "GitHub helper", "Weather desk", "Unlucky"):
        assert name in catalogue
    assert "Still needs" in catalogue


def test_an_admin_sees_every_agent_the_switched_off_one_included(visitor: Arrive) -> None:
    catalogue = plain(visitor("admin@example.com").reads("/agents/"))
    assert "Retired helper" in catalogue
    assert "Switched off" in catalogue


def test_people_of_another_organisation_are_not_offered_its_agents(gil: Visitor) -> None:
    catalogue = plain(gil.reads("/agents/"))
    assert "Echo" in catalogue
    assert "File manager" not in catalogue
    refused = gil.gets(f"/agents/{ids.FILE_MANAGER}/")
    assert refused.status_code == 403
    assert "another organisation" in plain(refused.text) or "does not allow" in plain(refused.text)


def test_a_plain_json_agent_answers_in_words(ana: Visitor) -> None:
    path, run = ask(ana, ids.ECHO, "good morning to all")
    text, status = watched(ana, run)
    assert status == "finished"
    assert "good morning to all" in text
    assert transcript(ana.reads(path)).count("good morning to all") == 2  # asked once, said back once


def test_a_story_streams_and_is_there_once_for_whoever_comes_later(ana: Visitor) -> None:
    path, run = ask(ana, ids.STORYTELLER, "a short tale of lighthouses, please")
    names = [name for _, name, _ in events_of(ana, run)]
    assert names.count("text") > 10
    assert names.count("block") >= 2
    assert names[-1] == "end"
    page = ana.reads(path)
    assert "lighthouses" in transcript(page)
    assert "<h" in page.split("data-parts", 1)[1]
    assert "aria-busy" not in page


def test_a_reload_in_mid_answer_and_a_second_tab_see_all_of_it_once(ana: Visitor) -> None:
    path, run = ask(ana, ids.STORYTELLER, "something short about glaciers")
    seen = 0
    for number, name, _ in events_of(ana, run):
        seen = number
        if name == "block":
            break
    page = ana.reads(path)
    after = int(re.findall(r'data-after="(\d+)"', page)[-1])
    assert after >= seen
    parts = page.split("data-parts>", 1)[1].split('<div class="tail"', 1)[0]
    rest, status = watched(ana, run, after)
    whole, _ = watched(ana, run)  # the run has ended: everything, at once
    assert status == "finished"
    assert plain(plain(parts) + " " + rest).replace(" ", "") == whole.replace(" ", "")
    assert ana.gets(f"/runs/{run}/events/?after=99999").status_code == 204


def test_two_followers_are_told_the_same(ana: Visitor) -> None:
    _, run = ask(ana, ids.STORYTELLER, "short: canals")
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: list(events_of(ana, run)), range(2))
    assert [event for event in first if event[1] != "end"] == [event for event in second if event[1] != "end"]


def test_the_agent_is_told_what_was_said_before(ana: Visitor, gateway: Embedded) -> None:
    path, run = ask(ana, ids.ECHO, "my name is Ana")
    watched(ana, run)
    page = ana.posts(f"{path}messages/", page=path, message="what did I say?")
    watched(ana, run_of(page.text))
    body = [entry["body"] for entry in gateway.received() if entry["path"].endswith("/invoke")][-1]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][0]["content"] == "my name is Ana"
    assert body["threadId"] in path
    assert (body["tools"], body["context"], body["forwardedProps"]) == ([], [], {})


def test_the_same_form_sent_twice_is_one_message_and_one_run(ana: Visitor, key: str) -> None:
    path, run = ask(ana, ids.ECHO, "opening")
    watched(ana, run)
    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(lambda _: ana.posts(f"{path}messages/", page=path, message="once", key=key), range(4)))
    assert all(page.status_code == 200 for page in pages)
    _, status = watched(ana, run_of(ana.reads(path)))
    assert status == "finished"
    assert ana.reads(path).count('<p class="said">once</p>') == 1


def test_stop_closes_the_line_to_the_agent(ana: Visitor, gateway: Embedded) -> None:
    path, run = ask(ana, ids.STORYTELLER, "tell me all about volcanoes")
    for _, name, _ in events_of(ana, run):
        if name == "text":
            break
    ana.posts(f"/runs/{run}/cancel/", page=path)
    eventually(lambda: gateway.report()["open_runs"] == 0)
    page = ana.reads(path)
    assert "Stopped by you" in transcript(page)
    assert "Retry" in page


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("answer with a 500", "failed", "The agent answered with an error."),
        ("please die in the middle", "interrupted", "The connection to the agent was lost."),
        ("html please", "failed", "no usable answer"),
        ("make an error event", "failed", "The agent reported an error."),
        ("no end this time", "interrupted", "The connection to the agent was lost."),
        ("you are unauthorized", "failed", "The agent answered with an error."),
    ],
)
def test_each_failure_says_what_it_was_and_offers_retry(ana: Visitor, asked: str, status: str, said: str) -> None:
    path, run = ask(ana, ids.UNLUCKY, asked)
    text, ended = watched(ana, run)
    assert ended == status
    assert said in text
    shown = transcript(ana.reads(path))
    assert said in shown
    assert "Retry" in shown


def test_retry_is_a_new_run_on_the_same_message(ana: Visitor, gateway: Embedded) -> None:
    path, run = ask(ana, ids.UNLUCKY, "give me a 500")
    watched(ana, run)
    page = ana.posts(f"/runs/{run}/retry/", page=path)
    again = run_of(page.text)
    assert again != run
    assert watched(ana, again)[1] == "failed"
    assert ana.reads(path).count("message--mine") == 1


def test_the_same_retry_sent_again_is_one_run(ana: Visitor, gateway: Embedded) -> None:
    path, run = ask(ana, ids.UNLUCKY, "give me a 500")
    watched(ana, run)
    before = len(gateway.received())
    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(lambda _: ana.posts(f"/runs/{run}/retry/", page=path), range(4)))
    assert all("still answering" not in plain(page.text) for page in pages)
    watched(ana, run_of(ana.reads(path)))
    ana.posts(f"/runs/{run}/retry/", page=path)  # a form that is replayed when its run has ended
    assert len([one for one in gateway.received()[before:] if one["path"].endswith("/invoke")]) == 1
    assert ana.reads(path).count("data-run=") == 2


def test_rubbish_between_good_events_does_not_end_the_answer(ana: Visitor) -> None:
    _, run = ask(ana, ids.UNLUCKY, "garbage, please")
    assert watched(ana, run)[1] == "finished"


def test_a_gateway_that_dies_in_mid_run_leaves_an_interrupted_answer_with_its_text(
    own_gateway: Embedded, own_portico: Portico
) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    path, run = ask(ana, ids.STORYTELLER, "tell me about deep seas")
    events = events_of(ana, run)
    for _, name, _ in events:
        if name == "block":
            break
    port = own_gateway.port
    own_gateway.kill()
    ends = [data for _, name, data in events if name == "end"]
    assert ends[-1]["status"] == "interrupted"
    own_gateway.launch(port)
    page = ana.reads(path)
    assert "deep seas" in transcript(page)
    assert "Interrupted" in transcript(page)
    again = ana.posts(f"/runs/{run}/retry/", page=path)
    assert "aria-busy" in again.text
    ana.session.close()


def test_an_answer_whose_process_died_is_interrupted_and_can_be_retried(own_portico: Portico) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    path, run = ask(ana, ids.STORYTELLER, "everything about comets")
    for _, name, _ in events_of(ana, run):
        if name == "block":
            break
    eventually(lambda: "comets" in transcript(ana.reads(path)))
    waiting, _ = ask(ana, ids.WEATHER_DESK, "what will Lisbon be like?")
    eventually(lambda: "Connect Weather" in transcript(ana.reads(waiting)))
    deleted, _ = ask(ana, ids.ECHO, "not worth keeping")
    ana.posts(f"{deleted}delete/", page=deleted)
    own_portico.kill()
    with closing(sqlite3.connect(f"{own_portico.folder.name}/db.sqlite3")) as database, database:
        database.execute("UPDATE agents_conversation SET deleted_at = '2026-01-01' WHERE deleted_at IS NOT NULL")
    own_portico.start()
    eventually(lambda: not words_kept(own_portico, "not worth keeping"))  # though nobody has come back yet
    shown = transcript(ana.reads(path))
    assert "Interrupted: Portico was restarted" in shown
    assert "comets" in shown
    shown = transcript(ana.reads(waiting))
    assert "Interrupted: Portico was restarted" in shown
    assert "Connect Weather" not in shown
    again = ana.posts(f"/runs/{run_of(ana.reads(waiting))}/retry/", page=waiting)
    eventually(lambda: "Connect Weather" in transcript(ana.reads(waiting)))
    ana.posts(f"/runs/{run_of(again.text)}/cancel/", page=waiting)
    ana.session.close()


def words_kept(portico: Portico, words: str) -> int:
    """How many messages have these words."""
    with closing(sqlite3.connect(f"{portico.folder.name}/db.sqlite3", timeout=20)) as database:
        count: int = database.execute("SELECT count(*) FROM agents_message WHERE text = ?", [words]).fetchone()[0]
    return count


def test_nothing_the_agent_wrote_becomes_markup(ana: Visitor) -> None:
    nasty = "<img src=x onerror=alert(1)> ![p](http://evil.example/p.png) [x](javascript:alert(1)) <script>1</script>"
    path, run = ask(ana, ids.ECHO, nasty)
    watched(ana, run)
    parts = ana.reads(path).split("data-parts>", 1)[1].split("</article>", 1)[0]
    assert "<img" not in parts
    assert "<script" not in parts
    assert 'href="javascript' not in parts
    assert "&lt;script&gt;" in parts


def test_an_empty_message_is_refused_with_a_sentence(ana: Visitor) -> None:
    answer = ana.posts(f"/agents/{ids.ECHO}/", message="   ")
    assert answer.status_code == 400
    assert "Write a message first." in plain(answer.text)


def test_a_message_sent_while_the_agent_answers_is_kept_and_not_lost(ana: Visitor) -> None:
    path, run = ask(ana, ids.STORYTELLER, "a long one about rivers")
    page = ana.posts(f"{path}messages/", page=path, message="and another thing")
    assert "still answering" in plain(page.text)
    assert "and another thing</textarea>" in page.text
    ana.posts(f"/runs/{run}/cancel/", page=path)


def test_nobody_finds_the_conversation_or_the_run_of_another(ana: Visitor, gil: Visitor, visitor: Arrive) -> None:
    path, run = ask(ana, ids.STORYTELLER, "my secret plans, short")
    for mallory in (gil, visitor("admin@example.com")):
        assert mallory.gets(path).status_code == 404
        assert mallory.posts(f"{path}messages/", page=path, message="hi").status_code == 404
        assert mallory.gets(f"/runs/{run}/events/").status_code == 404
        assert mallory.posts(f"/runs/{run}/cancel/", page=path).status_code == 404
        assert mallory.posts(f"/runs/{run}/retry/", page=path).status_code == 404
    stranger = visitor()
    assert stranger.gets(f"/runs/{run}/events/").status_code == 401
    assert "/login/" in stranger.gets(path).url
    assert watched(ana, run)[1] == "finished"


def test_a_follower_from_another_site_is_refused(ana: Visitor) -> None:
    _, run = ask(ana, ids.ECHO, "hello")
    foreign = ana.session.get(
        f"{ana.portico.url}/runs/{run}/events/", headers={"Origin": "https://evil.example"}, timeout=10
    )
    assert foreign.status_code == 403


def test_signing_out_ends_what_follows_a_run(ana: Visitor, visitor: Arrive) -> None:
    _, run = ask(ana, ids.STORYTELLER, "at length about mountains")
    events = events_of(ana, run)
    next(events)
    other_tab = Visitor(ana.portico)
    other_tab.session.cookies.update(ana.session.cookies)
    other_tab.posts("/logout/")
    other_tab.session.close()
    assert all(name != "end" for _, name, _ in events)  # closed long before the story's end


def test_stop_rejects_the_approval_that_the_answer_was_waiting_for(ana: Visitor, gateway: Embedded) -> None:
    before = set(gateway.report()["held"])
    path, run = ask(ana, ids.FILE_MANAGER, "please throw away meeting-notes.md")
    eventually(lambda: len(gateway.report()["held"]) > len(before))
    [call] = set(gateway.report()["held"]) - before
    page = ana.posts(f"/runs/{run}/cancel/", page=path)
    assert "Stopped with it: delete_file." in plain(page.text)
    assert "Stopped by you. Stopped with it: delete_file." in transcript(ana.reads(path))
    assert gateway.report()["answers"][call] == "reject"
    assert "/meeting-notes.md" in gateway.report()["files"]["user@example.com"]


def test_stop_does_not_say_that_a_call_still_waits_which_was_being_approved(ana: Visitor, gateway: Embedded) -> None:
    before = set(gateway.report()["held"])
    path, run = ask(ana, ids.FILE_MANAGER, "please throw away notes.txt")
    eventually(lambda: len(gateway.report()["held"]) > len(before))
    [call] = set(gateway.report()["held"]) - before
    rest = f"confirmations/{call}/confirm" if gateway.dialect == "guide" else f"confirmation/{call}/respond"
    gateway.dial(fail={"path": f"/api/v1/{rest}", "delay": 1.0})
    with ThreadPoolExecutor(1) as hand:
        approved = hand.submit(ana.posts, f"/confirmations/{call}/confirm/")
        eventually(lambda: any(rest in one["path"] for one in gateway.received()))
        page = ana.posts(f"/runs/{run}/cancel/", page=path)
        approved.result()
    told = "Approved before, and may have run: delete_file."
    for shown in (plain(page.text), transcript(ana.reads(path))):
        assert told in shown and "May still wait" not in shown
    assert gateway.report()["answers"][call] == "confirm"


def test_nobody_is_said_to_have_rejected_a_call_that_went_with_its_answer(ana: Visitor, gateway: Embedded) -> None:
    before = set(gateway.report()["held"])
    path, run = ask(ana, ids.FILE_MANAGER, "please throw away meeting-notes.md")
    eventually(lambda: len(gateway.report()["held"]) > len(before))
    [call] = set(gateway.report()["held"]) - before
    told = "Stopped: the answer that asked for it was stopped"
    with live_page(ana) as desk:
        desk.sees(lambda page: call in page.items)
        ana.posts(f"/runs/{run}/cancel/", page=path)
        desk.reads(call, told)
    item = f"/confirmations/{call}/"
    late = plain(ana.posts(f"{item}confirm/", page=item, reason="", tool_name="").text)
    for shown in (plain(ana.reads(item)), late, plain(ana.reads("/confirmations/history/?state=stopped"))):
        assert told.lower() in shown.lower()  # "This was already resolved: stopped: …"
        assert "ejected by you" not in shown
    history = plain(ana.reads("/confirmations/history/"))
    assert "You stopped the answer that asked for it" in history
    assert "You rejected: The answer" not in history
    first = next(line for line in ana.reads("/confirmations/history/decisions.jsonl").splitlines() if call in line)
    assert json.loads(first)["kind"] == json.loads(first)["outcome"] == "stopped"
    rejected = ana.reads("/confirmations/history/decisions.jsonl?decision=reject")
    assert '"kind":"stopped"' not in rejected


def test_stop_names_what_may_wait_for_the_answer_and_rejects_none_of_it(ana: Visitor, gateway: Embedded) -> None:
    call = held(gateway, "user@example.com", "send_invoice", agent="Storyteller")  # its stream told of no call
    other = held(gateway, "user@example.com", "pay_invoice", agent="Echo")
    path, run = ask(ana, ids.STORYTELLER, "everything about invoices")
    page = ana.posts(f"/runs/{run}/cancel/", page=path)
    told = "May still wait for an approval, and run once it is given: send_invoice."
    for shown in (plain(page.text), transcript(ana.reads(path))):
        assert told in shown
        assert "pay_invoice" not in shown
    assert {call, other} <= set(gateway.report()["held"])
    gateway.dial(forget_holds=True)


def test_retry_is_a_form_of_its_own_that_needs_no_script(ana: Visitor) -> None:
    path, run = ask(ana, ids.UNLUCKY, "die again")
    watched(ana, run)
    form = re.search(rf'<form method="post" action="(/runs/{run}/retry/)".*?</form>', ana.reads(path), re.S)
    assert form
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form[0])
    assert token
    answer = ana.session.post(ana.portico.url + form[1], data={"csrfmiddlewaretoken": token[1]}, timeout=30)
    assert answer.status_code == 200
    assert run_of(answer.text) != run
