"""`manage.py verify_decisions`: is the record of decisions as it was written?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from confirmations.verifying import verify

HELP = """\
Check the chain of decisions: that none was changed, deleted, inserted or moved. Says where it first breaks, prints the
count and the head (the hash of the last decision), and exits with 1 when it is broken.

Whoever can write to the database can cut decisions off the end and forget them, or write the whole chain anew. Neither
shows in the chain itself. So note count and head now and then where such a person cannot write (a ticket, a mail, a
print), and give them later: --head HASH [--count N]. A chain that only grew still holds the noted head.
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", default="", metavar="HASH", help="a head that was noted elsewhere")
        parser.add_argument("--count", default=0, type=int, metavar="N", help="the count that was noted with it")

    def handle(self, *, head: str, count: int, **options: Any) -> None:
        report = verify(head.strip().lower(), count)
        self.stdout.write(f"Count: {report.count}\nHead: {report.head or 'none'}")
        if report.problem:
            self.stdout.write(f"BROKEN: {report.problem}")
            sys.exit(1)
        self.stdout.write("The chain is whole.")
