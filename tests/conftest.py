"""Real servers for every test: an embedded gateway in each dialect, and a Portico in front of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.embedded import Embedded
from tests.portico import OFFERED, Portico, Visitor


@pytest.fixture(scope="session", params=["released", "guide"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """A gateway that stories share; turn a dial only if you turn it back."""
    with Embedded.start(dialect=request.param) as embedded:
        yield embedded


@pytest.fixture(scope="session")
def portico(gateway: Embedded) -> Iterator[Portico]:
    server = Portico(gateway.url, GATEWAY_AGENTS=",".join(OFFERED)).start()
    yield server
    server.close()


@pytest.fixture
def own_gateway(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    """A gateway of one's own, to be killed, restarted or told to misbehave."""
    with Embedded.start() as embedded:
        yield embedded


@pytest.fixture
def own_portico(own_gateway: Embedded) -> Iterator[Portico]:
    server = Portico(own_gateway.url, GATEWAY_AGENTS=",".join(OFFERED)).start()
    yield server
    server.close()


@pytest.fixture
def visitor(portico: Portico) -> Iterator[Callable[[str], Visitor]]:
    """Somebody new at the shared Portico, signed in: `visitor("user@example.com")`; a stranger without an address."""
    come: list[Visitor] = []

    def arrive(email: str = "") -> Visitor:
        come.append(Visitor(portico))
        if email:
            come[-1].signs_in(email)
        return come[-1]

    yield arrive
    for one in come:
        one.session.close()


@pytest.fixture
def ana(visitor: Callable[[str], Visitor]) -> Visitor:
    """The person with the agents."""
    return visitor("user@example.com")


@pytest.fixture
def gil(visitor: Callable[[str], Visitor]) -> Visitor:
    """Somebody of another organisation."""
    return visitor("other@example.com")


@pytest.fixture
def key() -> str:
    return str(uuid.uuid4())
