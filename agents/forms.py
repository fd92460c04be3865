import re

from django import forms

LONGEST_MESSAGE = 100_000  # characters


class WrittenField(forms.CharField):
    """What somebody wrote: browsers send its lines with CR LF, whatever was typed; they are kept with LF."""

    def to_python(self, value: object) -> str:
        written = str(value or "").replace("\r\n", "\n").replace("\r", "\n")
        return str(super().to_python(written))


class SaidField(WrittenField):
    """As it was written, its first line indented as it was, but for blank lines before it and what is blank behind."""

    def to_python(self, value: object) -> str:
        return re.sub(r"\A(?:[^\S\n]*\n)+", "", super().to_python(value)).rstrip()


class MessageForm(forms.Form):
    message = SaidField(
        max_length=LONGEST_MESSAGE,
        strip=False,
        error_messages={
            "required": "Write a message first.",
            "max_length": "This message is too long: at most %(limit_value)d characters can be sent.",
        },
    )
    key = forms.UUIDField(required=False)  # the same key twice is the same message
    replaces = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)  # the message that was edited


class DraftForm(forms.Form):
    message = WrittenField(max_length=LONGEST_MESSAGE, strip=False, required=False)
    key = forms.UUIDField(required=False)
    replaces = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class TitleForm(forms.Form):
    title = forms.CharField(
        max_length=120,
        error_messages={
            "required": "A conversation needs a name.",
            "max_length": "This name is too long: at most %(limit_value)d characters.",
        },
    )


class SearchForm(forms.Form):
    q = forms.CharField(max_length=200, required=False)
    page = forms.IntegerField(required=False, min_value=1, max_value=1000)


class WindowForm(forms.Form):
    """Which part of a transcript to show: ids of messages."""

    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    after = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    at = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    version = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    edit = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
