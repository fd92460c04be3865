"""What other rooms may tell this one."""

from __future__ import annotations

from accounts import bus


def caller_left(agent_id: str) -> None:
    """A run with this agent broke off, and calls that it made may wait for nobody any more. From any thread."""
    bus.tell("caller left", agent_id)
