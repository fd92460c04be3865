"""Run the embedded gateway: `python -m embedded`."""

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta

import uvicorn

from embedded import clock
from embedded.dialect import DIALECTS
from embedded.house import Options, open_house
from embedded.servers import PortTaken, quiet_expected_endings

COULD_NOT_START = 2
NESTED = 10_000  # levels of JSON that are passed on, about as many as the real gateway does


def main(arguments: Sequence[str] | None = None) -> int:
    options = read_options(arguments)
    logging.basicConfig(level=logging.WARNING)
    quiet_expected_endings()
    sys.setrecursionlimit(NESTED)
    make_loop = uvicorn.Config("embedded").get_loop_factory()
    with asyncio.Runner(loop_factory=make_loop) as runner:
        try:
            runner.run(serve(options))
        except PortTaken:
            return complain(f"Port {options.port} on {options.host} is taken; choose another one with --port.")
        except OSError as exc:
            return complain(f"Cannot listen on {options.host}, port {options.port}: {exc.strerror or exc}.")
    return 0


def complain(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return COULD_NOT_START


async def serve(options: Options) -> None:
    """Until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with open_house(options) as gateway:
        say(f"Embedded gateway ({gateway.dialect.name} dialect) on {gateway.url}")
        say("Its state is in memory and is gone when it stops. Everybody's password is demo.")
        await stopped.wait()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read_options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m embedded", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    parser.add_argument("--dialect", choices=DIALECTS, default="released")
    parser.add_argument(
        "--secret", help="signs the tokens; with the same one they survive a restart (or EMBEDDED_SECRET)"
    )
    parser.add_argument(
        "--front-origin",
        action="append",
        default=[],
        help="where connecting a service may send people back to; repeatable (default: any loopback origin)",
    )
    parser.add_argument("--dials", action="store_true", help="let tests make trouble at /_dials")
    parser.add_argument(
        "--clock-ahead", type=float, default=0.0, help="seconds that its clock is ahead of this machine's"
    )
    given = parser.parse_args(arguments)
    clock.shift = timedelta(seconds=given.clock_ahead)
    return Options(
        host=given.host,
        port=given.port,
        dialect=DIALECTS[given.dialect],
        secret=given.secret or os.environ.get("EMBEDDED_SECRET") or secrets.token_urlsafe(32),
        front_origins=tuple(given.front_origin),
        has_dials=given.dials,
    )


if __name__ == "__main__":
    sys.exit(main())
