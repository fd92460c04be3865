"""What other rooms tell, and what this one does about it."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from accounts.models import User
from agents import runs
from credentials.signals import connected
from gateway import Gateway


@receiver(connected)
def look_again(sender: object, user: User, gateway: Gateway, **kwargs: Any) -> None:
    """Runs that wait for credentials go on at once when something was connected."""
    runs.nudge(user.pk, gateway)
