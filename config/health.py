"""For whoever watches the process: does it run, and can it serve?"""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from accounts import bus
from gateway import Gateway


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """503 when the database or Redis is away. The gateway is told, but Portico explains its absence itself."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        database = "ok"
    except DatabaseError:
        database = "away"
    others = {"redis": "ok" if bus.is_heard() else "away"} if bus.is_shared() else {}
    needed = {"database": database, **others}
    gateway = "ok" if Gateway(settings.GATEWAY_URL).is_alive() else "away"
    return JsonResponse({**needed, "gateway": gateway}, status=503 if "away" in needed.values() else 200)
