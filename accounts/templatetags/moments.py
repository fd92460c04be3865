"""For templates: moments that the gateway tells."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.conf import settings

from gateway import clock

register = template.Library()


@register.filter
def by_our_clock(told: datetime) -> datetime:
    return clock.here(settings.GATEWAY_URL, told)
