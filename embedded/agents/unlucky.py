"""Fails as asked, so that a person can see what failure looks like."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable

from ag_ui.core import RunErrorEvent, RunStartedEvent, TextMessageContentEvent, TextMessageStartEvent
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from embedded.agents.base import Asked, Events, agent_app, encoded, pieces, run, say, sse
from embedded.ids import new_id
from embedded.streaming import Cut, Streamed, hung_up

HELP = """I fail on purpose. Name one way in your message:

| Say | and I |
| --- | --- |
| `500` | answer with the status 500 |
| `401` or `unauthorized` | answer with the status 401, as if I had no rights |
| `die` | break the connection in the middle of my answer |
| `silent` | never say anything |
| `stall` | begin, and then say nothing more |
| `html` | answer with a web page |
| `garbage` | mix broken JSON among my events |
| `error event` | report an error in the stream |
| `no end` | stop without saying that I have finished |
"""


def app(secret: str) -> ASGIApp:
    return agent_app(reply, secret)


async def reply(question: Asked) -> ASGIApp:
    for pattern, way in WAYS.items():
        if re.search(pattern, question.text, re.IGNORECASE):
            return way(question)
    return Streamed(encoded(run(question, explain)))


async def explain(_: Asked) -> Events:
    async for event in say(HELP):
        yield event


def overloaded(_: Asked) -> ASGIApp:
    return JSONResponse({"error": "model overloaded", "retry": "later"}, 500)


def unauthorized(_: Asked) -> ASGIApp:
    return JSONResponse({"error": "the agent itself was refused by its model provider"}, 401)


def web_page(_: Asked) -> ASGIApp:
    return HTMLResponse("<!doctype html><title>Oops</title><h1>It works!</h1>")


def dying(question: Asked) -> ASGIApp:
    return Streamed(die(question))


async def die(question: Asked) -> AsyncGenerator[bytes, None]:
    async for chunk in beginning(question, "I was just about to tell you"):
        yield chunk
    raise Cut


def silent(_: Asked) -> ASGIApp:
    return say_nothing


async def say_nothing(_: Scope, receive: Receive, __: Send) -> None:
    """Not even a status, until the other side hangs up."""
    await hung_up(receive)


def stalling(question: Asked) -> ASGIApp:
    return Streamed(stall(question))


async def stall(question: Asked) -> AsyncGenerator[bytes, None]:
    async for chunk in beginning(question, "Let me think"):
        yield chunk
    await asyncio.Event().wait()


def garbling(question: Asked) -> ASGIApp:
    return Streamed(garble(question))


async def garble(question: Asked) -> AsyncGenerator[bytes, None]:
    """A whole run, with lines in it that nobody can read."""
    async for chunk in encoded(run(question, explain_garbage)):
        yield chunk
        yield b'data: {"type": "TEXT_MESSAGE_CONTENT", "delta": \n\n'


async def explain_garbage(_: Asked) -> Events:
    async for event in say("This got through in spite of the garbage around it."):
        yield event


def erring(question: Asked) -> ASGIApp:
    return Streamed(encoded(run(question, err)))


async def err(_: Asked) -> Events:
    async for event in say("I begin, and then"):
        yield event
    yield RunErrorEvent(message="The model's quota is used up.", code="QUOTA")


def unfinished(question: Asked) -> ASGIApp:
    return Streamed(beginning(question, "That is all I"))


async def beginning(question: Asked, text: str) -> AsyncGenerator[bytes, None]:
    """A run and a message that are begun and not ended."""
    message_id = new_id()
    yield sse(RunStartedEvent(thread_id=question.thread_id, run_id=question.run_id))
    yield sse(TextMessageStartEvent(message_id=message_id, role="assistant"))
    for piece in pieces(text):
        yield sse(TextMessageContentEvent(message_id=message_id, delta=piece))
        await asyncio.sleep(0.05)


WAYS: dict[str, Callable[[Asked], ASGIApp]] = {
    r"\b500\b": overloaded,
    r"\b401\b|unauthori[sz]ed": unauthorized,
    r"\bdies?\b": dying,
    r"\bsilent\b": silent,
    r"\bstalls?\b": stalling,
    r"\bhtml\b": web_page,
    r"\bgarbage\b": garbling,
    r"\berror event\b": erring,
    r"\bno end\b": unfinished,
}
