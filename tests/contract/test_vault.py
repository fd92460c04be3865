"""Services, and the credentials that people store for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway import MASK, Gateway, Service, ServiceSettings
from gateway.errors import Conflict, NotAccepted, NotAllowed, NotFound
from tests.contract.conftest import World
from tests.contract.report import Contract


def test_managing_services(world: World, contract: Contract) -> None:
    boss = world.boss
    kind = f"{world.tag}_oauth"
    with contract("POST /credential-providers"):
        settings = ServiceSettings(
            authorization_url="https://accounts.example.test/auth",
            token_url="https://accounts.example.test/token",
            client_id="client",
            client_secret="never told again",
            scopes=("mail.read",),
        )
        made = boss.create_service(kind, "Mail", "oauth", description="Reads mail", settings=settings)
        assert (made.service, made.name, made.kind, made.tenant) == (kind, "Mail", "oauth", world.tag)
        assert made.settings.client_secret == MASK
        assert made.settings.scopes == ("mail.read",)
        with pytest.raises(Conflict):
            boss.create_service(kind, "Mail again", "oauth")
        with pytest.raises(NotAccepted):
            boss.create_service("Not-A-Type", "Mail", "key")
        with pytest.raises(NotAllowed):
            world.user.create_service(f"{kind}2", "Mail", "key")
    with contract("GET /credential-providers"):
        assert kind in {one.service for one in boss.services()}
        assert made.id in {one.id for one in boss.service_records()}
    with contract("GET /credential-providers/:id"):
        assert boss.service_record(made.id).settings == made.settings
        with pytest.raises(NotFound):
            boss.service_record("nothing")
    with contract("GET /credential-providers/by-service/:type"):
        assert boss.service(kind) == Service(kind, "Mail", "oauth", made.id, "Reads mail")
    with contract("PUT /credential-providers/:id"):
        changed = boss.change_service(made, name="Post", settings=replace(made.settings, scopes=("mail.send",)))
        assert (changed.name, changed.description) == ("Post", "Reads mail")
        assert (changed.settings.client_secret, changed.settings.scopes) == (MASK, ("mail.send",))
        assert not boss.change_service(made, is_active=False).is_active
        with pytest.raises(NotAllowed):
            world.user.change_service(made, name="Mine")
    with contract("DELETE /credential-providers/:id"):
        boss.delete_service(made.id)
        with pytest.raises(NotFound):
            boss.delete_service(made.id)


def service_for(gateway: Gateway, world: World) -> Service:
    assert world.service is not None
    return gateway.service(world.service.service)


def test_storing_a_key(world: World, contract: Contract) -> None:
    user, other = world.user, world.boss
    service = service_for(user, world)
    assert service.kind == "key"
    with contract("GET /credentials/check/:service"):
        check = user.check_credential(service.service)
        assert check.credential is None
        assert check.service is not None
        assert check.service.name == "Contract service"
        assert user.check_credential("nothing_of_the_kind").service is None
    with contract("POST /credentials/apikey"):
        stored = user.store_key(service, "first")
        assert user.store_key(service, "second").id == stored.id
        assert (stored.service, stored.name) == (service.service, "Contract service")
        with pytest.raises(NotAccepted):
            user.store_key(service, "")
    with contract("GET /credentials"):
        assert [one.id for one in user.credentials() if one.service == service.service] == [stored.id]
        assert user.check_credential(service.service).credential is not None
    with contract("DELETE /credentials/:id"):
        with pytest.raises(NotAllowed):
            other.delete_credential(stored.id)
        user.delete_credential(stored.id)
        with pytest.raises(NotFound):
            user.delete_credential(stored.id)


def test_storing_a_token_that_ends(world: World, contract: Contract) -> None:
    made = world.boss.create_service(f"{world.tag}_token", "Notes", "token")
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    try:
        with contract("POST /credentials/jwt"):
            service = world.user.service(made.service)
            stored = world.user.store_token(service, "a token", ends_at)
            assert [one.expires_at for one in world.user.credentials() if one.id == stored.id] == [ends_at]
            with pytest.raises(NotAccepted):
                world.user.store_key(service, "but it wants a token")
            world.user.delete_credential(stored.id)
    finally:
        world.boss.delete_service(made.id)
