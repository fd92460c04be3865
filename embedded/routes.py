"""Routes with a door: open, for a token in the header, or for every way of saying who one is."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded.auth import Caller, flexible_caller, jwt_caller
from embedded.replies import Refused
from embedded.state import Gateway
from embedded.streaming import HungUp

Open = Callable[[Gateway, Request], Awaitable[ASGIApp]]
Guarded = Callable[[Gateway, Request, Caller], Awaitable[ASGIApp]]
Door = Callable[[Gateway, Request], Caller]

CLIENT_CLOSED_REQUEST = 499  # nobody is there to read it


def gateway_of(request: Request) -> Gateway:
    gateway = request.app.state.gateway
    assert isinstance(gateway, Gateway)
    return gateway


def open_route(method: str, path: str, handler: Open) -> Route:
    async def endpoint(request: Request) -> ASGIApp:
        return await answered(handler(gateway_of(request), request))

    return Route(path, endpoint, methods=[method])


def jwt_route(method: str, path: str, handler: Guarded) -> Route:
    return guarded_route(method, path, handler, jwt_caller)


def flexible_route(method: str, path: str, handler: Guarded) -> Route:
    return guarded_route(method, path, handler, flexible_caller)


def guarded_route(method: str, path: str, handler: Guarded, door: Door) -> Route:
    async def endpoint(request: Request) -> ASGIApp:
        gateway = gateway_of(request)
        try:
            caller = door(gateway, request)
        except Refused as refusal:
            return JSONResponse(refusal.body, refusal.status)
        return await answered(handler(gateway, request, caller))

    return Route(path, endpoint, methods=[method])


async def answered(handling: Awaitable[ASGIApp]) -> ASGIApp:
    try:
        return await handling
    except Refused as refusal:
        return JSONResponse(refusal.body, refusal.status)
    except HungUp:
        return JSONResponse(None, CLIENT_CLOSED_REQUEST)
