"""Shows, one at a time, what an AG-UI agent can do beside talking: ask for it in plain words."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

from ag_ui.core import (
    ActivityDeltaEvent,
    ActivitySnapshotEvent,
    AssistantMessage,
    BaseEvent,
    CustomEvent,
    Interrupt,
    MessagesSnapshotEvent,
    RawEvent,
    ReasoningEndEvent,
    ReasoningMessageContentEvent,
    ReasoningMessageEndEvent,
    ReasoningMessageStartEvent,
    ReasoningStartEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunStartedEvent,
    StateDeltaEvent,
    StateSnapshotEvent,
    StepFinishedEvent,
    StepStartedEvent,
    SubagentErrorEvent,
    SubagentFinishedEvent,
    SubagentStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    TokenUsage,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
)
from starlette.types import ASGIApp

from embedded.agents.base import Asked, Events, ag_ui_app, pieces, say, sse
from embedded.clock import iso, now
from embedded.ids import new_id

PACE = 0.02  # seconds between two pieces
OFFER = (
    "Ask me to: think aloud, use a tool, use steps, ask a sub-agent, show state, make a plan, send custom events, "
    "speak in roles, speak in turns, take a snapshot, correct myself, run twice, ask me, approve, form, trip, several, "
    "unknown, expire, tell usage, give up."
)


def app(secret: str) -> ASGIApp:
    return ag_ui_app(converse, secret)


async def converse(question: Asked) -> Events:
    resumed = question.body.get("resume") if isinstance(question.body, dict) else None
    if resumed:
        for result in results(question.body, resumed):
            yield result
        async for event in say(told_back(resumed)):
            yield event
        if any(entry.get("payload") == "ask again" for entry in resumed):
            yield waiting(question, a_question())
        return
    show = next((show for words, show in SHOWS if re.search(words, question.text, re.IGNORECASE)), offer)
    async for told in show(question):
        yield told
        await asyncio.sleep(PACE)


def told_back(resumed: list[dict[str, Any]]) -> str:
    lines = []
    for entry in resumed:
        name = str(entry.get("interruptId", "")).split(":")[0]
        if entry.get("status") == "cancelled":
            lines.append(f"- {name}: left unanswered")
        else:
            lines.append(f"- {name}: `{json.dumps(entry.get('payload'), ensure_ascii=False)}`")
    return "Thank you. You answered:\n\n" + "\n".join(lines)


def results(body: dict[str, Any], resumed: list[dict[str, Any]]) -> list[BaseEvent]:
    """What became of a call that waited for an approval which was given."""
    messages = [message for message in body.get("messages", []) if isinstance(message, dict)]
    calls = [call for message in messages for call in message.get("toolCalls") or []]
    payloads = [entry.get("payload") for entry in resumed if str(entry.get("interruptId")).startswith("approval:")]
    if not calls or not any(isinstance(payload, dict) and payload.get("approved") for payload in payloads):
        return []
    return [ToolCallResultEvent(message_id=new_id(), tool_call_id=calls[-1]["id"], content="Sent")]


Showing = AsyncIterator[BaseEvent]
Show = Callable[[Asked], Showing | Events]


async def offer(_: Asked) -> Showing:
    async for event in say(OFFER):
        yield event


async def think(_: Asked) -> Showing:
    message_id = new_id()
    yield ReasoningStartEvent(message_id=message_id)
    yield ReasoningMessageStartEvent(message_id=message_id)
    for piece in pieces("First I count the bridges. There are seven of them, and each may be crossed only once."):
        yield ReasoningMessageContentEvent(message_id=message_id, delta=piece)
    yield ReasoningMessageEndEvent(message_id=message_id)
    yield ReasoningEndEvent(message_id=message_id)
    async for event in say("It cannot be done: four of the places have an odd number of bridges."):
        yield event


async def steps(_: Asked) -> Showing:
    for name in ("Look it up", "Compare", "Write it down"):
        yield StepStartedEvent(step_name=name)
        yield StepFinishedEvent(step_name=name)
    async for event in say("All three steps are done."):
        yield event


def call(name: str, arguments: dict[str, Any], who: str | None = None, call_id: str = "") -> list[BaseEvent]:
    call_id = call_id or new_id()
    written = json.dumps(arguments)
    events: list[BaseEvent] = [ToolCallStartEvent(tool_call_id=call_id, tool_call_name=name, subagent_run_id=who)]
    events += [
        ToolCallArgsEvent(tool_call_id=call_id, delta=written[at : at + 8], subagent_run_id=who)
        for at in range(0, len(written), 8)
    ]
    return [*events, ToolCallEndEvent(tool_call_id=call_id, subagent_run_id=who)]


async def tool(_: Asked) -> Showing:
    call_id = new_id()
    for event in call(
        "look_up", {"place": "Königsberg", "what": "bridges, islands and how to cross them"}, None, call_id
    ):
        yield event
    yield ToolCallResultEvent(message_id=new_id(), tool_call_id=call_id, content='{"bridges": 7}')
    async for event in say("There are seven."):
        yield event


async def sub_agent(_: Asked) -> Showing:
    librarian, clerk = new_id(), new_id()
    message_id = new_id()
    yield SubagentStartedEvent(subagent_run_id=librarian, name="Librarian", description="Finds books")
    yield TextMessageStartEvent(message_id=message_id, role="assistant", subagent_run_id=librarian)
    for piece in pieces("I look on the **third** shelf."):
        yield TextMessageContentEvent(message_id=message_id, delta=piece, subagent_run_id=librarian)
    yield TextMessageEndEvent(message_id=message_id, subagent_run_id=librarian)
    call_id = new_id()
    for event in call("find_book", {"title": "Seven bridges"}, librarian, call_id):
        yield event
    yield ToolCallResultEvent(
        message_id=new_id(), tool_call_id=call_id, content="Shelf 3, place 12", subagent_run_id=librarian
    )
    yield SubagentStartedEvent(subagent_run_id=clerk, name="Clerk", parent_subagent_run_id=librarian)
    yield SubagentErrorEvent(subagent_run_id=clerk, message="The stamp is lost.")
    yield SubagentFinishedEvent(subagent_run_id=librarian, result={"books": 1})
    async for event in say("The librarian found one book; the clerk could not stamp it."):
        yield event


async def patient_sub_agent(_: Asked) -> Showing:
    """It goes on talking while a call of its waits."""
    librarian, message_id, call_id = new_id(), new_id(), new_id()
    yield SubagentStartedEvent(subagent_run_id=librarian, name="Librarian", description="Finds books")
    for event in call("find_book", {"title": "Seven bridges"}, librarian, call_id):
        yield event
    yield TextMessageStartEvent(message_id=message_id, role="assistant", subagent_run_id=librarian)
    for number in range(40):
        yield TextMessageContentEvent(message_id=message_id, delta=f"Shelf {number}. ", subagent_run_id=librarian)
        await asyncio.sleep(0.2)
    yield TextMessageEndEvent(message_id=message_id, subagent_run_id=librarian)
    yield SubagentFinishedEvent(subagent_run_id=librarian)


async def state(_: Asked) -> Showing:
    yield StateSnapshotEvent(snapshot={"basket": ["bread"], "total": 3})
    yield StateDeltaEvent.model_validate(
        {
            "delta": [
                {"op": "add", "path": "/basket/-", "value": "cheese"},
                {"op": "replace", "path": "/total", "value": 9},
            ]
        }
    )
    async for event in say("I put cheese into the basket; see the state below."):
        yield event


async def plan(_: Asked) -> Showing:
    message_id = new_id()
    todo = [{"step": "Pack", "status": "doing"}, {"step": "Go", "status": "to do"}]
    yield ActivitySnapshotEvent(message_id=message_id, activity_type="PLAN", content={"steps": todo})
    for path, value in (("/steps/0/status", "done"), ("/steps/1/status", "done")):
        patch = [{"op": "replace", "path": path, "value": value}]
        yield ActivityDeltaEvent.model_validate({"messageId": message_id, "activityType": "PLAN", "patch": patch})
    async for event in say("The plan is carried out."):
        yield event


async def custom(_: Asked) -> Showing:
    yield CustomEvent(name="mood", value={"is": "sunny"})
    yield RawEvent(event={"provider": "says something"}, source="provider")
    async for event in say("I sent two events that mean something to programs alone."):
        yield event


async def roles(_: Asked) -> Showing:
    for role in ("developer", "system", "user", "assistant"):
        message_id = new_id()
        yield TextMessageStartEvent.model_validate({"messageId": message_id, "role": role})
        yield TextMessageContentEvent(message_id=message_id, delta=f"This is said as {role}.")
        yield TextMessageEndEvent(message_id=message_id)


async def snapshot(question: Asked) -> Showing:
    told = AssistantMessage(id=new_id(), content="This was never streamed; it stood in a snapshot.")
    before = [message for message in question.body.get("messages", []) if isinstance(message, dict)]
    yield MessagesSnapshotEvent.model_validate(
        {"messages": [*before, told.model_dump(by_alias=True, exclude_none=True)]}
    )


async def turns(_: Asked) -> Showing:
    """Two messages at once, a word of each in turn."""
    said = {
        new_id(): pieces("The **first** voice counts the bridges.\n\nThere are seven of them, says the first."),
        new_id(): pieces("The **second** voice counts the islands.\n\nThere are two of them, says the second."),
    }
    for message_id in said:
        yield TextMessageStartEvent(message_id=message_id, role="assistant")
    for words in zip(*said.values(), strict=True):
        for message_id, word in zip(said, words, strict=True):
            yield TextMessageContentEvent(message_id=message_id, delta=word)
    for message_id in said:
        yield TextMessageEndEvent(message_id=message_id)


async def correct(question: Asked) -> Showing:
    """The thread in the end, with ids of its own, and without a slip."""
    call_id = new_id()
    async for event in say("Let me look it up."):
        yield event
    for event in call("look_up", {"place": "Königsberg"}, None, call_id):
        yield event
    yield ToolCallResultEvent(message_id=new_id(), tool_call_id=call_id, content='{"bridges": 7}')
    async for event in say("There are sevn bridges."):
        yield event
    before = [message for message in question.body.get("messages", []) if isinstance(message, dict)]
    function = {"name": "look_up", "arguments": '{"place": "Königsberg"}'}
    calls = [{"id": call_id, "type": "function", "function": function}]
    since = [
        {"id": new_id(), "role": "assistant", "content": "Let me look it up.", "toolCalls": calls},
        {"id": new_id(), "role": "tool", "toolCallId": call_id, "content": '{"bridges": 7}'},
        {"id": new_id(), "role": "assistant", "content": "There are seven bridges."},
    ]
    yield MessagesSnapshotEvent.model_validate({"messages": [*before, *since]})


async def run_twice(question: Asked) -> Events:
    """Two runs in one body."""
    async for event in say("This is the first run."):
        yield event
    ids = {"thread_id": question.thread_id, "run_id": new_id()}
    yield sse(RunFinishedEvent(thread_id=question.thread_id, run_id=question.run_id))
    await asyncio.sleep(PACE)
    yield RunStartedEvent.model_validate(ids)
    async for event in say("And this is the second one."):
        yield event


async def usage(question: Asked) -> Showing:
    async for event in say("This is what it cost."):
        yield event
    yield RunFinishedEvent(
        thread_id=question.thread_id,
        run_id=question.run_id,
        usage=[TokenUsage(provider="demo", model="showcase-1", input_tokens=1200, output_tokens=34, total_tokens=1234)],
    )


def waiting(question: Asked, *interrupts: Interrupt) -> RunFinishedEvent:
    outcome = RunFinishedInterruptOutcome(interrupts=list(interrupts))
    return RunFinishedEvent(thread_id=question.thread_id, run_id=question.run_id, outcome=outcome)


def a_question() -> Interrupt:
    schema = {"type": "string", "minLength": 2, "title": "Colour"}
    return Interrupt(
        id=f"question:{new_id()}", reason="input_required", message="Which colour do you like?", response_schema=schema
    )


def an_approval(call_id: str) -> Interrupt:
    arguments = {
        "amount": {"type": "integer", "minimum": 1, "default": 250},
        "to": {"type": "string", "default": "Olu"},
    }
    schema = {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean"},
            "editedArgs": {
                "type": "object",
                "title": "Arguments",
                "properties": arguments,
                "required": ["amount", "to"],
            },
        },
        "required": ["approved"],
    }
    return Interrupt(
        id=f"approval:{new_id()}",
        reason="tool_call",
        message="May I send 250 crowns to Olu?",
        tool_call_id=call_id,
        response_schema=schema,
    )


def a_form() -> Interrupt:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "Your name", "description": "As it stands in your passport"},
            "nights": {"type": "integer", "title": "Nights", "minimum": 1, "maximum": 30},
            "budget": {"type": "number", "title": "Budget", "description": "In crowns"},
            "room": {"type": "string", "title": "Room", "enum": ["single", "double"]},
            "breakfast": {"type": "boolean", "title": "With breakfast"},
            "address": {
                "type": "object",
                "title": "Address",
                "properties": {
                    "street": {"type": "string", "title": "Street"},
                    "city": {"type": "string", "title": "City"},
                },
                "required": ["city"],
            },
        },
        "required": ["name", "nights", "room"],
    }
    return Interrupt(id=f"form:{new_id()}", reason="form", message="Please book your room", response_schema=schema)


def a_trip() -> Interrupt:
    """With objects and lists in each other, as schemas are that programs write."""
    person = {
        "type": "object",
        "title": "Traveller",
        "properties": {
            "name": {"type": "string", "title": "Name"},
            "age": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "title": "Age"},
            "passport": {"$ref": "#/$defs/Passport"},
        },
        "required": ["name"],
    }
    passport = {
        "type": "object",
        "title": "Passport",
        "properties": {
            "number": {"type": "string", "title": "Number"},
            "country": {"type": "string", "title": "Country"},
        },
        "required": ["number", "country"],
    }
    classes = [{"const": 1, "title": "First class"}, {"const": 2, "title": "Second class"}]
    schema = {
        "type": "object",
        "$defs": {"Person": person, "Passport": passport},
        "properties": {
            "email": {"type": "string", "format": "email", "title": "E-mail"},
            "leaves": {"type": "string", "format": "date", "title": "Leaves on"},
            "class": {"title": "Class", "oneOf": classes, "default": 2},
            "extras": {"type": "array", "title": "Extras", "items": {"enum": ["bicycle", "dog", "pram"]}},
            "stops": {"type": "array", "title": "Stops", "items": {"type": "string"}, "uniqueItems": True},
            "travellers": {
                "type": "array",
                "title": "Travellers",
                "items": {"$ref": "#/$defs/Person"},
                "minItems": 1,
                "maxItems": 4,
            },
        },
        "required": ["email", "leaves", "travellers"],
    }
    return Interrupt(id=f"trip:{new_id()}", reason="form", message="Who travels, and when?", response_schema=schema)


async def ask(question: Asked) -> Showing:
    async for event in say("I need to know something first."):
        yield event
    yield waiting(question, a_question())


async def approve(question: Asked) -> Showing:
    call_id = new_id()
    for event in call("send_money", {"amount": 250, "to": "Olu"}, None, call_id):
        yield event
    yield waiting(question, an_approval(call_id))


async def form(question: Asked) -> Showing:
    yield waiting(question, a_form())


async def trip(question: Asked) -> Showing:
    yield waiting(question, a_trip())


async def several(question: Asked) -> Showing:
    async for event in approve(question):
        if not isinstance(event, RunFinishedEvent):
            yield event
        else:
            assert isinstance(event.outcome, RunFinishedInterruptOutcome)
            yield waiting(question, *event.outcome.interrupts, a_question(), a_form())


async def unknown(question: Asked) -> Showing:
    yield waiting(
        question,
        Interrupt(
            id=f"unknown:{new_id()}", reason="acme:tide", message="The tide is high. What now?", metadata={"m": 4}
        ),
    )


async def expire(question: Asked) -> Showing:
    told = re.search(r"in (\d+) s", question.text)  # "expire in 60 seconds"
    past = iso(now() + timedelta(seconds=int(told[1]) if told else -60))
    late = a_question().model_copy(update={"id": f"late:{new_id()}", "expires_at": past, "message": "Was it in time?"})
    soon = a_question().model_copy(update={"expires_at": iso(now() + timedelta(hours=1))})
    yield waiting(question, late, *([soon] if "two" in question.text else []))


async def give_up(question: Asked) -> Showing:
    async for event in say("I was told to stop here."):
        yield event
    outcome = RunFinishedCancelledOutcome()
    yield RunFinishedEvent(thread_id=question.thread_id, run_id=question.run_id, outcome=outcome)


SHOWS: tuple[tuple[str, Show], ...] = (
    (r"think|reason", think),
    (r"\bsteps?\b", steps),
    (r"patient sub-?agent", patient_sub_agent),
    (r"sub-?agent", sub_agent),
    (r"several", several),
    (r"expire", expire),
    (r"unknown", unknown),
    (r"approve|approval", approve),
    (r"\bform\b", form),
    (r"\btrip\b", trip),
    (r"\bask me\b|question", ask),
    (r"snapshot", snapshot),
    (r"\bturns\b", turns),
    (r"correct", correct),
    (r"run twice", run_twice),
    (r"\bstate\b", state),
    (r"\bplan\b|activity", plan),
    (r"custom|raw", custom),
    (r"\broles?\b", roles),
    (r"usage|tokens", usage),
    (r"\btool\b", tool),
    (r"\bgive up\b", give_up),
)
