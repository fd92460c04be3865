"""What is refused outside of any view: in our words, and in the shape that the caller reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from django.http import HttpResponse
from django.template.loader import render_to_string

Shape = Literal["page", "text", "json"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done, and what to do now."""

    status: int
    heading: str  # a sentence without its full stop
    advice: str  # whole sentences
    typed: Sequence[str] = ()  # what the person wrote, to be copied
    back: str = "/"  # path of the page that they were on; empty where no link leads on
    way: str = ""  # what the link there is called

    @property
    def sentence(self) -> str:
        return f"{self.heading}. {self.advice}"


def shape_of(headers: Mapping[str, str]) -> Shape:
    """What a caller reads: a script that moves fragments a sentence, a program JSON, anybody else a page.

    `headers` are looked up by their lower-case names.
    """
    accepted = headers.get("accept", "").lower()
    if headers.get("hx-request"):
        return "text"
    if "text/html" in accepted:
        return "page"
    if "json" in accepted or "json" in headers.get("content-type", "").lower():
        return "json"
    return "text" if headers.get("sec-fetch-dest") == "empty" else "page"


def answer(refusal: Refusal, headers: Mapping[str, str], theme: str = "") -> HttpResponse:
    shape = shape_of(headers)
    if shape == "text":
        response = HttpResponse(refusal.sentence, content_type="text/plain; charset=utf-8", status=refusal.status)
    elif shape == "json":
        content = json.dumps({"error": refusal.sentence})
        response = HttpResponse(content, content_type="application/json", status=refusal.status)
    else:
        page = render_to_string("refused.html", {"refusal": refusal, "theme": theme})
        response = HttpResponse(page, status=refusal.status)
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept, HX-Request"
    return response
