from __future__ import annotations

from django import forms
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User

SHORTEST_PASSWORD = 8  # characters; the gateway's own rule


class SignInForm(forms.Form):
    email = forms.EmailField(label="Email", widget=forms.EmailInput(attrs={"autocomplete": "username"}))
    password = forms.CharField(
        label="Password", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    next = forms.CharField(required=False, widget=forms.HiddenInput)
    unsent = forms.CharField(required=False, widget=forms.HiddenInput)  # a key of `requests.UNSENT`


class ProfileForm(forms.Form):
    """Each field remembers what the page showed, so that only what this person changed is sent."""

    name = forms.CharField(max_length=User._meta.get_field("name").max_length, required=False, show_hidden_initial=True)
    email = forms.EmailField(
        max_length=User._meta.get_field("email").max_length,
        show_hidden_initial=True,
        error_messages={"required": "Enter the address that you sign in with."},
    )

    @property
    def shown_at_first(self) -> SafeString:
        """Hidden fields with what the page showed before anything was typed."""
        return mark_safe("".join(self[name].as_hidden(only_initial=True) for name in self.fields))  # noqa: S308

    def changed(self, field: str) -> str | None:
        """What it was changed to; None when it was left as it was."""
        return self.cleaned_data[field] if field in self.changed_data else None


class PasswordForm(forms.Form):
    current = forms.CharField(strip=False, error_messages={"required": "Enter the password that you have now."})
    new = forms.CharField(
        strip=False,
        min_length=SHORTEST_PASSWORD,
        error_messages={
            "required": "Enter a new password.",
            "min_length": "A password has at least %(limit_value)d characters.",
        },
    )
    again = forms.CharField(strip=False, error_messages={"required": "Enter the new password once more."})

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if "new" in self.cleaned_data and again != self.cleaned_data["new"]:
            raise forms.ValidationError("This is not the same as the new password.")
        return again
