"""The kill matrix: every verb, struck by every signal at every step between two calls of its engine,
on rootless Podman.

After each strike `ls` must be right, the same command must work,
and there must be nothing that is not accounted for:
asked to end (SIGINT, SIGTERM, SIGHUP), a command leaves all as it was before, or as it is when it is done;
killed outright, what it leaves is gone when the same command has worked.
Each row has an account of its own, so rows are struck side by side, one a processor.
`python -m tests.reliability.matrix [ROW...]` prints the matrix.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.account import Account
from tests.reliability import colors
from tests.reliability.inventory import Inventory, Storekeeper
from tests.reliability.program import Ended, Program, Strike
from tests.reliability.rows import ROWS, Bench, Row, Step
from tests.storage import STUB, Storage, find_storage

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@dataclass(kw_only=True)
class Result:
    """One row's cells: what failed, by signal; `steps` are the command's own."""

    name: str
    steps: tuple[str, ...]
    cells: int = 0
    seconds: float = 0.0
    failures: dict[signal.Signals, list[str]] = field(default_factory=dict)


@contextlib.contextmanager
def stored() -> Iterator[Storage]:
    """This user's images, with those that rows need."""
    with tempfile.TemporaryDirectory() as folder:
        storage = find_storage(Path(folder))
        colors.build(storage)
        storage.build("stub")
        yield storage


@contextlib.contextmanager
def bench(storage: Storage) -> Iterator[Bench]:
    """A warm one: images are there, Podman has made its directories."""
    account = Account(storage.path, storage.driver)
    try:
        with contextlib.closing(Storekeeper(account)) as keeper:
            yield furnished(account, keeper)
    finally:
        account.close()


def furnished(account: Account, keeper: Storekeeper) -> Bench:
    """An account with a repository as its project, and two agents of its own."""
    (account.folder / "tmp").mkdir()
    account.environment["TMPDIR"] = str(account.folder / "tmp")
    project = account.project(README="hello")
    subprocess.run(["git", "init", "-q", "."], cwd=project, env=account.environment, check=True)
    colors.paint(account, "red")
    (account.home / ".local/share/agent-session/agents/stub").symlink_to(STUB)
    # Of nothing: to prepare the base's layers for sessions takes seconds,
    # and what is built of it is no other matter.
    (account.agent("fresh") / "Containerfile").write_text(
        'FROM scratch\nCOPY Containerfile /\nENV ONE=two\nCMD ["x"]\n'
    )
    program = Program(account.environment, account.home)
    program.ok(
        "start", "-d", "-a", "shell", "-n", "m", project
    )  # what is made once, like directories for logs
    program.ok("stop", "m")
    program.ok("build", "fresh")
    return Bench(account=account, program=program, keeper=keeper, project=project)


def measure(bench: Bench, row: Row, signals: Sequence[signal.Signals], *, every: int = 1) -> Result:
    """All cells of a row: the signals at every step (or at each `every`-th)."""
    began = time.monotonic()
    _do(bench, row.before)
    before = bench.keeper.look()
    done = _run(bench, row)
    assert done.code in row.codes, f"{row.name}: {done}"
    after = bench.keeper.look()
    result = Result(name=row.name, steps=done.steps)
    for at in range(0, len(done.steps), every):
        for one in signals:
            _do(bench, row.before)
            failures = _cell(bench, row, Strike(at=at, signal=one), before, after)
            result.cells += 1
            if failures:
                where = f"step {at} ({done.steps[at]})"
                bench.keeper.clear()
                result.failures.setdefault(one, []).append(
                    f"{row.name}, {one.name} at {where}: {'; '.join(failures)}"
                )
    result.seconds = time.monotonic() - began
    return result


def _do(bench: Bench, steps: Sequence[Step]) -> None:
    for step in steps:
        step(bench)


def _run(bench: Bench, row: Row, strike: Strike | None = None) -> Ended:
    running = bench.program.begin(
        *row.arguments(bench), stdin=row.stdin, terminal=row.terminal, strike=strike
    )
    if row.endless:
        running.interrupt()
    return running.wait()


