"""JSON that others send: taken only when every list that tells of it later can be written."""

import json
import math
from typing import Any

LARGEST = 32 * 1024 * 1024  # bytes of a body; a whole conversation goes to an agent in one
DEEPEST = 200  # levels


class Unwritable(ValueError):
    """JSON, or what Python takes for it, that could not be told to anybody."""


def read(content: bytes) -> Any:
    """Raises Unwritable, and other ValueErrors for what is no JSON.

    Python reads NaN, half a surrogate pair, and numbers that are no doubles. It writes none of them, or nobody reads
    them, and one such value in a list would hide all the others.
    """
    try:
        document = json.loads(content, parse_constant=_refused, parse_float=_finite, parse_int=_finite_whole)
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as exc:
        raise Unwritable("nested too deeply") from exc
    except UnicodeEncodeError as exc:
        raise Unwritable("half a surrogate pair") from exc
    if _depth(document) > DEEPEST:
        raise Unwritable("nested too deeply")
    return document


def _refused(constant: str) -> float:
    raise Unwritable(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Unwritable("a number that is too large")
    return number


def _finite_whole(digits: str) -> int:
    _finite(digits)
    return int(digits)


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level := [
        child
        for value in level
        if isinstance(value, dict | list)
        for child in (value.values() if isinstance(value, dict) else value)
    ]:
        depth += 1
    return depth
