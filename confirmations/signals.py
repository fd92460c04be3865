"""What other rooms may tell this one."""

from __future__ import annotations

from accounts import bus


def caller_left(agent_id: str) -> None:
    """A run with this agent broke off, and calls that it made may wait for nobody any more. From any thread."""
    bus.tell("caller left", agent_id)


def tell_pages(user_id: int, **news: str) -> None:
    """Every page that this person has open gets a `confirmations:news` event with these words. From any thread."""
    bus.tell("news", [user_id, news])
