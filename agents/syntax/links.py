"""Links: only whole addresses lead anywhere, each says to which host, and bare ones are links, too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from linkify_it import LinkifyIt
from linkify_it.main import Match
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, linkify
from markdown_it.token import Token

# Punctuation of Chinese and Japanese: no space stands before it, and an address does not hold it as it is.
_ENDS = re.compile(
    "[\u3001\u3002\u3008-\u3011\u3014-\u301f\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff3b\uff3d\uff5b-\uff65]"
)
_SCHEME = re.compile(r"(?:^|[^a-z0-9.+-])(https?)$", re.IGNORECASE)  # in the last six characters before `://`
_LONG = 4096  # characters of an address; not all of a text is looked through for the end of each


def use(markdown: MarkdownIt) -> None:
    markdown.linkify = _linkify
    markdown.normalizeLinkText = _as_written  # type: ignore[assignment]
    markdown.enable("linkify")
    markdown.inline.ruler.at("linkify", _bare_link)
    markdown.core.ruler.push("hosts", _name_hosts)
    markdown.add_render_rule("host", _render_host)
    markdown.add_render_rule("picture", _render_picture)


def _as_written(address: str) -> str:
    return address


def _bare_link(state: StateInline, silent: bool) -> bool:
    """The usual rule would look through all the text before each `://` for the scheme of an address."""
    if state.linkLevel or not state.src.startswith("://", state.pos):
        return False
    scheme = _SCHEME.search(state.pending[-6:])
    if scheme is None:
        return False
    begin = state.pos - len(scheme[1])
    is_link = _linkify.match_at_start(state.src[begin : begin + _LONG]) is not None
    return is_link and linkify(state, silent)


class _BareLinks(LinkifyIt):  # type: ignore[misc]  # it has no types
    """Of http, https and mailto alone; nothing is guessed to be one."""

    def __init__(self) -> None:
        super().__init__(options={"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
        for scheme in ("ftp:", "//"):
            self.add(scheme, None)

    def match(self, text: str) -> list[Match] | None:
        found: list[Match] = []
        for piece in re.finditer(f"[^{_ENDS.pattern[1:-1]}]+", text):
            for link in super().match(piece[0]) or []:
                link.index += piece.start()
                link.last_index += piece.start()
                found.append(link)
        return found or None

    def match_at_start(self, text: str) -> Match | None:
        head = text[:_LONG]
        end = _ENDS.search(head)
        link = super().match_at_start(head[: end.start()] if end else head)
        return super().match_at_start(text) if link and link.last_index == _LONG else link


_linkify = _BareLinks()


def host_of(address: str) -> str:
    """Where an address leads, in ASCII: letters of other alphabets could pass for another host. Empty for nowhere."""
    try:
        parts: SplitResult = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme == "mailto":
            return parts.path
        ascii_host = host.encode("idna").decode() if parts.scheme in ("http", "https") else ""
        return ascii_host if re.fullmatch(r"[a-z0-9._:-]+", ascii_host) else ""
    except ValueError:
        return ""


def _name_hosts(state: StateCore) -> None:
    """Each link names its host, unless its text is the address. A picture is a link: its host would see who reads.

    Of a link that leads nowhere, words and address are shown.
    """
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = _named(block.children)


def _named(children: Sequence[Token]) -> list[Token]:
    named: list[Token] = []
    link: Token | None = None
    text = ""
    for token in children:
        match token.type:
            case "link_open":
                link, text = token, ""
                if _leads(token):
                    token.attrs["title"] = _title(str(token.attrs["href"]), token)
                    named.append(token)
            case "link_close" if link is not None:
                address = str(link.attrs.get("href", ""))
                if _leads(link):
                    if not _is_address(text, address):
                        named.append(Token("host", "span", 0, content=host_of(address)))
                    named.append(token)
                elif address not in ("", text):
                    named.append(_text(f" ({_title(address, link)})"))
                link = None
            case "image":
                text += token.content
                named.append(_picture(token, link))
            case _:
                text += token.content
                named.append(token)
    return named


def _leads(link: Token) -> bool:
    return bool(host_of(str(link.attrs.get("href", ""))))


def _is_address(text: str, address: str) -> bool:
    """Whether somebody who reads the text knows where it leads: it is the address, and its host in plain letters."""
    scheme, _, rest = address.partition(":")
    if scheme == "mailto":
        return text in (address, rest)
    if "@" in rest:
        return False
    shown = text.lower().partition("://")[2]
    return text in (address, rest[2:]) or re.match(rf"{re.escape(host_of(address))}(?![\w.-])", shown) is not None


def _title(address: str, token: Token) -> str:
    """The address first, always; what the writer would have it say comes after."""
    said = str(token.attrs.get("title", ""))
    return f"{address} “{said}”" if said else address


def _picture(token: Token, link: Token | None) -> Token:
    """A link to the picture; where there is a link around it, or no host to name, its words with its address."""
    address = str(token.attrs.get("src", ""))
    if link is not None and _leads(link):
        link.attrs["title"] = f"{link.attrs['title']} · {_title(address, token)}"
        return _text(token.content or "picture")
    if not host_of(address) or address.startswith("mailto:"):
        return _text(f"{token.content or 'picture'} ({_title(address, token)})")
    return Token("picture", "a", 0, content=token.content, attrs={"href": address, "title": _title(address, token)})


def _text(words: str) -> Token:
    return Token("text", "", 0, content=words)


def _render_host(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    return f' <span class="leads">({escapeHtml(tokens[index].content)})</span>'


def _render_picture(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    token = tokens[index]
    address = str(token.attrs["href"])
    words = f": {escapeHtml(token.content)}" if token.content else ""
    return (
        f'<a class="picture" href="{escapeHtml(address)}" title="{escapeHtml(str(token.attrs["title"]))}">'
        f"Show image from {escapeHtml(host_of(address))}{words}</a>"
    )
