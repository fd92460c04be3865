"""What an agent waits for: its interrupts as forms, and what a person sends as the answers that a new run resumes with.

An open interrupt is kept in `Run.interrupts` as `{"interrupt": AG-UI's own JSON}`. A refused answer leaves `typed` and
`problems` beside it (by field name, a problem of the whole under ""), a taken one leaves `entry`, the resume entry.
Schemas come from agents and are not trusted: nothing is fetched for a `$ref`, and no pattern of theirs is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ag_ui.core import Interrupt
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from agents.transcript import Part, every

Kept = dict[str, Any]

MOST_FIELDS = 60  # of one form; what has more is answered as JSON
VERDICTS = ("approved", "approve", "accepted", "confirmed")  # how schemas call a yes
APPROVALS = ("tool_call", "approval", "confirmation", "tool_approval")
QUESTIONS = ("input_required", "question", "input")
EXPIRED = "This expired before your answer arrived, so it was not sent."


@dataclass(frozen=True, slots=True)
class Field:
    """One control of a form."""

    path: tuple[str, ...]  # where its value stands in the answer
    name: str  # of the control
    label: str
    kind: str  # "text", "integer", "number", "boolean", "choice", "json"
    schema: Mapping[str, Any]
    hint: str = ""
    is_required: bool = False
    is_optional: bool = True  # not even needed where the object that it stands in is given
    group: str = ""  # the title of the object that it stands in
    choices: tuple[tuple[str, Any], ...] = ()
    value: str = ""
    problem: str = ""

    def read(self, typed: str) -> object:
        """The value that was typed. Raises ValueError with a sentence."""
        try:
            match self.kind:
                case "integer":
                    return int(typed)
                case "number":
                    return json.loads(json.dumps(float(typed)), parse_constant=_no_number)
                case "boolean":
                    return typed == "yes"
                case "choice":
                    return dict(self.choices)[typed]
                case "json":
                    return json.loads(typed, parse_constant=_no_number)
        except (ValueError, KeyError, RecursionError) as exc:
            raise ValueError(WRONG[self.kind]) from exc
        return typed


WRONG = {
    "integer": "Enter a whole number.",
    "number": "Enter a number.",
    "choice": "Choose one of these.",
    "json": "This is not JSON.",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One interrupt as the page shows it."""

    number: int
    id: str
    reason: str
    title: str
    kind: str  # "approval", "question", "form", "other"
    fields: tuple[Field, ...] = ()
    verdict: str = ""  # of an approval: the name of the control that says yes or no
    said: str = ""  # yes or no, as it was typed
    expires_at: datetime | None = None
    raw: str = ""  # the interrupt as JSON, where its reason is not known
    problem: str = ""
    entry: Mapping[str, Any] | None = field(default=None)  # the answer it got

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)

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


def answered(
    kept: Sequence[Kept], parts: Sequence[Part], typed: Mapping[str, str], *, is_sent: bool = True
) -> tuple[list[Kept], bool]:
    """What is to be kept now, and whether everything is answered: then each has its `entry`, if it can be sent."""
    taken: list[Kept] = []
    for ask, one in zip(asks(kept, parts), kept, strict=True):
        mine = {name: value.replace("\x00", "") for name, value in typed.items() if name.startswith(f"{ask.number}.")}
        if ask.is_expired:
            problems = {"": EXPIRED} if mine else {}
            taken.append({"interrupt": one["interrupt"], "entry": _cancelled(one), "typed": mine, "problems": problems})
            continue
        payload, problems = _payload(ask, one["interrupt"].get("responseSchema"), mine)
        entry = {"interruptId": ask.id, "status": "resolved", "payload": payload}
        taken.append({"interrupt": one["interrupt"], "entry": entry, "typed": mine, "problems": problems})
    is_whole = not any(one["problems"] for one in taken) and any(one["entry"]["status"] == "resolved" for one in taken)
    names = ("interrupt", "entry") if is_whole and is_sent else ("interrupt", "typed", "problems")
    return [{name: one[name] for name in names} for one in taken], is_whole


