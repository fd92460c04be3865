"""A tiny weather service that wants a key: `wx-` and then at least five characters."""

import random
from datetime import date

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

SHORTEST_KEY = 8
SKIES = ["clear sky", "light clouds", "overcast", "drizzle", "rain showers", "fog", "thunder in the evening"]


def app() -> ASGIApp:
    return Starlette(routes=[Route("/v1/weather", weather)])


async def weather(request: Request) -> JSONResponse:
    key = request.headers.get("x-api-key", "")
    if not key.startswith("wx-") or len(key) < SHORTEST_KEY:
        return JSONResponse({"error": "unknown key"}, 401)
    place = request.query_params.get("place", "")
    today = date.today().isoformat()
    chance = random.Random(f"{place.casefold()} {today}")  # noqa: S311 - the same answer all day
    return JSONResponse(
        {
            "place": place,
            "date": today,
            "sky": chance.choice(SKIES),
            "temperature": chance.randint(-4, 34),
            "wind": chance.randint(0, 60),
        }
    )
