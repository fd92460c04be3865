"""Signing in, one's own account, and the people whom an admin manages."""

from __future__ import annotations

import pytest

from gateway import Gateway
from gateway.errors import Conflict, NotAccepted, NotAllowed, NotFound, NotOffered, SignedOut, WrongPassword
from tests.contract.conftest import Target, World
from tests.contract.report import Contract


def test_the_gateway_says_how_it_is(target: Target, contract: Contract) -> None:
    with contract("GET /health"):
        health = Gateway(target.admin.url).health()
        assert health.is_healthy
        assert health.at is not None


def test_signing_in(world: World, contract: Contract) -> None:
    stranger = Gateway(world.user.url, chosen=world.user.chosen)
    with contract("POST /auth/login"):
        signed_in = stranger.sign_in(f" {world.user_person.email.upper()} ", world.password)
        assert signed_in.person.id == world.user_person.id
        assert (signed_in.person.tenant, signed_in.person.roles) == (world.tag, ())
        assert signed_in.expires_at is not None
        with pytest.raises(WrongPassword):
            stranger.sign_in(world.user_person.email, "not this one")
        with pytest.raises(WrongPassword):
            stranger.sign_in(f"nobody-{world.tag}@example.test", world.password)
    with contract("POST /auth/verify-credentials"):
        assert stranger.check_password(world.user_person.email, world.password).id == world.user_person.id
        with pytest.raises(WrongPassword):
            stranger.check_password(world.user_person.email, "not this one")


def test_registering_and_renewing_where_there_is_such_a_thing(world: World, contract: Contract) -> None:
    newcomer = Gateway(world.user.url, chosen=world.user.chosen)
    email = f"newcomer-{world.tag}@example.test"
    with contract("POST /auth/register"):
        signed_in = newcomer.register(email, world.password, "Newcomer")
        try:
            assert signed_in.person.email == email
            with pytest.raises(Conflict):
                newcomer.register(email, world.password)
            with pytest.raises(NotAccepted):
                newcomer.register(f"other-{email}", "short")
        finally:
            world.target.admin.delete_person(signed_in.person.id)
    with contract("POST /auth/refresh"):
        renewed = world.user.renew()
        assert renewed.person.id == world.user_person.id
        assert Gateway(world.user.url, renewed.token, world.user.chosen).me().id == world.user_person.id


def test_ones_own_account(world: World, contract: Contract) -> None:
    with contract("GET /auth/me"):
        me = world.stranger.me()
        assert me.is_active
        assert me.created_at is not None
        with pytest.raises(SignedOut):
            Gateway(world.user.url, "no token at all", "released").me()
    with contract("PUT /auth/me"):
        assert world.stranger.change_profile(name="Renamed").name == "Renamed"
        assert world.stranger.me().name == "Renamed"
        assert world.stranger.change_profile(email=f"moved-{me.email}").email == f"moved-{me.email}"
        with pytest.raises(Conflict):
            world.stranger.change_profile(email=world.user_person.email)
        with pytest.raises(NotAccepted):
            world.stranger.change_profile(email="no address")
    with contract("POST /auth/change-password"):
        with pytest.raises(WrongPassword):
            world.stranger.change_password("not this one", "long enough")
        with pytest.raises(NotAccepted):
            world.stranger.change_password(world.password, "short")
        world.stranger.change_password(world.password, f"new {world.password}")
        anybody = Gateway(world.user.url, chosen=world.user.chosen)
        assert anybody.sign_in(f"moved-{me.email}", f"new {world.password}").person.id == me.id
        with pytest.raises(WrongPassword):
            anybody.sign_in(f"moved-{me.email}", world.password)


def test_managing_people(world: World, contract: Contract) -> None:
    admin = world.target.admin
    email = f"temp-{world.tag}@example.test"
    with contract("POST /admin/users"):
        temp = admin.create_person(email, world.password, name="Temp", tenant=world.tag)
        assert (temp.email, temp.name, temp.tenant, temp.roles) == (email, "Temp", world.tag, ())
        with pytest.raises(Conflict):
            admin.create_person(email, world.password)
        with pytest.raises(NotAccepted):
            admin.create_person(f"other-{email}", "short")
        with pytest.raises(NotAllowed):
            world.user.create_person(f"other-{email}", world.password)
    with contract("GET /admin/users"):
        assert email in {person.email for person in admin.people()}
        with pytest.raises(NotAllowed):
            world.user.people()
    with contract("GET /admin/users/:id"):
        assert admin.person(temp.id).email == email
        with pytest.raises(NotFound):
            admin.person("nobody")
    with contract("PUT /admin/users/:id"):
        assert admin.change_person(temp.id, name="Temp Two").name == "Temp Two"
        with pytest.raises(Conflict):
            admin.change_person(temp.id, email=world.user_person.email)
    with contract("POST /admin/users/:id/roles"):
        assert admin.give_role(temp.id, "agent_creator") == ("agent_creator",)
    with contract("DELETE /admin/users/:id/roles/:role"):
        assert admin.take_role(temp.id, "agent_creator") == ()
    with contract("PUT /admin/users/:id"):
        assert not admin.change_person(temp.id, is_active=False).is_active
        with pytest.raises(WrongPassword):
            Gateway(admin.url, chosen=admin.chosen).sign_in(email, world.password)
    with contract("DELETE /admin/users/:id"):
        admin.delete_person(temp.id)
        with pytest.raises(NotFound):
            admin.delete_person(temp.id)


def test_a_route_that_no_gateway_has_is_told_as_such(world: World) -> None:
    with pytest.raises(NotOffered):
        world.user._ask("GET", "auth/no-such-route")
