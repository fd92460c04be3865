"""Tells who signs in of approvals that were not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.contrib import messages
from django.contrib.auth.signals import user_logged_in

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User


class ConfirmationsConfig(AppConfig):
    name = "confirmations"

    def ready(self) -> None:
        user_logged_in.connect(tell_of_holds, dispatch_uid="confirmations holds")


def tell_of_holds(sender: object, request: HttpRequest, user: User, **_: object) -> None:
    """Who signs in reads first what became of approvals that were not sent."""
    from confirmations.holds import told_to  # noqa: PLC0415  (models are not loaded yet when this module is)

    for sentence in told_to(user):
        messages.warning(request, sentence)
