"""Which error a refusing answer is: by its `code` first, then by its status and shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import (
    BY_CODE,
    BY_STATUS,
    SIGNED_OUT_CODES,
    AgentFailed,
    AgentNotFound,
    AlreadyResolved,
    CredentialsRequired,
    GatewayError,
    GatewayUnavailable,
    MalformedReply,
    NotAllowed,
    NotFound,
    NotOffered,
    SignedOut,
    TenantMismatch,
)
from gateway.types import MissingService, maybe_text, writable


def refusal(status: int, body: bytes) -> GatewayError:
    """The error for an answer that is not a 2xx. Source: the wire's tables of shapes and codes."""
    try:
        doc = json.loads(body)
    except (ValueError, RecursionError):
        doc = None
    if not isinstance(doc, dict):  # something that stands before the gateway
        may_pass = status >= 500 or status in (408, 429)
        return GatewayUnavailable(f"status {status}") if may_pass else MalformedReply(f"status {status}")
    code = maybe_text(doc, "code")
    sentence = maybe_text(doc, "error")
    if code == "CREDENTIALS_REQUIRED":
        return CredentialsRequired(MissingService.all_from(doc))
    if code == "RUNTIME_ERROR":
        return AgentFailed(status, writable(maybe_text(doc, "details")))
    if code in BY_CODE:
        return BY_CODE[code](maybe_text(doc, "message"))
    if status == 401 and code in SIGNED_OUT_CODES:
        return SignedOut(maybe_text(doc, "message"))
    if status == 404 and maybe_text(doc, "message").startswith("Route "):
        return NotOffered(maybe_text(doc, "message"))
    if status == 409 and "status" in doc:
        return AlreadyResolved(maybe_text(doc, "status"), sentence)
    if status >= 500:
        return GatewayUnavailable(sentence)
    return BY_STATUS.get(status, GatewayError)(sentence)


@contextmanager
def about_an_agent() -> Iterator[None]:
    """Raises AgentNotFound and TenantMismatch where the gateway says so without a code, as `GET /agents/:id` does.

    Source: the wire's row "GET /api/v1/agents/:id".
    """
    try:
        yield
    except GatewayError as exc:
        if type(exc) is NotFound:
            raise AgentNotFound(exc.detail) from exc
        if type(exc) is NotAllowed and "different tenant" in exc.detail:
            raise TenantMismatch(exc.detail) from exc
        raise
