"""The embedded gateway as a process of its own, for tests."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import IO, Any, Self

import requests

ROOT = Path(__file__).parent.parent
TIMEOUT = 45  # seconds, for starting, stopping and plain calls: more than a busy machine takes
PASSWORD = "demo"


SECRET = "a secret of the tests"


class Embedded:
    """One running `python -m embedded --dials`. Stop it, or use it in a `with` statement."""

    def __init__(self, dialect: str, secret: str, more: tuple[str, ...] = ()) -> None:
        self.dialect = dialect
        self.secret = secret
        self.more = more
        self.url = ""
        self.process: subprocess.Popen[str] | None = None

    @classmethod
    def start(
        cls,
        dialect: str = "released",
        port: int = 0,
        secret: str = SECRET,
        more: tuple[str, ...] = (),
    ) -> Self:
        """Port 0 takes a free one; `more` are further arguments of the command."""
        embedded = cls(dialect, secret, more)
        embedded.launch(port)
        return embedded

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def launch(self, port: int) -> None:
        command = [sys.executable, "-m", "embedded", "--dials", "--port", str(port)]
        command += ["--dialect", self.dialect, "--secret", self.secret, *self.more]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        impatience = Timer(TIMEOUT, self.process.kill)
        impatience.start()
        try:
            self.url = read_url(self.process.stdout)
        finally:
            impatience.cancel()

    def stop(self) -> None:
        """As Ctrl-C does."""
        self.end(signal.SIGINT)

    def kill(self) -> None:
        """At once, without a farewell."""
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout:
                self.process.stdout.close()
            self.process = None

    def restart(self) -> None:
        """On the same port with the same secret; whatever was in memory is gone."""
        port = self.port
        self.stop()
        self.launch(port)

    def dial(self, **turns: Any) -> dict[str, Any]:
        """Turn dials, such as `dial(hold={"email": …, "tool": …})`; gives what they answer."""
        return self.dial_raw(json.dumps(turns))

    def dial_raw(self, turns: str) -> dict[str, Any]:
        """The same in JSON, for values that `json` cannot write."""
        answer = requests.post(f"{self.url}/_dials", data=turns.encode(), timeout=TIMEOUT)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def report(self) -> dict[str, Any]:
        """What the gateway holds: open streams, answers, files, …"""
        answer = requests.get(f"{self.url}/_dials", timeout=TIMEOUT)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    def received(self) -> list[dict[str, Any]]:
        """Every request so far: method, path, body, …"""
        answer = requests.get(f"{self.url}/_dials?requests", timeout=TIMEOUT)
        answer.raise_for_status()
        entries: list[dict[str, Any]] = answer.json()
        return entries

    def token(self, email: str, password: str = PASSWORD) -> str:
        """A fresh login token."""
        answer = requests.post(
            f"{self.url}/api/v1/auth/login", json={"email": email, "password": password}, timeout=TIMEOUT
        )
        answer.raise_for_status()
        return str(answer.json()["token"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def read_url(output: IO[str] | None) -> str:
    """The address that the first line names. Raises `RuntimeError` when the process ends without it."""
    assert output is not None
    line = output.readline()
    found = re.search(r"http://\S+", line)
    if found is None:
        raise RuntimeError(f"the embedded gateway did not start: {line!r}")
    output.readline()  # that its state is in memory
    return found.group()
