from __future__ import annotations

from django import forms

from confirmations.items import RISKS

LONGEST_REASON = 2000


class AnswerForm(forms.Form):
    """`risk` is only how the form looks when it comes back."""

    reason = forms.CharField(
        required=False,
        max_length=LONGEST_REASON,
        error_messages={"max_length": f"Please keep the reason to {LONGEST_REASON} characters."},
    )
    risk = forms.ChoiceField(required=False, choices=[(risk, risk) for risk in RISKS])

    def __init__(self, *args: object, approve: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        reason = self.fields["reason"]
        reason.required = not approve
        reason.error_messages["required"] = "Please say why: a reason is needed to reject."

    @property
    def problem(self) -> str:
        """A sentence, empty when the reason will do."""
        return " ".join(str(error) for error in self.errors.get("reason", []))
