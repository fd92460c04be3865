"""What a login token says about itself, unverified: the gateway is who checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from gateway.types import maybe_text


def claims_of(token: str) -> Mapping[str, Any]:
    """The claims, empty for a token that cannot be read: `{sub, email, tenant_id?, roles, iat, exp, iss}`."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}


def expires_at(token: str) -> datetime | None:
    """When a login token ends, aware, UTC; None when it does not say."""
    try:
        return datetime.fromtimestamp(claims_of(token)["exp"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def tenant_of(token: str) -> str:
    """The tenant that a login token names; empty when it names none."""
    return maybe_text(claims_of(token), "tenant_id")


def roles_of(token: str) -> tuple[str, ...]:
    roles = claims_of(token).get("roles")
    return tuple(str(role) for role in roles) if isinstance(roles, list) else ()
