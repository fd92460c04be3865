"""`manage.py export_decisions`: the record of decisions as a file, whole or in part."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from confirmations.export import FORMATS, written
from confirmations.filters import Filters
from confirmations.models import Decision

FILTERS = ("from", "to", "who", "tool", "risk", "agent", "decision", "outcome")


class Command(BaseCommand):
    help = "Write decisions to the standard output, oldest first: without a filter all, the whole chain."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("format", choices=FORMATS)
        for name in FILTERS:
            parser.add_argument(f"--{name}", default="", help="a day: 2026-01-31" if name in ("from", "to") else None)

    def handle(self, *, format: str, **options: Any) -> None:
        filters = Filters({name: options[name] for name in FILTERS})
        if filters.errors:
            raise CommandError(filters.problem)
        for piece in written(filters.decisions(Decision.objects.all()), format):
            self.stdout.write(piece, ending="")
