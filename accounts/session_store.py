"""Sessions in Django's table, asked for by keys that Django makes and by nothing else. Named in the settings."""

from __future__ import annotations

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    def __init__(self, session_key: str | None = None) -> None:
        """A cookie may also spell a NUL, which PostgreSQL refuses with an error."""
        is_key = session_key is not None and session_key.isascii() and session_key.isalnum()
        super().__init__(session_key if is_key else None)
