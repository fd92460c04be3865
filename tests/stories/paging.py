"""Pages as a person with a browser without JavaScript uses them: follow a link, fill a form, press a button."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

VOID = frozenset({"input", "meta", "link", "br", "hr", "img"})


@dataclass
class Form:
    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)  # of inputs, by name
    labels: dict[str, str] = field(default_factory=dict)  # {label: name}
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)  # {text: (name, value)}


class Page(HTMLParser):
    """What is on a page, by its accessible names."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self.response = response
        self.url = response.url
        self.status = response.status_code
        self.html = response.text
        self.words: list[str] = []
        self.alerts: list[str] = []
        self.statuses: list[str] = []
        self.headings: list[str] = []
        self.regions: list[str] = []
        self.links: dict[str, str] = {}
        self.rows: dict[str, list[list[str]]] = {}  # of tables, by their name
        self.forms: list[Form] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._ids: dict[str, str] = {}  # of inputs: name
        self._label_for: dict[str, str] = {}
        self._table = ""
        self.feed(self.html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if given.get("role") == "region":
            self.regions.append(given.get("aria-label", ""))
        match tag:
            case "form":
                self.forms.append(Form(given.get("method", "get"), urljoin(self.url, given.get("action") or self.url)))
            case "input" if self.forms and any(name == "form" for name, _, _ in self._open):
                self.forms[-1].fields[given.get("name", "")] = given.get("value", "")
                self.forms[-1].kinds[given.get("name", "")] = given.get("type", "text")
                self._ids[given.get("id", "")] = given.get("name", "")
                for name, _, words in self._open:
                    if name == "label":
                        self.forms[-1].labels[_joined(words)] = given.get("name", "")
                    elif (given.get("id") or "-") in self._label_for:
                        self.forms[-1].labels[self._label_for[given["id"]]] = given.get("name", "")
            case "table":
                self._table = given.get("aria-label", "")
                self.rows[self._table] = []
            case "tr" if self._table:
                self.rows[self._table].append([])
        if tag not in VOID:
            self._open.append((tag, given, []))

    def handle_data(self, data: str) -> None:
        if any(tag in ("script", "style", "title") for tag, _, _ in self._open):
            return
        self.words.append(data)
        for _, _, words in self._open:
            words.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            name, given, words = self._open.pop()
            said = _joined(words)
            if given.get("role") == "alert":
                self.alerts.append(said)
            if given.get("role") == "status" and said:
                self.statuses.append(said)
            match name:
                case "a":
                    self.links[said] = urljoin(self.url, given.get("href", ""))
                case "h1" | "h2":
                    self.headings.append(said)
                case "label":
                    self._label_for[given.get("for", "")] = said
                case "button" if self.forms:
                    self.forms[-1].buttons[said] = (given.get("name", ""), given.get("value", ""))
                case "td" | "th" if self._table:
                    self.rows[self._table][-1].append(said)
                case "table":
                    self._table = ""
            if name == tag:
                return


def _joined(words: list[str]) -> str:
    return " ".join("".join(words).split())


class Browser:
    """Opens pages, and remembers everything it was ever sent."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.sent_to_me: list[str] = []
        self.addresses: list[str] = []
        self.page: Page | None = None

    def opens(self, url: str, referer: str = "") -> Page:
        return self._shows(self.session.get(url, headers={"Referer": referer} if referer else {}, timeout=30))

    def peeks(self, url: str) -> requests.Response:
        """The answer itself, redirects not followed."""
        response = self.session.get(url, timeout=30, allow_redirects=False)
        self._remembers(response)
        return response

    def follows(self, link: str) -> Page:
        assert self.page is not None
        assert link in self.page.links, f"no link {link!r} among {sorted(self.page.links)}"
        return self.opens(self.page.links[link], referer=self.page.url)

    def presses(self, button: str, **filled: str) -> Page:
        """Press a button of the page; the form around it is filled in by the labels of its fields."""
        assert self.page is not None
        form = next((form for form in self.page.forms if button in form.buttons), None)
        assert form is not None, f"no button {button!r} on {self.page.url}: {self.page.text[:300]}"
        fields = dict(form.fields)
        for label, value in filled.items():
            named = {known.casefold().replace(" ", "_"): name for known, name in form.labels.items()}
            assert label.casefold() in named, f"no field {label!r} among {sorted(form.labels)}"
            fields[named[label.casefold()]] = value
        name, value = form.buttons[button]
        if name:
            fields[name] = value
        assert form.method == "post"
        return self._shows(self.session.post(form.action, fields, headers={"Referer": self.page.url}, timeout=30))

    def _shows(self, response: requests.Response) -> Page:
        for step in [*response.history, response]:
            self._remembers(step)
        self.page = Page(response)
        return self.page

    def _remembers(self, response: requests.Response) -> None:
        self.addresses.append(response.url)
        self.sent_to_me += [response.text, str(response.headers), response.url]
