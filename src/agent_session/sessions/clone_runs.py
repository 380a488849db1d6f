"""The clone program, run in a container of its own on a session's workspace.

Nothing of the host is writable there, and what it says is a stranger's: an agent may have made the clone.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import IO, Any

from agent_session import inside, sanitize
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused, Hint
from agent_session.sessions import plan
from agent_session.sessions.names import branch_name
from agent_session.workspace import clone_program
from agent_session.workspace.clones import Clone

SECONDS = 6 * 3600
TOLD_EACH = 5
"""Seconds between two lines about a clone that goes on."""


def run(
    engine: Engine,
    image: str,
    name: str,
    clone: Clone,
    order: dict[str, Any],
    *,
    read_only: bool = True,
    more: tuple[Mount, ...] = (),
    network: bool = False,
    rest: Path | None = None,
    stdout: IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> ExecResult:
    """Run the clone program on a session's workspace, in a container of its own; `rest` follows the order."""
    workspace = replace(plan.volume_mounts(name)[1], read_only=read_only)
    one_off = OneOff(
        image=image,
        command=(inside.PYTHON, "-I", "-c", _program()),
        mounts=(workspace, *plan.borrowed((clone,)), *more),
        network=network,
        environment=environment or {},
    )
    said = json.dumps({"target": str(clone.target), "own_branch": branch_name(name), **order}).encode()
    with tempfile.TemporaryFile() as given:
        given.write(b"%012d" % len(said) + said)
        if rest:
            with rest.open("rb") as file:
                shutil.copyfileobj(file, given, 1 << 20)
        given.seek(0)
        return engine.run_one_off(one_off, stdin=given, stdout=stdout, timeout=seconds)


@cache
def _program() -> str:
    return Path(clone_program.__file__).read_text(encoding="utf-8")


def told(
    work: Callable[[IO[bytes]], ExecResult], report: Callable[[str], None]
) -> tuple[ExecResult, dict[str, Any]]:
    """Run with a reader of its lines beside it, which tells progress and returns the answer."""
    with _reader(report) as (stdout, answer):
        done = work(stdout)
    return done, answer


@contextmanager
def _reader(report: Callable[[str], None]) -> Iterator[tuple[IO[bytes], dict[str, Any]]]:
    reading, writing = os.pipe()
    answer: dict[str, Any] = {}

    def listen() -> None:
        told = time.monotonic()
        with os.fdopen(reading, "rb") as lines:
            while line := lines.readline(10_000):
                try:
                    said = json.loads(line)
                except ValueError:
                    continue
                if "progress" not in said:
                    answer.update(said)
                elif time.monotonic() - told > TOLD_EACH:
                    told = time.monotonic()
                    report(sanitize.line(str(said["progress"]), 120))

    with ThreadPoolExecutor(max_workers=1) as pool:
        with os.fdopen(writing, "wb") as stdout:
            heard = pool.submit(listen)
            yield stdout, answer
        heard.result()


def object_id(said: object) -> str:
    """An object's id from a container; "" for anything else."""
    text = str(said)
    return text if len(text) in {40, 64} and set(text) <= set("0123456789abcdef") else ""


def check(done: ExecResult, clone: Clone, name: str) -> None:
    """Raise EngineRefused where the clone program failed on a clone that exists."""
    if done.exit_code:
        said = sanitize.line(sanitize.lines(done.message), 1000)
        raise EngineRefused(
            f"the clone {clone.target} of session '{name}' cannot be read: {said}",
            hint=Hint("exec", [name, "--", "git", "-C", str(clone.target), "status"]),
        )
