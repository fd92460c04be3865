"""Whether the chain of decisions is whole, and if not, where it first breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from confirmations.chain import FACTS, LATER_FACTS, START, sealed
from confirmations.models import ChainHead, Decision

AT_ONCE = 2000  # rows in memory


@dataclass(frozen=True, slots=True)
class Report:
    count: int  # decisions that fit, from the first one on
    head: str  # hash of the last of them
    problem: str = ""  # a sentence; empty: the chain is whole


class Link(NamedTuple):
    number: int
    before: str
    hash: str


def verify(noted_head: str = "", noted_count: int = 0) -> Report:
    """Read the whole chain, against a head or a count that was noted elsewhere where one is given."""
    kept = ChainHead.objects.first()  # before the rows: what is appended meanwhile comes after it
    must_be = {kept.number: kept.hash} if kept else {}
    found_at = 0
    last = Link(0, START, START)
    for row in Decision.objects.order_by("number").values(*FACTS, *LATER_FACTS, "hash").iterator(AT_ONCE):
        problem = _misfit(row, last)
        if not problem and must_be.get(row["number"], row["hash"]) != row["hash"]:
            problem = f"Number {row['number']} is not the one that was written last: the chain was written anew."
        if problem:
            return Report(last.number, last.hash, problem)
        last = Link(row["number"], row["before"], row["hash"])
        if last.hash == noted_head:
            found_at = last.number
    return Report(last.number, last.hash, _at_its_end(last, kept, noted_head, noted_count, found_at))


def _misfit(row: Mapping[str, Any], last: Link) -> str:
    """What does not fit, in words; empty where the row follows the last one."""
    number, due = row["number"], last.number + 1
    fits_itself = sealed(row) == row["hash"]
    follows = row["before"] == last.hash
    if number == due and fits_itself and follows:
        return ""
    if number < due:
        return f"Number {number} is there twice: one of the two was inserted."
    rivals = Decision.objects.filter(before=last.hash, number__gt=last.number).exclude(number=number)
    elsewhere = rivals.order_by("number").values_list("number", flat=True).first()
    after = f"number {last.number}" if last.number else "the beginning"
    if number > due:
        gone = f"Number {due} is missing" if number == due + 1 else f"Numbers {due} to {number - 1} are missing"
        return f"{gone}: it stands at number {elsewhere} now." if elsewhere else f"{gone}."
    if follows and elsewhere:
        return f"Numbers {number} and {elsewhere} both follow {after}: one of the two was inserted."
    if follows:
        return f"Number {number} was changed: what it says does not fit its hash."
    if last.number and row["before"] == last.before:
        return f"Numbers {last.number} and {number} both follow the one before them: one of the two was inserted."
    if elsewhere:
        return (
            f"Number {number} does not follow {after}, but number {elsewhere} does: "
            f"the order was changed, or number {number} was inserted."
        )
    if fits_itself:
        return f"Number {number} does not follow {after}: {after} was changed after it, or replaced."
    return f"Number {number} neither follows {after} nor fits its own hash: it was changed, or moved up into a gap."


def _at_its_end(last: Link, kept: ChainHead | None, noted_head: str, noted_count: int, found_at: int) -> str:
    now = ChainHead.objects.first()
    if kept is None or now is None:
        return "The row that keeps the head of the chain is missing."
    if last.number < kept.number:
        return f"Number {kept.number} was written last, but the chain ends at number {last.number}: its end was cut."
    if last.number > now.number:
        return f"Number {last.number} stands past the head of the chain, which is number {now.number}: it was inserted."
    if noted_head and not found_at:
        return "The noted head is not in the chain: its end was cut, or it was written anew."
    if noted_count > last.number:
        return f"{noted_count} decisions were noted, but the chain ends at number {last.number}: its end was cut."
    if noted_head and noted_count and found_at != noted_count:
        return f"The noted head is that of number {found_at}, not of number {noted_count}."
    return ""
