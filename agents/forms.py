from django import forms

LONGEST_MESSAGE = 100_000  # characters


class MessageForm(forms.Form):
    message = forms.CharField(
        max_length=LONGEST_MESSAGE,
        strip=True,
        error_messages={
            "required": "Write a message first.",
            "max_length": "This message is too long: at most %(limit_value)d characters can be sent.",
        },
    )
    key = forms.UUIDField(required=False)  # the same key twice is the same message
