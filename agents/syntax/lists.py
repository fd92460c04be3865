"""Lists: a box that is open or done, which nobody can click, and the numbers that were written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token


def use(markdown: MarkdownIt) -> None:
    markdown.core.ruler.after("inline", "tasks", _tasks)
    markdown.core.ruler.after("inline", "numbers", _numbers)
    markdown.add_render_rule("task", _render)


def _tasks(state: StateCore) -> None:
    for item, paragraph, line in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (item.type, paragraph.type, line.type) != ("list_item_open", "paragraph_open", "inline"):
            continue
        found = re.match(r"\[([ xX])\][ \t]+(?=\S)", line.content)
        first = line.children[0] if found and line.children else None
        if found and first and first.type == "text" and first.content.startswith(found[0]):
            first.content = first.content[found.end() :]
            item.attrs["class"] = "task"
            line.children = [Token("task", "span", 0, content=found[1].strip().lower()), *(line.children or [])]


def _numbers(state: StateCore) -> None:
    """An item that does not follow the one before by one says so, or it would be counted anew."""
    expected: list[int] = []
    for token in state.tokens:
        match token.type:
            case "ordered_list_open":
                expected.append(int(token.attrs.get("start", 1)))
            case "ordered_list_close":
                expected.pop()
            case "list_item_open" if token.info:
                number = int(token.info)
                if number != expected[-1]:
                    token.attrs["value"] = str(number)
                expected[-1] = number + 1


def _render(_: RendererProtocol, tokens: Sequence[Token], index: int, *__: object) -> str:
    sign, words = ("☑", "Done") if tokens[index].content else ("☐", "Open")
    return f'<span class="box" role="img" aria-label="{words}">{sign}</span> '
