"""The ASGI application: what streams is routed before Django's middleware, everything else through it."""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished
from django.db import connections
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django: Any = get_asgi_application()  # sets Django up, so the rooms can be imported

from accounts.streaming import no_such_socket  # noqa: E402
from agents.consumers import FollowRun  # noqa: E402
from config.bodies import bounded  # noqa: E402
from config.health import healthz, readyz  # noqa: E402
from config.lifespan import lifespan  # noqa: E402
from config.sharing import shared  # noqa: E402
from confirmations.consumers import QueueConsumer  # noqa: E402

# Connections are kept for the thread that saves answers. Each page has a thread of its own, which ends with it.
request_finished.connect(lambda **_: connections.close_all(), weak=False)

pages: Any = bounded(django)
follow_run: Any = FollowRun.as_asgi()
queue: Any = QueueConsumer.as_asgi()
alive: Any = healthz
ready: Any = readyz
http: list[Any] = [
    path("runs/<uuid:run_id>/events/", follow_run),
    path("healthz", alive),
    path("readyz", ready),
    re_path("", pages),
]
nowhere: Any = no_such_socket
websocket: list[Any] = [path("ws/confirmations/", queue), re_path("", nowhere)]

routes: Any = ProtocolTypeRouter(
    {
        "http": URLRouter(http),
        "websocket": URLRouter(websocket),
        "lifespan": lifespan,
    }
)
application = shared(routes)
