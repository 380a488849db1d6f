"""The benchmark: figures beside raw podman, toolbox and distrobox, in an account of its own.

`python -m tests.bench --help`. A goal that is missed is marked, and no failure;
the exit code is 1 where something did not work.
"""

import argparse
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.account import Account
from tests.bench.measuring import Broken
from tests.bench.rows import ROWS, Bench, Figure, machine, missing
from tests.storage import find_storage

Taken = dict[str, dict[str, list[float]]]


def main() -> int:
    """Measure, print the table, write the JSON."""
    asked = _arguments()
    names = asked.only or [name for name in ROWS if name not in (asked.without or ())]
    if packages := missing(names):
        print(
            f"error: what is compared with is not installed\nhint: sudo apt-get install {' '.join(packages)}",
            file=sys.stderr,
        )
        return 3
    about = machine() | {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": os.getloadavg(),
    }
    figures: list[Figure] = []
    broken: dict[str, str] = {}
    samples: Taken = {}
    with tempfile.TemporaryDirectory(prefix="agent-session-bench-") as folder:
        storage = find_storage(Path(folder))
        image = storage.build("shell")
        for name in names:
            print(f"{name}...", end=" ", file=sys.stderr, flush=True)
            account = Account(storage.path, storage.driver)
            bench = Bench(account=account, storage=storage, image=image, runs=asked.runs, many=asked.sessions)
            try:
                figures += ROWS[name](bench)
            except Broken as error:
                broken[name] = str(error)
            finally:
                account.close()
            samples |= bench.samples
            _write(asked.json, about, figures, broken, samples)
    print(file=sys.stderr)
    about["load_after"] = os.getloadavg()
    _write(asked.json, about, figures, broken, samples)
    _print(about, figures, broken)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Figures beside raw podman, toolbox and distrobox."
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), metavar="ROW", help=f"these rows: {', '.join(ROWS)}"
    )
    parser.add_argument("--without", nargs="+", choices=list(ROWS), metavar="ROW", help="all but these")
    parser.add_argument(
        "--runs", type=int, default=20, metavar="N", help="of each; medians are taken (default: 20)"
    )
    parser.add_argument(
        "--sessions", type=int, default=50, metavar="N", help="in the rows with many (default: 50)"
    )
    parser.add_argument(
        "--json", type=Path, default=Path("bench.json"), metavar="FILE", help="default: bench.json"
    )
    return parser.parse_args()


def _write(
    file: Path, about: dict[str, object], figures: list[Figure], broken: dict[str, str], samples: Taken
) -> None:
    """All there is so far: a run takes minutes, and may be interrupted."""
    told = [
        {"name": f.name, "value": f.value, "goal": f.goal, "unit": f.unit, "reached": f.reached, "of": f.note}
        for f in figures
    ]
    file.write_text(
        json.dumps({**about, "figures": told, "broken": broken, "samples": samples}, indent=1) + "\n"
    )


def _print(about: dict[str, object], figures: list[Figure], broken: dict[str, str]) -> None:
    width = max([len(figure.name) for figure in figures] or [0])
    print(
        f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB; "
        f"Linux {about['kernel']}; {about['versions']}"
    )
    print(f"load before {about['load_before']}, after {about['load_after']}\n")
    print(f"{'FIGURE':{width}}  {'VALUE':>9}  {'GOAL':>9}          MEDIANS")
    for figure in figures:
        missed = "" if figure.reached else "missed"
        print(
            f"{figure.name:{width}}  {figure.value:6.2f} {figure.unit:2}  {figure.goal:6g} "
            f"{figure.unit:2}  {missed:6}  {figure.note}"
        )
    for name, words in broken.items():
        print(f"{name}: BROKEN: {words}")


if __name__ == "__main__":
    sys.exit(main())
