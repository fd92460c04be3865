"""Who can sign in. Everybody's password is `demo`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedded.clock import iso, now
from embedded.ids import ANA, BO, GIL, OLU

PASSWORD = "demo"


@dataclass(slots=True)
class Person:
    id: str
    email: str
    name: str | None
    tenant_id: str | None
    roles: list[str]
    password: str
    created_at: datetime
    is_active: bool = True
    updated_at: datetime | None = None


def demonstration_people() -> dict[str, Person]:
    """By id."""
    people = [
        (ANA, "user@example.com", "Ana Lima", "acme", []),
        (BO, "admin@example.com", "Bo Adler", "acme", ["admin"]),
        (OLU, "operator@example.com", "Olu Ojo", "acme", ["tenant_admin"]),
        (GIL, "other@example.com", "Gil Roth", "globex", []),
    ]
    return {id_: Person(id_, email, name, tenant, roles, PASSWORD, now()) for id_, email, name, tenant, roles in people}


def profile(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "tenantId": person.tenant_id,
        "roles": person.roles,
    }


def full_profile(person: Person) -> dict[str, Any]:
    return profile(person) | {"isActive": person.is_active, "createdAt": iso(person.created_at)}
