"""The people of a gateway, for those who manage them: `admin` writes, `tenant_admin` reads."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.calls.wire import Wire, done, part
from gateway.errors import MalformedReply
from gateway.records import Role
from gateway.types import Person, Rows, mapping_of, readable, rows_of, texts_of


class People(Wire):
    __slots__ = ()

    def people(self) -> Rows[Person]:
        """Everybody whom this person may see: all tenants for an admin, the own one for a tenant admin."""
        return readable(rows_of(self._ask("GET", "admin/users"), "users"), Person.from_doc)

    def person(self, person_id: str) -> Person:
        """Raises NotFound."""
        return _person(self._ask("GET", f"admin/users/{part(person_id)}"))

    def create_person(
        self, email: str, password: str, *, name: str = "", tenant: str = "", roles: Sequence[Role] = ()
    ) -> Person:
        """Raises Conflict for an e-mail in use, NotAccepted with the reason."""
        given = {"email": email, "password": password, "name": name, "tenantId": tenant}
        body: dict[str, object] = {key: value for key, value in given.items() if value}
        body["roles"] = list(roles)  # left out, the gateway would make an agent creator
        return _person(done(self._ask("POST", "admin/users", body), "person"))

    def change_person(
        self,
        person_id: str,
        *,
        name: str | None = None,
        email: str | None = None,
        tenant: str | None = None,
        is_active: bool | None = None,
    ) -> Person:
        """Change what is given; an empty tenant is none. Tokens go on saying the old things until they end.

        Raises NotFound, and Conflict for an e-mail in use.
        """
        given: dict[str, object] = {"name": name, "email": email, "isActive": is_active}
        body = {key: value for key, value in given.items() if value is not None}
        if tenant is not None:
            body["tenantId"] = tenant or None
        return _person(done(self._ask("PUT", f"admin/users/{part(person_id)}", body), "person"))

    def delete_person(self, person_id: str) -> None:
        """Raises NotFound, and NotAccepted for oneself."""
        done(self._ask("DELETE", f"admin/users/{part(person_id)}"), "person", "User deleted")

    def give_role(self, person_id: str, role: Role) -> tuple[str, ...]:
        """The roles that the person has now; the next sign-in knows them."""
        return _roles(self._ask("POST", f"admin/users/{part(person_id)}/roles", {"role": role}))

    def take_role(self, person_id: str, role: Role) -> tuple[str, ...]:
        """The roles that are left; tokens in use keep the old ones until they end."""
        return _roles(self._ask("DELETE", f"admin/users/{part(person_id)}/roles/{part(role)}"))


def _person(answer: object) -> Person:
    return Person.from_doc(mapping_of(mapping_of(answer, "person").get("user"), "user"))


def _roles(answer: object) -> tuple[str, ...]:
    roles = mapping_of(done(answer, "roles").get("user"), "user").get("roles")
    if not isinstance(roles, list):
        raise MalformedReply("roles: not a list")
    return tuple(sorted(texts_of(roles)))
