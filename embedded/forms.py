"""What a browser posts, and where it may be sent."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse

LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}


async def read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def with_query(url: str, **more: str) -> str:
    """The URL with more parameters; those it has are kept."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True) + list(more.items())
    return urlunsplit(parts._replace(query=urlencode(query)))


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def may_return_to(url: str, origins: tuple[str, ...]) -> bool:
    """Whether people may be sent there: to a named origin or, when none is named, to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "\\" in url:
        return False
    if origins:
        return origin_of(url) in {origin.rstrip("/") for origin in origins}
    return host in LOOPBACK_NAMES


def see_other(url: str) -> RedirectResponse:
    return RedirectResponse(url, 303, headers={"referrer-policy": "no-referrer", "cache-control": "no-store"})
