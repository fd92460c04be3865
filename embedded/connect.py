"""placeholder"""

from starlette.routing import Route
from embedded.dialect import Dialect


def routes(dialect: Dialect) -> list[Route]:
    return []
