"""Portico as people meet it: the production server in its own process, and visitors who talk HTTP to it."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded import ids

OFFERED = (
    ids.ECHO,
    ids.STORYTELLER,
    ids.FILE_MANAGER,
    ids.GITHUB_HELPER,
    ids.WEATHER_DESK,
    ids.NOTES_KEEPER,
    ids.UNLUCKY,
    ids.SHOWCASE,
)
BOTH = ["released", pytest.param("guide", marks=pytest.mark.soak)]
"""For what takes long and is the same in every dialect: the second one when `make soak` is run."""
ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Of those that no outgoing connection takes meanwhile."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until_up(url: str, process: subprocess.Popen[Any]) -> None:
    """Raises RuntimeError when the process ends, requests.RequestException when it is not up within a minute."""
    deadline = time.monotonic() + 60  # seconds
    while True:
        if process.poll() is not None:
            raise RuntimeError("the server did not start")
        try:
            requests.get(f"{url}/healthz", timeout=5)
            return
        except (requests.ConnectionError, requests.Timeout):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@cache
def empty_database() -> Path:
    """A migrated database with nothing in it: made once, copied for each Portico."""
    folder = Path(tempfile.mkdtemp(prefix="portico-empty-"))
    atexit.register(shutil.rmtree, folder)
    database = folder / "db.sqlite3"
    environment = {**os.environ, "DEBUG": "1", "DATABASE_URL": f"sqlite:///{database}"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    return database


class Portico:
    """A running Portico with a database of its own."""

    def __init__(self, gateway_url: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = tempfile.TemporaryDirectory(prefix="portico-")
        self.environment = {
            **os.environ,
            "GATEWAY_URL": gateway_url,
            "DATABASE_URL": f"sqlite:///{self.folder.name}/db.sqlite3",
            "SECRET_KEY": "a secret for tests only",
            "DEBUG": "1",
            "APPROVAL_HOLD": "0",
            "PYTHONWARNINGS": "error::ResourceWarning",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def as_demo(cls, gateway_url: str, **settings: str) -> Portico:
        """With what `make demo` sets: one-click sign-in, cookies over plain http, static files as in production."""
        defaults = {"DEBUG": "", "DEMO": "1", "GATEWAY_AGENTS": ",".join(OFFERED)}
        demo = cls(gateway_url, **defaults | settings)
        demo.environment["STATIC_ROOT"] = f"{demo.folder.name}/static"
        command = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v0"]
        subprocess.run(command, cwd=ROOT, env=demo.environment, check=True)
        return demo

    def start(self) -> Portico:
        database = Path(self.folder.name) / "db.sqlite3"
        if not database.exists():
            shutil.copyfile(empty_database(), database)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.serve", "--port", str(self.port)], cwd=ROOT, env=self.environment
        )
        try:
            wait_until_up(self.url, self.process)
        except Exception:
            self.close()
            raise
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(15)
            self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def close(self) -> None:
        self.stop()
        self.folder.cleanup()


class Visitor:
    """A person with a browser that has no JavaScript: cookies, forms, links."""

    def __init__(self, portico: Portico) -> None:
        self.portico = portico
        self.session = requests.Session()
        self.session.trust_env = False

    def gets(self, path: str, **options: object) -> requests.Response:
        address = path if path.startswith("http") else self.portico.url + path
        return self.session.get(address, timeout=30, **options)  # type: ignore[arg-type]

    def reads(self, path: str) -> str:
        response = self.gets(path)
        assert response.status_code == 200, f"{path}: {response.status_code} {response.text[:400]}"
        return response.text

    def posts(self, path: str, page: str | None = None, **fields: str) -> requests.Response:
        """Post a form as the page that it stands on would; redirects are followed."""
        page = self.portico.url + (page or path)
        token = self.csrf_token()
        return self.session.post(
            self.portico.url + path,
            data={"csrfmiddlewaretoken": token, **fields},
            headers={"Referer": page},
            timeout=30,
        )

    def csrf_token(self) -> str:
        """What the forms of any page carry."""
        if "csrftoken" not in self.session.cookies:
            self.reads("/login/")
        return str(self.session.cookies["csrftoken"])

    def signs_in(self, email: str, password: str = "demo", then: str = "/profile/") -> requests.Response:
        return self.posts("/login/", email=email, password=password, next=then)
