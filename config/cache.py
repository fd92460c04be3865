"""What processes share for a while: in Redis, and while that is away in each one's own memory."""

from __future__ import annotations

import logging
from typing import Any

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

logger = logging.getLogger(__name__)


class RedisOrMemory(LocMemCache):
    """Nobody is kept from signing in because a counter cannot be read."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__("", params)
        self._shared = RedisCache(server, params)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._in_redis("get", *args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._in_redis("add", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._in_redis("set", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._in_redis("incr", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._in_redis("delete", *args, **kwargs)

    def _in_redis(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(self._shared, name)(*args, **kwargs)
        except redis.RedisError as exc:
            logger.warning("Redis is away: %r", exc)
            return getattr(super(), name)(*args, **kwargs)
