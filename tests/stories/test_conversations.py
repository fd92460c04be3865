"""Conversations as things that a person keeps: what answers look like, and what can be done with them."""

from __future__ import annotations

import re

import pytest

from embedded import ids
from tests.portico import Visitor
from tests.stories.following import plain, run_of, watched


def said_back(visitor: Visitor, message: str) -> tuple[str, str]:
    """Have Echo say something: (path of the conversation, its page when the answer has ended)."""
    page = visitor.posts(f"/agents/{ids.ECHO}/", message=message)
    watched(visitor, run_of(page.text))
    path = page.url.removeprefix(visitor.portico.url)
    return path, visitor.reads(path)


def answer_on(page: str) -> str:
    """The markup of the last answer on a page."""
    return page.rsplit("data-parts>", 1)[1].split("</article>", 1)[0]


def test_code_is_coloured_when_its_language_is_given(ana: Visitor) -> None:
    _, page = said_back(
        ana, "look:\n\n```python\nreturn 'a<b'\n```\n\n```\nreturn None\n```\n\n```nonsense\nreturn 1\n```"
    )
    answer = answer_on(page)
    assert '<span class="k">return</span>' in answer
    assert "'a&lt;b'" in answer
    assert "<code>return None" in answer
    assert '<code class="language-nonsense">return 1' in answer
    assert "style=" not in answer
    assert answer.count("data-copy-code") == 3


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("[my bank](https://evil.example/login)", "my bank (evil.example)"),
        ("[https://bank.example](https://evil.example)", "https://bank.example (evil.example)"),
        ("<https://bank.example@evil.example/>", "https://bank.example@evil.example/ (evil.example)"),
        ("<https://plain.example/page>", "https://plain.example/page"),
        ("[home](/credentials/)", "home"),
        ("![a cat](https://pictures.example/cat.png)", "Show image from pictures.example: a cat"),
        ("![a dog][1]\n\n[1]: https://kennel.example/dog.png", "Show image from kennel.example: a dog"),
        ("![drawn](data:image/svg+xml;base64,AAAA)", "![drawn](data:image/svg+xml;base64,AAAA)"),
    ],
)
def test_links_and_pictures_say_where_they_lead(ana: Visitor, written: str, shown: str) -> None:
    answer = answer_on(said_back(ana, written)[1])
    assert f"You said: {shown}" in plain(answer)
    assert "<img" not in answer
    for link in re.findall(r"<a [^>]*>", answer):
        if "href" in link:
            assert 'rel="noopener noreferrer nofollow"' in link
            assert re.search(r'href="(https://[^"]+)" title="\1"', link)
    assert 'href="/' not in answer
