"""What an AG-UI agent can do beside talking, as a person sees it, live and after a reload."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from agents import readable
from agents.models import Run
from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.following import plain, run_of, transcript, watched
from tests.stories.test_answer_parts import at_rest, given, showing
from tests.stories.test_chat import ask


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("please think aloud", ["Reasoning", "It cannot be done"]),
        ("use steps", ["Done Look it up", "All three steps"]),
        ("ask a sub-agent", ["Librarian", "The stamp is lost."]),
        ("show state", ["State", "cheese"]),
        ("make a plan", ["PLAN", "Go · done"]),
        ("send custom events", ["Other events (2)", "sunny"]),
        ("speak in roles", ["Developer", "This is said as system."]),
        ("tell usage", ["1,200 tokens in"]),
        ("use a tool", ["look_up", "There are seven."]),
        ("take a snapshot", ["This was never streamed"]),
        ("correct yourself", ["Let me look it up. look_up", "There are seven bridges."]),
        ("speak in turns", ["counts the bridges. There are seven of them, says the first. The second voice counts"]),
        ("run twice", ["This is the first run. And this is the second one."]),
        ("hello", ["Ask me to"]),
    ],
)
def test_whoever_follows_and_whoever_comes_later_see_it(ana: Visitor, words: str, shown: list[str]) -> None:
    path, run = ask(ana, ids.SHOWCASE, words)
    live, status = watched(ana, run)
    page = transcript(ana.reads(path))
    assert status == "finished"
    for text in shown:
        assert text in live
        assert text in page
    assert "sevn" not in page.partition("Other events (")[0]


def test_an_agent_that_was_stopped_on_its_own_side_says_so(ana: Visitor) -> None:
    path, run = ask(ana, ids.SHOWCASE, "give up")
    live, status = watched(ana, run)
    assert status == "stopped"
    for told in (live, transcript(ana.reads(path))):
        assert "I was told to stop here." in told
        assert "The agent says that it was stopped." in told
    assert "Retry" in live


def test_what_an_agent_says_of_its_error_is_in_the_file(ana: Visitor) -> None:
    for words in ("make an error event", "give me a 500"):
        path, run = ask(ana, ids.UNLUCKY, words)
        live, status = watched(ana, run)
        assert status == "failed"
        [answer] = ana.gets(f"{path}export.json").json()["messages"][0]["answers"]
        assert answer["detail"] and plain(answer["detail"]) in live
        markdown = ana.gets(f"{path}export.md").text
        assert f"What the agent said:\n\n```\n{answer['detail']}\n```\n" in markdown


def test_events_that_were_no_agui_are_counted_in_a_quiet_line(ana: Visitor) -> None:
    path, run = ask(ana, ids.UNLUCKY, "garbage please")
    live, status = watched(ana, run)
    assert status == "finished"
    [sentence] = re.findall(r"\d+ events? (?:was|were) not valid AG-UI and (?:was|were) passed over\.", live)
    assert live.endswith(sentence)
    assert sentence in transcript(ana.reads(path))
    assert f"*{sentence}*" in ana.gets(f"{path}export.md").text


def waiting(visitor: Visitor, words: str) -> tuple[str, str]:
    """A conversation whose agent waits: (path of its page, id of the run that asks)."""
    path, run = ask(visitor, ids.SHOWCASE, words)
    live, status = watched(visitor, run)
    assert status == "asking"
    assert "Waiting for a decision" in live or "too late" in live
    return path, run


def answers(visitor: Visitor, run: str, path: str, **fields: str) -> str:
    """What the conversation says in the end; `n0__answer` is the field `0.answer`."""
    named = {name.removeprefix("n").replace("__", "."): value for name, value in fields.items()}
    page = visitor.posts(f"/runs/{run}/answers/", page=path, **named)
    assert page.status_code == 200
    last = run_of(page.text)
    if last != run:
        watched(visitor, last)
    return transcript(visitor.reads(path))


def asked_last(gateway: Embedded) -> dict[str, Any]:
    requests = [entry["body"] for entry in gateway.received() if entry["path"].endswith("/invoke")]
    body: dict[str, Any] = requests[-1]
    return body


def test_a_question_is_answered_and_the_agent_goes_on(ana: Visitor, gateway: Embedded) -> None:
    path, run = waiting(ana, "ask me")
    assert "Which colour do you like?" in transcript(ana.reads(path))
    page = answers(ana, run, path, n0__answer="blue")
    assert 'question: "blue"' in page
    assert "Which colour do you like? blue" in page
    body = asked_last(gateway)
    assert body["threadId"] in path
    assert body["runId"] != run
    [entry] = body["resume"]
    assert (entry["status"], entry["payload"]) == ("resolved", "blue")
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]


def test_an_approval_offers_the_arguments_that_may_be_edited(ana: Visitor, gateway: Embedded) -> None:
    path, run = waiting(ana, "approve")
    page = ana.reads(path)
    assert 'value="250"' in page
    assert ">Approve</button>" in page
    assert ">Decline</button>" in page
    assert re.search("send_money .* Waiting for approval", transcript(page))
    text = answers(ana, run, path, n0__approved="yes", n0__editedArgs__amount="20", n0__editedArgs__to="Olu")
    assert 'Approved: {"editedArgs": {"amount": 20, "to": "Olu"}}' in text
    body = asked_last(gateway)
    assert body["messages"][-1]["toolCalls"][0]["function"]["name"] == "send_money"
    assert re.search("send_money .* Approved .* send_money .* Done .* Sent", text)
    assert "No result" not in text
    watched(ana, run_of(ana.posts(f"{path}messages/", page=path, message="hello").text))
    told = [message["role"] for message in asked_last(gateway)["messages"]]
    assert told == ["user", "assistant", "tool", "assistant", "user"]  # the call once, with its result
    declined = answers(ana, *reversed(waiting(ana, "approve")), n0__approved="no")
    assert "editedArgs" not in declined
    assert re.search("send_money .* Declined", declined)


def test_a_form_comes_back_with_what_was_typed_and_why(ana: Visitor) -> None:
    path, run = waiting(ana, "form")
    text = answers(
        ana, run, path, n0__name="Ana Lima", n0__nights="31", n0__room="double", n0__address__street="Quay 1"
    )
    page = ana.reads(path)
    assert 'value="Ana Lima"' in page
    assert 'value="31"' in page
    assert "This can be at most 30." in text
    assert re.search("City This is needed.", text)
    text = answers(ana, run, path, n0__name="", n0__nights="many", n0__room="tent")
    assert "This is needed." in text
    assert "Enter a whole number." in text
    assert "Choose one of these." in text
    text = answers(ana, run, path, n0__name="Ana", n0__nights="3", n0__room="double", n0__breakfast="yes")
    assert '{"name": "Ana", "nights": 3, "room": "double", "breakfast": true}' in text


def test_lists_and_objects_within_each_other_are_filled_in(ana: Visitor) -> None:
    path, run = waiting(ana, "plan a trip")
    page = ana.reads(path)
    assert '<option value="2" selected>Second class</option>' in page
    typed = {
        **{"0.email": "ana at home", "0.leaves": "2027-02-30", "0.class": "1", "0.extras.1": "yes"},
        **{"0.stops.length": "1", "0.stops.0": "Faro", "0.travellers.length": "1"},
        **{"0.travellers.0.name": "Ana", "0.travellers.0.passport.number": "P1"},
    }
    more = ana.posts(f"/runs/{run}/answers/", page=path, **typed, more="0.travellers")
    assert re.search(rf'id="{more.url.partition("#")[2]}"', more.text) or "#" not in more.url
    assert 'name="0.travellers.1.name"' in more.text
    assert 'value="P1"' in more.text
    assert "needed" not in plain(more.text)  # nobody has sent it yet
    typed |= {"0.travellers.length": "3", "0.travellers.2.name": "Bo", "0.travellers.2.age": "-1"}
    text = answers(ana, run, path, **typed)
    assert "Enter an e-mail address." in text
    assert "Enter a date, such as 2027-01-31." in text
    assert re.search("Age .optional. This has to be at least 0. Passport", text)
    assert re.search("Country This is needed.", text)
    typed |= {"0.email": "ana@example.com", "0.leaves": "2027-02-28", "0.travellers.2.age": ""}
    text = answers(ana, run, path, **typed, **{"0.travellers.0.passport.country": "PT"})
    assert (
        '{"email": "ana@example.com", "leaves": "2027-02-28", "class": 1, "extras": ["dog"], "stops": ["Faro"], '
        '"travellers": [{"name": "Ana", "passport": {"number": "P1", "country": "PT"}}, {"name": "Bo"}]}'
    ) in text


def test_what_was_filled_in_is_there_before_it_is_sent(ana: Visitor, gil: Visitor) -> None:
    path, run = waiting(ana, "form")
    typed = {"0.name": "Ana Lim", "0.nights": "many"}
    assert ana.posts(f"/runs/{run}/answers/", page=path, keep="yes", **typed).status_code == 204
    assert gil.posts(f"/runs/{run}/answers/", page="/agents/", keep="yes", **{"0.name": "Gil"}).status_code == 404
    page = ana.reads(path)
    assert 'value="Ana Lim"' in page
    assert "Enter a whole number" not in page
    answers(ana, run, path, **{"0.name": "Ana", "0.nights": "3", "0.room": "double"})
    assert ana.posts(f"/runs/{run}/answers/", page=path, keep="yes", **typed).url.endswith(path)  # too late: no harm


def test_several_are_answered_at_once_or_not_at_all(ana: Visitor) -> None:
    path, run = waiting(ana, "several")
    text = answers(ana, run, path, n1__answer="green")
    assert "Please approve or decline this." in text
    assert 'value="green"' in ana.reads(path)
    text = answers(
        ana, run, path, n0__approved="no", n1__answer="green", n2__name="A", n2__nights="1", n2__room="single"
    )
    for told in ('approval: {"approved": false}', 'question: "green"', "form: {"):
        assert told in text


@pytest.mark.parametrize(("typed", "told"), [('{"wait": 3}', '{"wait": 3}'), ("just wait", '"just wait"')])
def test_an_unknown_reason_takes_text_or_json(ana: Visitor, typed: str, told: str) -> None:
    path, run = waiting(ana, "unknown")
    assert "acme:tide" in ana.reads(path)
    assert f"unknown: {told}" in answers(ana, run, path, n0__answer=typed)


def test_what_expired_cannot_be_answered(ana: Visitor) -> None:
    path, run = waiting(ana, "expire")
    assert "Expired at" in transcript(ana.reads(path))
    assert "Send answer" not in ana.reads(path)
    assert "This expired before your answer arrived" in answers(ana, run, path, n0__answer="too late")
    path, run = waiting(ana, "expire one of two")
    text = answers(ana, run, path, n0__answer="too late", n1__answer="red")
    assert "This expired before your answer arrived" in text
    assert 'value="red"' in ana.reads(path)
    text = answers(ana, run, path, n1__answer="red")
    assert "late: left unanswered" in text
    assert 'question: "red"' in text


def test_what_was_asked_and_answered_is_taken_away_too(ana: Visitor) -> None:
    path, run = waiting(ana, "approve")
    assert "Tool call `send_money` (waiting for approval)" in ana.gets(f"{path}export.md").text
    [open_one] = ana.gets(f"{path}export.json").json()["messages"][0]["answers"][0]["interrupts"]
    assert open_one["answer"] is None
    answers(ana, run, path, n0__approved="no")
    [answer, _] = ana.gets(f"{path}export.json").json()["messages"][0]["answers"]
    assert answer["interrupts"] == [
        {
            "interrupt": open_one["interrupt"],
            "answer": {
                "interruptId": open_one["interrupt"]["id"],
                "status": "resolved",
                "payload": {"approved": False},
            },
        }
    ]
    assert "**Asked: May I send 250 crowns to Olu?**\n\n> Declined\n" in ana.gets("/conversations/export.md").text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("use steps", ["Step: Look it up (done)\n"]),
        (
            "ask a sub-agent",
            [
                "> **Librarian**: Finds books (done)\n>\n> I look on the **third** shelf.\n>\n",
                "\n> Tool call `find_book` (done):",
                "> > **Clerk** (failed)\n> >\n> > *The stamp is lost.*",
            ],
        ),
        ("show state", ['State:\n\n```json\n{\n  "basket"']),
        ("make a plan", ["**PLAN**\n\n- Pack · done\n- Go · done\n"]),
        ("send custom events", ["Event `mood`:\n\n```json\n{\n"]),
        ("speak in roles", ["**System:**\n\nThis is said as system.\n"]),
        ("tell usage", ["*1,200 tokens in, 34 out, 1,234 in all by demo showcase-1*"]),
        ("think aloud", ["> First I count the bridges."]),
    ],
)
def test_all_that_an_agent_did_can_be_read_in_markdown(words: str, told: list[str]) -> None:
    answer = given([event.model_dump(by_alias=True) for event in at_rest(showing(words))])
    markdown = "".join(readable.answer(Run(status=Run.Status.FINISHED, parts=answer.parts())))
    for text in told:
        assert text in markdown
    assert '"kind"' not in markdown


def test_only_the_owner_answers(ana: Visitor, gil: Visitor) -> None:
    _, run = waiting(ana, "ask me")
    assert gil.posts(f"/runs/{run}/answers/", page="/agents/", **{"0.answer": "mine"}).status_code == 404


def test_answering_four_times_at_once_is_one_resume(ana: Visitor, gateway: Embedded) -> None:
    path, run = waiting(ana, "ask me")
    before = len(gateway.received())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: answers(ana, run, path, **{"n0__answer": "blue"}), range(4)))
    invoked = [entry for entry in gateway.received()[before:] if entry["path"].endswith("/invoke")]
    assert len(invoked) == 1
    assert len(re.findall("data-run=", ana.reads(path))) == 2


def test_another_message_leaves_what_was_asked_unanswered(ana: Visitor, gateway: Embedded) -> None:
    path, _ = waiting(ana, "ask me")
    page = ana.posts(f"{path}messages/", page=path, message="never mind")
    watched(ana, run_of(page.text))
    assert "Left unanswered" in transcript(ana.reads(path))
    [entry] = asked_last(gateway)["resume"]
    assert entry["status"] == "cancelled"


def test_retry_of_what_asks_again_leaves_the_new_question_unanswered(ana: Visitor, gateway: Embedded) -> None:
    path, run = waiting(ana, "ask me")
    assert "Waiting for a decision" in answers(ana, run, path, n0__answer="ask again")
    asking = run_of(ana.reads(path))
    watched(ana, run_of(ana.posts(f"/runs/{asking}/retry/", page=path).text))  # no page offers it
    assert "Waiting for a decision" not in transcript(ana.reads(path))
    [entry] = asked_last(gateway)["resume"]
    assert entry["status"] == "cancelled"
    exported = ana.gets(f"{path}export.json").json()["messages"][0]["answers"]
    assert [answer["resume"] for answer in exported] == [
        [],
        *([one["answer"] for one in earlier["interrupts"]] for earlier in exported[:2]),
    ]


def test_open_interrupts_survive_a_restart(own_portico: Portico) -> None:
    ana = Visitor(own_portico)
    ana.signs_in("user@example.com")
    path, run = waiting(ana, "ask me")
    own_portico.kill()
    own_portico.start()
    assert "Waiting for a decision" in transcript(ana.reads(path))
    assert 'question: "blue"' in answers(ana, run, path, n0__answer="blue")
