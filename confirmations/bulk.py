"""Answering several calls at once: of one tool, one risk that is not critical, and one shape of arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from asgiref.sync import async_to_sync

from accounts.characters import shown
from confirmations.answering import answer
from confirmations.decisions import Answerer, Given, Sort, sort_of
from confirmations.detail import text_under
from confirmations.identity import NameBook
from confirmations.items import Names, hash_as_shown, hash_of
from confirmations.turns import NotTaken
from gateway import Confirmation, Risk
from gateway.errors import GatewayError, SignedOut
from gateway.waiting import unblocked

MOST = 25
NOT_ANSWERED = "Not answered: your session ended before it. Please sign in again."


class Chosen(NamedTuple):
    """A call that somebody ticked: the id, and what its arguments were then."""

    id: str
    arguments_hash: str

    @classmethod
    def of(cls, text: str) -> Chosen:
        """From `<id>:<hash>`."""
        return cls(*text.rpartition(":")[::2])


class Fact(NamedTuple):
    name: str
    text: str  # whole, with what hides in it made visible
    is_written: bool  # by the agent, name and all: it may call an argument "Agent"


class One(NamedTuple):
    chosen: str  # as `Chosen.of` reads it
    seen: str  # in the same way: the id, and the hash of the item as it is shown
    facts: list[Fact]  # of the columns


@dataclass(frozen=True, slots=True)
class Comparison:
    tool: str
    risk: Risk
    same: list[Fact]
    columns: list[Fact]  # as the first of them has them
    calls: list[One]
    left_out: int  # were ticked, and wait no longer
    written_by: str  # who wrote the arguments, in words


class Told(NamedTuple):
    """What became of one of them."""

    id: str
    sentence: str
    tone: Literal["success", "warning", "info"]
    is_kept: bool = False  # an approval that can be taken back


def together(by: Answerer, chosen: Sequence[Chosen]) -> list[Confirmation]:
    """Those that still wait. Raises NotTaken when they may not be answered together."""
    if not chosen:
        raise NotTaken("Please select the calls that you want to answer.", 400)
    if len(chosen) > MOST:
        raise NotTaken(f"At most {MOST} calls can be answered at once; you selected {len(chosen)}.", 400)
    ids = {one.id for one in chosen}
    calls = [one for one in by.gateway.pending() if one.id in ids and by.identity.may_answer(one)]
    if any(one.risk == "critical" for one in calls):
        raise NotTaken("A critical call is answered by itself: please open it.", 400)
    if len({sort_of(one) for one in calls}) > 1:
        raise NotTaken("Only calls of one tool and risk, with arguments of one shape, are answered at once.", 400)
    return calls


def compared(by: Answerer, chosen: Sequence[Chosen]) -> Comparison:
    """What is the same in these calls, and what is not. Raises NotTaken."""
    calls = together(by, chosen)
    if not calls:
        raise NotTaken("None of these calls waits any more.")
    book = NameBook(by.identity)
    book.find(by.gateway, calls)
    facts = [_facts(one, book.names, list(calls[0].arguments)) for one in calls]
    differ = [at for at in range(len(facts[0])) if len({row[at].text for row in facts}) > 1]
    return Comparison(
        tool=shown(calls[0].tool),
        risk=calls[0].risk,
        same=[fact for at, fact in enumerate(facts[0]) if at not in differ],
        columns=[facts[0][at] for at in differ],
        calls=[
            One(
                f"{call.id}:{hash_of(call.arguments)}",
                f"{call.id}:{hash_as_shown(call)}",
                [row[at] for at in differ],
            )
            for call, row in zip(calls, facts, strict=True)
        ],
        left_out=len(chosen) - len(calls),
        written_by=_writers(calls),
    )


def _writers(calls: Sequence[Confirmation]) -> str:
    if all(call.agent_id for call in calls):
        return "the agent"
    return "the agent or whoever called the tool" if any(call.agent_id for call in calls) else "whoever called the tool"


def _facts(call: Confirmation, names: Names, order: Sequence[str]) -> list[Fact]:
    """The arguments of all calls in one order: they have the same ones."""
    agent = shown(call.agent_name or names.agents.get(call.agent_id, "") or call.agent_id)
    written = [Fact(shown(name), shown(text_under(call.arguments, name)), True) for name in order]
    return [Fact("Agent", agent or "none", False), Fact("For", shown(names.who(call.end_user)), False), *written]


def answer_each(
    by: Answerer, chosen: Sequence[Chosen], *, approve: bool, reason: str, seen: Mapping[str, str]
) -> list[Told]:
    """All at once, each like a single answer. Raises NotTaken when they may not be answered together, and SignedOut
    when none of them was answered.

    `seen` is {id: hash of the item as it was shown}; nothing of those that a program answers.
    """
    calls = together(by, chosen)
    sort = sort_of(calls[0]) if calls else Sort("", "", "")
    given = {
        one: Given(approve, reason, seen.get(one.id, ""), arguments_hash=one.arguments_hash, sort=sort)
        for one in chosen
    }
    told = async_to_sync(_answer_all)(by, given)
    if not any(told):
        raise SignedOut
    # What became of those before the session ended has to be said all the same.
    return [one or Told(left.id, NOT_ANSWERED, "warning") for left, one in zip(given, told, strict=True)]


async def _answer_all(by: Answerer, given: Mapping[Chosen, Given]) -> list[Told | None]:
    """Without a thread for each. Each is answered, whatever another raises."""
    answering = [asyncio.create_task(unblocked(_answer, by, one, given[one])) for one in given]
    await asyncio.wait(answering)
    return [one.result() for one in answering]


def _answer(by: Answerer, one: Chosen, given: Given) -> Told | None:
    """None when the session is over, and nothing was sent."""
    try:
        outcome = answer(by, one.id, given)
    except SignedOut:
        return None
    except GatewayError as exc:
        return Told(one.id, exc.message, "warning")
    return Told(one.id, shown(outcome.sentence), outcome.tone, outcome.is_kept)
