"""What became of a call after it was approved, as far as the gateway's own record of calls tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from accounts.characters import Text, marked
from confirmations.detail import as_text
from gateway import AuditEntry, Confirmation, Gateway, clock
from gateway.errors import GatewayError, SignedOut

AROUND = timedelta(seconds=10)  # the entry is made just before the call is held
ENOUGH = 100  # entries of one tool within that time
FOLLOWED = timedelta(seconds=330)  # from the answer on, as long as a tool may take: a page looks again until then

Tone = Literal["success", "warning", "danger", "info"]

UNKNOWN = "The gateway does not tell what became of it."


@dataclass(frozen=True, slots=True)
class Aftermath:
    sentence: str
    tone: Tone
    told: Text | None = None  # what the tool answered
    may_change: bool = False  # soon


def aftermath_of(gateway: Gateway, call: Confirmation) -> Aftermath:
    """Of a call that was approved; one call to the gateway."""
    try:
        page = gateway.audit_log(
            tool=call.tool, since=call.asked_at - AROUND, until=call.asked_at + AROUND, limit=ENOUGH
        )
    except SignedOut:
        raise
    except GatewayError:
        return Aftermath(UNKNOWN, "info")
    for entry in page.entries:
        if entry.confirmation_id == call.id:  # nothing less is certain: a call may be made twice in a second
            is_fresh = call.resolved_at is not None and clock.now(gateway.url) - call.resolved_at < FOLLOWED
            return _told_by(entry, is_fresh=is_fresh)
    return Aftermath(UNKNOWN, "info")


def _told_by(entry: AuditEntry, *, is_fresh: bool) -> Aftermath:
    took = f" It took {entry.duration:.1f} s, the wait for an answer included." if entry.duration else ""
    told = marked(_words(entry.result)) if entry.result not in (None, {}) else None
    match entry.status:
        case "completed" if isinstance(entry.result, Mapping) and entry.result.get("isError") is True:
            return Aftermath(f"It ran, and the tool answered with an error.{took}", "danger", told)
        case "completed" if told is None:
            return Aftermath(f"It ran. The gateway did not keep what the tool answered.{took}", "success")
        case "completed":
            return Aftermath(f"It ran.{took}", "success", told)
        case "failed":
            return Aftermath(f"It failed: the tool was not reached, or refused the call.{took}", "danger", told)
        case "pending":
            sentence = "It was let through. The gateway has not written down an end of it."
            return Aftermath(sentence, "info", may_change=is_fresh)
    return Aftermath(UNKNOWN, "info")


def _words(result: object) -> str:
    """The texts of a tool's answer where it is a plain one (MCP, `content`), an error's words, else the JSON."""
    if isinstance(result, Mapping):
        content = result.get("content")
        if isinstance(content, list) and content:
            texts = [one.get("text") for one in content if isinstance(one, Mapping)]
            if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
                return "\n".join(map(str, texts))
        for key in ("message", "error"):
            if isinstance(words := result.get(key), str):
                return words
    return as_text(result)