def _cancelled(one: Kept) -> dict[str, Any]:
    return {"interruptId": one["interrupt"]["id"], "status": "cancelled"}


def _ask(number: int, one: Kept, parts: Sequence[Part]) -> Ask:
    told = one["interrupt"]
    reason = str(told.get("reason", ""))
    schema = told.get("responseSchema") or {}
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    verdict = next((name for name in VERDICTS if _type(properties.get(name)) == "boolean"), "")
    if not verdict and not schema and reason in APPROVALS:
        verdict = VERDICTS[0]
    ask = Ask(
        number=number,
        id=told["id"],
        reason=reason,
        title=told.get("message") or f"The agent waits for “{reason}”",
        kind="other",
        expires_at=_moment(told.get("expiresAt")),
        problem=one.get("problems", {}).get("", ""),
        entry=one.get("entry"),
    )
    if verdict:
        call = _call(parts, told.get("toolCallId"))
        ask = replace(ask, kind="approval", verdict=f"{number}.{verdict}")
        fields = _fields(number, schema, {name for name in properties if name != verdict}, _json(call.get("arguments")))
    elif properties:
        ask = replace(ask, kind="form")
        fields = _fields(number, schema, set(properties), {})
    else:
        whole = Field((), f"{number}.answer", str(schema.get("title") or "Answer"), _kind(schema), schema)
        whole = replace(
            whole,
            hint=str(schema.get("description", "")),
            is_required=True,
            is_optional=False,
            choices=_choices(schema),
        )
        if schema or reason in QUESTIONS:
            ask = replace(ask, kind="question")
        else:
            ask = replace(ask, raw=json.dumps(told, indent=2, ensure_ascii=False))
            whole = replace(whole, kind="free", hint="Text, or JSON")
        fields = [whole]
    if len(fields) > MOST_FIELDS:
        fields = [
            Field((), f"{number}.answer", "Answer", "json", schema, hint="As JSON", is_required=True, is_optional=False)
        ]
    typed, problems = one.get("typed"), one.get("problems", {})
    if typed is not None:
        fields = [replace(one_, value=typed.get(one_.name, ""), problem=problems.get(one_.name, "")) for one_ in fields]
        ask = replace(ask, said=typed.get(ask.verdict, ""))
    return replace(ask, fields=tuple(fields))


def _call(parts: Sequence[Part], call_id: object) -> Part:
    return next((part for part in every(parts) if part.get("id") == call_id and part["kind"] == "tool"), {})


def _fields(number: int, schema: Mapping[str, Any], names: set[str], arguments: Mapping[str, Any]) -> list[Field]:
    """A control for each property; those of an object within it one level down, anything deeper as JSON."""
    found: list[Field] = []
    for name, inner in (schema.get("properties") or {}).items():
        if name not in names or not isinstance(inner, dict):
            continue
        is_required = name in _required(schema)
        below = inner.get("properties")
        if _type(inner) == "object" and isinstance(below, dict) and below:
            start = arguments if set(below) & set(arguments) else inner.get("default")
            start = start if isinstance(start, dict) else {}
            for under, deep in below.items():
                if isinstance(deep, dict):
                    must = is_required and under in _required(inner)
                    title = str(inner.get("title") or name)
                    control = _field(number, (name, under), deep, must, start.get(under))
                    found.append(replace(control, group=title, is_optional=under not in _required(inner)))
        else:
            found.append(_field(number, (name,), inner, is_required, None))
    return found


def _field(number: int, path: tuple[str, ...], schema: Mapping[str, Any], is_required: bool, start: object) -> Field:
    start = schema.get("default") if start is None else start
    kind = _kind(schema)
    value = ""
    if kind == "choice":
        value = next((key for key, choice in _choices(schema) if choice == start), "")
    elif kind == "boolean":
        value = "yes" if start is True else ""
    elif start is not None:
        value = start if isinstance(start, str) and kind != "json" else json.dumps(start, ensure_ascii=False)
    return Field(
        path=path,
        name=f"{number}." + ".".join(path),
        label=str(schema.get("title") or path[-1]),
        kind=kind,
        schema=schema,
        hint=str(schema.get("description", "")) or ("As JSON" if kind == "json" else ""),
        is_required=is_required and kind != "boolean",
        is_optional=not is_required,
        choices=_choices(schema),
        value=value,
    )


