"""An answer's Markdown as agents write it, in every script, and what of it is safe to show."""

from __future__ import annotations

import re
import time

import pytest

from agents.markdown import Blocks, render


def shown(text: str) -> str:
    """As HTML, without line breaks, titles and what stands on every link."""
    page = re.sub(r' (?:title="[^"]*"|target="_blank"|rel="[^"]*")', "", render(text))
    return re.sub(r"\n", "", page)


def shown_in_a_line(text: str) -> str:
    page = shown(text)
    assert page.startswith("<p>") and page.endswith("</p>"), page
    return page[3:-4]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("これは**「重要」**です。", "これは<strong>「重要」</strong>です。"),
        ("**注意：**必ず読む", "<strong>注意：</strong>必ず読む"),
        ("他说**“你好”**然后走了", "他说<strong>“你好”</strong>然后走了"),
        ("请用*（可选）*参数", "请用<em>（可选）</em>参数"),
        ("이것은 **(중요)**입니다", "이것은 <strong>(중요)</strong>입니다"),
        ("価格は~~1,000円。~~今は", "価格は<s>1,000円。</s>今は"),
        ("***「全部」***です", "<em><strong>「全部」</strong></em>です"),
        ("**葛\U000e0100「城」**市", "<strong>葛\U000e0100「城」</strong>市"),
        ("変数_名前_です", "変数_名前_です"),
        ("a**(b)**c", "a**(b)**c"),  # as CommonMark has it
        ("le**«x»**mot", "le**«x»**mot"),
        ("2 ** 3 ** 4", "2 ** 3 ** 4"),
    ],
)
def test_emphasis_stands_beside_punctuation_where_no_spaces_are_written(text: str, wanted: str) -> None:
    assert shown_in_a_line(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("one<br>two<BR/>three<br />four", "one<br>two<br>three<br>four"),
        ("H<sub>2</sub>O, x<sup>n+*1*</sup>", "H<sub>2</sub>O, x<sup>n+<em>1</em></sup>"),
        ("<kbd>Ctrl</kbd>+<KBD>C</KBD>", "<kbd>Ctrl</kbd>+<kbd>C</kbd>"),
        ("<sub>x", "&lt;sub&gt;x"),
        ("x</sup> <sub>", "x&lt;/sup&gt; &lt;sub&gt;"),
        ("**<sub>x**</sub>", "<strong>&lt;sub&gt;x</strong>&lt;/sub&gt;"),
        ("<sub><kbd>x</sub>", "<sub>&lt;kbd&gt;x</sub>"),
        ('<sub class="x" onclick=y>z</sub>', '&lt;sub class="x" onclick=y&gt;z&lt;/sub&gt;'),
        ("<b>x</b> <img src=x> `<br>`", "&lt;b&gt;x&lt;/b&gt; &lt;img src=x&gt; <code>&lt;br&gt;</code>"),
    ],
)
def test_a_few_tags_are_what_they_say_and_all_others_are_text(text: str, wanted: str) -> None:
    assert shown_in_a_line(text) == wanted


def test_a_cell_of_a_table_has_lines_and_no_cell_is_left_out() -> None:
    page = shown("|a|b|\n|-|-|\n|one<br>two|2|three|*four*|\n|1|")
    assert "<td>one<br>two</td><td>2</td><td>three</td><td><em>four</em></td>" in page
    assert "<td>1</td><td></td></tr>" in page


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "<details>\n<summary>The **log**</summary>\n\n- *a*\n\n```\n</details>\n```\n</details>\nafter",
            "<details><summary>The <strong>log</strong></summary><ul><li><em>a</em></li></ul>",
        ),
        ("<details open><summary>x</summary>y</details>", '<details open=""><summary>x</summary><p>y</p></details>'),
        (
            "<details>\na\n<details>\n<summary>in</summary>\nb\n</details>\n</details>",
            "<details><summary>Details</summary><p>a</p><details><summary>in</summary><p>b</p></details></details>",
        ),
        ("<details>\n\nwithout end", "<p>&lt;details&gt;</p><p>without end</p>"),
        ("<details>x</details> y", "<p>&lt;details&gt;x&lt;/details&gt; y</p>"),
        ("<details onclick=x>\nx\n</details>", "<p>&lt;details onclick=x&gt;<br>x<br>&lt;/details&gt;</p>"),
    ],
)
def test_what_an_agent_folds_is_folded(text: str, wanted: str) -> None:
    assert wanted in shown(text)
    assert text.endswith("after") == shown(text).endswith("<p>after</p>")


OUTER = "```{kind}\n# Title\n```bash\nls\n```\nmore\n```\nafter"


