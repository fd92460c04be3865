"""Which decisions somebody wants to see or take away: the query string of the history and of its export."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q, QuerySet

from confirmations.items import RISKS
from confirmations.models import Decision

ANY = ("", "Any")
STATES = [
    ("waiting", "Waiting"),
    ("approved", "Approved"),
    ("rejected", "Rejected"),
    ("stopped", "Stopped"),
    ("timed_out", "Timed out"),
    ("lost", "Lost by the gateway"),
    ("unlisted", "Not listed by the gateway"),
    ("differs", "Gateway and Portico differ"),
]


class Filters(forms.Form):
    """Everything may be left out. A day counts from midnight to midnight, UTC.

    `wanted` is {field: value} of those that are set and make sense.
    """

    state = forms.ChoiceField(choices=[ANY, *STATES], required=False, label="State")
    decision = forms.ChoiceField(choices=[ANY, ("approve", "Approve"), ("reject", "Reject")], required=False)
    outcome = forms.ChoiceField(choices=[ANY, *Decision.Kind.choices], required=False)
    risk = forms.ChoiceField(choices=[ANY, *((risk, risk.capitalize()) for risk in RISKS)], required=False)
    tool = forms.CharField(max_length=300, required=False)
    agent = forms.CharField(max_length=300, required=False)
    who = forms.CharField(max_length=300, required=False, label="Who decided")
    page = forms.IntegerField(min_value=1, max_value=10**6, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("from", "to"):  # "from" cannot be written as the others are
            self.fields[name] = forms.DateField(required=False, widget=forms.DateInput({"type": "date"}))
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"
        self.full_clean()
        self.wanted = {name: value for name, value in self.cleaned_data.items() if value and name != "page"}

    @property
    def problem(self) -> str:
        """What makes no sense, in a sentence; else an empty text."""
        return " ".join(f"{name.capitalize()}: {said}" for name, errors in self.errors.items() for said in errors)

    @property
    def page_number(self) -> int:
        return self.cleaned_data.get("page") or 1

    def query(self, page: int = 1) -> str:
        """For links, with the question mark."""
        given = {name: str(value) for name, value in self.wanted.items()}
        return "?" + urlencode(given | ({"page": page} if page > 1 else {}))

    def forget(self, name: str) -> None:
        self.wanted.pop(name, None)

    def decisions(self, rows: QuerySet[Decision]) -> QuerySet[Decision]:
        """Those of the rows that fit; `state` is the gateway's and says nothing of them."""
        for name, value in self.wanted.items():
            rows = rows.filter(_condition(name, value))
        return rows

    def takes(self, at: datetime) -> bool:
        """Whether a moment lies between the two days."""
        since, until = self.wanted.get("from"), self.wanted.get("to")
        return (since is None or at >= _midnight(since)) and (until is None or at < _end(until))


def _condition(name: str, value: Any) -> Q:
    match name:
        case "decision":
            return Q(approve=value == "approve") & ~Q(kind=Decision.Kind.STOPPED)
        case "outcome":
            return Q(kind=value)
        case "risk":
            return Q(risk=value)
        case "tool":
            return Q(tool__icontains=value)
        case "agent":
            return Q(agent_id=value) | Q(agent_name__icontains=value)
        case "who":
            return Q(who=value) | Q(who_name__icontains=value)
        case "from":
            return Q(at__gte=_midnight(value))
        case "to":
            return Q(at__lt=_end(value))
    return Q()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _end(day: date) -> datetime:
    return _midnight(day) + timedelta(days=1)
