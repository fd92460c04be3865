"""What a login token says about itself, unverified: the gateway is who checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt

from gateway.types import is_number, maybe_id, maybe_time, texts_of


def claims_of(token: str) -> Mapping[str, Any]:
    """The claims, empty for a token that cannot be read: `{sub, email, tenant_id?, roles, iat, exp, iss}`."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}


def expires_at(token: str) -> datetime | None:
    """When a login token ends, aware, UTC; None when it does not say."""
    return maybe_time(claims_of(token), "exp")


def lifetime_of(token: str) -> float | None:
    """Seconds from its issue to its end, whatever any clock says; None when the token does not say."""
    claims = claims_of(token)
    begin, end = claims.get("iat"), claims.get("exp")
    return max(0.0, float(end - begin)) if is_number(begin) and is_number(end) else None


def tenant_of(token: str) -> str:
    """The tenant that a login token names; empty when it names none."""
    return maybe_id(claims_of(token), "tenant_id")


def roles_of(token: str) -> tuple[str, ...]:
    return texts_of(claims_of(token).get("roles"))
