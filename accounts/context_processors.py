"""What the frame of every page shows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

THEMES = ("light", "dark")


def frame(request: HttpRequest) -> dict[str, object]:
    theme = request.COOKIES.get("portico_theme", "")
    return {
        "gateway": {
            "name": settings.GATEWAY_NAME,  # empty: it has none that people know
            "is_embedded": settings.GATEWAY_IS_EMBEDDED,
        },
        "nav": {"approvals": True, "credentials": True},
        "most_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        "theme": theme if theme in THEMES else "",
    }
