"""Says which Notion token it works with."""

from starlette.types import ASGIApp

from embedded.agents.base import Asked, Events, ag_ui_app, say


def app(secret: str) -> ASGIApp:
    return ag_ui_app(converse, secret)


async def converse(question: Asked) -> Events:
    token = question.credential("notion")
    text = f"I am signed in with a token ending …{token[-4:]}. You said: {question.text or '(nothing)'}"
    async for event in say(text):
        yield event
