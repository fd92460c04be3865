"""Every refusal of a gateway as one class with a sentence for people; the cause stays chained, for the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.types import MissingService


class GatewayError(Exception):
    """The gateway said no, said nothing, or said something we did not expect.

    `message` is written for people, and all that a log may hold. `detail` is what the gateway or an agent wrote, if
    anything: show it escaped, and never log it.
    """

    message = "The gateway answered in a way we did not expect."
    status = 502  # what Portico's own page answers when nobody caught this

    def __init__(self, detail: str = "") -> None:
        super().__init__(self.message)
        self.detail = detail


class InOurWords(GatewayError):
    """One whose argument says in our own words what was wrong: fit for the log."""

    def __init__(self, why: str = "") -> None:
        super().__init__()
        self.args = (why or self.message,)


class GatewayUnavailable(GatewayError):
    """No connection, a timeout, or a 5xx: may pass."""

    message = "The gateway cannot be reached right now. Please try again in a moment."
    status = 503


class MalformedReply(InOurWords):
    message = "The gateway sent an answer that we could not read."


class NotConfirmed(MalformedReply):
    """An answer to a change that does not say, in the gateway's own words, that it was made."""

    message = "The gateway did not say whether this was done. Please look before you try again."


class SignedOut(GatewayError):
    """A 401 about the token: the person has to sign in again."""

    message = "Your session ended. Please sign in again."
    status = 401


class WrongPassword(GatewayError):
    message = "That e-mail and password do not match."
    status = 401


class NotAllowed(GatewayError):
    message = "The gateway does not allow you to do this."
    status = 403


class NotFound(GatewayError):
    message = "The gateway does not know this, or it is gone."
    status = 404


class NotOffered(NotFound):
    """The route itself does not exist on this gateway (its "Route … not found" answer)."""

    message = "This gateway does not offer that."


class NotAccepted(GatewayError):
    """A 400: what we sent was not good; `detail` says why."""

    message = "The gateway did not accept this."
    status = 400


class AlreadyResolved(GatewayError):
    """Somebody answered this confirmation before; `status_was` is the gateway's word for how ("confirmed", …)."""

    message = "This was already resolved."
    status = 409

    def __init__(self, status_was: str = "", detail: str = "") -> None:
        super().__init__(detail)
        self.status_was = status_was


class Conflict(GatewayError):
    message = "The gateway says that this is already taken."
    status = 409


class CredentialsRequired(GatewayError):
    """The agent needs services that this person has not connected yet: `missing`."""

    message = "This agent needs a service that you have not connected yet."
    status = 409

    def __init__(self, missing: Sequence[MissingService]) -> None:
        super().__init__()
        self.missing = tuple(missing)


class AgentNotFound(NotFound):
    message = "This agent does not exist any more."


class AgentDisabled(NotAllowed):
    message = "This agent is switched off at the moment."


class TenantMismatch(NotAllowed):
    message = "This agent belongs to another organisation."


class AgentFailed(GatewayError):
    """The agent itself answered with an error; `agent_status` is its HTTP status, `detail` its raw body."""

    message = "The agent answered with an error."

    def __init__(self, agent_status: int = 0, detail: str = "") -> None:
        super().__init__(detail)
        self.agent_status = agent_status


class AgentUnreachable(GatewayError):
    """The gateway could not get a usable answer from the agent (INVOKE_FAILED)."""

    message = "The gateway got no usable answer from the agent."


class StreamBroken(InOurWords):
    """A stream that ended before its end was said."""

    message = "The connection to the agent was lost."


class StreamSilent(StreamBroken):
    message = "The agent said nothing for too long, so the connection was closed."


class StreamMalformed(StreamBroken):
    message = "The agent's answer could not be read any further."


SIGNED_OUT_CODES = frozenset(
    {"MISSING_TOKEN", "INVALID_TOKEN", "TOKEN_EXPIRED", "AUTH_FAILED", "UNKNOWN_ISSUER", "INVALID_ART"}
)
"""The `code`s of a 401 that are about the token. Source: wire table "401 code"."""

BY_CODE: dict[str, type[GatewayError]] = {
    "AGENT_NOT_FOUND": AgentNotFound,
    "AGENT_DISABLED": AgentDisabled,
    "TENANT_MISMATCH": TenantMismatch,
    "INVOKE_FAILED": AgentUnreachable,
    "INSUFFICIENT_PERMISSIONS": NotAllowed,
    "INSUFFICIENT_SCOPE": NotAllowed,
    "PROVIDER_NOT_FOUND": NotFound,
    "PROVIDER_DISABLED": NotAllowed,
    "PROVIDER_ACCESS_DENIED": NotAllowed,
}

BY_STATUS: dict[int, type[GatewayError]] = {
    400: NotAccepted,
    401: WrongPassword,  # a 401 without a code: login, or a wrong current password
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: NotAccepted,
    422: NotAccepted,
    408: GatewayUnavailable,
    429: GatewayUnavailable,
}
