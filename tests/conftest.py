"""What tests with a real Podman share: images built once, and accounts without a past."""

import signal
from collections.abc import Iterator

import pytest

from agent_session.host.signals import ENDINGS
from tests.account import STUB, Account, Storage, find_storage


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
