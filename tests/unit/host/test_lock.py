"""One command at a time, whatever happens to the one before."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_session.host.lock import Holder, lock

SOURCES = Path(__file__).parents[3] / "src"

HOLDER = """
import sys
from pathlib import Path
from agent_session.host.lock import lock
with lock(Path(sys.argv[1]), "x", waiting=print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has the lock until it is ended."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    environment = {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def silent(holder: Holder) -> None:
    pytest.fail(f"nobody should hold the lock, but {holder.pid} does")


def test_a_free_lock_is_had_at_once_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path, "x", waiting=silent):
            pass


def test_locks_of_other_names_are_not_in_the_way(tmp_path: Path) -> None:
    with lock(tmp_path, "x", waiting=silent), lock(tmp_path, "y", waiting=silent):
        pass


def test_whoever_waits_is_told_for_which_process_and_gets_the_lock_when_that_is_done(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        told: list[Holder] = []

        def waiting(holder: Holder) -> None:
            told.append(holder)
            process.communicate()  # closes its standard input: it leaves the lock in order

        with lock(tmp_path, "x", waiting=waiting):
            assert [holder.pid for holder in told] == [str(process.pid)]
            assert 0 <= time.time() - told[0].since < 60


def test_a_killed_owner_leaves_no_lock_behind(tmp_path: Path) -> None:
    with held(tmp_path) as process:
        process.kill()
        process.wait()
        with lock(tmp_path, "x", waiting=silent):
            pass


def test_a_failure_gives_the_lock_back(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lock(tmp_path, "x", waiting=silent):
        raise RuntimeError
    with lock(tmp_path, "x", waiting=silent):
        pass


def test_two_at_once_go_one_after_the_other(tmp_path: Path) -> None:
    inside: list[int] = []
    seen: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            with lock(tmp_path, "x", waiting=lambda _pid: None):
                inside.append(number)
                seen.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 100
