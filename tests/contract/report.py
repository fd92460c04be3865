"""What the gateway did with each endpoint, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.errors import NotOffered

OK, NOT_OFFERED, FAILED = "ok", "not offered", "FAILED"


class Row(NamedTuple):
    endpoint: str
    dialect: str
    result: str


@dataclass(slots=True)
class Contract:
    """`with contract("GET /agents/:id"):` what the client does there and what has to come of it."""

    dialect: str
    lacking: frozenset[str] | None
    """What this gateway does not offer, where that is known; else whatever it says it does not."""
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def __call__(self, endpoint: str) -> Iterator[None]:
        try:
            yield
        except NotOffered as exc:
            if self.lacking is not None and endpoint not in self.lacking:
                self.rows.append(Row(endpoint, self.dialect, FAILED))
                raise AssertionError(f"{endpoint} is not offered") from exc
            self.rows.append(Row(endpoint, self.dialect, NOT_OFFERED))
        except BaseException:
            self.rows.append(Row(endpoint, self.dialect, FAILED))
            raise
        else:
            self.rows.append(Row(endpoint, self.dialect, OK))


def table(rows: list[Row]) -> list[str]:
    """One line an endpoint and dialect; an endpoint that was asked several times is as good as its worst answer."""
    worst = {OK: 0, NOT_OFFERED: 1, FAILED: 2}
    results: dict[tuple[str, str], str] = {}
    for endpoint, dialect, result in rows:
        before = results.setdefault((endpoint, dialect), result)
        results[endpoint, dialect] = max(before, result, key=lambda one: worst[one])
    lines = [("endpoint", "dialect", "result"), *((*key, result) for key, result in results.items())]
    first, second = (max(len(line[column]) for line in lines) for column in (0, 1))
    return [f"{endpoint:<{first}}  {dialect:<{second}}  {result}" for endpoint, dialect, result in lines]
