"""The ASGI application: what streams is routed before Django's middleware, everything else through it."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_app = get_asgi_application()

from confirmations.consumers import QueueConsumer  # noqa: E402

from agents.consumers import FollowRun  # noqa: E402  (Django has to be set up first)
from config.lifespan import lifespan  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": URLRouter(
            [
                path("runs/<uuid:run_id>/events/", AuthMiddlewareStack(FollowRun.as_asgi())),
                re_path("", django_app),
            ]
        ),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([path("ws/confirmations/", QueueConsumer.as_asgi())]))
        ),
        "lifespan": lifespan,
    }
)