def blocks_of(page: str) -> list[str]:
    return [re.sub("<[^>]*>", "", code) for code in re.findall(r"<code[^>]*>(.*?)</code></pre>", page, re.S)]


@pytest.mark.parametrize("kind", ["markdown", "md", "MDX", "markdown title=README.md"])
def test_a_code_block_of_markdown_holds_others(kind: str) -> None:
    page = render(OUTER.format(kind=kind))
    assert blocks_of(page) == ["# Title\n```bash\nls\n```\nmore\n"]
    assert page.endswith("<p>after</p>\n")


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        (OUTER.format(kind="text"), ["# Title\n```bash\nls\n", "after"]),  # nothing says that it holds code
        ("```markdown\n# T\n```\nafter\n```bash\nls\n```", ["# T\n", "ls\n"]),
        ("```markdown\n```bash\nls\n```\n\nafter", ["```bash\nls\n"]),  # one end for two: CommonMark's
        ("~~~md\n~~~js\nx\n~~~\n~~~\n", ["~~~js\nx\n~~~\n"]),
        ("- a\n  ```md\n  ```sh\n  x\n  ```\n  ```\n- b", ["```sh\nx\n```\n"]),
        ("````md\n```sh\nx\n```\n````\n", ["```sh\nx\n```\n"]),
    ],
)
def test_other_code_blocks_end_where_commonmark_ends_them(text: str, blocks: list[str]) -> None:
    assert blocks_of(render(text)) == blocks


def test_single_line_breaks_are_breaks() -> None:
    assert shown("line one\nline two\n  line three\n- a\n  b") == (
        "<p>line one<br>line two<br>line three</p><ul><li>a<br>b</li></ul>"
    )


def test_a_footnote_leads_to_its_words_and_none_is_left_out() -> None:
    page = shown(
        "Fact.[^1] More.[^b] None.[^2]\n\n[^1]: *Source*\n\n    and more\n\n[^b]: Other\n[^1]: Twice\n[^9]: Alone"
    )
    [first, second] = re.findall(r'<sup><a href="#(note-\w+)">(?:1|b)</a></sup>', page)
    assert f'<div class="note" id="{first}"><sup>1</sup><div><p><em>Source</em></p><p>and more</p></div></div>' in page
    assert f'id="{second}"><sup>b</sup><div><p>Other</p>' in page
    assert "None.[^2]" in page and "<p>Twice</p>" in page and "<p>Alone</p>" in page


def test_the_address_of_a_link_stands_where_it_was_written() -> None:
    page = render('See [it][One].\n\n[one]: https://oak.example/x "A title"\n[two]: ../elm')
    assert '<a href="https://oak.example/x" title="https://oak.example/x “A title”"' in page
    assert re.search(r'\[one\]: <a href="https://oak.example/x"[^>]*>https://oak.example/x</a> "A title"', page)
    assert "[two]: ../elm" in page


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://example.com/path_with_underscores?q=1.", ["https://example.com/path_with_underscores?q=1"]),
        ("(http://a.example/b_(c)) and *https://d.example*", ["http://a.example/b_(c)", "https://d.example"]),
        ("mailto:ana@oak.example", ["mailto:ana@oak.example"]),
        ("見てhttps://a.example/b。次は「https://c.example/d」です", ["https://a.example/b", "https://c.example/d"]),
        ("|a|\n|-|\n|https://a.example/b|", ["https://a.example/b"]),
        ("ftp://a.example //b.example www.c.example d.example e@f.example javascript://g.example/%0ax", []),
        ("`https://a.example` <https://b.example\n```\nhttps://c.example\n```", ["https://b.example"]),
    ],
)
def test_a_bare_address_is_a_link(text: str, links: list[str]) -> None:
    assert re.findall(r'<a href="([^"]*)"', render(text)) == links


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://bank.example@evil.example/x", "evil.example"),
        ("https://exаmple.com/x", "xn--exmple-4nf.com"),  # its third letter is Cyrillic
        ("[https://bank.example](https://evil.example)", "evil.example"),
        ("[https://bank.example.evil.example](https://bank.example)", "bank.example"),
        ("[mail](mailto:eve@evil.example)", "eve@evil.example"),
    ],
)
def test_a_link_names_its_host_where_its_text_does_not(text: str, host: str) -> None:
    assert f'<span class="leads">({host})</span>' in render(text)


