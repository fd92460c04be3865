"""The name of a file to download: a title as every file system takes it, and one for browsers that know ASCII alone."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from django.utils.text import slugify

LONGEST = 150  # bytes; file systems take 255, and a browser may number a second one
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|\Z)", re.IGNORECASE)  # on Windows
_IN_A_HEADER = "!#$&+-.^_`|~"  # beside letters and digits: RFC 8187, attr-char


def cleaned(title: str) -> str:
    """Empty where nothing of it can stand in a name."""
    visible = "".join(
        " " if unicodedata.category(one) in _HIDDEN else one for one in unicodedata.normalize("NFC", title)
    )
    name = re.sub(r'[<>:"/\\|?*\s]+|\.{2,}', " ", visible)
    name = re.sub(r" (?:[. ]+ )+|  +", " ", name).strip(" .-~")
    name = name.encode()[:LONGEST].decode(errors="ignore").strip(" .-~")
    return f"_{name}" if _RESERVED.match(name) else name


def disposition(name: str, ending: str) -> str:
    """The header that saves an answer as this file. Source: RFC 6266, section 4.3, and its appendix D."""
    name = cleaned(name) or "conversation"
    plain = f"{slugify(name)[:60].strip('-_') or 'conversation'}.{ending}"
    exact = f"{name}.{ending}"
    header = f'attachment; filename="{plain}"'
    return header if exact == plain else f"{header}; filename*=UTF-8''{quote(exact, safe=_IN_A_HEADER)}"