def _type(schema: object) -> str:
    told = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(told, list):  # a type that may be null
        told = next((one for one in told if one != "null"), None)
    return told if isinstance(told, str) else ""


def _kind(schema: Mapping[str, Any]) -> str:
    if isinstance(schema.get("enum"), list):
        return "choice"
    kind = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}
    return kind.get(_type(schema), "json" if schema else "text")


def _choices(schema: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    choices = schema.get("enum")
    if not isinstance(choices, list):
        return ()
    return tuple((one if isinstance(one, str) else json.dumps(one), one) for one in choices)


def _required(schema: Mapping[str, Any]) -> list[Any]:
    told = schema.get("required")
    return told if isinstance(told, list) else []


def _moment(told: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(told)) if told else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _json(source: object) -> dict[str, Any]:
    try:
        value = json.loads(source) if isinstance(source, str) and source else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _payload(ask: Ask, schema: object, typed: Mapping[str, str]) -> tuple[object, dict[str, str]]:
    """The answer, and what is wrong with it: sentences by field name."""
    problems: dict[str, str] = {}
    payload: Any = {}
    for one in ask.fields:
        text = typed.get(one.name, "").strip()
        if ask.kind == "approval" and typed.get(ask.verdict) == "no":
            continue  # who declines edits nothing
        if one.kind == "boolean" and len(one.path) == 1:
            text = text or "no"
        if not text:
            if one.is_required:
                problems[one.name] = "This is needed."
            continue
        try:
            value = _free(text) if one.kind == "free" else one.read(text)
        except ValueError as exc:
            problems[one.name] = str(exc)
            continue
        if one.path:
            inner = payload
            for name in one.path[:-1]:
                inner = inner.setdefault(name, {})
            inner[one.path[-1]] = value
        else:
            payload = value
    for one in ask.fields:
        if one.kind == "boolean" and len(one.path) > 1 and one.path[0] in payload:
            payload[one.path[0]].setdefault(one.path[1], False)
    if ask.kind == "approval":
        if typed.get(ask.verdict) not in ("yes", "no"):
            problems[""] = "Please approve or decline this."
        payload[ask.verdict.partition(".")[2]] = typed.get(ask.verdict) == "yes"
    if not problems and isinstance(schema, dict) and schema:
        problems = dict(_refused(ask, schema, payload))
    return payload, problems


def _no_number(name: str) -> object:
    raise ValueError(name)  # NaN and the infinities are no JSON


def _free(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _without_patterns(schema: Any) -> Any:
    """A regular expression of an agent's could take for ever."""
    if isinstance(schema, list):
        return [_without_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _without_patterns(one)
        for name, one in schema.items()
        if name != "patternProperties" and not (name == "pattern" and isinstance(one, str))
    }


def _refused(ask: Ask, schema: Mapping[str, Any], payload: object) -> Iterator[tuple[str, str]]:
    """What the schema says against the answer. A schema that makes no sense says nothing: the agent will."""
    try:
        schema = _without_patterns(schema)
        Draft202012Validator.check_schema(schema)
        wrong: list[ValidationError] = list(Draft202012Validator(schema, registry=Registry()).iter_errors(payload))
    except (SchemaError, Unresolvable, RecursionError, TypeError, ValueError):
        return
    names = {one.path: one.name for one in ask.fields}
    for error in wrong:
        path = tuple(str(step) for step in error.absolute_path)
        name = names.get(path) or names.get(path[:2]) or names.get(path[:1]) or names.get((), "")
        yield name, f"{error.message[:1].upper()}{error.message[1:300]}."
