"""The server's own figures, on an engine in memory: `make bench-server`.

What Podman and an agent take comes on top.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agent_session.engine.command import ExecResult
from agent_session.engine.container import ContainerSpec
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.inside import WORKSPACE
from agent_session.sessions.installation import Installation
from agent_session.sessions.labels import LABEL_AGENT, LABEL_NAME
from tests.fake_engine import FakeEngine
from tests.served import Served, serving

LISTENERS = 1000
EVENTS = 25
PAUSE = 0.2
CALLS = 400
SESSIONS = 1000


def main() -> None:
    """Print a line a figure: what it is, what it was, and the goal."""
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        engine = FakeEngine(images=[DEFAULT_BASE_IMAGE], commands=lambda *_: ExecResult(exit_code=0))
        with serving(home / "state", engine, Installation(environment={}, home=home)) as served:
            calls(served)
            for number in range(SESSIONS):
                add(engine, f"s{number:04}")
            listing(served)
        engine = FakeEngine(images=[DEFAULT_BASE_IMAGE])
        with serving(home / "state", engine, Installation(environment={}, home=home)) as served:
            streams(served)
    ready()


def tell(what: str, found: str, goal: str) -> None:
    print(f"{what:58} {found:>28}   goal {goal}")


def median_ms(work: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


def calls(served: Served) -> None:
    with served.client(served.token()) as client:
        bare = median_ms(lambda: client.get("/api/openapi.json", headers={"Range": "bytes=0-0"}), 20)
        plain = median_ms(lambda: client.get("/health"), CALLS)
        whole = median_ms(lambda: client.get("/api/sessions/none"), CALLS)
    tell("a call with login and engine (404), p50", f"{whole:.1f} ms", "<= 3 ms over a bare route")
    tell("GET /health, p50", f"{plain:.1f} ms", "-")
    tell("the OpenAPI document, p50", f"{bare:.1f} ms", "-")


def add(engine: FakeEngine, name: str) -> None:
    labels = {LABEL_NAME: name, LABEL_AGENT: "opencode"}
    engine.create(
        ContainerSpec(
            name=f"agent_{name}", image=DEFAULT_BASE_IMAGE, hostname=name, workdir=WORKSPACE, labels=labels
        )
    )


def listing(served: Served) -> None:
    with served.client(served.token()) as client:
        found = median_ms(lambda: client.get("/api/sessions"), 10)
        with ThreadPoolExecutor(20) as many:
            begun = time.perf_counter()
            list(many.map(lambda _: client.get("/health"), range(1000)))
            each = (time.perf_counter() - begun) / 1000
    tell(f"the list of {SESSIONS:,} sessions, p50", f"{found:.0f} ms", "<= 50 ms")
    tell("1,000 calls by 20 clients", f"{1 / each:.0f} a second", "-")


def streams(served: Served) -> None:
    """Listeners in a process of their own tell when each event arrived; the clock is the machine's."""
    token = served.token()
    before = memory()
    program = [sys.executable, "-m", "tests.bench.server", "--listen", served.url, token]
    listening = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    while served.parts.hub.listeners < LISTENERS:
        time.sleep(0.05)
    each = (memory() - before) / LISTENERS
    for _ in range(EVENTS):
        publish(served)
        time.sleep(PAUSE)
    out, _ = listening.communicate(timeout=120)
    spreads = json.loads(out)
    middle = statistics.median(one["median"] for one in spreads) * 1000
    last = statistics.median(one["last"] for one in spreads) * 1000
    tell(
        f"an event to {LISTENERS:,} listeners: median / last",
        f"{middle:.0f} / {last:.0f} ms",
        "<= 40 / 100 ms",
    )
    tell("memory for each listener", f"{each / 1000:.0f} KB", "<= 40 KB")


def publish(served: Served) -> None:
    """Have the server's loop publish an event: all of the hub is the loop's alone."""
    served.loop.call_soon_threadsafe(
        lambda: served.parts.hub.publish("tick", owner="", session="s", data={"at": time.time()})
    )


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def listen(url: str, token: str) -> None:
    """Hold all streams, and print for each event when the middle and the last listener had it."""
    host, port = url.removeprefix("http://").split(":")
    arrived: dict[float, list[float]] = {}

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"GET /api/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        seen = 0
        while seen < EVENTS:
            line = await reader.readline()
            if line.startswith(b"data: ") and b'"at"' in line:
                at = json.loads(line[6:])["at"]
                arrived.setdefault(at, []).append(time.time() - at)
                seen += 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(LISTENERS)))
    spreads = [{"median": statistics.median(found), "last": max(found)} for found in arrived.values()]
    print(json.dumps(spreads))


def ready() -> None:
    """How long `serve` takes to print its link, and what it holds in memory then."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "CONTAINER_HOST": "unix:///nonexistent/podman.sock"}
        taken, held = [], 0
        for _ in range(3):
            begun = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, "-m", "agent_session", "serve"],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            assert process.stdout
            process.stdout.readline()
            taken.append(time.perf_counter() - begun)
            pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
            held = pages * os.sysconf("SC_PAGESIZE")
            process.terminate()
            process.communicate(timeout=30)
    tell("serve is ready", f"{min(taken):.2f} s (of 3; first {taken[0]:.2f})", "<= 1.5 s")
    tell("memory at rest", f"{held / 1e6:.0f} MB", "<= 100 MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--listen"]:
        asyncio.run(listen(*sys.argv[2:4]))
    else:
        main()
