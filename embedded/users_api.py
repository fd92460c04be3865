"""`/api/v1/admin/users`: who there is, and what they may do."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller
from embedded.auth_api import EMAIL, SHORTEST_PASSWORD
from embedded.clock import iso, now
from embedded.ids import new_id
from embedded.people import Person, full_profile
from embedded.permissions import require
from embedded.replies import read_fields, sentence, text_in
from embedded.routes import jwt_route
from embedded.state import Gateway

ROLES = ["admin", "agent_creator", "tenant_admin"]
ROLES_UNSAID = ["agent_creator"]  # an end user is one whose roles are said to be none


def routes() -> list[Route]:
    base = "/api/v1/admin/users"
    return [
        jwt_route("GET", base, list_users),
        jwt_route("POST", base, create),
        jwt_route("GET", f"{base}/{{person_id}}", get),
        jwt_route("PUT", f"{base}/{{person_id}}", update),
        jwt_route("DELETE", f"{base}/{{person_id}}", delete),
        jwt_route("POST", f"{base}/{{person_id}}/roles", add_role),
        jwt_route("DELETE", f"{base}/{{person_id}}/roles/{{role}}", remove_role),
    ]


async def list_users(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    """An admin's list holds every tenant, also when the admin has one."""
    require(caller, "user:read")
    sees_all = "admin" in caller.roles
    found = [p for p in gateway.people.values() if sees_all or p.tenant_id == caller.tenant_id]
    return JSONResponse({"users": [full_profile(person) for person in found], "count": len(found)})


async def create(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "user:create")
    body = await read_fields(request)
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or not email or not password:
        raise sentence(400, "Email and password are required")
    if not EMAIL.fullmatch(email):
        raise sentence(400, "Invalid email format")
    if len(password) < SHORTEST_PASSWORD:
        raise sentence(400, "Password must be at least 8 characters")
    roles = body.get("roles")
    roles = [str(role) for role in roles] if isinstance(roles, list) else list(ROLES_UNSAID)
    for role in roles:
        if role not in ROLES:
            raise sentence(400, f"Invalid role: {role}")
    if gateway.person_by_email(email):
        raise sentence(409, "User with this email already exists")
    tenant_id = text_in(body, "tenantId") or None
    person = Person(new_id(), email.lower(), text_in(body, "name"), tenant_id, roles, password, now())
    gateway.people[person.id] = person
    return JSONResponse({"success": True, "user": full_profile(person)}, 201)


async def get(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "user:read")
    return JSONResponse({"user": whole_profile(found(gateway, request))})


async def update(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    """The person's tokens go on saying the old things."""
    require(caller, "user:update")
    body = await read_fields(request)
    person = found(gateway, request)
    if "email" in body:
        person.email = free_email(gateway, person, body["email"])
    person.name = text_in(body, "name", person.name)
    person.tenant_id = text_in(body, "tenantId", person.tenant_id)
    person.is_active = bool(body.get("isActive", person.is_active))
    person.updated_at = now()
    return JSONResponse({"success": True, "user": whole_profile(person)})


async def delete(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "user:delete")
    if request.path_params["person_id"] == caller.id:
        raise sentence(400, "Cannot delete your own account")
    del gateway.people[found(gateway, request).id]
    return JSONResponse({"success": True, "message": "User deleted"})


async def add_role(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "user:update")
    role = (await read_fields(request)).get("role")
    person = found(gateway, request)
    refuse_unknown_role(role)
    if role not in person.roles:
        person.roles.append(str(role))
    return JSONResponse({"success": True, "user": with_roles(person)})


async def remove_role(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    require(caller, "user:update")
    role = request.path_params["role"]
    person = found(gateway, request)
    refuse_unknown_role(role)
    person.roles = [kept for kept in person.roles if kept != role]
    return JSONResponse({"success": True, "user": with_roles(person)})


def found(gateway: Gateway, request: Request) -> Person:
    person = gateway.people.get(request.path_params["person_id"])
    if person is None:
        raise sentence(404, "User not found")
    return person


def free_email(gateway: Gateway, person: Person, wanted: Any) -> str:
    """The address, lower-cased, when nobody else has it. Raises `Refused`."""
    if not isinstance(wanted, str) or not EMAIL.fullmatch(wanted):
        raise sentence(400, "Invalid email format")
    if gateway.person_by_email(wanted) not in (None, person):
        raise sentence(409, "Email is already in use")
    return wanted.lower()


def refuse_unknown_role(role: Any) -> None:
    if role not in ROLES:
        raise sentence(400, f"Invalid role. Must be one of: {', '.join(ROLES)}")


def whole_profile(person: Person) -> dict[str, Any]:
    return full_profile(person) | {"updatedAt": iso(person.updated_at or person.created_at)}


def with_roles(person: Person) -> dict[str, Any]:
    return {"id": person.id, "email": person.email, "roles": person.roles}
