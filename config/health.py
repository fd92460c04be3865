"""For whoever watches the process: does it run, and can it serve?"""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from gateway import Gateway


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """503 when the database is away. The gateway is told, but Portico explains its absence itself."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        database = "ok"
    except DatabaseError:
        database = "away"
    gateway = "ok" if Gateway(settings.GATEWAY_URL).is_alive() else "away"
    return JsonResponse({"database": database, "gateway": gateway}, status=200 if database == "ok" else 503)
