"""One running session for all tests that only look."""

from collections.abc import Iterator

import pytest

from tests.account import Account
from tests.host_git import Host
from tests.storage import Storage

SECRET = "sk-ant-api03-a-secret-of-the-tests"


@pytest.fixture(scope="module")
def running(storage: Storage, claude: str) -> Iterator[Account]:  # noqa: ARG001
    """An account in which the session "default" of the agent `claude` runs on the project "app",
    with a key in the environment.
    """
    account = Account(storage.path, storage.driver)
    try:
        account.ok(
            "start",
            "-d",
            "-a",
            "claude",
            cwd=account.project(README="hello"),
            env={"ANTHROPIC_API_KEY": SECRET},
        )
        yield account
    finally:
        account.close()


@pytest.fixture
def host(account: Account) -> Iterator[Host]:
    (account.home / ".gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    yield Host(account=account)
    for name, status in account.sessions().items():
        if status == "running":
            account.ok("stop", name)
