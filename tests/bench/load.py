"""Many streams through Portico, beside nginx and beside nothing, over the same upstream in the same run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from embedded import ids
from tests.bench import UNBOUNDED
from tests.bench.upstream import INVOKE
from tests.embedded import Embedded
from tests.portico import ROOT, Portico, Visitor, free_port, wait_until_up

ROUNDS = 5
STREAMS, RATE, COUNT = 200, 50, 250  # five seconds of 10,000 events each
FLAT_STREAMS, FLAT_COUNT = 32, 8_000  # answers short enough to be laid out, so that all is sent as text first


@dataclass(frozen=True, slots=True)
class Load:
    """What one round of followers saw, and what it cost the relay in CPU seconds."""

    late: list[float]  # ms at each percentile
    seen: int
    seconds: float
    cpu: float  # of the relay
    load_cpu: float  # of the load itself

    def cost(self, events: int) -> float:
        """CPU seconds for 100,000 events."""
        return 100_000 * self.cpu / events


class House:
    """Upstream, Portico and nginx, and somebody who is signed in."""

    def __init__(self, upstream: str, portico: Portico, nginx: Path) -> None:
        self.upstream = upstream
        self.portico = portico
        self.nginx_port = free_port()
        self.visitor = Visitor(portico)
        self.visitor.signs_in("user@example.com")
        token = requests.post(
            f"{upstream}/api/v1/auth/login", json={"email": "user@example.com", "password": "demo"}, timeout=10
        ).json()["token"]
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.nginx = start_nginx(nginx, self.nginx_port, upstream)

    def close(self) -> None:
        self.nginx.terminate()
        self.nginx.wait()
        self.visitor.session.close()

    def straight(self, wanted: dict[str, Any], streams: int, base: str, relay: psutil.Process | None) -> Load:
        self.gate(False)
        body = json.dumps({"threadId": "t", "runId": "r", "messages": [{"content": json.dumps(wanted)}]})
        request = {"method": "POST", "url": base + INVOKE, "headers": self.headers, "body": body}
        return self.load([request] * streams, relay)

    def relayed(self, wanted: dict[str, Any], streams: int, followers: int = 1) -> Load:
        self.gate(False)
        runs = [self.begin(wanted) for _ in range(streams)]
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.visitor.session.cookies)
        requests_ = [
            {"method": "GET", "url": f"{self.portico.url}/runs/{run}/events/", "headers": {"Cookie": cookies}}
            for run in runs * followers
        ]
        assert self.portico.process
        return self.load(requests_, psutil.Process(self.portico.process.pid))

    def begin(self, wanted: dict[str, Any]) -> str:
        page = self.visitor.session.post(
            f"{self.portico.url}/agents/{ids.METRONOME}/",
            data={"csrfmiddlewaretoken": self.token(), "message": json.dumps(wanted)},
            headers={"Referer": self.portico.url},
            timeout=60,
        )
        return str(re.findall(r'data-run="([^"]+)"', page.text)[-1])

    def token(self) -> str:
        return str(self.visitor.session.cookies["csrftoken"])

    def load(self, wanted: list[dict[str, Any]], relay: psutil.Process | None) -> Load:
        followers = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.followers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert followers.stdin
        assert followers.stdout
        followers.stdin.write(json.dumps({"requests": wanted}))
        followers.stdin.close()
        assert followers.stdout.readline() == "ready\n"
        before = cpu_of(relay)
        self.gate(True)
        told = json.loads(followers.stdout.readline())
        cpu = cpu_of(relay) - before
        followers.wait()
        followers.stdout.close()
        return Load(told["late"], told["seen"], told["seconds"], cpu, told["cpu"])

    def gate(self, is_open: bool) -> None:
        requests.post(f"{self.upstream}/_gate", json={"open": is_open}, timeout=10)


def cpu_of(process: psutil.Process | None) -> float:
    """Seconds, with the children that work for it."""
    everybody = [process, *process.children(recursive=True)] if process else []
    return sum(sum(one.cpu_times()[:2]) for one in everybody)


def start_nginx(folder: Path, port: int, upstream: str) -> subprocess.Popen[bytes]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1; events {{ worker_connections 4096; }}"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;"
        f" fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;"
        f" server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream};"
        " proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 330s; } } }"
    )
    return subprocess.Popen([binary, "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=subprocess.DEVNULL)


@contextmanager
def house() -> Iterator[House]:
    with Embedded.start() as gateway, tempfile.TemporaryDirectory() as folder:
        port = free_port()
        upstream = subprocess.Popen([sys.executable, "-m", "tests.bench.upstream", gateway.url, str(port)], cwd=ROOT)
        wait_until_up(f"http://127.0.0.1:{port}", upstream)
        Path(folder).chmod(0o755)
        portico = Portico.as_demo(f"http://127.0.0.1:{port}", GATEWAY_AGENTS=ids.METRONOME, **UNBOUNDED).start()
        made = House(f"http://127.0.0.1:{port}", portico, Path(folder))
        yield made
        made.close()
        portico.close()
        upstream.terminate()
        upstream.wait()


def measure() -> Iterator[dict[str, Any]]:
    with house() as here:
        yield from paced_streams(here)
        yield flat_out(here)


def paced_streams(here: House) -> Iterator[dict[str, Any]]:
    wanted = {"rate": RATE, "count": COUNT}
    nginx = psutil.Process(here.nginx.pid)
    rounds = []
    for _ in range(ROUNDS):
        rounds.append(
            (
                here.straight(wanted, STREAMS, here.upstream, None),
                here.straight(wanted, STREAMS, f"http://127.0.0.1:{here.nginx_port}", nginx),
                here.relayed(wanted, STREAMS),
                here.relayed(wanted, STREAMS // 2),
                here.relayed(wanted, STREAMS // 2, followers=2),
            )
        )
    direct, proxied, relayed, one, two = zip(*rounds, strict=True)
    events = STREAMS * COUNT
    lost = sum(events - each.seen for each in relayed)
    for percent, goal in ((50, 5.0), (99, 25.0)):
        base, through = median([one.late[percent] for one in direct]), median([one.late[percent] for one in relayed])
        yield line(f"relay_200_streams_p{percent}", through - base, "ms added", base, through / base, goal) | {
            "nginx": round(
                median([each.late[percent] for each in proxied]) - base, 3
            ),  # what it adds in the same rounds
            "lost": lost,
            "load_cpu": round(median([each.load_cpu / each.seconds for each in relayed]), 2),
        }
    cost, limit = median([each.cost(events) for each in relayed]), median([each.cost(events) for each in proxied])
    yield line("relay_cpu", cost, "CPU s per 100,000 events", limit, cost / limit, 5.0, is_ratio=True)
    first = median([each.cpu for each in one])
    more = median([both.cpu - alone.cpu for alone, both in zip(one, two, strict=True)])  # of rounds side by side
    yield line("relay_two_followers", more, "CPU s of the second follower", first, more / first, 0.25, is_ratio=True)


def flat_out(here: House) -> dict[str, Any]:
    wanted = {"rate": 0, "count": FLAT_COUNT}
    events = FLAT_STREAMS * FLAT_COUNT
    limit, rates, costs = [], [], []
    for _ in range(ROUNDS):
        direct = here.straight(wanted, FLAT_STREAMS, here.upstream, None)
        through = here.relayed(wanted, FLAT_STREAMS)
        limit.append(events / direct.seconds)
        rates.append(events / through.seconds)
        costs.append(through.cost(events))
    rate, base = median(rates), median(limit)
    return line("relay_flat_out", rate, "events/s", base, rate / base, 100_000) | {
        "met": rate >= 100_000,
        "cpu": round(median(costs), 2),  # s for 100,000 events: what a busy machine leaves as it is
    }


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def line(
    name: str, value: float, unit: str, baseline: float, ratio: float, goal: float, *, is_ratio: bool = False
) -> dict[str, Any]:
    told = {"name": name, "value": round(value, 3), "unit": unit, "baseline": round(baseline, 3)}
    return told | {"ratio": round(ratio, 2), "goal": goal, "met": (ratio if is_ratio else value) <= goal}
