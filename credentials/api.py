"""What other rooms may use of this one, besides `credentials.signals`. Needs no request: any thread may call it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from credentials.services import Card, card, card_async, look_up
from gateway import Gateway, MissingService

__all__ = ["Card", "cannot_connect", "connect_cards", "names_of", "services_to_connect", "services_to_connect_async"]


def connect_cards(cards: Iterable[Card]) -> SafeString:
    """A Connect card for each, as HTML; empty when nothing is missing."""
    return mark_safe("\n".join(render_to_string("credentials/_connect_card.html", {"service": one}) for one in cards))  # noqa: S308


def cannot_connect(cards: Iterable[Card]) -> str:
    """What nobody can connect of these, why, and who can do something about it; empty where that is not certain."""
    named = [f"{card.name}, since {card.why_not}" for card in cards if card.why_not]
    if not named:
        return ""
    them = "it" if len(named) == 1 else "them"
    return f"This gateway cannot connect {'; nor '.join(named)}. Ask your operator to set {them} up, then try again."


def names_of(gateway: Gateway, services: Iterable[str]) -> dict[str, str]:
    """{service type: name for people}; the type itself where the gateway knows no name."""
    return {service: look_up(gateway, service).name for service in services}


def services_to_connect(
    gateway: Gateway, missing: Iterable[MissingService], agent_id: str, next_page: str
) -> list[Card]:
    """The same as values, for a page that names them in its own words."""
    return [card(gateway, one, agent_id=agent_id, next_page=next_page) for one in missing]


async def services_to_connect_async(
    gateway: Gateway, missing: Iterable[MissingService], agent_id: str, next_page: str
) -> list[Card]:
    """The same for what waits: it holds no thread, and `why_not` says of each what nobody can connect.

    `next_page` is the path that the person comes back to. Asks the gateway for names it has not asked for lately.
    """
    asked = (card_async(gateway, one, agent_id=agent_id, next_page=next_page) for one in missing)
    return await asyncio.gather(*asked)
