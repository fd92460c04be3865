"""The fragments that an answer is shown as: rendered once, for the page and for whoever follows the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from agents import markdown
from agents.models import Run
from agents.transcript import Part
from gateway.canonical import canonical, digest

SUMMARY_LENGTH = 160  # characters of the arguments in a step's one line; the whole stands inside


def block(html: str) -> SafeString:
    return render_to_string("agents/_text.html", {"html": mark_safe(html)})  # noqa: S308  (sanitised by markdown)


def text(source: str) -> SafeString:
    return block(markdown.render(source))


def reasoning(source: str) -> SafeString:
    return render_to_string("agents/_reasoning.html", {"text": source})


def step(part: Part, agent_id: str, is_open: bool) -> SafeString:
    """A tool call. While it is open it carries what a confirmation of it can be recognised by."""
    told = told_in_one_line(part["arguments"])
    summary = "" if told == "{}" else told
    state = "done" if part["result"] is not None else "running" if is_open else "stopped"
    return render_to_string(
        "agents/_step.html",
        {
            "step": {
                "id": part["id"],
                "tool": part["name"],
                "agent_id": agent_id,
                "summary": summary[:SUMMARY_LENGTH] + ("…" if len(summary) > SUMMARY_LENGTH else ""),
                "arguments": pretty(part["arguments"]),
                "result": pretty(part["result"] or ""),
                "state": state,
                "fingerprint": digest(told),
            }
        },
    )


def told_in_one_line(arguments: str) -> str:
    """The arguments as canonical JSON where they are JSON already; else the text so far."""
    try:
        return canonical(json.loads(arguments or "{}"))
    except (ValueError, RecursionError):
        return arguments


def pretty(source: str) -> str:
    """JSON inside a text, as tools often answer, laid out to be read; any other text as it is."""
    try:
        value = json.loads(source)
    except (ValueError, RecursionError):
        return source
    return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict | list) else source


def end(run_id: object, status: str, sentence: str, detail: str, *, may_retry: bool = True) -> SafeString:
    """The quiet line under an answer that did not finish; empty for one that did."""
    if status == Run.Status.FINISHED:
        return mark_safe("")
    return render_to_string(
        "agents/_end.html",
        {
            "end": {"kind": status, "sentence": sentence, "detail": detail, "may_retry": may_retry},
            "run": {"id": run_id},
        },
    )


def of_part(part: Part, agent_id: str) -> SafeString:
    match part["kind"]:
        case "tool":
            return step(part, agent_id, is_open=False)
        case "reasoning":
            return reasoning(part["text"])
        case _:
            return text(part["text"])


def of_answer(parts: Iterable[Part], agent_id: str) -> Sequence[SafeString]:
    """A saved answer, whole."""
    return [of_part(part, agent_id) for part in parts]
