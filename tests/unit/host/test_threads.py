"""Threads beside the main one, and signals that arrive while they work."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from agent_session.errors import Interrupted
from agent_session.host.signals import ENDINGS, _Held, held_back, raise_on_endings, uninterrupted
from agent_session.host.threads import beside
from tests.waiting import until


@pytest.fixture(autouse=True)
def endings() -> Iterator[None]:
    before = {ending: signal.getsignal(ending) for ending in ENDINGS}
    raise_on_endings()
    yield
    for ending, handler in before.items():
        signal.signal(ending, handler)


def hold(done: list[str], *, inside: Callable[[], None]) -> None:
    with uninterrupted():
        inside()
        done.append("all of it")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_signal_is_held_back_also_where_another_thread_would_take_it(ending: signal.Signals) -> None:
    done: list[str] = []
    may_end = threading.Event()

    def send() -> None:
        os.kill(os.getpid(), ending)
        until(lambda: _Held.arrived, "heard by way of the other thread")  # which takes it when it gets a turn

    with beside(1) as pool:
        pool.submit(may_end.wait, 60)
        with pytest.raises(Interrupted) as interrupted:
            hold(done, inside=send)
        may_end.set()
    assert done == ["all of it"]
    assert interrupted.value.exit_code == 128 + ending


def test_what_is_started_while_signals_are_held_back_can_still_be_ended_by_one() -> None:
    def start() -> None:
        with held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            started.append(subprocess.Popen(["sleep", "60"]))

    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(Interrupted):
        start()
    started[0].terminate()
    assert started[0].wait(10) == -signal.SIGTERM


def test_a_signal_within_two_blocks_arrives_at_the_end_of_the_outer_one() -> None:
    done: list[str] = []
    with pytest.raises(Interrupted):
        hold(done, inside=lambda: hold(done, inside=lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert done == ["all of it", "all of it"]


def test_work_that_has_begun_is_done_when_a_signal_ends_the_block_and_what_has_not_is_not() -> None:
    done, begun, may_end = [], threading.Event(), threading.Event()

    def work(number: int) -> None:
        begun.set()
        may_end.wait(5)
        done.append(number)

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        may_end.set()

    def block() -> None:
        with beside(1) as pool:
            ended = [pool.submit(work, number) for number in range(3)]
            threading.Thread(target=interrupt).start()
            ended[2].result()

    with pytest.raises(Interrupted):
        block()
    assert 0 in done
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]
