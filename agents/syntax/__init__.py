"""What Portico's Markdown has beside CommonMark, and that nothing an agent wrote vanishes from it: a module a subject.

Each has a `use` that adds its rules to a parser. Rules that look for an end read each line once, however many
beginnings there are.
"""

from __future__ import annotations

from markdown_it import MarkdownIt

from agents.syntax import cjk, details, fences, footnotes, formulas, links, lists, nesting, tables, tags


def parser(**options: object) -> MarkdownIt:
    """CommonMark, with single line breaks as breaks, as every chat shows them."""
    markdown = MarkdownIt(
        "commonmark", {"html": False, "breaks": True, "linkify": True, "maxNesting": nesting.MOST, **options}
    )
    markdown.enable(["table", "strikethrough"])
    for subject in (cjk, details, fences, footnotes, formulas, links, lists, nesting, tables, tags):
        subject.use(markdown)
    return markdown
