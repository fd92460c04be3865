"""What other rooms may use of this one, besides `credentials.signals`. Needs no request: any thread may call it."""

from __future__ import annotations

from collections.abc import Iterable

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from credentials.services import Card, card, look_up
from gateway import Gateway, MissingService

__all__ = ["Card", "connect_cards", "names_of", "services_to_connect"]


def connect_cards(
    gateway: Gateway, missing: Iterable[MissingService], agent_id: str, next_page: str, needed_by: str = ""
) -> SafeString:
    """A Connect card for each missing service, as HTML; empty when nothing is missing.

    `next_page` is the path that the person comes back to. Asks the gateway for names it has not asked for lately.
    """
    cards = (
        card(gateway, one, agent_id=agent_id, next_page=next_page, needed_by=(needed_by,) if needed_by else ())
        for one in missing
    )
    return mark_safe("\n".join(render_to_string("credentials/_connect_card.html", {"service": one}) for one in cards))  # noqa: S308


def names_of(gateway: Gateway, services: Iterable[str]) -> dict[str, str]:
    """{service type: name for people}; the type itself where the gateway knows no name."""
    return {service: look_up(gateway, service).name for service in services}


def services_to_connect(
    gateway: Gateway, missing: Iterable[MissingService], agent_id: str, next_page: str
) -> list[Card]:
    """The same as values, for a page that names them in its own words."""
    return [card(gateway, one, agent_id=agent_id, next_page=next_page) for one in missing]
