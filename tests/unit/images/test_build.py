"""Images: a tag is a digest of all that goes in, so an unchanged build is a look-up and no change is
forgotten.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent_session.agents.catalog import Agent
from agent_session.engine.command import ExecResult
from agent_session.errors import BuildFailed, ConfigurationError, EngineRefused
from agent_session.images import build, debian, zellij
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.images.build import Workshop
from tests.fake_engine import FakeEngine

BASE = "example.org/base:1"


@pytest.fixture(autouse=True)
def zellij_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "zellij"
    binary.write_bytes(b"\x7fELF")
    monkeypatch.setattr(zellij, "zellij_binary", lambda *_: binary)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    folder = tmp_path / "images"
    for name in ("base", "stub"):
        (folder / name / "rootfs").mkdir(parents=True)
        (folder / name / "Containerfile").write_text(f"ARG BASE\nARG TOOL\nFROM ${{BASE}}\nRUN make {name}\n")
        (folder / name / "rootfs" / "file").write_text("1")
    (folder / "stub" / "agent.yaml").write_text("title: Stub\n")
    (folder / "versions.yaml").write_text('TOOL: "1.0"\nOTHER: "2.0"\n')
    for name in ("caches", "logs", "locks"):
        (tmp_path / name).mkdir()
    return Workshop(
        folder=folder,
        base_image=BASE,
        caches=(tmp_path / "caches",),
        logs=tmp_path / "logs",
        locks=tmp_path / "locks",
    )


@pytest.fixture
def stub(workshop: Workshop) -> Agent:
    return Agent(name="stub", title="Stub", folder=workshop.folder / "stub")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(images=[BASE])


def built(engine: FakeEngine, workshop: Workshop, agent: Agent, *, no_cache: bool = False) -> list[str]:
    """What a build told."""
    told: list[str] = []
    build.ensure_image(engine, workshop, agent, tell=told.append, no_cache=no_cache)
    return told


def test_a_build_makes_the_base_and_the_agents_image(
    engine: FakeEngine, workshop: Workshop, stub: Agent
) -> None:
    assert not build.is_current(engine, workshop, stub)
    built(engine, workshop, stub)
    assert build.is_current(engine, workshop, stub)
    assert {name.rpartition(":")[0] for name in engine.images.references()} == {
        "example.org/base", "localhost/agent-session-base", "localhost/agent-session-stub",
    }  # fmt: skip


def test_an_unchanged_build_does_nothing(engine: FakeEngine, workshop: Workshop, stub: Agent) -> None:
    built(engine, workshop, stub)
    before = engine.images.references()
    assert built(engine, workshop, stub) == []
    assert engine.images.references() == before


def test_an_image_that_could_run_nothing_is_none_each_time(
    engine: FakeEngine, workshop: Workshop, stub: Agent
) -> None:
    file = stub.folder / "Containerfile"
    file.write_text("FROM scratch\nCOPY agent.yaml /\n")
    for _ in range(2):
        with pytest.raises(BuildFailed, match="no command to run") as caught:
            built(engine, workshop, stub)
        assert str(file) in caught.value.hint
        assert "FROM ${BASE}" in caught.value.hint
        assert not any("stub" in name for name in engine.images.references())


def test_an_image_that_podman_cannot_prepare_is_not_taken_for_built(
    engine: FakeEngine, workshop: Workshop, stub: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warm(reference: str) -> None:
        raise EngineRefused(f"preparing {reference}: no space left on device")

    monkeypatch.setattr(engine.images, "prepare", warm)
    with pytest.raises(EngineRefused, match="no space left"):
        built(engine, workshop, stub)
    assert not build.is_current(engine, workshop, stub)


def test_no_cache_builds_all_of_it_again(engine: FakeEngine, workshop: Workshop, stub: Agent) -> None:
    engine = FakeEngine(images=[BASE], registry=[BASE])
    built(engine, workshop, stub)
    told = built(engine, workshop, stub, no_cache=True)
    assert f"Trying to pull {BASE}..." in told
    assert sum("make base" in line for line in told) == sum("make stub" in line for line in told) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("stub/rootfs/file", "2"),
        ("stub/rootfs/new", ""),
        ("stub/Containerfile", "ARG BASE\nFROM ${BASE}\nRUN other\n"),
        ("base/rootfs/file", "2"),
        ("versions.yaml", 'TOOL: "1.1"\nOTHER: "2.0"\n'),
    ],
)
def test_whatever_goes_in_changes_the_tag(
    engine: FakeEngine, workshop: Workshop, stub: Agent, path: str, text: str
) -> None:
    built(engine, workshop, stub)
    (workshop.folder / path).write_text(text)
    assert not build.is_current(engine, workshop, stub)


@pytest.mark.parametrize(
    ("path", "text"), [("stub/agent.yaml", "title: New\n"), ("versions.yaml", 'TOOL: "1.0"\nOTHER: "2.1"\n')]
)
def test_what_does_not_go_in_does_not_change_the_tag(
    engine: FakeEngine, workshop: Workshop, stub: Agent, path: str, text: str
) -> None:
    before = build.reference(engine, workshop, stub)
    (workshop.folder / path).write_text(text)
    assert build.reference(engine, workshop, stub) == before


def test_root_another_base_and_another_machine_have_images_of_their_own(
    engine: FakeEngine, workshop: Workshop, stub: Agent
) -> None:
    for folder in ("base", "stub"):
        file = workshop.folder / folder / "Containerfile"
        file.write_text("ARG UID\n" + file.read_text())
    arm = FakeEngine()
    arm.architecture = "arm64"
    references = {
        build.reference(engine, workshop, stub),
        build.reference(FakeEngine(rootful=True), workshop, stub),
        build.reference(engine, replace(workshop, base_image="other:1"), stub),
        build.reference(arm, workshop, stub),
    }
    assert len(references) == 4


def test_images_that_nobody_needs_any_more_go(engine: FakeEngine, workshop: Workshop, stub: Agent) -> None:
    built(engine, workshop, stub)
    (workshop.folder / "stub/rootfs/file").write_text("2")
    built(engine, workshop, stub)
    assert sum(name.startswith("localhost/agent-session-stub:") for name in engine.images.references()) == 1


def failing(words: bytes) -> Callable[[str, Sequence[str], bytes], ExecResult]:
    return lambda _name, command, _stdin: ExecResult(
        exit_code=1 if "make stub" in command[-1] else 0, stdout=words
    )


def test_a_failed_build_tells_the_last_words_and_the_log_with_all_of_them(
    workshop: Workshop, stub: Agent
) -> None:
    engine = FakeEngine(images=[BASE], commands=failing(b"early words\nlast words\n"))
    with pytest.raises(BuildFailed, match="the image of 'stub' could not be built: last words") as caught:
        built(engine, workshop, stub)
    log = workshop.logs / "build-stub.log"
    assert str(log) in caught.value.message
    assert caught.value.hint == f"less {log}"
    assert "early words\nlast words\n" in log.read_text()
    assert not build.is_current(engine, workshop, stub)


def test_a_failed_build_can_be_tried_again(workshop: Workshop, stub: Agent) -> None:
    trouble = [True]

    def commands(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        return ExecResult(exit_code=1 if trouble else 0)

    engine = FakeEngine(images=[BASE], commands=commands)
    with pytest.raises(BuildFailed):
        built(engine, workshop, stub)
    trouble.clear()
    built(engine, workshop, stub)
    assert build.is_current(engine, workshop, stub)


def test_a_base_image_that_no_registry_has_is_told_with_the_variable(workshop: Workshop, stub: Agent) -> None:
    with pytest.raises(BuildFailed) as caught:
        built(FakeEngine(), workshop, stub)
    assert caught.value.hint == "unset AGENT_SESSION_BASE_IMAGE"


def test_without_a_registry_the_usual_base_is_made_here_and_that_is_said(
    workshop: Workshop, stub: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "bootstrap", lambda archive, *_: archive.write_bytes(bytes(10240)))
    usual = replace(workshop, base_image=DEFAULT_BASE_IMAGE)
    engine = FakeEngine()
    told = built(engine, usual, stub)
    assert any("no registry offers" in line and "Debian mirror" in line for line in told)
    assert build.is_current(engine, usual, stub)
    assert list(workshop.caches[0].iterdir()) == []


def test_two_builds_at_once_build_once(engine: FakeEngine, workshop: Workshop, stub: Agent) -> None:
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.extend(built(engine, workshop, stub))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("RUN make stub" in line for line in told) == 1


def test_a_folder_without_a_containerfile_is_told_as_that(
    engine: FakeEngine, workshop: Workshop, stub: Agent
) -> None:
    (stub.folder / "Containerfile").unlink()
    with pytest.raises(ConfigurationError, match="there is no Containerfile"):
        built(engine, workshop, stub)


def test_pins_that_cannot_be_read_are_told_by_the_files_name(
    engine: FakeEngine, workshop: Workshop, stub: Agent
) -> None:
    (workshop.folder / "versions.yaml").write_text("- 1\n")
    with pytest.raises(ConfigurationError, match=r"versions\.yaml: must be a mapping"):
        built(engine, workshop, stub)


def test_every_pin_of_the_repository_is_used_by_somebody() -> None:
    folder = Path(__file__).parents[3] / "images"
    pins = build.versions(Workshop(folder=folder, base_image="", caches=(), logs=folder, locks=folder))
    asked = {word for file in folder.glob("*/Containerfile") for word in file.read_text().split()}
    assert {name for name in pins if not name.startswith("ZELLIJ")} <= asked
