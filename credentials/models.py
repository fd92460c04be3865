"""What Portico remembers of services, because the gateway does not tell it again."""

from __future__ import annotations

from django.db import models


class SwitchedOff(models.Model):
    """A service that was seen switched off: the gateway lists those no more, and finds them by their id alone."""

    gateway = models.CharField(max_length=300)
    service_id = models.CharField(max_length=200)
    tenant = models.CharField(max_length=200, blank=True)  # whose it is; empty: every tenant's
    at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["gateway", "service_id"], name="one_row_a_service")]

    def __str__(self) -> str:
        return self.service_id
