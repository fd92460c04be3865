"""An answer as Markdown to read elsewhere: every kind of part, and what the agent asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from agents import interrupts, pieces, thoughts
from agents.models import Approval, Run
from agents.pieces import NO_APPROVALS, Approvals
from agents.transcript import Part, as_json


def answer(run: Run, approvals: Approvals = NO_APPROVALS) -> Iterator[str]:
    asked = interrupts.states(run.interrupts)
    yield from (part(one, asked, approvals) for one in run.parts)
    for ask in interrupts.asks(run.interrupts):
        until = f" It can be answered until {ask.expires_at:%Y-%m-%d %H:%M} UTC." if ask.expires_at else ""
        told = ask.answer if ask.entry else f"Not answered yet.{until}"
        yield f"**Asked: {line(ask.title)}**\n\n{quoted(told)}"
    if run.status in STATUSES:
        yield f"*{': '.join(filter(None, (STATUSES[run.status], run.problem)))}*\n\n"
    if run.detail:
        yield f"What the agent said:\n\n{block(run.detail)}"


STATUSES = {
    status: Run.Status(status).label
    for status in Run.Status.values
    if status not in (Run.Status.FINISHED, Run.Status.ASKING)
}


def part(one: Part, asked: Mapping[str, str], approvals: Approvals = NO_APPROVALS) -> str:
    match one["kind"]:
        case "text":
            who = pieces.speaker(one)
            segments = thoughts.split(one["text"], one.get("thinks", ""))
            words = "".join(quoted(text) if is_thought else f"{text}\n\n" for is_thought, text in segments)
            return (f"**{line(who)}:**\n\n" if who else "") + words
        case "reasoning":
            return quoted(one["text"])
        case "tool":
            result = f"Result:\n\n{block(one['result'])}" if one.get("result") is not None else ""
            state = pieces.state_of_call(one, asked, approvals, is_open=False)
            decided = f"*{_approval(approvals[one['id']])}*\n\n" if one["id"] in approvals else ""
            head = f"Tool call `{line(one['name'])}` ({_words(state)}):\n\n"
            return f"{head}{block(one['arguments'] or '{}')}{decided}{result}"
        case "stage":
            return f"Step: {line(one['name'])} ({_words(pieces.state_of(one, asked, is_open=False))})\n\n"
        case "agent":
            return quoted("".join(_agent(one, asked, approvals)))
        case "activity":
            lines = [": ".join(filter(None, told.values())) for told in pieces.lines_of(pieces.written(one, "content"))]
            told = "".join(f"- {line(words)}\n" for words in lines)
            return f"**{line(one['type'])}**\n\n{told or _value(one, 'content')}\n"
        case "state":
            return f"State:\n\n{_value(one, 'value')}"
        case "others":
            events = "".join(f"Event `{line(event['name'])}`:\n\n{_value(event, 'value')}" for event in one["events"])
            more = one["count"] - len(one["events"])
            return events + (f"{more} more events were not kept.\n\n" if more > 0 else "")
        case "usage":
            return "".join(
                f"*{told['counts']}{' by ' if told['who'] else ''}{told['who']}*\n\n" for told in pieces.usage_of(one)
            )
        case "shortened":
            return f"*{pieces.shortened(one)}*\n\n"
        case "sloppy":
            return f"*{pieces.sloppy(one)}*\n\n"
    return block(as_json(one), "json")


def _agent(one: Part, asked: Mapping[str, str], approvals: Approvals) -> Iterable[str]:
    about = f": {line(one['about'])}" if one["about"] else ""
    yield f"**{line(one['name'])}**{about} ({_words(pieces.state_of(one, asked, is_open=False))})\n\n"
    yield from (part(inner, asked, approvals) for inner in one["parts"])
    if one["problem"]:
        yield f"*{line(one['problem'])}*\n\n"
    if "result" in one:
        yield f"Result:\n\n{_value(one, 'result')}"


def _approval(approval: Approval) -> str:
    before, after = approval.sentence
    return line(f"{before}, {approval.at:%Y-%m-%d %H:%M} UTC{f': {after}' if after else ''}")


def _words(state: str) -> str:
    return pieces.STATES[state][2].lower()


def quoted(text: str) -> str:
    return "".join(f"> {line}".rstrip() + "\n" for line in text.rstrip("\n").split("\n")) + "\n"


def block(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n\n"


def _value(holder: Part, name: str) -> str:
    value = holder[name]
    return block(value) if isinstance(value, str) else block(holder.get("written") or as_json(value), "json")


def line(text: str) -> str:
    return " ".join(text.split())
