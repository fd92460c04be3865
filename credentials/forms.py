"""Secrets on their way to the gateway, and what operators say about a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from gateway import MASK, ServiceRecord, ServiceSettings
from gateway.types import Kind

KINDS: dict[Kind, str] = {"oauth": "OAuth", "key": "API key", "token": "Token", "basic": "User name and password"}

FIELDS_OF: Mapping[Kind, tuple[str, ...]] = {
    "oauth": ("authorization_url", "token_url", "client_id", "client_secret", "scopes"),
    "key": ("header", "secret_prefix"),
    "token": ("header", "secret_prefix"),
    "basic": ("user_field", "password_field"),
    "": (),
}
"""The fields that only some kinds have."""

LONGEST = 2000  # characters of an address


one_line = RegexValidator(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029]",
    "This has a line break or another character in it that cannot be seen. Copy it again, alone and in one piece.",
    inverse_match=True,
)
"""For what becomes part of a header, where a line break would begin another one."""

header_name = RegexValidator(  # RFC 9110, section 5.6.2
    r"\A[0-9A-Za-z!#$%&'*+.^_`|~-]+\Z", "A header's name has letters, digits and hyphens, for example: Authorization"
)


class SecretForm(forms.Form):
    """A key or a token on its way to the gateway: written once, shown never."""

    secret = forms.CharField(
        max_length=64 * 1024,
        validators=[one_line],
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        error_messages={"required": "Paste it here first."},
    )


class SwitchForm(forms.Form):
    turn = forms.ChoiceField(choices=[("on", "on"), ("off", "off")])


class ServiceForm(forms.Form):
    """What can be changed of a service. The client secret goes in and never comes out."""

    name = forms.CharField(label="Name", max_length=200, error_messages={"required": "Give it a name."})
    description = forms.CharField(
        label="Description",
        required=False,
        max_length=LONGEST,
        help_text="People read it when they connect the service: say where its secret is found.",
    )
    connect_url = forms.CharField(
        label="Connect address",
        required=False,
        max_length=LONGEST,
        validators=[one_line],
        help_text="Where people are sent to connect it. Empty: the gateway says, by the kind.",
    )
    authorization_url = forms.CharField(
        label="Authorization address", required=False, max_length=LONGEST, validators=[one_line]
    )
    token_url = forms.CharField(label="Token address", required=False, max_length=LONGEST, validators=[one_line])
    client_id = forms.CharField(label="Client ID", required=False, max_length=LONGEST, validators=[one_line])
    client_secret = forms.CharField(
        label="Client secret",
        required=False,
        max_length=64 * 1024,
        validators=[one_line],
        widget=forms.PasswordInput,
        help_text="It goes to the gateway and is never shown here again.",
    )
    scopes = forms.CharField(
        label="Scopes",
        required=False,
        max_length=LONGEST,
        help_text="With spaces between them, for example: repo read:user",
    )
    header = forms.CharField(
        label="Header",
        required=False,
        max_length=200,
        validators=[header_name],
        help_text="That carries the secret, for example: Authorization",
    )
    secret_prefix = forms.CharField(  # `prefix` is Django's
        label="Prefix",
        required=False,
        max_length=200,
        validators=[one_line],
        strip=False,  # the space of "Bearer " belongs to it
        help_text="What stands before the secret in the header, for example: Bearer",
    )
    user_field = forms.CharField(
        label="User name field",
        required=False,
        max_length=200,
        validators=[one_line],
        help_text="What the service calls it.",
    )
    password_field = forms.CharField(
        label="Password field",
        required=False,
        max_length=200,
        validators=[one_line],
        help_text="What the service calls it.",
    )

    has_kind = False  # whether the kind is asked for too

    def __init__(self, data: Mapping[str, Any] | None = None, *, kind: Kind = "", record: ServiceRecord | None = None):
        self.kept = record.settings if record else ServiceSettings()
        self.chosen: Kind = record.kind if record else kind
        super().__init__(data, initial=_shown(record) if record else None)
        if not self.has_kind:
            only_of_others = {name for names in FIELDS_OF.values() for name in names} - {*FIELDS_OF[self.chosen]}
            for name in only_of_others:
                del self.fields[name]
        if self.kept.client_secret and "client_secret" in self.fields:
            self.fields[
                "client_secret"
            ].help_text = f"Leave {MASK} to keep the one that the gateway holds; empty it to remove that one."

    @property
    def mask(self) -> str:
        """What the field of the secret shows: that one is stored, never which."""
        return MASK if self.kept.client_secret and not self.is_secret_emptied else ""

    @property
    def is_secret_emptied(self) -> bool:
        return self.is_bound and not self.data.get("client_secret", MASK)

    @property
    def secret(self) -> str:
        """A secret that was typed just now."""
        typed = self.data.get("client_secret", "").strip() if self.is_bound else ""
        return "" if typed == MASK else typed

    def clean_client_secret(self) -> str:
        typed: str = self.cleaned_data["client_secret"]
        if typed != MASK:
            return typed
        if not self.kept.client_secret:
            raise forms.ValidationError("None is stored yet that could be kept: enter the secret itself.")
        return self.kept.client_secret

    def settings(self) -> ServiceSettings:
        """What was filled in, over what the gateway had; what is not asked for here is kept."""
        given = {name: self.cleaned_data[name] for name in ("connect_url", *FIELDS_OF[self.chosen])}
        if "scopes" in given:
            given["scopes"] = tuple(given["scopes"].split())
        if "secret_prefix" in given:
            given["prefix"] = given.pop("secret_prefix")
        return replace(self.kept, **given)


class NewServiceForm(ServiceForm):
    service = forms.CharField(
        label="Service type",
        max_length=100,
        help_text="How agents name it: lower-case letters, digits and _. It cannot be changed later.",
        error_messages={"required": "Say how agents name it."},
    )
    kind = forms.ChoiceField(
        label="Kind",
        choices=list(KINDS.items()),
        widget=forms.RadioSelect,
        initial="key",
        error_messages={"required": "Choose a kind."},
    )

    has_kind = True

    def clean_kind(self) -> str:
        self.chosen = next((kind for kind in KINDS if kind == self.cleaned_data["kind"]), "")
        return self.chosen

    def clean_client_secret(self) -> str:
        """What stands in the fields of other kinds is not looked at."""
        return super().clean_client_secret() if self.data.get("kind") == "oauth" else ""


def _shown(record: ServiceRecord) -> dict[str, str]:
    settings = record.settings
    return {
        "name": record.name,
        "description": record.description,
        "connect_url": settings.connect_url,
        "authorization_url": settings.authorization_url,
        "token_url": settings.token_url,
        "client_id": settings.client_id,
        "scopes": " ".join(settings.scopes),
        "header": settings.header,
        "secret_prefix": settings.prefix,
        "user_field": settings.user_field,
        "password_field": settings.password_field,
    }
