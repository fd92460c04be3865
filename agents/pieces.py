"""The fragments that an answer is shown as: rendered once, for the page and for whoever follows the run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from agents import markdown, thoughts
from agents.models import Approval, Run
from agents.thoughts import Segment
from agents.transcript import Part, as_json
from gateway import deep
from gateway.canonical import digest, fingerprint

ROLES = {"developer": "Developer", "system": "System", "user": "User", "tool": "Tool"}
USAGE = {
    "inputTokens": "tokens in",
    "outputTokens": "out",
    "totalTokens": "in all",
    "reasoningTokens": "of them reasoning",
    "cachedInputTokens": "read from a cache",
    "cacheWriteInputTokens": "written to a cache",
}
STATES = {  # of what an agent does: the class that gives its colour, an icon, words
    "running": ("running", "ring", "Running"),
    "done": ("done", "check", "Done"),
    "failed": ("failed", "warning", "Failed"),
    "stopped": ("stopped", "stop", "Not ended"),
    "no result": ("stopped", "stop", "No result"),
    "rejected": ("failed", "cross", "Rejected"),
    "timed out": ("failed", "clock", "Timed out"),
    "asking": ("waiting", "clock", "Waiting for you"),
    "approval": ("waiting", "clock", "Waiting for approval"),
    "approved": ("done", "check", "Approved"),
    "declined": ("failed", "cross", "Declined"),
    "answered": ("done", "check", "Answered"),
    "left": ("stopped", "stop", "Left unanswered"),
    "expired": ("stopped", "clock", "Expired"),
    "went with its run": ("stopped", "stop", "Stopped"),
    "lost": ("failed", "warning", "Lost"),
}
SHOWN = 20_000  # characters of one value; the page says how many more there are
SHOWN_LINES = 50  # of an activity, beside its JSON
SHOWN_IN_AGENT = 100  # parts of a sub-agent, the newest ones
OPEN_QUESTIONS = {"asking", "approval"}
Asked = Mapping[str, str]  # how what the agent asked stands: a state by the id of the interrupt, and of its tool call
Approvals = Mapping[str, Approval]  # that ended, by the id of the tool call
OVERRULED = {  # what a call's result says, or its lack: nothing ran, whatever an agent makes of it
    Approval.State.REJECTED: "rejected",
    Approval.State.TIMED_OUT: "timed out",
    Approval.State.STOPPED: "went with its run",
}
LACKS_START = "The answer did not open with RUN_STARTED."
NOTHING_ASKED: Asked = {}
NO_APPROVALS: Approvals = {}
SUMMARY_LENGTH = 160  # characters of the arguments in a step's one line; the whole stands inside


def block(html: str) -> SafeString:
    return render_to_string("agents/_text.html", {"html": mark_safe(html)})  # noqa: S308  (sanitised by markdown)


def text(part: Part) -> SafeString:
    """The agent's own words, and between them what it thought aloud."""
    segments = thoughts.split(part["text"], part.get("thinks", ""))
    return mark_safe("".join(_segments(part.get("key") or part.get("id", ""), segments, markdown.render)))  # noqa: S308  (each is safe)


def aside(part: Part) -> SafeString:
    """The rest of a text that is written beside others: it takes its own place again, as a step does."""
    html = text(part)
    return render_to_string("agents/_aside.html", {"key": part["key"], "html": html})


def _segments(key: str, segments: Iterable[Segment], render: Callable[[str], str]) -> Iterator[SafeString]:
    for number, (is_thought, words) in enumerate(segments):
        if is_thought and words.strip():
            yield reasoning({"key": f"thought-{key}-{number}", "text": words})
        elif words.strip():
            yield block(render(words))


def reasoning(part: Part) -> SafeString:
    return render_to_string("agents/_reasoning.html", {"key": part.get("key", ""), "told": _limited(part["text"])})


def said(part: Part) -> SafeString:
    """A text that is not simply the agent's: of another role, or with a name."""
    key, segments = part.get("key", ""), thoughts.split(part["text"])
    return render_to_string(
        "agents/_said.html", {"key": key, "who": speaker(part), "pieces": [*_segments(key, segments, _markdown)]}
    )


def speaker(part: Part) -> str:
    """Whose text it is said to be; empty for the agent's own."""
    return " · ".join(filter(None, (ROLES.get(part.get("role", ""), part.get("role", "")), part.get("name", ""))))


