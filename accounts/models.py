"""People as Portico knows them: a row each, refreshed from the gateway at every sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from accounts.naming import distinct_name
from gateway.types import REVIEWER, Person

if TYPE_CHECKING:
    from gateway import SignedIn


def cut(text: str, most: int) -> str:
    """At most so many characters: columns are no longer. Not for ids, of which two could become one."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


class UserManager(BaseUserManager["User"]):
    def refresh(self, gateway: str, person: Person) -> User:
        """The row of this person of this gateway, made or brought up to date."""
        user, _ = self.update_or_create(
            gateway=gateway,
            gateway_id=person.id,
            defaults={
                "subject": f"{gateway} {person.id}",
                "email": cut(person.email, 320),
                "name": cut(person.name, 200),
                "tenant": person.tenant,
                "roles": list(person.roles),
            },
        )
        return user


class User(AbstractBaseUser):
    """Somebody who signed in. The gateway checks the password; the one Django keeps is never usable."""

    signed_in: SignedIn | None = None  # set by the backend, for the view that puts it into the session

    subject = models.CharField(max_length=600, unique=True)  # gateway origin and id there, for Django's sake
    gateway = models.CharField(max_length=300)
    gateway_id = models.CharField(max_length=200)
    email = models.CharField(max_length=320)
    name = models.CharField(max_length=200, blank=True)
    tenant = models.CharField(max_length=200, blank=True)
    roles = models.JSONField(default=list)

    USERNAME_FIELD = "subject"
    EMAIL_FIELD = "email"

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "gateway_id"], name="one_row_a_person")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def distinct_name(self) -> str:
        """Name and email: for wherever somebody must not be taken for somebody else."""
        return distinct_name(self.name, self.email, self.gateway_id)

    @property
    def role_names(self) -> list[str]:
        """The roles as people call them."""
        return [str(role).replace("_", " ").capitalize() for role in self.roles]

    @property
    def reviews_a_tenant(self) -> bool:
        """Whether the gateway shows this person the confirmations of others: an admin, of exactly one tenant."""
        return REVIEWER in self.roles and bool(self.tenant)


class Draft(models.Model):
    """A text that could not be sent because the session had ended."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    page = models.CharField(max_length=300)  # path
    field = models.CharField(max_length=20)
    text = models.TextField()
    kept_at = models.DateTimeField(auto_now=True)  # as it stands

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "page", "field"], name="one_draft_a_field")]

    def __str__(self) -> str:
        return f"{self.field} of {self.page}"


class Process(models.Model):
    """A process of Portico that has, or had, something in hand: see `processes`."""

    id = models.CharField(max_length=32, primary_key=True)
    place = models.CharField(max_length=200, blank=True)  # the machine, since it started; empty: not known
    pid = models.PositiveIntegerField()
    born = models.CharField(max_length=30, blank=True)  # as the system of that machine counts
    beats = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "confirmations_process"  # where it was before: the rows stay, and so does who refers to them

    def __str__(self) -> str:
        return self.id
