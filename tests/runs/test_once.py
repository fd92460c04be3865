"""A first message that is sent several times at one moment begins one conversation, with one run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from embedded import ids
from tests.embedded import Embedded
from tests.portico import Visitor
from tests.stories.following import run_of, watched


def test_a_double_click_on_the_first_message_is_one_conversation(ana: Visitor, gateway: Embedded, key: str) -> None:
    before = len(gateway.received())
    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(lambda _: ana.posts(f"/agents/{ids.ECHO}/", message="only once", key=key), range(4)))
    assert len({page.url for page in pages}) == 1
    assert watched(ana, run_of(pages[0].text))[1] == "finished"
    invoked = [one for one in gateway.received()[before:] if one["path"].endswith("/invoke")]
    assert len(invoked) == 1
