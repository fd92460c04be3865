"""Footnotes and the addresses of links, each where it was written, whether anything refers to it or not.

CommonMark leaves a definition such as `[name]: https://example.com "title"` out of the page, and the usual rule for
footnotes one that nothing refers to, or that has the name of another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock, reference
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.footnote.index import footnote_def, footnote_ref

from agents.syntax.environment import SPANS
from agents.syntax.links import host_of

NOTE = re.compile(r"note-[0-9a-f]{12}")  # the id of a footnote: of its name and its words

LONGEST_NAME = 1000  # characters of a footnote's name, with its brackets, by which it can be referred to


def use(markdown: MarkdownIt) -> None:
    footnote_plugin(markdown, inline=False, move_to_end=False)
    markdown.options["inline_definitions"] = True
    markdown.block.ruler.at("footnote_def", _footnote, {"alt": ["paragraph", "reference"]})
    markdown.block.ruler.at("reference", _definition)
    markdown.inline.ruler.at("footnote_ref", _reference)
    markdown.add_render_rule("definition", _render_definition)
    markdown.add_render_rule("footnote_reference_open", _render_open)
    markdown.add_render_rule("footnote_reference_close", _render_close)
    markdown.add_render_rule("footnote_ref", _render_reference)


def _definition(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if not reference(state, start, end, silent):
        return False
    if not silent:
        state.env[SPANS] = True
        state.tokens[-1].content = state.getLines(start, state.line, state.blkIndent, False).strip()
    return True


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    count = len(state.tokens)
    if not footnote_def(state, start, end, silent):
        return False
    if not silent:
        state.env[SPANS] = True
        opening = state.tokens[count]
        name = opening.meta["label"]
        words = state.getLines(start, state.line, state.blkIndent, False).strip()
        opening.meta["id"] = f"note-{hashlib.sha256(words.encode(errors='replace')).hexdigest()[:12]}"
        state.env.setdefault("notes", {}).setdefault(name, opening.meta["id"])
    return True


def _reference(state: StateInline, silent: bool) -> bool:
    """The usual rule would look for the end of each name in all that follows."""
    begins = state.src.startswith("[^", state.pos)
    return begins and "]" in state.src[state.pos : state.pos + LONGEST_NAME] and footnote_ref(state, silent)


def _render_definition(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    """As it was written, its address as a link."""
    token = tokens[index]
    address, text = str(token.meta["url"]), token.content
    found = re.match(r"\s*(<[^>\n]*>|\S+)", text.removeprefix(f"[{token.meta['label']}]:"))
    if not host_of(address) or not found or not text.startswith(f"[{token.meta['label']}]:"):
        return f'<p class="said">{escapeHtml(text)}</p>'
    at = text.index(found[1], len(token.meta["label"]) + 3)
    link = f'<a href="{escapeHtml(address)}" title="{escapeHtml(address)}">{escapeHtml(found[1])}</a>'
    return f'<p class="said">{escapeHtml(text[:at])}{link}{escapeHtml(text[at + len(found[1]) :])}</p>'


def _render_open(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    name, note = tokens[index].meta["label"], tokens[index].meta["id"]
    return f'<div class="note" id="{note}"><sup>{escapeHtml(name)}</sup><div>'


def _render_close(*_: object) -> str:
    return "</div></div>"


def _render_reference(
    _: RendererProtocol, tokens: Sequence[Token], index: int, __: OptionsDict, environment: EnvType
) -> str:
    name = tokens[index].meta["label"]
    return f'<sup><a href="#{environment["notes"][name]}">{escapeHtml(name)}</a></sup>'
