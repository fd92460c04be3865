"""`/api/v1/auth`: signing in, and one's own profile."""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded.auth import Caller, login_token
from embedded.clock import now
from embedded.dialect import Dialect
from embedded.ids import new_id
from embedded.people import Person, full_profile, profile
from embedded.policy import rules_of_person
from embedded.replies import Refused, read_fields, read_json, sentence
from embedded.routes import jwt_route, open_route
from embedded.state import Gateway

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
SHORTEST_PASSWORD = 8


def routes(dialect: Dialect) -> list[Route]:
    base = "/api/v1/auth"
    shared = [
        open_route("POST", f"{base}/login", login),
        open_route("POST", f"{base}/verify-credentials", verify_credentials),
        jwt_route("GET", f"{base}/me", me),
        jwt_route("PUT", f"{base}/me", update_me),
        jwt_route("POST", f"{base}/change-password", change_password),
    ]
    if not dialect.registers:
        return shared
    return [
        *shared,
        open_route("POST", f"{base}/register", register),
        jwt_route("POST", f"{base}/refresh", refresh),
    ]


async def login(gateway: Gateway, request: Request) -> JSONResponse:
    person = await identified(gateway, request)
    return JSONResponse({"success": True, "token": login_token(gateway, person), "user": profile(person)})


async def verify_credentials(gateway: Gateway, request: Request) -> JSONResponse:
    person = await identified(gateway, request)
    return JSONResponse({"success": True, "user": profile(person)})


async def identified(gateway: Gateway, request: Request) -> Person:
    """The person whose e-mail and password are in the body. Raises `Refused`."""
    body = await read_json(request)
    if body is None:
        raise Refused(
            500,
            {
                "error": "Internal Server Error",
                "message": "Cannot read properties of null (reading 'email')",
            },
        )
    fields = body if isinstance(body, dict) else {}
    email, password = fields.get("email"), fields.get("password")
    if not email or not password:
        raise sentence(400, "Email and password are required")
    if not isinstance(email, str) or not isinstance(password, str):
        raise sentence(500, "Authentication failed")
    person = gateway.person_by_email(email)
    if person is None or not person.is_active or person.password != password:
        raise sentence(401, "Invalid email or password")
    return person


async def me(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    return JSONResponse({"success": True, "user": full_profile(known(gateway, caller))})


async def update_me(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    body = await read_fields(request)
    person = known(gateway, caller)
    if "email" in body:
        email = str(body["email"]).strip().lower()
        if not EMAIL.fullmatch(email):
            raise sentence(400, "Invalid email format")
        holder = gateway.person_by_email(email)
        if holder is not None and holder is not person:
            raise sentence(409, "Email is already in use")
        person.email = email
    if isinstance(body.get("name"), str):
        person.name = body["name"]
    return JSONResponse({"success": True, "user": profile(person)})


async def change_password(gateway: Gateway, request: Request, caller: Caller) -> JSONResponse:
    body = await read_fields(request)
    current, new = body.get("currentPassword"), body.get("newPassword")
    if not current or not new:
        raise sentence(400, "Current password and new password are required")
    if len(str(new)) < SHORTEST_PASSWORD:
        raise sentence(400, "New password must be at least 8 characters")
    person = known(gateway, caller)
    if person.password != current:
        raise sentence(401, "Current password is incorrect")
    person.password = str(new)
    return JSONResponse({"success": True, "message": "Password changed successfully"})


async def register(gateway: Gateway, request: Request) -> JSONResponse:
    """Only in the guide: whoever registers gets an account in the demonstration's tenant."""
    body = await read_fields(request)
    email, password = body.get("email"), body.get("password")
    if not isinstance(email, str) or not isinstance(password, str) or not email or not password:
        raise sentence(400, "Email and password are required")
    email = email.strip().lower()
    if not EMAIL.fullmatch(email):
        raise sentence(400, "Invalid email format")
    if len(password) < SHORTEST_PASSWORD:
        raise sentence(400, "Password must be at least 8 characters")
    if gateway.person_by_email(email):
        raise sentence(409, "User with this email already exists")
    name = body.get("name")
    person = Person(new_id(), email, name if isinstance(name, str) and name else email, "acme", [], password, now())
    gateway.people[person.id] = person
    gateway.rules += rules_of_person(person.id)
    answer = {"success": True, "token": login_token(gateway, person), "user": profile(person)}
    return JSONResponse(answer, 201)


async def refresh(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    person = known(gateway, caller)
    return JSONResponse({"success": True, "token": login_token(gateway, person), "user": profile(person)})


def known(gateway: Gateway, caller: Caller) -> Person:
    person = gateway.people.get(caller.id)
    if person is None:
        raise sentence(404, "User not found")
    return person
