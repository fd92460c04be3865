"""The desk without a script: links, forms, and what the address says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import pytest

from tests.embedded import Embedded
from tests.portico import Visitor
from tests.stories.approving import ANA, BO, OLU, held, live_page, words

Arriving = Callable[[str], Visitor]


DIALECTS_DIFFER = False


@pytest.fixture(autouse=True)
def nothing_else(gateway: Embedded) -> Iterator[None]:
    gateway.dial(reset=True)
    yield
    gateway.dial(reset=True)


@pytest.fixture
def bo(visitor: Arriving) -> Visitor:
    return visitor(BO)


def tools(page: str) -> list[str]:
    """Of the rows, from the first to the last."""
    return re.findall(r'<li class="call .*?data-tool="([^"]*)"', page)


def links(page: str) -> dict[str, str]:
    return {
        words(text): address.replace("&amp;", "&")
        for address, text in re.findall(r'<a [^>]*href="([^"]+)"[^>]*>(.*?)</a>', page, re.S)
    }


def test_the_gravest_comes_first_and_filters_are_kept_in_every_link(
    ana: Visitor, bo: Visitor, gateway: Embedded
) -> None:
    for tool, risk in (
        ("low_tool", "low"),
        ("wipe", "critical"),
        ("mail", "high"),
        ("wipe", "high"),
        ("mail", "critical"),
    ):
        held(gateway, ANA, tool, risk, "File manager")
    assert tools(bo.reads("/confirmations/")) == ["wipe", "mail", "mail", "wipe", "low_tool"]
    page = bo.reads("/confirmations/?risk=high&group=tool")
    assert tools(page) == ["mail", "wipe"] and re.findall(r"<h2>(\w+)</h2>", page)[:2] == ["mail", "wipe"]
    found = links(page)
    assert (
        found["critical 2"] == "/confirmations/?risk=critical&group=tool"
        and found["high 2"] == "/confirmations/?group=tool"
    )
    opened = next(address for text, address in found.items() if "High risk mail" in text)
    assert opened.endswith("/?risk=high&group=tool")
    beside = bo.reads(opened)
    assert tools(beside) == ["mail", "wipe"] and 'data-open aria-current="true"' in beside
    assert links(beside)["All approvals"] == "/confirmations/?risk=high&group=tool"
    assert tools(bo.reads("/confirmations/?q=WIPE+manager")) == ["wipe", "wipe"]
    assert tools(bo.reads("/confirmations/?expiring=1")) == []
    nothing = words(bo.reads("/confirmations/?tool=unheard_of"))
    assert "Nothing that fits" in nothing and "not shown by these filters: 5" in nothing


def test_a_script_gets_the_call_alone_and_never_one_of_somebody_else(
    bo: Visitor, gil: Visitor, gateway: Embedded
) -> None:
    call = held(gateway, ANA, "wipe", "high", "File manager", folder="/reports")
    answer = bo.gets(f"/confirmations/{call}/", headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "<html" not in answer.text and "/reports" in answer.text
    refused = gil.gets(f"/confirmations/{call}/", headers={"HX-Request": "true"})
    assert refused.status_code in (403, 404) and "/reports" not in refused.text


def test_what_was_typed_waits_for_the_page_and_not_for_what_a_script_reads_ahead(
    bo: Visitor, gateway: Embedded
) -> None:
    path = f"/confirmations/{held(gateway, ANA, 'wipe', agent='File manager')}/"
    bo.posts(f"{path}confirm/", reason="half typed", ask="first")  # is asked once more, and goes back
    assert bo.gets(path, headers={"HX-Request": "true"}).status_code == 200
    assert 'value="half typed"' in bo.reads(path)


@pytest.mark.parametrize("role", ["agent_creator", "tenant_admin"])
def test_a_role_that_sees_no_calls_of_others_is_told_so(visitor: Arriving, gateway: Embedded, role: str) -> None:
    held(gateway, ANA, "wipe", agent="File manager")
    gateway.dial(person={"email": OLU, "roles": [role]})
    page = visitor(OLU).reads("/confirmations/")
    assert tools(page) == [] and "You see only what you asked for yourself." in words(page)


class Rows(HTMLParser):
    """The attributes of each row, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "li" and "data-confirmation" in dict(attrs):
            self.found.append(dict(attrs))


@pytest.mark.parametrize("mark", [" data-open", "\x01", "\x02", "\x03"])
def test_a_name_adds_nothing_to_the_row_that_it_stands_in(bo: Visitor, gateway: Embedded, mark: str) -> None:
    tool = f"tidy{mark} hx-post=confirm/ hx-trigger=load x"
    call = held(gateway, ANA, tool, "low", "File manager")
    (row,) = Rows(bo.reads(f"/confirmations/{call}/?q=tidy")).found
    assert row["data-tool"] == tool and "hx-post" not in row


def test_a_page_beside_an_open_one_says_the_same(bo: Visitor, gateway: Embedded) -> None:
    alone = held(gateway, ANA, "wipe", "high", "File manager")
    before = tools(bo.reads("/confirmations/"))
    with live_page(bo) as page:
        page.reads(alone, "wipe")
        more = held(gateway, ANA, "mail", "critical", "File manager")
        page.reads(more, "mail")
        assert tools(bo.reads("/confirmations/")) == ["mail", *before]
        bo.posts(f"/confirmations/{alone}/reject/", page="/confirmations/", reason="no")
        assert tools(bo.reads("/confirmations/")) == ["mail"]
        page.reads(alone, "Rejected by you: no")
        page.sees(lambda seen: alone not in seen.items, 10)
        assert sum("Rejected by you: no" in told for told in page.told) == 1


def test_five_hundred_at_once_are_all_shown(bo: Visitor, gateway: Embedded) -> None:
    with live_page(bo) as page, live_page(bo) as another, ThreadPoolExecutor(8) as many:
        calls = set(many.map(lambda n: held(gateway, ANA, "mail", "low", "File manager", n=n), range(500)))
        for one in (page, another):
            one.sees(lambda seen: calls <= seen.ever and seen.count == 500, 60)
