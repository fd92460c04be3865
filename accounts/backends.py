"""Signing in through the gateway."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from accounts.models import User
from accounts.sessions import anonymous_gateway
from gateway.errors import NotAccepted, WrongPassword


class GatewayBackend(BaseBackend):
    """Raises GatewayError when the gateway cannot say."""

    def authenticate(
        self, request: HttpRequest | None, email: str = "", password: str = "", **credentials: object
    ) -> User | None:
        try:
            signed_in = anonymous_gateway().sign_in(email, password)
        except (WrongPassword, NotAccepted):
            return None
        user = User.objects.refresh(settings.GATEWAY_URL, signed_in.person)
        user.signed_in = signed_in
        return user

    def get_user(self, user_id: int) -> User | None:
        return User.objects.filter(pk=user_id, gateway=settings.GATEWAY_URL).first()
