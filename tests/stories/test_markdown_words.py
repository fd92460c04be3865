"""Whatever an agent writes, every word of it is on its page, and what was seen live is what a reload shows."""

from __future__ import annotations

import html
import re
from itertools import count
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.markdown import Blocks, render
from agents.thoughts import Thoughts, split

SOME = settings(max_examples=500, derandomize=True, deadline=None, database=None)

# § stands for a word, each time another one, and ¤ for an address.
STEMS = ["alder", "Übermut", "天気", "「重要」", "snake_case", "don't", "3.14", "a*b", "сова"]
ADDRESSES = [
    *("https://oak.example/§", "../elm/§.md", "mailto:§@yew.example", "ftp://fir.example/§", "javascript:§(1)"),
    *("https://bay.example/§?q=§#§", "//ivy.example/§", "https://§@fig.example", "<https://a.example/§ §>", "§"),
]
INLINE = [
    *("§", "*§*", "**§**", "~~§~~", "`§`", "``§ ` §``", "§<br>§", "<sub>§</sub>", "<kbd>§", "<b>§</b>", "<!-- § -->"),
    *("[§](¤)", '[§](¤ "§ §")', "![§](¤)", '[![§](¤)](¤ "§")', "![§](¤ '§')", "[§][ref]", "[§][§]", "[](¤)", "[§]()"),
    *(
        "<¤>",
        "¤",
        "[^1]",
        "[^§]",
        "[ref]",
        "[x] §",
        "\\(§\\)",
        "$x_§$",
        "$5 and $§",
        "\\[§\\]",
        "$$§$$",
        "&§;",
        "\\*§\\*",
    ),
    *(
        "**§",
        "_§",
        "§**",
        "[§",
        "§](",
        "(**§**)",
        "|§|§",
        "§|",
        "\\",
        "<details>§",
        "§</details>",
        "<summary>§</summary>",
    ),
]
STARTS = [
    *("", "", "", "", "# ", "###### ", "> ", "> > ", "- ", "* ", "+ ", "1. ", "7. ", "3) ", "- [ ] ", "- [x] ", "    "),
    *("  ", "\t", ">" * 45, "- " * 25, "[^1]: ", "[^§]: ", "[ref]: ", "[ref]: ¤ '§'", "[§]: ", "[§]: <", "[§]: ¤\n"),
    *("<details>", "<details open>", "</details>", "<details>\n<summary>§</summary>\n\n", "<div>", "<summary>", "---"),
    *("```§ § ", "```markdown", "```md §\n", "```bash ", "```python\n", "```", "````", "~~~ ", "==="),
    *("$$", "\\[", "\\]", "\\begin{align} ", "\\end{align}", "|", "| § | § |\n|---|---|\n| § | § | § | ", "|§|\n|-|\n"),
]
ENDS = ["\n", "\n", "\n", "\n\n", "\n\n", "\r\n", "\r", "\n \n"]


@st.composite
def markdown(draw: st.DrawFn) -> str:
    lines = draw(st.lists(st.tuples(*map(st.sampled_from, (STARTS, INLINE, INLINE, ENDS))), max_size=12))
    text = "".join(f"{start}{one} {other}{end}" for start, one, other, end in lines)
    text = re.sub("¤", lambda _: draw(st.sampled_from(ADDRESSES)), text)
    numbers = count()
    return re.sub("§", lambda _: f"{draw(st.sampled_from(STEMS))}{next(numbers)}q", text)


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]{2,}", text))


@SOME
@given(markdown())
def test_every_word_is_on_the_page(text: str) -> None:
    page = render(text)
    said = [page, re.sub(r"<[^>]*>", "", page), re.sub(r"<[^>]*>", " ", page)]  # an address stands in an attribute
    assert words_of(text) - words_of(unquote(html.unescape(" ".join(said)))) == set()


@SOME
@given(markdown(), st.lists(st.integers(1, 60), min_size=1))
def test_a_text_that_came_in_pieces_is_shown_like_one_that_came_whole(text: str, sizes: list[int]) -> None:
    blocks = Blocks()
    shown = [blocks.add(piece) for piece in cut(text, sizes)]
    ending = blocks.finish()
    assert plain(ending.whole or "".join([*shown, ending.rest])) == plain(render(text))


@SOME
@given(
    st.lists(st.sampled_from([*"\n\n\n ab`\\", "<think>", "</think>", "<thinking>", "</Thinking>", "```", "    "])),
    st.data(),
)
def test_a_thought_is_told_from_what_is_said_in_whatever_pieces_they_come(
    parts: list[str], data: st.DataObject
) -> None:
    text = "".join(parts)
    thoughts = Thoughts()
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1))
    segments = [one for piece in cut(text, sizes) for one in thoughts.take(piece)] + thoughts.finish()
    for is_thought in (True, False):
        told = "".join(one.text for one in segments if one.is_thought == is_thought)
        assert told == "".join(one.text for one in split(text) if one.is_thought == is_thought)


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


def plain(page: str) -> str:
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", page)
