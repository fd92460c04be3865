"""Real servers for every test: an embedded gateway in each dialect, and a Portico in front of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import NamedTuple

import pytest
from django.apps import apps
from django.db.models.signals import post_migrate
from pytest_django import DjangoDbBlocker

from tests.embedded import Embedded
from tests.portico import BOTH, OFFERED, Portico, Visitor


class Pair(NamedTuple):
    gateway: Embedded
    portico: Portico


@pytest.fixture(scope="session")
def pairs() -> Iterator[Callable[[str], Pair]]:
    """By the gateway's dialect. They stay up: file after file asks for both, and to start one takes seconds."""
    with ExitStack() as leaving:

        @cache
        def pair(dialect: str) -> Pair:
            gateway = leaving.enter_context(Embedded.start(dialect=dialect))
            portico = Portico(gateway.url, GATEWAY_AGENTS=",".join(OFFERED)).start()
            leaving.callback(portico.close)
            return Pair(gateway, portico)

        yield pair


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """After a test that commits all tables are emptied: the one row that a migration put there comes back."""
    from confirmations.models import ChainHead  # noqa: PLC0415  (Django has to be set up first)

    with django_db_blocker.unblock():
        head = ChainHead.objects.get()
    post_migrate.connect(lambda **_: head.save(), sender=apps.get_app_config("confirmations"), weak=False)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Files that say `DIALECTS_DIFFER = False` are told in one dialect, and in the other when `make soak` is run."""
    if "pair" in metafunc.fixturenames and not getattr(metafunc.module, "DIALECTS_DIFFER", True):
        metafunc.definition.add_marker(pytest.mark.parametrize("pair", BOTH, indirect=True, scope="session"))


@pytest.fixture(scope="session", params=["released", "guide"])
def pair(request: pytest.FixtureRequest, pairs: Callable[[str], Pair]) -> Pair:
    return pairs(request.param)


@pytest.fixture(scope="session")
def gateway(pair: Pair) -> Embedded:
    """A gateway that stories share; turn a dial only if you turn it back."""
    return pair.gateway


@pytest.fixture(scope="session")
def portico(pair: Pair) -> Portico:
    return pair.portico


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
