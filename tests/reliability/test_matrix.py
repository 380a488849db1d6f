"""A corner of the kill matrix: the verbs that make, end and remove,
struck by what cannot be caught at each step, by what can at a few.

`make matrix` prints all of it.
"""

import contextlib
import signal
from collections.abc import Iterator, Sequence

import pytest

from tests.account import Account
from tests.reliability import colors, matrix
from tests.reliability.inventory import Storekeeper
from tests.reliability.rows import ROWS, Bench

pytestmark = pytest.mark.podman


@pytest.fixture
def bench(account: Account) -> Iterator[Bench]:
    colors.paint(account, "red")
    with contextlib.closing(Storekeeper(account)) as keeper:
        yield matrix.furnished(account, keeper)
        account.ok("stop", "--all")


@pytest.mark.parametrize(
    ("name", "signals", "every"),
    [
        ("start, new", [signal.SIGKILL], 9),
        ("stop", [signal.SIGTERM], 2),
        ("export", [signal.SIGKILL], 2),
        ("rm -f", [signal.SIGKILL], 7),
        ("build", [signal.SIGINT], 12),
    ],
)
def test_whoever_is_struck_leaves_nothing_that_the_next_command_does_not_clear_up(
    bench: Bench, name: str, signals: Sequence[signal.Signals], every: int
) -> None:
    [row] = [row for row in ROWS if row.name == name]
    result = matrix.measure(bench, row, signals, every=every)
    assert result.failures == {}
    assert result.cells >= 2
