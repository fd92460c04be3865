"""What a person reads on their next page, kept in the session. Named in the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.messages.storage.session import SessionStorage

MOST = 20  # notes; of more the newest ones


class NewestNotes(SessionStorage):
    def serialize_messages(self, messages: Sequence[Any]) -> str:
        """Addresses that leave a note and show none may be opened without end."""
        return super().serialize_messages(messages[-MOST:])
