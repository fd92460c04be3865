"""What may stand between two slashes of a path: ids, and names that serve as one."""

from __future__ import annotations

import re
from urllib.parse import unquote

LONGEST = 500  # characters; gateways' own ids have 21 to 40
_no_character = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_segment(text: str) -> bool:
    """False for what leads elsewhere, such as `..`, however often it is encoded, and for what no id can be."""
    if not text or len(text) > LONGEST or _no_character.search(text):
        return False
    plain = text
    while (decoded := unquote(plain)) != plain:
        plain = decoded
    return plain.strip() not in ("", ".", "..") and not _no_character.search(plain)
