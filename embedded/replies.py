"""Answers in the gateway's shapes, and the refusals that handlers raise."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from embedded import bodies


class Refused(Exception):
    """Ends a request with a status and a JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def sentence(status: int, error: str, **more: Any) -> Refused:
    """`{"error": "<sentence>"}`: how ordinary routes refuse."""
    return Refused(status, {"error": error, **more})


def coded(status: int, error: str, message: str, code: str) -> Refused:
    """`{"error", "message", "code"}`: how sign-in, permissions and invoking refuse."""
    return Refused(status, {"error": error, "message": message, "code": code})


def unauthorized(message: str, code: str) -> Refused:
    return coded(401, "Unauthorized", message, code)


def forbidden(message: str, code: str) -> Refused:
    return coded(403, "Forbidden", message, code)


def no_such_route(request: Request) -> JSONResponse:
    message = f"Route {request.method} {request.scope['path']} not found"
    return JSONResponse({"error": "Not Found", "message": message}, 404)


async def read_json(request: Request) -> Any:
    """The body, whatever Content-Type it claims. Raises `Refused` (400) when it is not JSON."""
    try:
        return bodies.read(await request.body())
    except ValueError as exc:
        raise sentence(400, "Invalid JSON body") from exc


async def read_fields(request: Request) -> dict[str, Any]:
    """The body's members; none when it is JSON but no object."""
    body = await read_json(request)
    return body if isinstance(body, dict) else {}


async def read_json_as_it_comes(request: Request) -> Any:
    """As the routes do that do not expect broken JSON. Raises `Refused` (500; 400 for what nobody could be shown)."""
    try:
        return bodies.read(await request.body())
    except bodies.Unwritable as exc:
        raise sentence(400, "Invalid JSON body") from exc
    except ValueError as exc:
        message = "Expected property name or '}' in JSON at position 1"
        raise Refused(500, {"error": "Internal Server Error", "message": message}) from exc


def text_in(body: dict[str, Any], name: str, default: Any = None) -> Any:
    """The text at `name`; null is none. Raises `Refused` (400) for anything else."""
    value = body.get(name, default)
    if value is not None and not isinstance(value, str):
        raise sentence(400, f"{name} must be a string")
    return value


def present(**members: Any) -> dict[str, Any]:
    """Those members that have a value."""
    return {name: value for name, value in members.items() if value is not None}