@pytest.mark.parametrize(
    "text", ["https://oak.example/a b", "<https://oak.example/ü>", "[ana@oak.example](mailto:ana@oak.example)"]
)
def test_an_address_that_is_its_own_text_is_not_said_twice(text: str) -> None:
    assert 'class="leads"' not in render(text)


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        (r"\(a*b*c\) and $x_1^2 * y_2 * z$", [r"\(a*b*c\)", "$x_1^2 * y_2 * z$"]),
        ("$x_1$ is less than 2", ["$x_1$"]),
        ("So $$a*b*c$$ holds", ["$$a*b*c$$"]),
        ("text\n$$\na*b*c\n- d_1\n= e\n$$\nmore", ["$$\na*b*c\n- d_1\n= e\n$$"]),
        ("\\[\nx*y*z\n\\]", ["\\[\nx*y*z\n\\]"]),
        ("\\begin{align*}\na &= b*c*d \\\\\n\\end{align*}", ["\\begin{align*}\na &= b*c*d \\\\\n\\end{align*}"]),
        ("- item $a_1 * a_2 * a_3$\n\n  $$\n  b\n  $$", ["$a_1 * a_2 * a_3$", "$$\nb\n$$"]),
        ("$5 and $10, 5$ or 6$, US$7 for *a* $8", []),
        ("it costs $5 or **10$**", []),
        ("`$a$` \\$b\\$ $ c $ $$", []),
        (r"\[no link\](https://a.example)", []),
        ("```\n$a$\n\\(b\\)\n```", []),
    ],
)
def test_mathematics_stays_as_it_was_written_and_money_is_none(text: str, formulas: list[str]) -> None:
    page = render(text)
    found = re.findall(r'<(span|p) class="formula">(.*?)</\1>', page, re.S)
    assert [formula.replace("&amp;", "&") for _, formula in found] == formulas


def test_a_task_says_whether_it_is_done_and_nobody_can_click_it() -> None:
    page = shown("- [ ] todo\n- [x] done\n\n  more\n- [X] *also*\n- [y] no\n- [ ]\n\n[ ] text")
    assert page.count('<span class="box" role="img" aria-label="Open">☐</span> todo') == 1
    assert page.count('aria-label="Done">☑</span>') == 2
    assert "[y] no" in page and "<p>[ ] text</p>" in page and "<p>[ ]</p>" in page
    assert "<input" not in page


def test_numbers_are_those_that_were_written() -> None:
    assert shown("3. a\n4. b\n7. c\n8. d") == '<ol start="3"><li>a</li><li>b</li><li value="7">c</li><li>d</li></ol>'


@pytest.mark.parametrize("text", [f"{'>' * 60} deep word", f"{'- ' * 60}deep word", f"{'1. ' * 60}deep word"])
def test_what_is_nested_too_deeply_is_still_there(text: str) -> None:
    assert "deep word" in render(f"{text}\n\nafter") and "<p>after</p>" in render(f"{text}\n\nafter")


def test_what_is_said_of_a_code_block_stands_above_it() -> None:
    assert '<p class="info">python title="a.py"</p>' in render('```python title="a.py"\nx\n```')
    assert '<p class="info">src/a.py</p>' in render("```src/a.py\nx\n```")
    assert 'class="info"' not in render("```python\nx\n```\n\n```\ny\n```")


def test_half_of_a_character_costs_nothing_but_itself() -> None:
    assert render("a \ud83d b") == "<p>a \ufffd b</p>\n"
    assert render("\ud83d\ude00 **a**") == "<p>😀 <strong>a</strong></p>\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_text_is_cut_whatever_its_lines_end_with(end: str) -> None:
    blocks = Blocks()
    text = f"a{end}b{end}{end}c{end}{end}d{end}\n"
    html = "".join([*(blocks.add(text)), blocks.finish().rest])
    assert html == render(text)


def test_a_reference_is_right_in_the_end_though_its_footnote_came_last() -> None:
    blocks = Blocks()
    first = blocks.add("Fact.[^1]\n\nNext.\n\n")
    assert "Fact.[^1]" in first
    blocks.add("[^1]: Source\n")
    assert blocks.finish().whole == render("Fact.[^1]\n\nNext.\n\n[^1]: Source\n")
    blocks.add("Nothing\n\nspans\n\nhere.\n")
    assert blocks.finish().whole == ""


@pytest.mark.parametrize(
    ("begin", "unit"), [("", "a\n---\n"), ("[^1]: ", "[^"), ("", "http://a"), ("", " http://"), ("", " https://a.b/c")]
)
def test_what_stands_in_a_text_very_often_costs_no_more_than_its_length(begin: str, unit: str) -> None:
    started = time.process_time()
    render(begin + unit * (40_000 // len(unit)))
    assert time.process_time() - started < 1.5
