from __future__ import annotations

from typing import Any

from django import forms

from accounts.characters import visible
from confirmations.decisions import Given

LONGEST_REASON = 2000
LONGEST_HASH = 64  # characters: what is longer is none, and is like none also when it is cut
UNREADABLE = "This answer could not be read. Please look at the call once more, then answer it."
NEEDS_REASON = "Please say why: a reason is needed to reject."


class ReasonField(forms.CharField):
    """What somebody wrote; empty when nothing of it can be seen."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        letters = "".join(text.split())
        return "" if visible(letters)[1] == len(letters) else text


class AnswerForm(forms.Form):
    reason = ReasonField(
        required=False,
        max_length=LONGEST_REASON,
        error_messages={"max_length": f"Please keep the reason to {LONGEST_REASON} characters."},
    )
    tool_name = forms.CharField(required=False)  # typed, to approve a critical call
    seen = forms.CharField(required=False)  # hash of the item as it was shown
    ask = forms.CharField(required=False)  # "first": no script has watched over how long the item was on screen

    def __init__(self, *args: object, approve: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.approve = approve
        reason = self.fields["reason"]
        reason.required = not approve
        reason.error_messages["required"] = NEEDS_REASON

    @property
    def problem(self) -> str:
        """A sentence, empty when the answer will do."""
        if self.is_valid():
            return ""
        return " ".join(str(error) for error in self.errors.get("reason", [])) or UNREADABLE

    @property
    def given(self) -> Given:
        cleaned = self.cleaned_data
        return Given(self.approve, cleaned["reason"], cleaned["seen"][:LONGEST_HASH], cleaned["tool_name"])

    @property
    def asks_first(self) -> bool:
        """Of an approval alone: a rejection is safe, and may have to be quicker than what somebody else approved."""
        return bool(self.approve and self.cleaned_data["ask"] == "first")


class BulkForm(forms.Form):
    answer = forms.ChoiceField(choices=[("approve", "approve"), ("reject", "reject")])
    reason = ReasonField(required=False, max_length=LONGEST_REASON)

    def clean(self) -> None:
        if self.cleaned_data.get("answer") == "reject" and not self.cleaned_data.get("reason"):
            self.add_error("reason", NEEDS_REASON)

    @property
    def problem(self) -> str:
        return " ".join(str(error) for errors in self.errors.values() for error in errors)
