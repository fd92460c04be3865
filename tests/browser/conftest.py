"""A real Chromium: Debian's, or the one that CHROMIUM names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.line import Line
from tests.embedded import Embedded
from tests.portico import BOTH, Portico

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
STILL = """() => Promise.allSettled(
    document.getAnimations().filter(one => one.effect.getComputedTiming().endTime < Infinity).map(one => one.finished)
)"""
expect.set_options(timeout=15_000)  # milliseconds

in_one_dialect = pytest.mark.parametrize("demo_gateway", ["released"], indirect=True, scope="session")
"""For what no dialect of the gateway makes a difference to. `make soak` opens the other pages in the guide's, too."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "These tests need a Chromium: apt-get install chromium"
    return {**browser_type_launch_args, "executable_path": chromium, "args": [*QUIET, "--disable-sync"]}


@pytest.fixture(scope="session", params=BOTH)
def demo_gateway(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    with Embedded.start(dialect=request.param) as embedded:
        yield embedded


@pytest.fixture(scope="session")
def demo(demo_gateway: Embedded) -> Iterator[Portico]:
    """Portico as `make demo` serves it: the production server, static files with hashes, one-click sign-in."""
    server = Portico.as_demo(demo_gateway.url).start()
    yield server
    server.close()


Window = Callable[..., Page]


def violations(page: Page) -> list[str]:
    """What axe finds, worst word first: `serious color-contrast: <b>…`. What is half faded in is not looked at yet."""
    page.evaluate(STILL)
    found = Axe().run(page).response["violations"]
    return [f"{rule['impact']} {rule['id']}: {rule['nodes'][0]['html']}" for rule in found]


@pytest.fixture
def window(browser: Browser, demo: Portico, demo_gateway: Embedded) -> Iterator[Window]:
    """A window of one's own, signed in by one click: `window("Try as user")`.

    Fails on errors in the console. Leaves the gateway as it was first, with nothing that waits.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def opened(who: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"base_url": demo.url, "viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda got: complaints.append(got.url) if got.status >= 500 else None)
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        page.goto("/")
        if who:
            page.get_by_role("button", name=who).click()
            expect(page.get_by_role("heading", name="Agents")).to_be_visible()
        return page

    def is_complaint(said: ConsoleMessage) -> bool:
        """Of scripts and of the content policy; that a wrong password gets a 401, or that we are offline, is none."""
        expected = ("Failed to load resource", "htmx:")
        return said.type == "error" and said.location["url"].startswith(demo.url) and not said.text.startswith(expected)

    yield opened
    for context in contexts:
        context.close()
    demo_gateway.dial(reset=True)
    assert not complaints, complaints


@pytest.fixture
def line(demo: Portico) -> Iterator[Line]:
    line = Line(demo.port)
    yield line
    line.close()


Come = Callable[..., Page]
OLU = "operator@example.com"


@pytest.fixture(scope="session")
def pausing(demo_gateway: Embedded) -> Iterator[Portico]:
    """Portico as `make demo` serves it, with a pause in which approvals can be taken back."""
    server = Portico.as_demo(demo_gateway.url, APPROVAL_HOLD="3").start()
    yield server
    server.close()


@pytest.fixture
def come(browser: Browser, pausing: Portico, demo_gateway: Embedded) -> Iterator[Come]:
    """A window of "user", "admin" or "operator", who is an admin here; that something failed is no complaint."""
    demo_gateway.dial(person={"email": OLU, "roles": ["admin"]})
    contexts: list[BrowserContext] = []

    def opened(who: str, width: int = 1280, height: int = 720, **options: Any) -> Page:
        options = {"base_url": pausing.url, "viewport": {"width": width, "height": height}, **options}
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.goto("/")
        page.get_by_role("button", name=f"Try as {who}").click()
        expect(page.get_by_role("heading", name="Agents")).to_be_visible()
        return page

    yield opened
    for context in contexts:
        context.close()
    demo_gateway.dial(reset=True)
