"""Says back what it was told, as plain JSON."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from embedded.agents.base import Asked, agent_app
from embedded.streaming import compact


def app(secret: str) -> ASGIApp:
    return agent_app(reply, secret)


async def reply(question: Asked) -> JSONResponse:
    said = question.text or compact(question.body)
    return JSONResponse({"reply": f"You said: {said}"})
