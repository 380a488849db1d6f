"""Package managers work without root, and what they install is found. Nothing here needs a network."""

import zipfile
from pathlib import Path

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman


def wheel(folder: Path) -> None:
    """A Python package with one command, `hello-pip`."""
    metadata = "hello_pip-1.0.dist-info"
    with zipfile.ZipFile(folder / "hello_pip-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("hello_pip.py", "def main():\n    print('hello from pip')\n")
        archive.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: hello-pip\nVersion: 1.0\n")
        archive.writestr(
            f"{metadata}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{metadata}/entry_points.txt", "[console_scripts]\nhello-pip = hello_pip:main\n")
        archive.writestr(f"{metadata}/RECORD", "")


def package(folder: Path) -> None:
    """A Node package with one command, `hello-npm`."""
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "hello-npm", "version": "1.0.0", "bin": "cli.js"}')
    (folder / "cli.js").write_text("#!/usr/bin/env node\nconsole.log('hello from npm')\n")


def test_what_package_managers_install_without_root_is_found_by_every_shell(account: Account) -> None:
    project = account.project()
    wheel(project)
    package(project / "hello-npm")
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.inside("default", "pip", "install", "--quiet", "--no-index", "./hello_pip-1.0-py3-none-any.whl")
    account.inside("default", "npm", "install", "--global", "--offline", "--silent", "./hello-npm")
    for shell in (("sh", "-c"), ("bash", "-c"), ("bash", "-lc"), ("bash", "-ic"), ("dash", "-c")):
        assert (
            account.inside("default", *shell, "hello-pip; hello-npm") == "hello from pip\nhello from npm"
        ), shell
    account.ok("stop")
    account.ok("restart", "-d")
    assert account.inside("default", "hello-npm") == "hello from npm", (
        "what is installed is in the home and stays"
    )
    account.inside("default", "pip", "uninstall", "--quiet", "--yes", "hello-pip")
    account.inside(
        "default", "uv", "tool", "install", "--quiet", "--offline", "./hello_pip-1.0-py3-none-any.whl"
    )
    assert account.inside("default", "hello-pip") == "hello from pip"


def test_cargo_installs_into_the_home(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    assert "/home/agent/.cargo/bin" in account.inside("default", "bash", "-lc", "echo $PATH").split(":")
    assert account.inside("default", "sh", "-c", "command -v cargo")