def _cell(bench: Bench, row: Row, strike: Strike, before: Inventory, after: Inventory) -> list[str]:
    """What is wrong after one strike."""
    ended = _run(bench, row, strike)
    wrong = []
    if "Traceback" in ended.err + ended.out:
        wrong.append(f"a traceback: {ended.err[-300:]}")
    bench.keeper.settled()  # what Podman had been asked for, it does
    told = bench.program.run("ls", "--json")
    left = bench.keeper.look()
    if told.code != 0:
        wrong.append(f"ls: {told}")
    elif unlike := _listing(told.out, bench.keeper.states()):
        wrong.append(unlike)
    if strike.signal == signal.SIGKILL:
        if ended.code != -signal.SIGKILL and strike.at < len(ended.steps):
            wrong.append(f"it was not killed: {ended}")
    elif left not in (before, after) and not (row.several and left.is_between(before, after)):
        wrong.append(
            f"neither as before ({left.unlike(before)[:300]}) nor done "
            f"({left.unlike(after)[:300]}): {ended.code}"
        )
    elif ended.code not in {*row.codes, 128 + strike.signal}:
        wrong.append(f"ended with {ended.code}: {ended.err[-200:]}")
    again = _run(bench, row)
    if again.code in row.again and (left == after or row.then):
        _do(bench, row.then)
    elif again.code not in row.codes:
        wrong.append(f"the next command: {again.code} {again.err[-300:]}")
    if unlike := bench.keeper.look().unlike(after):
        wrong.append(f"after the next command: {unlike[:400]}")
    return wrong


def _listing(listed: str, states: dict[str, bool]) -> str:
    """What is wrong with `ls --json`, by what Podman says itself."""
    said = {session["container"]: session["status"] == "running" for session in json.loads(listed)}
    ours = {name: runs for name, runs in states.items() if name.startswith(("agent_", "agent-next_"))}
    shown = {name.replace("agent-next_", "agent_"): runs for name, runs in sorted(ours.items())}
    said = {name.replace("agent-next_", "agent_"): runs for name, runs in said.items()}
    return "" if said == shown else f"ls says {said}, Podman {ours}"


def table(results: Sequence[Result], signals: Sequence[signal.Signals]) -> str:
    """Verbs x steps x signals: the number of failures in each."""
    lines = [
        f"{'verb':18} {'steps':>5} "
        + " ".join(f"{one.name:>8}" for one in signals)
        + f" {'cells':>6} {'s':>6}"
    ]
    for result in results:
        counts = " ".join(f"{len(result.failures.get(one, [])):8}" for one in signals)
        lines.append(
            f"{result.name:18} {len(result.steps):5} {counts} {result.cells:6} {result.seconds:6.1f}"
        )
    cells, failed = sum(r.cells for r in results), sum(len(f) for r in results for f in r.failures.values())
    return "\n".join([*lines, f"{len(results)} verbs, {cells} cells, {failed} failures"])


def main(names: Sequence[str]) -> int:
    """Print the matrix of all rows, or of those whose names begin so; 1 if there was a failure."""
    signals = [
        one
        for one in SIGNALS
        if not (chosen := os.environ.get("MATRIX_SIGNALS")) or one.name in chosen.split()
    ]
    rows = [row for row in ROWS if not names or any(row.name.startswith(name) for name in names)]
    side_by_side = ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("fork"))
    results = []
    with stored() as storage, side_by_side as pool:
        for future in [pool.submit(_measured, storage, row.name, signals) for row in rows]:
            result = future.result()
            results.append(result)
            print(table([result], signals).splitlines()[1], flush=True)
            for failures in result.failures.values():
                print(*(f"    {line}" for line in failures), sep="\n", flush=True)
    print()
    print(table(results, signals))
    return 1 if any(result.failures for result in results) else 0


def _measured(storage: Storage, name: str, signals: Sequence[signal.Signals]) -> Result:
    [row] = [row for row in ROWS if row.name == name]
    with bench(storage) as made:
        try:
            return measure(made, row, signals)
        except Exception as error:  # told in the table, beside what the others found
            return Result(
                name=name, steps=(), failures={signals[0]: [f"{name} could not be measured: {error!r}"]}
            )


if __name__ == "__main__":
    os.environ.pop("AGENT_SESSION_CONFIG", None)
    sys.exit(main(sys.argv[1:]))
