"""What a person wrote in a form that cannot be taken: found in its bytes, however many fields it has."""

from __future__ import annotations

import re
from itertools import islice
from threading import BoundedSemaphore
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest

from accounts import origins

FIELDS = ("message", "reason", "title")  # the fields that people write; never a password or a key
MOST = 10  # texts of one form
MOST_NAMES = 1000  # that are looked at in one body: whatever it holds, it is not searched through for each of them
PIECE = 64 * 1024  # bytes that are decoded at a time
LARGE = 4 * 1024**2  # bytes of a body; larger ones are looked at one or two at a time

_names = "|".join(FIELDS).encode()
_encoded_field = re.compile(rb"(?:\A|&)(?:%s)=([^&]*)" % _names)
_name_of_part = re.compile(rb'; name="(?:%s)"' % _names)
_rest_of_head = re.compile(rb"[^\r\n]{0,200}\r\n(?:[^\r\n]{1,200}\r\n){0,5}\r\n")
_boundary = re.compile(r'boundary="?([^";,\s]{1,200})')
_large_ones = BoundedSemaphore(2)


def size_of(request: HttpRequest) -> int:
    """Bytes of the body. Django has it in a file before it looks at it."""
    stream = request._stream
    size: int = stream.seek(0, 2)
    stream.seek(0)
    return size


def typed(request: HttpRequest) -> list[str]:
    """The texts of a posted form that Django refuses; none of a form on a foreign page."""
    if not (request.method == "POST" and origins.is_own(vars(request)["scope"], has_to_say=False)):
        return []
    is_large = size_of(request) > LARGE
    if is_large and not _large_ones.acquire(blocking=False):
        return []
    try:
        stream = request._stream
        return typed_in(stream.read(), request.headers.get("Content-Type", ""))
    finally:
        if is_large:
            _large_ones.release()


def typed_in(body: bytes, content_type: str) -> list[str]:
    if content_type.lower().startswith("multipart/"):
        boundary = _boundary.search(content_type)
        end = b"\r\n--" + (boundary[1].encode() if boundary else b"")
        names = islice(_name_of_part.finditer(body), MOST_NAMES)
        heads = (head for name in names if (head := _rest_of_head.match(body, name.end())))
        texts = [body[head.end() :].partition(end)[0] for head in islice(heads, MOST)]
    else:
        texts = [_decoded(found[1]) for found in islice(_encoded_field.finditer(body), MOST)]
    return [text.decode(errors="replace") for text in texts if text.strip()]


def _decoded(value: bytes) -> bytes:
    """Without percent signs, in pieces: `unquote_to_bytes` takes sixty bytes of memory for each of them."""
    value = value.replace(b"+", b" ")
    pieces, begin = [], 0
    while begin < len(value):
        end = min(begin + PIECE, len(value))
        last = value.rfind(b"%", end - 2, end)
        if end < len(value) and last > begin:
            end = last
        pieces.append(unquote_to_bytes(value[begin:end]))
        begin = end
    return b"".join(pieces)
