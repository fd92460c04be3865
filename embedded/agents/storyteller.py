"""Tells something about the subject it is given: Markdown, thirty pieces a second."""

import asyncio
import re

from ag_ui.core import TextMessageContentEvent, TextMessageEndEvent, TextMessageStartEvent
from starlette.types import ASGIApp

from embedded.agents.base import Asked, Events, ag_ui_app, pieces
from embedded.agents.stories import long_story, short_story
from embedded.ids import new_id

PACE = 30  # pieces a second

SUBJECT = re.compile(
    r"\b(?:about|regarding|concerning|on the (?:subject|topic) of|story of|history of|explain|describe|"
    r"what (?:is|are|was|were)|who (?:is|was))\s+(?P<subject>.+)",
    re.IGNORECASE | re.DOTALL,
)
OPENING = re.compile(
    r"^(?:please|hi|hello|hey|could you|can you|would you|i(?:'d| would) like|give me|tell me|write(?: me)?|"
    r"a|an|some|short|brief|quick|long|story|tale|text|something|of|for|,|\s)+\b",
    re.IGNORECASE,
)
ENDING = re.compile(r"(?:[\s,.!?;:]|\bplease\b|\bin (?:short|brief)\b|\bbriefly\b|\bthanks?(?: you)?\b)+$", re.I)
SHORT = re.compile(r"\b(?:short|brief|briefly|quick|tiny|few (?:words|lines))\b", re.IGNORECASE)


def app(secret: str) -> ASGIApp:
    return ag_ui_app(converse, secret)


async def converse(question: Asked) -> Events:
    subject = subject_of(question.text)
    story = short_story(subject) if SHORT.search(question.text) else long_story(subject)
    message_id = new_id()
    yield TextMessageStartEvent(message_id=message_id, role="assistant")
    clock = asyncio.get_running_loop().time
    start = clock()
    for number, piece in enumerate(pieces(story)):
        await asyncio.sleep(max(0.0, start + number / PACE - clock()))
        yield TextMessageContentEvent(message_id=message_id, delta=piece)
    yield TextMessageEndEvent(message_id=message_id)


def subject_of(text: str) -> str:
    """What to speak about: of "Please tell me a short story about bridges!" it is `bridges`."""
    found = SUBJECT.search(text)
    subject = found["subject"] if found else OPENING.sub("", text)
    subject = ENDING.sub("", " ".join(subject.split()))
    return subject or "nothing in particular"
