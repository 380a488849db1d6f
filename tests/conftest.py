"""What tests with a real Podman share: images built once, and accounts without a past."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_session.host.signals import ENDINGS
from tests.account import Account
from tests.storage import STUB, Storage, find_storage

SLOWEST_FIRST = (
    "podman/test_agents_contract.py",
    "e2e/test_claude.py",
    "e2e/test_coming_back.py",
    "e2e/test_opencode_state.py",
    "e2e/test_claude_orders.py",
    "reliability/test_faults.py",
    "e2e/test_opencode_orders.py",
    "podman/test_interruptions.py",
    "podman/test_renewal.py",
    "podman/test_work.py",
    "podman/test_protection.py",
    "e2e/test_claude_state.py",
    "reliability/test_matrix.py",
    "e2e/test_choosing.py",
    "e2e/test_agents.py",
    "podman/test_states.py",
    "e2e/test_server.py",
    "e2e/test_readme.py",
    "reliability/test_model.py",
    "contract/test_podman.py",
    "contract/test_engine.py",
)
"""Files that are begun before all others where several run at once,
so that none of them is left over at the end.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files, not what is in them: the slowest first, and last those of a processor alone."""
    folder = Path(__file__).parent
    order = {folder / file: number for number, file in enumerate(SLOWEST_FIRST)}

    def place(item: pytest.Item) -> int:
        return order.get(item.path, len(order) + item.path.is_relative_to(folder / "unit"))

    items.sort(key=place)


def pytest_configure() -> None:
    """A shell's background job, or nohup's, ignores some endings, and so would all that tests begin."""
    for ending in ENDINGS:
        if signal.getsignal(ending) == signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler if ending == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """Where images are built, once for all tests and kept for the next run."""
    return find_storage(tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="session")
def shell(storage: Storage) -> str:
    """The image of the agent `shell`."""
    return storage.build("shell")


@pytest.fixture(scope="session")
def stub(storage: Storage) -> str:
    """The image of the agent `stub`, an agent of the user's own (tests/images/stub)."""
    return storage.build("stub")


@pytest.fixture(scope="session")
def claude(storage: Storage) -> str:
    """The image of the agent `claude`."""
    return storage.build("claude")


@pytest.fixture(scope="session")
def opencode(storage: Storage) -> str:
    """The image of the agent `opencode`."""
    return storage.build("opencode")


@pytest.fixture
def account(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001 (it is there to be built)
    """An account without a past; what a test made in it is removed, and nothing may be left running."""
    account = Account(storage.path, storage.driver)
    try:
        yield account
        account.close_windows()
        account.wait_for_rest()
    finally:
        account.close()


@pytest.fixture(scope="module")
def bare(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001
    """An account in which no test of the file makes a session or a file of its own: one for all of them."""
    account = Account(storage.path, storage.driver)
    try:
        yield account
        account.close_windows()
        account.wait_for_rest()
        assert (account.containers(), account.volumes()) == ([], [])
    finally:
        account.close()


@pytest.fixture
def other_account(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001
    """A second one."""
    account = Account(storage.path, storage.driver)
    try:
        yield account
    finally:
        account.close()


@pytest.fixture
def stub_account(account: Account, stub: str) -> Account:  # noqa: ARG001
    """An account with the stub among its own agents."""
    agents = account.agents
    agents.mkdir()
    (agents / "stub").symlink_to(STUB)
    return account
