"""`python -m config.serve`: Portico on its production server; with `--demo`, an embedded gateway beside it."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import environ

from embedded import ids

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / ".demo"  # the demo's own secrets, so that sign-ins outlive a restart
FILES = 65_536  # that a process may have open, connections among them; many systems begin with 1024
GRACEFUL_SHUTDOWN = 2  # seconds that open streams and sockets get to end by themselves
OFFERED = (  # the demo's agents, told to people who may not list agents
    *(ids.ECHO, ids.STORYTELLER, ids.FILE_MANAGER, ids.GITHUB_HELPER, ids.WEATHER_DESK, ids.NOTES_KEEPER),
    *(ids.UNLUCKY, ids.SHOWCASE, ids.RETIRED_HELPER),
)
env = environ.FileAwareEnv()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--host", default=env.str("HOST", default="127.0.0.1"))
    options.add_argument("--port", type=int, default=env.int("PORT", default=8000))
    options.add_argument("--demo", action="store_true")
    chosen = options.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if why_not := obstacle(chosen.host, chosen.port):
        print(why_not, file=sys.stderr)  # noqa: T201
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has handlers of its own
    if not chosen.demo:
        keep_private()
        return serve(chosen.host, chosen.port)
    gateway = start_embedded(f"http://{chosen.host}:{chosen.port}")
    try:
        keep_private()
        prepare()
        say(chosen.host, chosen.port)
        return serve(chosen.host, chosen.port)
    except KeyboardInterrupt:
        return 0
    finally:
        gateway.terminate()
        gateway.wait(5)


def obstacle(host: str, port: int) -> str:
    """Why nothing can listen there; empty where something can."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OverflowError:
        return f"PORT must be from 0 to 65535, not {port}."
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            return f"Port {port} is taken by another program. Stop it, or choose another one: PORT=8001 make …"
        return f"Portico cannot listen at {host}, port {port}: {exc.strerror or exc}. See HOST and PORT."
    return ""


def serve(host: str, port: int) -> int:
    """Serve until told to stop. uvicorn by default; `SERVER=daphne` is slower and has no backpressure."""
    if env.str("SERVER", default="uvicorn") == "daphne":
        return subprocess.call(
            [str(Path(sys.executable).with_name("daphne")), "-b", host, "-p", str(port), "config.asgi:application"]
        )
    import uvicorn  # noqa: PLC0415  (Daphne's users need not have it)
    from django.conf import settings  # noqa: PLC0415

    from config.bounds import LARGEST_SOCKET_FRAME, PING_EVERY, PONG_WITHIN  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    uvicorn.run(
        "config.asgi:application",
        host=host,
        port=port,
        log_level="warning",
        http="config.bounds:BoundedProtocol",
        ws="config.bounds:BoundedSocket",
        forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,
        ws_per_message_deflate=False,
        ws_max_size=LARGEST_SOCKET_FRAME,
        ws_ping_interval=PING_EVERY,
        ws_ping_timeout=PONG_WITHIN,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
    )
    return 0


def start_embedded(front: str) -> subprocess.Popen[str]:
    """The embedded gateway as a process of its own; the environment then leads the application to it."""
    KEPT.mkdir(exist_ok=True)
    gateway = subprocess.Popen(
        [
            *(sys.executable, "-m", "embedded", "--port", env.str("EMBEDDED_PORT", default="0")),
            *("--front-origin", front),
            *("--dialect", env.str("EMBEDDED_DIALECT", default="released")),
        ],
        cwd=ROOT,
        env={**os.environ, "EMBEDDED_SECRET": kept_secret("gateway")},  # a command line is read by everybody
        stdout=subprocess.PIPE,
        text=True,
    )
    assert gateway.stdout is not None
    announced = gateway.stdout.readline()
    if not announced:
        sys.exit(gateway.wait() or 1)
    os.environ.update(
        DEMO="1",
        GATEWAY_URL=announced.split()[-1],
        GATEWAY_AGENTS=",".join(OFFERED),
        SECRET_KEY=kept_secret("portico"),
    )
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{KEPT / 'db.sqlite3'}")
    return gateway


def kept_secret(name: str) -> str:
    place = KEPT / f"{name}.secret"
    if not place.exists():
        fresh = KEPT / f"{name}.secret.{os.getpid()}"  # whole before it has its name, however this ends
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(48))
        fresh.rename(place)
    return place.read_text()


def keep_private() -> None:
    """What is written here is nobody else's on this machine: conversations, sessions, sealed tokens."""
    os.umask(0o077)
    database = env.str("DATABASE_URL", default=f"sqlite:///{ROOT / 'db.sqlite3'}")
    if not database.startswith("sqlite"):
        return
    place = Path(database.partition("://")[2].removeprefix("/").partition("?")[0])
    for file in (place, *(place.with_name(place.name + end) for end in ("-wal", "-shm"))):
        if file.is_file():
            file.chmod(0o600)


def prepare() -> None:
    import django  # noqa: PLC0415  (the settings are read on import, and the environment is only now complete)
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def say(host: str, port: int) -> None:
    print(  # noqa: T201
        f"\n  Portico is on http://{host}:{port}\n"
        "  Sign in with one click: as a user in one window, as an admin in another (a private one).\n"
        "  The gateway beside it keeps its state in memory: it is gone when this stops. Ctrl-C stops both.\n",
        flush=True,
    )


def leave(code: int) -> NoReturn:
    """End now: all that had its time is finished, and Python would wait for threads that still ask what hangs."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        code = main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    leave(code)
