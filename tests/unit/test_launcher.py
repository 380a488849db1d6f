"""The launcher `agent-session`: it finds its checkout and an environment from anywhere,
or says what to run.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).parents[2] / "agent-session"
PYTHON = '#!/bin/sh\necho "{name}: $*"\necho "$PYTHONPATH"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a check out"
    (folder / "src").mkdir(parents=True)
    shutil.copy(LAUNCHER, folder)
    return folder


def make_environment(folder: Path, name: str, *, complete: bool = True) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(PYTHON.format(name=name))
    (folder / "bin" / "python").chmod(0o755)
    if complete:
        (folder / "setup-stamp").touch()


def launch(
    program: Path | str, *arguments: str, home: Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": "/somebody/elses"}
    return subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )


def test_it_runs_the_checkouts_package_and_never_a_module_of_the_current_directory(
    checkout: Path, tmp_path: Path
) -> None:
    make_environment(checkout / ".venv", "checkout's")
    said = launch(checkout / "agent-session", "start", "-n", "a b", home=tmp_path).stdout.splitlines()
    assert said == [
        f"checkout's: -P {checkout}/src/agent_session/__main__.py start -n a b",
        str(checkout / "src"),
    ]


def test_links_to_links_and_relative_names_lead_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    make_environment(checkout / ".venv", "checkout's")
    places = tmp_path / "bin"
    places.mkdir()
    (places / "relative").symlink_to("../a check out/agent-session")
    (places / "absolute").symlink_to(places / "relative")
    for program, cwd in (
        (places / "absolute", tmp_path),
        ("./absolute", places),
        ("./agent-session", checkout),
    ):
        done = launch(program, "ls", home=tmp_path, cwd=cwd)
        assert re.match(r"checkout's: -P /.*/src/agent_session/__main__\.py ls\n", done.stdout), done.stderr
        assert Path(done.stdout.splitlines()[1]).samefile(checkout / "src")


def test_the_users_environment_serves_where_the_checkout_has_none(checkout: Path, tmp_path: Path) -> None:
    make_environment(tmp_path / ".local" / "share" / "agent-session" / "venv", "user's")
    assert launch(checkout / "agent-session", home=tmp_path).stdout.startswith("user's: -P ")


@pytest.mark.parametrize("half_made", [False, True])
def test_without_a_finished_environment_it_names_the_command(
    checkout: Path, tmp_path: Path, half_made: bool
) -> None:
    if half_made:
        make_environment(checkout / ".venv", "half made", complete=False)
    done = launch(checkout / "agent-session", "ls", home=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith(f"hint: '{checkout}/scripts/setup'\n")


def set_up(checkout: Path, home: Path, path: str) -> str:
    """Run scripts/setup on a checkout whose environment is there already; returns what it says."""
    root = LAUNCHER.parent
    (checkout / "scripts").mkdir(exist_ok=True)
    for name in ("scripts/setup", "pyproject.toml"):
        shutil.copy(root / name, checkout / name)
    pages = checkout / ".venv" / "share" / "man" / "man1"
    pages.mkdir(parents=True, exist_ok=True)
    (pages / "agent-session-ls.1").touch()
    if not (checkout / ".venv" / "bin").exists():
        make_environment(checkout / ".venv", "checkout's")
    python = Path("/usr/bin/python3").resolve()
    with (checkout / "pyproject.toml").open() as file:
        sum_ = subprocess.run(
            ["cksum"], stdin=file, capture_output=True, text=True, check=True
        ).stdout.strip()
    (checkout / ".venv" / "setup-stamp").write_text(f"{python} {sum_} \n")
    done = subprocess.run(
        [checkout / "scripts" / "setup"],
        env={"PATH": f"{path}:/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


needs_podman = pytest.mark.skipif(not shutil.which("podman"), reason="setup wants podman to be there")


@needs_podman
def test_setup_links_the_program_and_its_pages_where_they_are_on_the_path(
    checkout: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    binaries, page = (
        home / ".local" / "bin",
        home / ".local" / "share" / "man" / "man1" / "agent-session-ls.1",
    )
    said = set_up(checkout, home, str(binaries))
    assert (binaries / "agent-session").resolve() == checkout / "agent-session"
    assert page.resolve().is_relative_to(checkout)
    assert f"linking {binaries}/agent-session" in said
    assert said.endswith("setup: ready: agent-session\n")
    assert set_up(checkout, home, str(binaries)) == "setup: ready: agent-session\n"


@needs_podman
def test_setup_says_how_where_no_such_directory_is_on_the_path(checkout: Path, tmp_path: Path) -> None:
    said = set_up(checkout, tmp_path / "home", "/sbin")
    assert not (tmp_path / "home" / ".local" / "bin").exists()
    assert f"ready: {checkout}/agent-session\n" in said
    assert "mkdir -p ~/.local/bin && ln -s " in said


@needs_podman
def test_setup_leaves_another_program_of_that_name_alone(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "home" / ".local" / "bin" / "agent-session"
    other.parent.mkdir(parents=True)
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    said = set_up(checkout, tmp_path / "home", str(other.parent))
    assert other.read_text() == "#!/bin/sh\n"
    assert f"agent-session alone is another program here: {other}" in said
