"""A column of JSON that is given back as it was written."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class WrittenJSONField(models.JSONField):
    """PostgreSQL's `jsonb` sorts the keys of objects, and writes numbers in its own way; its `json` keeps the text."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        adapted = super().get_db_prep_value(value, connection, prepared)
        is_jsonb = connection.vendor == "postgresql" and hasattr(adapted, "obj")
        return json.dumps(adapted.obj, cls=self.encoder) if is_jsonb else adapted

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """Django has its driver read `jsonb` as a text; `json` it reads by itself."""
        return value if connection.vendor == "postgresql" else super().from_db_value(value, expression, connection)
