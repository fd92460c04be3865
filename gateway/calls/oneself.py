"""Who I am: signing in, my profile, my password."""

from __future__ import annotations

from gateway.calls.wire import Wire, done
from gateway.errors import MalformedReply, NotFound, NotOffered, SignedOut
from gateway.tokens import expires_at, lifetime_of
from gateway.types import Person, SignedIn, mapping_of, text_of


class Oneself(Wire):
    __slots__ = ()

    def sign_in(self, email: str, password: str) -> SignedIn:
        """Raises WrongPassword, also for people who are switched off or unknown."""
        return self._signed_in(self._ask("POST", "auth/login", {"email": email, "password": password}))

    def check_password(self, email: str, password: str) -> Person:
        """Whose e-mail and password these are, without a token for it. Raises WrongPassword."""
        doc = self._ask("POST", "auth/verify-credentials", {"email": email, "password": password})
        return _person(doc)

    def register(self, email: str, password: str, name: str = "") -> SignedIn:
        """A new account, signed in. Raises NotOffered, Conflict for an e-mail in use, NotAccepted with the reason."""
        self._needs_accounts()
        named = {"name": name} if name else {}
        return self._signed_in(self._ask("POST", "auth/register", {"email": email, "password": password, **named}))

    def renew(self) -> SignedIn:
        """A fresh token for the one in use, which stays good until its own end. Raises NotOffered."""
        self._needs_accounts()
        return self._signed_in(self._ask("POST", "auth/refresh"))

    def me(self) -> Person:
        """As the gateway's store has this person now. Raises SignedOut when they are gone or switched off."""
        try:
            person = _person(self._ask("GET", "auth/me"))
        except NotOffered:
            raise
        except NotFound as exc:
            raise SignedOut from exc
        if not person.is_active:
            raise SignedOut
        return person

    def change_profile(self, *, name: str | None = None, email: str | None = None) -> Person:
        """Change what is given. Raises NotAccepted for what is no e-mail, Conflict for one in use.

        The token goes on saying the old things until it ends.
        """
        given = {"name": name, "email": email}
        body = {key: value for key, value in given.items() if value is not None}
        return _person(done(self._ask("PUT", "auth/me", body), "person"))

    def change_password(self, current: str, new: str) -> None:
        """Raises WrongPassword when `current` is not it, NotAccepted for one too short (8 characters).

        Tokens stay good, this one and all others of this person.
        """
        body = {"currentPassword": current, "newPassword": new}
        done(self._ask("POST", "auth/change-password", body), "password", "Password changed successfully")

    def _needs_accounts(self) -> None:
        """Raises NotOffered where it is known already that the gateway has no such route."""
        dialect = self._known_dialect()
        if dialect is not None and not dialect.has_accounts:
            raise NotOffered

    def _signed_in(self, answer: object) -> SignedIn:
        """From an answer with a token, and the person where it names one (renewing need not)."""
        doc = mapping_of(answer, "sign-in")
        token = text_of(doc, "token")
        if not (token.isascii() and token.isprintable()):
            raise MalformedReply("token: not fit for a header")
        person = _person(doc) if "user" in doc else type(self)(self.url, token, self.chosen).me()
        return SignedIn(token, person, expires_at(token), lifetime_of(token))


def _person(answer: object) -> Person:
    return Person.from_doc(mapping_of(mapping_of(answer, "person").get("user"), "user"))
