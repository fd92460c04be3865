"""Stub for now."""

from dataclasses import dataclass
from starlette.applications import Starlette


@dataclass
class Provider:
    redirect_uri: str
    client_id: str = "x"
    client_secret: str = "y"


def app(p: Provider) -> Starlette:
    return Starlette()
