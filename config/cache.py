"""What processes share for a while: in Redis, and while that is away or full in each one's own memory."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from accounts.bus import TROUBLE
from accounts.whole_replies import WholeReplies

logger = logging.getLogger(__name__)

TIMEOUT = 1  # seconds for one word to Redis
REMEMBERED_AWAY = 5.0  # seconds until a Redis that was away is asked again: a frozen one costs one page a second


class JsonSerializer:
    """Whoever can write to Redis must not be able to run code here, as a pickle would."""

    def dumps(self, value: object) -> int | bytes:
        return value if type(value) is int else json.dumps(value).encode()  # a plain number can be counted up

    def loads(self, data: bytes) -> Any:
        """Raises ValueError for what is no JSON."""
        return json.loads(data)


class RedisOrMemory(LocMemCache):
    """Nobody is kept from signing in because a counter cannot be read, and no failure goes uncounted because Redis
    takes no more: what it refuses is kept here, and a number is the sum of both.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__("", params)
        options = {
            "serializer": "config.cache.JsonSerializer",
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "parser_class": WholeReplies,
        }
        self._shared = RedisCache(server, {**params, "OPTIONS": options})
        self._away_until = 0.0  # seconds of the monotonic clock

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        there = self._in_redis("get", key, None, version)
        here = super().get(key, None, version)
        if type(there) is int and type(here) is int:
            return there + here
        found = here if there is None else there
        return default if found is None else found

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._in_redis("add", *args, **kwargs, instead=super().add)

    def set(self, *args: Any, **kwargs: Any) -> None:
        self._in_redis("set", *args, **kwargs, instead=super().set)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        """Raises ValueError when there is no such number."""
        return self._in_redis("incr", *args, **kwargs, instead=super().incr)

    def delete(self, key: str, version: int | None = None) -> bool:
        here = super().delete(key, version)
        return bool(self._in_redis("delete", key, version)) or here

    def _in_redis(self, name: str, *args: Any, instead: Any = None, **kwargs: Any) -> Any:
        if time.monotonic() >= self._away_until:
            try:
                return getattr(self._shared, name)(*args, **kwargs)
            except ValueError as exc:
                if name == "incr":
                    return instead(*args, **kwargs)
                logger.warning("what Redis holds is not ours: %r", exc)
            except TROUBLE as exc:
                if isinstance(exc, redis.ResponseError):  # such as a full one's
                    logger.warning("Redis refuses: %r", exc)
                else:
                    self._away_until = time.monotonic() + REMEMBERED_AWAY
                    logger.warning("Redis is away: %r", exc)
        return instead(*args, **kwargs) if instead else None
