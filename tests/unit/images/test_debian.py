"""The base image made from this machine's own mirror:
what mmdebstrap is asked for, and what is left when it fails.
"""

import platform
from pathlib import Path

import pytest

from agent_session.errors import BuildFailed
from agent_session.images.debian import bootstrap

# The "image" it makes is the list of its arguments.
MMDEBSTRAP = """#!/bin/sh
for argument; do case $argument in *.part) tar=$argument ;; esac; done
echo "I: running apt-get update..."
printf '%s\\n' "$@" > "$tar"
"""
DEBIAN = """http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/debian-security/ bookworm-security main
"""


class Machine:
    """A machine's programs and its name, on PATH; told what it is by the tests."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = monkeypatch
        monkeypatch.setenv("PATH", f"{folder}:/bin")
        self.is_called("debian", "bookworm")
        self.has("mmdebstrap", MMDEBSTRAP)
        self.apt_says(DEBIAN)

    def is_called(self, system: str, codename: str) -> None:
        self._patch.setattr(
            platform, "freedesktop_os_release", lambda: {"ID": system, "VERSION_CODENAME": codename}
        )

    def has(self, program: str, text: str) -> None:
        (self._folder / program).write_text(text)
        (self._folder / program).chmod(0o755)

    def apt_says(self, targets: str = DEBIAN, settings: str = "") -> None:
        for program, words in (("apt-get", targets), ("apt-config", settings)):
            self.has(program, f"#!/bin/sh\ncat <<'END'\n{words}END\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = tmp_path / "programs"
    folder.mkdir()
    return Machine(folder, monkeypatch)


def made(tmp_path: Path) -> list[str]:
    bootstrap(tmp_path / "base.tar", "trixie", "arm64", lambda _: None)
    return (tmp_path / "base.tar").read_text().splitlines()


def sources(tmp_path: Path) -> list[str]:
    """Without the keyring, which not every machine has."""
    lines = [line for line in made(tmp_path) if line.startswith("deb ")]
    return [" ".join(word for word in line.split() if not word.startswith("[")) for line in lines]


@pytest.mark.usefixtures("machine")
def test_the_suite_comes_from_this_machines_mirrors_with_updates_and_security(tmp_path: Path) -> None:
    assert sources(tmp_path) == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/debian-security trixie-security main",
    ]


@pytest.mark.usefixtures("machine")
def test_it_is_small_trusts_public_roots_and_is_for_the_asked_machine(tmp_path: Path) -> None:
    assert {"--variant=minbase", "--include=ca-certificates", "--architectures=arm64"} <= set(made(tmp_path))


def test_somebody_elses_repository_named_after_debian_is_not_the_mirror(
    tmp_path: Path, machine: Machine
) -> None:
    machine.apt_says(
        "https://apt.vendor.example/debian bookworm main\nhttps://vendor.example bookworm main\n" + DEBIAN
    )
    assert sources(tmp_path)[0] == "deb http://mirror.example/debian trixie main"


def test_a_list_of_mirrors_is_resolved(tmp_path: Path, machine: Machine) -> None:
    (tmp_path / "mirrors.list").write_text(
        "https://near.example/debian/ priority:1\nhttps://far.example/debian/\n"
    )
    machine.apt_says(f"mirror+file:{tmp_path}/mirrors.list bookworm main\n")
    assert sources(tmp_path) == ["deb https://near.example/debian trixie main"]


def test_a_suite_may_be_called_stable(tmp_path: Path, machine: Machine) -> None:
    machine.apt_says("http://mirror.example/debian stable main\n")
    assert sources(tmp_path) == ["deb http://mirror.example/debian trixie main"]


def test_another_distributions_mirror_is_not_asked_for_debian(tmp_path: Path, machine: Machine) -> None:
    machine.is_called("ubuntu", "noble")
    machine.apt_says("http://ubuntu.example/ubuntu noble main\n")
    assert sources(tmp_path) == []


def test_without_apt_mmdebstrap_chooses_its_own_mirror(tmp_path: Path, machine: Machine) -> None:
    machine.apt_says("")
    assert sources(tmp_path) == []


def test_apts_proxies_are_used(tmp_path: Path, machine: Machine) -> None:
    proxy, exception = (
        'Acquire::http::Proxy "http://proxy.example:3142";',
        'Acquire::https::Proxy::x.example "DIRECT";',
    )
    machine.apt_says(settings=f'{proxy}\nAcquire::http::Timeout "9";\n{exception}\n')
    assert [line for line in made(tmp_path) if line.startswith("--aptopt")] == [
        f"--aptopt={proxy}",
        f"--aptopt={exception}",
    ]


def test_a_failure_tells_its_last_lines_and_leaves_no_file(tmp_path: Path, machine: Machine) -> None:
    machine.has("mmdebstrap", MMDEBSTRAP + "echo E: the mirror is gone\nexit 1\n")
    with pytest.raises(BuildFailed, match="E: the mirror is gone"):
        made(tmp_path)
    assert list(tmp_path.glob("base.tar*")) == []


@pytest.mark.usefixtures("machine")
def test_an_interruption_leaves_no_file(tmp_path: Path) -> None:
    def interrupted(line: str) -> None:
        if line.startswith("I:"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bootstrap(tmp_path / "base.tar", "trixie", "amd64", interrupted)
    assert list(tmp_path.glob("base.tar*")) == []


def test_without_mmdebstrap_the_command_to_type_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed) as failure:
        bootstrap(tmp_path / "base.tar", "trixie", "amd64", lambda _: None)
    assert "apt-get install mmdebstrap" in failure.value.hint
