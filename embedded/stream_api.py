"""`/api/v1/stream`: confirmations as server-sent events."""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from embedded import holding, listening
from embedded.auth import Caller, jwt_caller, jwt_or_query_caller
from embedded.dialect import Dialect
from embedded.replies import sentence
from embedded.routes import guarded_route, jwt_route
from embedded.state import Gateway
from embedded.streaming import Streamed


def routes(dialect: Dialect) -> list[Route]:
    door = jwt_or_query_caller if dialect.stream_takes_query_token else jwt_caller
    return [
        guarded_route("GET", "/api/v1/stream", stream, door),
        jwt_route("GET", "/api/v1/stream/pending", pending),
    ]


async def stream(gateway: Gateway, _: Request, caller: Caller) -> ASGIApp:
    """`connected`, then what is held for this person, oldest first, then what happens."""
    if gateway.dials.refuse_streams:
        raise sentence(503, "Service Unavailable")
    listener = listening.Listener(gateway, caller)
    listener.hear(listening.connected(caller))
    for confirmation in holding.held(gateway):
        if caller.id in (confirmation.caller_id, confirmation.end_user_id):
            listener.hear(listening.required(gateway, confirmation))

    def close() -> None:
        gateway.listeners.discard(listener)
        gateway.streams.discard(answer)

    answer = Streamed(listener.events(), closing=close)
    gateway.listeners.add(listener)
    gateway.streams.add(answer)
    return answer


async def pending(gateway: Gateway, _: Request, caller: Caller) -> JSONResponse:
    waiting = holding.held_for(gateway, caller)
    return JSONResponse({"data": [listening.payload(gateway, confirmation) for confirmation in waiting]})