def step(part: Part, agent_id: str, asked: Asked, approvals: Approvals, *, is_open: bool) -> SafeString:
    """A tool call. While it is open it carries what a confirmation of it can be recognised by."""
    told = in_one_line(part["arguments"])
    summary = "" if told == "{}" else told
    state = state_of_call(part, asked, approvals, is_open=is_open)
    return render_to_string(
        "agents/_step.html",
        {
            "step": {
                "key": part.get("key") or f"step-{part['id']}",
                "tool": part["name"],
                "agent_id": agent_id,
                "summary": summary[:SUMMARY_LENGTH] + ("…" if len(summary) > SUMMARY_LENGTH else ""),
                "arguments": pretty(part["arguments"]),
                "result": pretty(part["result"] or ""),
                "is_open": state == "running",
                "fingerprint": fingerprint_of(part["arguments"]) if state == "running" else "",
            },
            "state": _state(state),
            "approval": approvals.get(part["id"]),
        },
    )


def state_of_call(part: Part, asked: Asked, approvals: Approvals = NO_APPROVALS, *, is_open: bool) -> str:
    """As its approval ended, where that says that nothing ran; else by its result, as far as there is one.

    Gateways tell a rejection as an ordinary result, and a time-out as a rejection.
    """
    approval = approvals.get(part["id"])
    if approval and approval.state in OVERRULED:
        return OVERRULED[Approval.State(approval.state)]
    if approval and approval.state == Approval.State.LOST and part["result"] is None:
        return "lost"
    if part["result"] is None:
        return "running" if is_open else asked.get(part["id"], "no result")
    told = re.fullmatch(r'\s*Tool "[^"]*" was rejected(?:\.|: (.*))\s*', part["result"], re.DOTALL)
    if told is None:
        return "done"
    return "timed out" if told[1] == "Request timed out" else "rejected"


def state_of(part: Part, asked: Asked, *, is_open: bool) -> str:
    """How far a step or a sub-agent is."""
    if part["state"] == "asking" and asked and not OPEN_QUESTIONS.intersection(asked.values()):
        return "answered"
    return "stopped" if part["state"] == "running" and not is_open else str(part["state"])


def _state(name: str) -> dict[str, str]:
    return dict(zip(("tone", "icon", "words"), STATES[name], strict=True))


def in_one_line(arguments: str) -> str:
    """The arguments as they were written, on one line, where they are JSON already; else the text so far."""
    try:
        return deep.dumps(deep.loads(arguments or "{}"))
    except ValueError:
        return arguments


def fingerprint_of(arguments: str) -> str:
    """By which a confirmation of the same call is recognised."""
    try:
        return fingerprint(deep.loads(arguments or "{}"))
    except ValueError:
        return digest(arguments)


def pretty(source: str) -> str:
    """JSON inside a text, as tools often answer, laid out to be read but as it was written; any other text as it is."""
    try:
        value = deep.loads(source)
    except ValueError:
        return source
    return deep.dumps(value, indent=2) if isinstance(value, dict | list) else source


def end(run_id: object, status: str, sentence: str, detail: str, *, may_retry: bool = True) -> SafeString:
    """The quiet line under an answer that did not finish; empty for one that did, or that asks something."""
    told = ending(status, sentence, detail, may_retry=may_retry)
    return render_to_string("agents/_end.html", {"end": told, "run": {"id": run_id}}) if told else mark_safe("")


def ending(status: str, sentence: str, detail: str, *, may_retry: bool) -> dict[str, object] | None:
    """The same for a page to include, whose forms have to carry its token."""
    if status in (Run.Status.FINISHED, Run.Status.ASKING):
        return None
    return {"kind": status, "sentence": sentence, "detail": detail, "may_retry": may_retry}


def of_part(
    part: Part,
    agent_id: str,
    asked: Asked = NOTHING_ASKED,
    approvals: Approvals = NO_APPROVALS,
    *,
    is_open: bool = False,
) -> SafeString:
    """One part; while the run is open, what has not ended is shown as running."""
    match part["kind"]:
        case "tool":
            return step(part, agent_id, asked, approvals, is_open=is_open)
        case "reasoning":
            return reasoning(part)
        case "aside":
            return aside(part)
        case "stage":
            state = _state(state_of(part, asked, is_open=is_open))
            return render_to_string("agents/_stage.html", {"stage": part, "state": state})
        case "agent":
            return _agent(part, agent_id, asked, approvals, is_open=is_open)
        case "activity":
            told = {"words": lines_of(written(part, "content")), **_told_as_written(part, "content")}
            return render_to_string("agents/_activity.html", {"activity": part, "told": told})
        case "state":
            return render_to_string("agents/_state.html", {"told": _told_as_written(part, "value")})
        case "others":
            return render_to_string(
                "agents/_others.html", {"others": part, "events": list(map(_event, part["events"]))}
            )
        case "usage":
            return render_to_string("agents/_usage.html", {"entries": usage_of(part)})
        case "sloppy":
            return render_to_string("agents/_sloppy.html", {"sentence": sloppy(part)})
        case "shortened":
            return render_to_string("agents/_shortened.html", {"sentence": shortened(part)})
    if part.get("role") or part.get("name"):
        return said(part)
    return text(part)


