"""What an agent waits for: its interrupts as forms, and what a person sends as the answers that a new run resumes with.

An open interrupt is kept in `Run.interrupts` as `{"interrupt": AG-UI's own JSON}`. What was typed so far, or refused,
is `typed` beside it, with `problems` (by name of a control, one of the whole under ""); a taken answer is `entry`, the
resume entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from ag_ui.core import Interrupt
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from agents import fields
from agents.fields import Field
from agents.transcript import Part, every
from gateway import deep

Kept = dict[str, Any]

VERDICTS = ("approved", "approve", "accepted", "confirmed")  # how schemas call a yes
APPROVALS = ("tool_call", "approval", "confirmation", "tool_approval")
QUESTIONS = ("input_required", "question", "input")
EXPIRED = "This expired before your answer arrived, so it was not sent."


@dataclass(frozen=True, slots=True)
class Ask:
    """One interrupt as the page shows it."""

    number: int
    id: str
    reason: str
    title: str
    kind: str  # "approval", "question", "form", "other"
    schema: fields.Schema
    form: Field
    verdict: str = ""  # of an approval: the name of the control that says yes or no
    said: str = ""  # yes or no, as it was typed
    expires_at: datetime | None = None
    raw: str = ""  # the interrupt as JSON, where its reason is not known
    problem: str = ""
    entry: Mapping[str, Any] | None = None  # the answer it got

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.form.fields if self.form.kind == "object" else (self.form,)

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

    @property
    def left(self) -> int:
        """Seconds in which it can be answered: browsers have clocks of their own."""
        return ceil((self.expires_at - datetime.now(UTC)).total_seconds()) if self.expires_at else 0

    @property
    def state(self) -> str:
        if self.entry is None:
            return "expired" if self.is_expired else "approval" if self.kind == "approval" else "asking"
        if self.entry["status"] == "cancelled":
            return "left"
        payload = self.entry.get("payload")
        if self.kind == "approval" and isinstance(payload, dict):
            return "approved" if payload.get(self.verdict.partition(".")[2]) else "declined"
        return "answered"

    @property
    def answer(self) -> str:
        """What was answered, in a line."""
        if self.entry is None or self.entry["status"] == "cancelled":
            return "Left unanswered"
        payload = self.entry.get("payload")
        if self.kind == "approval" and isinstance(payload, dict):
            name = self.verdict.partition(".")[2]
            more = {key: value for key, value in payload.items() if key != name}
            verdict = "Approved" if payload.get(name) else "Declined"
            return f"{verdict}: {json.dumps(more, ensure_ascii=False)}" if more else verdict
        return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)


def opened(interrupts: Sequence[Interrupt]) -> list[Kept]:
    """To keep in the run that they ended."""
    return [{"interrupt": one.model_dump(mode="json", by_alias=True, exclude_none=True)} for one in interrupts]


def asks(kept: Sequence[Kept], parts: Sequence[Part] = ()) -> list[Ask]:
    return [_ask(number, one, parts) for number, one in enumerate(kept)]


def rendered(run_id: object, kept: Sequence[Kept], parts: Sequence[Part]) -> SafeString:
    """For whoever follows the run; a page renders the same template with its token."""
    return render_to_string("agents/_interrupts.html", {"asked": asked(kept, parts), "run": {"id": run_id}})


def asked(kept: Sequence[Kept], parts: Sequence[Part]) -> dict[str, Any]:
    """What the template needs."""
    shown = asks(kept, parts)
    waiting = [ask for ask in shown if ask.entry is None and not ask.is_expired]
    return {
        "asks": shown,
        "waits": len(waiting),
        "is_answered": bool(shown) and all(ask.entry is not None for ask in shown),
        "has_buttons": len(waiting) == 1 and waiting[0].kind == "approval",  # one verdict: the buttons send it
    }


def states(kept: Sequence[Kept]) -> dict[str, str]:
    """How each stands, as `pieces.STATES` names it, by its id and by the id of the tool call that it is about."""
    found: dict[str, str] = {}
    for ask, one in zip(asks(kept), kept, strict=True):
        found[ask.id] = found[str(one["interrupt"].get("toolCallId", ask.id))] = ask.state
    return found


def left(kept: Sequence[Kept]) -> list[Kept]:
    """All of them, left unanswered."""
    return [{"interrupt": one["interrupt"], "entry": _cancelled(one)} for one in kept]


def entries(kept: Sequence[Kept]) -> list[dict[str, Any]]:
    return [one["entry"] for one in kept]


def typed_into(kept: Sequence[Kept], typed: Mapping[str, str], more: str = "") -> list[Kept]:
    """With what was typed so far, and one more row in the list of that name."""
    found: list[Kept] = []
    for number, one in enumerate(kept):
        mine = _of(number, typed)
        if more.startswith(f"{number}."):
            mine[f"{more}.length"] = str(fields.number_in(mine.get(f"{more}.length")) + 1)
        found.append({"interrupt": one["interrupt"], "typed": mine})
    return found


def answered(kept: Sequence[Kept], parts: Sequence[Part], typed: Mapping[str, str]) -> tuple[list[Kept], bool]:
    """What is to be kept now, and whether everything is answered: then each has its `entry`."""
    taken: list[Kept] = []
    for ask, one in zip(asks(typed_into(kept, typed), parts), kept, strict=True):
        mine = _of(ask.number, typed)
        if ask.is_expired:
            problems = {"": EXPIRED} if mine else {}
            taken.append({"interrupt": one["interrupt"], "entry": _cancelled(one), "typed": mine, "problems": problems})
            continue
        payload, problems = _payload(ask, mine)
        entry = {"interruptId": ask.id, "status": "resolved", "payload": payload}
        taken.append({"interrupt": one["interrupt"], "entry": entry, "typed": mine, "problems": problems})
    is_whole = not any(one["problems"] for one in taken) and any(one["entry"]["status"] == "resolved" for one in taken)
    names = ("interrupt", "entry") if is_whole else ("interrupt", "typed", "problems")
    return [{name: one[name] for name in names} for one in taken], is_whole


def place_to_go_on(kept: Sequence[Kept], parts: Sequence[Part], more: str = "") -> str:
    """Of the first control that has a problem, or of the newest row of a list; empty where there is none."""
    for ask in asks(kept, parts):
        for one in fields.every(ask.form):
            if more and one.name == more and one.fields:
                row = one.fields[-1]
                return next((inner.place for inner in fields.every(row) if not inner.is_group), row.place)
            if not more and one.problem and not one.is_group:
                return one.place
    return ""


def _of(number: int, typed: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace("\x00", "") for name, value in typed.items() if name.startswith(f"{number}.")}


def _cancelled(one: Kept) -> dict[str, Any]:
    return {"interruptId": one["interrupt"]["id"], "status": "cancelled"}


def _ask(number: int, one: Kept, parts: Sequence[Part]) -> Ask:
    told = one["interrupt"]
    reason = str(told.get("reason", ""))
    schema = told.get("responseSchema") or {}
    typed, problems = one.get("typed"), one.get("problems", {})
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    verdict = next(
        (name for name in VERDICTS if isinstance(properties.get(name), dict) and _is_yes_or_no(properties[name])), ""
    )
    if not verdict and not schema and reason in APPROVALS:
        verdict = VERDICTS[0]
    is_known = bool(schema or verdict or reason in QUESTIONS)
    form = fields.form(
        {"type": "object", "properties": {verdict: {}}} if verdict and not schema else schema,
        f"{number}" if verdict or properties else f"{number}.answer",
        f"{number}",
        without=verdict,
        start=_arguments(properties, verdict, parts, told.get("toolCallId")) if verdict else fields.NOTHING,
        typed=typed,
    )
    if not is_known:
        form = replace(form, kind="free", hint="Text, or JSON")
    return Ask(
        number=number,
        id=told["id"],
        reason=reason,
        title=told.get("message") or f"The agent waits for “{reason}”",
        kind="approval" if verdict else "form" if form.kind == "object" else "question" if is_known else "other",
        schema=schema,
        form=_with_problems(form, problems),
        verdict=verdict and f"{number}.{verdict}",
        said=(typed or {}).get(f"{number}.{verdict}", ""),
        expires_at=_moment(told.get("expiresAt")),
        raw="" if is_known else json.dumps(told, indent=2, ensure_ascii=False),
        problem=problems.get("", ""),
        entry=one.get("entry"),
    )


def _is_yes_or_no(schema: fields.Schema) -> bool:
    return fields.type_of(schema) == "boolean"


def _with_problems(form: Field, problems: Mapping[str, str]) -> Field:
    inner = tuple(_with_problems(one, problems) for one in form.fields)
    return replace(form, fields=inner, problem=problems.get(form.name, ""))


def _arguments(
    properties: Mapping[str, Any], verdict: str, parts: Sequence[Part], call_id: object
) -> dict[str, dict[str, Any]]:
    """The arguments of the call that is to be approved, where the schema has a place for them to be edited."""
    call = next((part for part in every(parts) if part.get("id") == call_id and part["kind"] == "tool"), {})
    arguments = _json(call.get("arguments"))
    places = {}
    for name, inner in properties.items():
        if arguments and name != verdict and isinstance(inner, dict) and fields.type_of(inner) == "object":
            below = inner.get("properties")
            if "arg" in name.lower() or (isinstance(below, dict) and set(below) & set(arguments)):
                places[name] = arguments
    return places


def _moment(told: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(told)) if told else None
        if moment is None or moment.tzinfo is None:
            return moment and moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or one that is in no calendar here
        return None


def _json(source: object) -> dict[str, Any]:
    try:
        value = deep.loads(source) if isinstance(source, str) and source else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _payload(ask: Ask, typed: Mapping[str, str]) -> tuple[object, dict[str, str]]:
    """The answer, and what is wrong with it: sentences by name of a control."""
    if not ask.verdict:
        payload, problems = fields.read(ask.form, typed, ask.schema)
    else:
        said = typed.get(ask.verdict)
        name = ask.verdict.partition(".")[2]
        is_given = {name: said == "yes"}
        form = ask.form if said != "no" else replace(ask.form, kind="object", fields=())  # who declines edits nothing
        payload, problems = fields.read(form, typed, ask.schema, is_given)
        if said not in ("yes", "no"):
            problems[""] = "Please approve or decline this."
    if ask.form.kind == "object" and (whole := problems.pop(ask.form.name, "")):
        problems.setdefault("", whole)
    return payload, problems
