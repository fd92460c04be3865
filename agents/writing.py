"""A text of the agent itself while it is written: what is shown of it as finished blocks, and what is still to come."""

from __future__ import annotations

from dataclasses import dataclass, field

from agents import thoughts
from agents.markdown import Blocks
from agents.thoughts import Thoughts
from agents.transcript import Part


@dataclass(slots=True, eq=False)
class Writing:
    """One text, or the piece of it that was begun last."""

    part: Part
    blocks: Blocks = field(default_factory=Blocks)
    thoughts: Thoughts = field(default_factory=Thoughts)
    written: list[str] = field(default_factory=list)  # deltas that the part lacks yet, joined when somebody asks
    thought: Part | None = None  # that is being thought, as it is shown: the text holds it, too
    may_change: list[str] = field(default_factory=list)  # the keys of blocks that may yet be shown otherwise
    aside: Part | None = None
    """What of it is no finished block, as a fragment of its own, from when something else began before its end."""

    @property
    def id(self) -> str:
        return str(self.part["id"])

    def gather(self) -> None:
        if self.written:
            self.part["text"] += "".join(self.written)
            self.written.clear()

    def differs(self) -> bool:
        """Whether the blocks before the rest are to be shown otherwise, now that the rest is known."""
        if self.aside is None or not self.may_change:
            return False
        first = next(iter(thoughts.split(self.aside["text"], self.aside["thinks"])), None)
        return bool(self.blocks.finish("" if first is None or first.is_thought else first.text).whole)
