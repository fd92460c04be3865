"""Asks the weather service with the person's own key."""

import re

import aiohttp
from starlette.types import ASGIApp

from embedded.agents.base import Asked, Events, ag_ui_app, say

WAIT = aiohttp.ClientTimeout(total=10)
PLACE = re.compile(r"\b(?:in|for|at|of|around)\s+(?P<place>[^\W\d_][\w'. -]*)")
NOISE = re.compile(
    r"\b(?:what(?:'s| is| will)?|how(?:'s| is)?|the|weather|forecast|like|be|please|tell me|show|me|today|"
    r"tomorrow|tonight|now|right|this (?:week|morning|evening)|temperature|it|is|going to)\b",
    re.IGNORECASE,
)


def app(secret: str, client: aiohttp.ClientSession, weather_url: str) -> ASGIApp:
    async def converse(question: Asked) -> Events:
        place = place_in(question.text)
        if place:
            text = await report(client, weather_url, question.credential("weather"), place)
        else:
            text = "For which place? Ask me something like **weather in Paris**."
        async for event in say(text):
            yield event

    return ag_ui_app(converse, secret)


def place_in(text: str) -> str | None:
    """The place that is asked for: of "What's the weather in São Paulo today?" it is `São Paulo`."""
    found = PLACE.search(text)
    place = NOISE.sub(" ", found["place"] if found else text)
    return " ".join(place.split()).strip(" ?!.,;:") or None


async def report(client: aiohttp.ClientSession, weather_url: str, key: str, place: str) -> str:
    try:
        async with client.get(
            f"{weather_url}/v1/weather", params={"place": place}, headers={"X-Api-Key": key}, timeout=WAIT
        ) as answer:
            if answer.status == 401:
                return (
                    "The weather service **refused your API key**. Please replace the key: delete the Weather "
                    "credential and store another one (the demo key is `wx-demo-1234`)."
                )
            weather = await answer.json()
    except (aiohttp.ClientError, TimeoutError):
        return "The weather service does not answer at the moment."
    return (
        f"Weather in **{weather['place']}** on {weather['date']}: {weather['sky']}, "
        f"{weather['temperature']} °C, wind {weather['wind']} km/h."
    )
