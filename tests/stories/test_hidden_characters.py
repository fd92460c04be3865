"""Characters that hide, or that turn round what follows, are visible wherever a name or an error decides trust."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
import requests

from accounts.characters import legible, named
from agents import pieces
from embedded import ids
from tests.embedded import Embedded
from tests.portico import Portico, Visitor
from tests.stories.following import run_of, watched
from tests.stories.test_answer_parts import followed, given, reloaded, says

BAD = "\u202eEvil\u2066\x1b[31m\u200b\x07\ufeff\u2028x"
HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\x1b\x07\ufeff\u2028]")


def admin_makes(gateway: Embedded, path: str, **body: object) -> dict[str, dict[str, str]]:
    headers = {"Authorization": f"Bearer {gateway.token('admin@example.com')}"}
    answer = requests.post(f"{gateway.url}/api/v1/{path}", json=body, headers=headers, timeout=15)
    answer.raise_for_status()
    document: dict[str, dict[str, str]] = answer.json()
    return document


def test_no_page_shows_a_name_otherwise_than_it_is(own_gateway: Embedded, own_portico: Portico) -> None:
    admin_makes(own_gateway, "credential-providers", serviceType="vile", name=BAD, description=BAD, authType="api_key")
    needs = [{"serviceType": "vile", "description": BAD, "required": True}]
    made = {"name": BAD, "description": BAD, "requiredCredentials": needs}
    agent = admin_makes(own_gateway, "admin/agents", upstreamUrl=f"{own_gateway.url}/nothing-here", **made)["agent"][
        "id"
    ]
    ana = Visitor(own_portico)
    ana.signs_in("admin@example.com")
    page = ana.posts(f"/agents/{agent}/", message="hello")
    path = page.url.removeprefix(own_portico.url)
    ana.posts(f"{path}rename/", page=path, title=f"Title {BAD}")
    paths = ["/agents/", f"/agents/{agent}/", path, "/conversations/", "/conversations/?q=evil", "/credentials/"]
    paths += ["/credentials/connect/vile/", "/credentials/services/"]
    for one in paths:
        text = ana.reads(one)
        shown = re.sub(r"<(?:textarea|input)[^>]*>(?:[^<]*</textarea>)?", "", text)  # what was typed stays as it was
        assert "⟨U+202E⟩Evil⟨U+2066⟩⟨U+001B⟩" in shown, one
        assert not HIDDEN.search(shown), one
    stored = ana.posts("/credentials/connect/vile/", secret="a key")
    assert "⟨U+202E⟩Evil" in stored.text and not HIDDEN.search(stored.text)
    ana.session.close()


def test_no_part_of_an_answer_hides_what_it_says() -> None:
    sub_agent = {"subagentRunId": BAD}
    answer = given(
        [
            {"type": "TOOL_CALL_START", "toolCallId": "c", "toolCallName": BAD},
            {"type": "TOOL_CALL_ARGS", "toolCallId": "c", "delta": f'{{"{BAD}": "{BAD}"'},
            {"type": "TOOL_CALL_RESULT", "messageId": "r", "toolCallId": "c", "content": BAD},
            {"type": "STEP_STARTED", "stepName": BAD},
            {"type": "SUBAGENT_STARTED", **sub_agent, "name": BAD, "description": BAD},
            {"type": "SUBAGENT_ERROR", **sub_agent, "message": BAD},
            {"type": "ACTIVITY_SNAPSHOT", "messageId": "a", "activityType": BAD, "content": {BAD: BAD}},
            {"type": "CUSTOM", "name": BAD, "value": BAD},
            {"type": "STATE_SNAPSHOT", "snapshot": {BAD: BAD}},
            {"type": "REASONING_MESSAGE_CONTENT", "messageId": "t", "delta": BAD},
            {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "user", "name": BAD},
            says("hello"),
        ]
    )
    page = reloaded(answer)
    assert followed(answer) == page
    assert not HIDDEN.search(page)
    assert page.count("⟨U+202E⟩Evil") >= 15
    end = pieces.end(UUID(int=0), "failed", BAD, BAD)
    assert end.count("⟨U+202E⟩Evil") == 2 and not HIDDEN.search(end)


def test_a_title_that_somebody_wrote_says_what_it_hides(ana: Visitor) -> None:
    page = ana.posts(f"/agents/{ids.ECHO}/", message=f"{BAD} please")
    watched(ana, run_of(page.text))
    head = re.search(r"<title>(.*?)</title>", ana.reads(page.url), re.S)
    assert head and "⟨U+202E⟩Evil" in head[1]


@pytest.mark.parametrize(
    ("text", "legibly"),
    [
        ("⚙️ Ops 🧑\u200d💻 👨\u200d👩\u200d👧 1️⃣ ❤️", None),
        ("می\u200cخواهم", None),
        ("क्\u200dष", None),
        ("two\r\nlines\tand\n", None),
        ("x\u200dy a\ufe0f", "x⟨U+200D⟩y a⟨U+FE0F⟩"),
        ("❤️\ufe0f", "❤️⟨U+FE0F⟩"),
        ("\u200d", "⟨U+200D⟩"),
        ("a\rb\x85c", "a⟨U+000D⟩b⟨U+0085⟩c"),
        ("\u3164\u115f\u00ad", "⟨U+3164⟩⟨U+115F⟩⟨U+00AD⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
    ],
)
def test_only_what_joins_emoji_and_letters_may_hide(text: str, legibly: str | None) -> None:
    assert legible(text) == (text if legibly is None else legibly)


def test_letters_that_pass_for_others_are_marked_in_names_alone() -> None:
    assert (legible("Раypal"), named("Раypal")) == ("Раypal", "⟨Ра U+0420 U+0430⟩ypal")
    assert named("👩\u200d💻 Müller ") == "👩\u200d💻 Müller⟨U+0020⟩"
