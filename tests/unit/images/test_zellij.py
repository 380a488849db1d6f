"""The Zellij binary: a cache, the release, a compiler, or a sentence that names all three."""

import hashlib
import io
import platform
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent_session.errors import BuildFailed
from agent_session.images import zellij
from agent_session.images.zellij import zellij_binary

ARCH = platform.machine()
NAME = f"zellij-1.2.3-{ARCH}"
CARGO = """#!/bin/sh
[ "$1" = --version ] && { echo "cargo 1.95.0 (abc 2026-01-01)"; exit; }
while [ "$1" != --root ]; do shift; done
echo run >> "$CARGO_LOG"
sleep 0.2
echo "   Compiling zellij v1.2.3"
mkdir -p "$2/bin"
printf '#!/bin/sh\\necho zellij 1.2.3\\n' > "$2/bin/zellij"
chmod 700 "$2/bin/zellij"
"""


def quiet(line: str) -> None:
    del line


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """A release on this machine's disk, of the pinned checksum."""
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w:gz") as archive:
        member = tarfile.TarInfo("zellij")
        member.size = 8
        archive.addfile(member, io.BytesIO(b"released"))
    release = tmp_path / "releases" / "v1.2.3" / f"zellij-{ARCH}-unknown-linux-musl.tar.gz"
    release.parent.mkdir(parents=True)
    release.write_bytes(tarball.getvalue())
    monkeypatch.setattr(zellij, "RELEASES", (tmp_path / "releases").as_uri())
    digest = hashlib.sha256(tarball.getvalue()).hexdigest()
    return {"ZELLIJ_VERSION": "1.2.3", "ZELLIJ_SHA256_AMD64": digest, "ZELLIJ_SHA256_ARM64": digest}


@pytest.fixture
def offline(versions: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert versions
    monkeypatch.setattr(zellij, "RELEASES", "file:///nowhere")


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine finds its programs: a compiler's helpers,
    and no cargo unless the test puts one there.
    """
    folder = tmp_path / "programs"
    folder.mkdir()
    for helper in ("cc", "make", "perl"):
        install(folder / helper, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CARGO_LOG", str(tmp_path / "cargo.log"))
    (tmp_path / "cargo.log").touch()
    return folder


def install(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def test_the_first_cache_that_has_it_serves(tmp_path: Path, versions: Mapping[str, str]) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    for folder in (shared, own):
        folder.mkdir()
        (folder / NAME).write_text("put there by hand")
    assert zellij_binary([shared, own], versions, ARCH, quiet) == shared / NAME


def test_the_release_of_the_pinned_checksum_is_kept_in_the_last_cache(
    tmp_path: Path, versions: Mapping[str, str]
) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    binary = zellij_binary([shared, own], versions, ARCH, quiet)
    assert binary == own / NAME
    assert binary.read_bytes() == b"released"
    assert binary.stat().st_mode & 0o777 == 0o755
    assert not shared.exists()


def test_a_release_of_another_checksum_is_never_used(tmp_path: Path, versions: Mapping[str, str]) -> None:
    pinned = {**versions, "ZELLIJ_SHA256_AMD64": "0" * 64, "ZELLIJ_SHA256_ARM64": "0" * 64}
    with pytest.raises(BuildFailed, match="was not used: its sha256 is"):
        zellij_binary([tmp_path / "cache"], pinned, ARCH, quiet)
    assert not (tmp_path / "cache" / NAME).exists()


@pytest.mark.usefixtures("offline")
def test_without_a_release_it_is_compiled_and_nothing_else_is_left(
    tmp_path: Path, versions: Mapping[str, str], programs: Path
) -> None:
    install(programs / "cargo", CARGO)
    told: list[str] = []
    binary = zellij_binary([tmp_path / "cache"], versions, ARCH, told.append)
    assert "zellij 1.2.3" in binary.read_text()
    assert {path.name for path in binary.parent.iterdir()} == {NAME, f"{NAME}.lock"}
    assert any("7 to 10 minutes" in line for line in told)


@pytest.mark.usefixtures("offline")
def test_two_at_once_compile_once(tmp_path: Path, versions: Mapping[str, str], programs: Path) -> None:
    install(programs / "cargo", CARGO)
    with ThreadPoolExecutor(2) as pool:
        binaries = list(
            pool.map(lambda _: zellij_binary([tmp_path / "cache"], versions, ARCH, quiet), range(2))
        )
    assert binaries == [tmp_path / "cache" / NAME] * 2
    assert (tmp_path / "cargo.log").read_text() == "run\n"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("cargo", "why"),
    [
        ("#!/bin/sh\necho cargo 1.94.1", "Rust 1.95 is needed, it says 'cargo 1.94.1'"),
        (
            CARGO.replace('echo "   C', 'echo "disk is full"; exit 1; echo "'),
            "cargo install failed: disk is full",
        ),
        (CARGO.replace("echo zellij", "echo rubbish"), "calls itself 'rubbish 1.2.3'"),
    ],
)
def test_a_compiler_that_will_not_do_is_named_with_the_reason(
    tmp_path: Path, versions: Mapping[str, str], programs: Path, cargo: str, why: str
) -> None:
    install(programs / "cargo", cargo)
    with pytest.raises(BuildFailed, match=why):
        zellij_binary([tmp_path / "cache"], versions, ARCH, quiet)
    assert not (tmp_path / "cache" / NAME).exists()


@pytest.mark.usefixtures("offline")
def test_a_missing_c_compiler_is_named_before_minutes_are_spent(
    tmp_path: Path, versions: Mapping[str, str], programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(programs / "cargo", CARGO)
    (programs / "cc").unlink()
    (programs / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(BuildFailed, match="needs cc"):
        zellij_binary([tmp_path / "cache"], versions, ARCH, quiet)


@pytest.mark.usefixtures("offline")
def test_where_nothing_helps_the_error_names_both_ways_and_the_path(
    tmp_path: Path, versions: Mapping[str, str]
) -> None:
    with pytest.raises(
        BuildFailed, match=r"release could not be downloaded.*cargo, which could compile it, is not installed"
    ) as failure:
        zellij_binary([tmp_path / "cache"], versions, ARCH, quiet)
    assert str(tmp_path / "cache" / NAME) in failure.value.hint


@pytest.mark.usefixtures("offline")
def test_another_machines_binary_is_not_compiled(
    tmp_path: Path, versions: Mapping[str, str], programs: Path
) -> None:
    install(programs / "cargo", CARGO)
    other = "aarch64" if ARCH == "x86_64" else "x86_64"
    with pytest.raises(BuildFailed, match=f"does not make binaries for Linux on {other}"):
        zellij_binary([tmp_path / "cache"], versions, other, quiet)


def test_a_cache_that_cannot_be_written_is_an_expected_failure(
    tmp_path: Path, versions: Mapping[str, str]
) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(BuildFailed, match="cannot write Zellij to the cache"):
        zellij_binary([tmp_path / "cache"], versions, ARCH, quiet)
