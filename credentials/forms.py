from django import forms


class SecretForm(forms.Form):
    """A key or a token on its way to the gateway: written once, shown never."""

    secret = forms.CharField(
        max_length=64 * 1024,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        error_messages={"required": "Paste it here first."},
    )