def of_answer(
    parts: Iterable[Part], agent_id: str, asked: Asked = NOTHING_ASKED, approvals: Approvals = NO_APPROVALS
) -> Sequence[SafeString]:
    """A saved answer, whole."""
    return [html for html in (of_part(part, agent_id, asked, approvals) for part in parts) if html]


def _agent(part: Part, agent_id: str, asked: Asked, approvals: Approvals, *, is_open: bool) -> SafeString:
    state = state_of(part, asked, is_open=is_open)
    is_running = state == "running"
    hidden = max(0, len(part["parts"]) - SHOWN_IN_AGENT)
    inside = [of_part(inner, agent_id, asked, approvals, is_open=is_running) for inner in part["parts"][hidden:]]
    told = _told_as_written(part, "result") if "result" in part else None
    began_open = state in ("running", "asking")
    context = {"agent": part, "began_open": began_open, "inside": inside, "hidden": hidden, "told": told}
    context["state"] = _state(state)
    return render_to_string("agents/_agent.html", context)


def _markdown(source: str) -> str:
    told = _limited(source)
    more = f"\n\n*{told['more']} more characters are not shown here.*" if told["more"] else ""
    return markdown.render(told["text"] + more)


def _limited(source: str) -> dict[str, Any]:
    """As much of a text as is shown, and how many characters are not."""
    return {"text": source[:SHOWN], "more": max(0, len(source) - SHOWN)}


def written(holder: Part, name: str) -> Any:
    """A value as the agent wrote it: the database gives some back otherwise."""
    return deep.loads(holder["written"]) if "written" in holder else holder[name]


def _told_as_written(holder: Part, name: str) -> dict[str, Any]:
    value = holder.get("written", holder[name])
    return _limited(value if isinstance(value, str) else as_json(value))


def _event(event: dict[str, Any]) -> dict[str, Any]:
    told = _told_as_written(event, "value")
    return {"name": event["name"], "text": told["text"], "more": told["more"]}


def lines_of(content: dict[str, Any] | str) -> list[dict[str, str]]:
    """The lines of an activity that can be read without its JSON: its texts, and the items of its lists."""
    lines: list[dict[str, str]] = []
    for name, value in (
        deep.pairs(content) if isinstance(content, dict) else ()
    ):  # a text where it was too large to keep
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                texts = [text for text in item.values() if isinstance(text, str)]
                lines.append({"name": "", "text": " · ".join(texts)})
            elif isinstance(item, str | int | float):
                text = item if isinstance(item, str) else deep.dumps(item)
                lines.append({"name": "" if isinstance(value, list) else name, "text": text})
    return [line for line in lines if line["text"]][:SHOWN_LINES]


def shortened(part: Part) -> str:
    count = part["left_out"]
    said = "the first message was" if count == 1 else f"the first {count} messages were"
    return f"This conversation is long: {said} not sent to the agent."


def sloppy(part: Part) -> str:
    """What was wrong with how the agent sent its answer."""
    count = part["passed_over"]
    events = "1 event was not valid AG-UI" if count == 1 else f"{count:,} events were not valid AG-UI"
    told = f"{events} and {'was' if count == 1 else 'were'} passed over." if count else ""
    return f"{told}{' ' if count and part['lacks_start'] else ''}{LACKS_START if part['lacks_start'] else ''}"


def usage_of(part: Part) -> list[dict[str, str]]:
    return [_usage(entry) for entry in part["entries"]]


def _usage(entry: dict[str, Any]) -> dict[str, str]:
    who = " ".join(str(entry[name]) for name in ("provider", "model") if entry.get(name))
    counts = [f"{entry[name]:,} {label}" for name, label in USAGE.items() if isinstance(entry.get(name), int)]
    return {"who": who, "counts": ", ".join(counts)}
