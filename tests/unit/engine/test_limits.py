"""Limits: what people write, what a container is told, and what is said where the kernel has none."""

from pathlib import Path, PurePosixPath

import pytest

from agent_session.config import read_config
from agent_session.engine import limits
from agent_session.engine.container import ContainerSpec
from agent_session.engine.limits import Kernel
from agent_session.engine.podman import cgroups
from agent_session.engine.podman.commands import commands
from agent_session.engine.podman.specification import specification
from agent_session.errors import ConfigurationError
from agent_session.sessions.labels import read_options
from agent_session.sessions.notes import limit_notes
from agent_session.sessions.options import Options

V1 = Kernel(cgroups="v1", controllers=frozenset(), release="6.1.0-18-amd64")
V2 = Kernel(cgroups="v2", controllers=frozenset({"memory", "pids", "cpu"}), release="6.1.0")
OLD = Kernel(cgroups="v1", controllers=frozenset(), release="5.10.0")
SPEC = ContainerSpec(
    name="x", image="i", hostname="x", workdir=PurePosixPath("/"), memory=512 << 20, cpus=1.5, pids=300
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512m", 512 << 20), ("2g", 2 << 30), ("1.5G", 3 << 29), ("512MB", 512 << 20), ("1GiB", 1 << 30),
        ("131072k", 128 << 20), ("134217728", 128 << 20), ("134217728b", 128 << 20), ("0", 0),
    ],
)  # fmt: skip
def test_memory_is_read_as_docker_and_podman_read_it(text: str, size: int) -> None:
    assert limits.memory(text) == size


@pytest.mark.parametrize("text", ["", "x", "512", "1m", "-1", "5 apples", "1e9", "2gg", "nan", "9" * 40])
def test_memory_that_is_none_or_too_little_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"memory"):
        limits.memory(text)


@pytest.mark.parametrize(("text", "number"), [("2", 2.0), ("1.5", 1.5), ("0.25", 0.25), ("0", 0.0)])
def test_processors_are_a_number_with_a_fraction(text: str, number: float) -> None:
    assert limits.cpus(text) == number


@pytest.mark.parametrize("text", ["", "x", "-1", "0.001", "nan", "inf", "1,5"])
def test_what_is_no_number_of_processors_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="processors"):
        limits.cpus(text)


@pytest.mark.parametrize(("text", "number"), [("4096", 4096), ("64", 64), ("0", 0), ("-1", 0)])
def test_processes_are_counted_and_podmans_minus_one_is_no_limit(text: str, number: int) -> None:
    assert limits.pids(text) == number


@pytest.mark.parametrize("text", ["", "x", "3", "-2", "1.5", "9" * 12])
def test_what_is_no_number_of_processes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="processes"):
        limits.pids(text)


def test_the_file_takes_numbers_and_texts(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("memory: 2g\ncpus: 1.5\npids: 1000\n")
    config = read_config({}, file)
    assert (config.memory, config.cpus, config.pids) == (2 << 30, 1.5, 1000)
    config = read_config(
        {"AGENT_SESSION_MEMORY": "1g", "AGENT_SESSION_CPUS": "2", "AGENT_SESSION_PIDS": "99"}, file
    )
    assert (config.memory, config.cpus, config.pids) == (1 << 30, 2.0, 99)


@pytest.mark.parametrize("text", ["memory: true\n", "memory: [1g]\n", "cpus: many\n", "pids: 1.5\n"])
def test_a_file_whose_limits_are_none_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=str(file)):
        read_config({}, file)


def test_without_a_word_only_processes_are_limited() -> None:
    options = Options()
    assert (options.memory, options.cpus, options.pids) == (0, 0, 4096)


@pytest.mark.parametrize("label", ['{"pids": true}', '{"pids": -5}', '{"memory": "1g"}', '{"cpus": -1.0}'])
def test_an_edited_label_is_no_limit_of_a_strange_kind(label: str) -> None:
    assert read_options(label) == Options()


def test_where_cgroups_may_be_used_they_are() -> None:
    told = specification(SPEC, rootful=False, kernel=V2)
    assert told["resource_limits"] == {
        "memory": {"limit": 512 << 20, "swap": 1 << 30},
        "cpu": {"period": 100_000, "quota": 150_000},
        "pids": {"limit": 300},
    }
    assert "r_limits" not in told


def test_the_command_for_people_has_the_same_limits() -> None:
    *_, run = commands(SPEC, rootful=False, kernel=V2)
    assert {"--memory=536870912", "--memory-swap=1073741824", "--cpus=1.5", "--pids-limit=300"} <= {*run}
    *_, run = commands(SPEC, rootful=False, kernel=V1)
    assert "--ulimit=nproc=300:300" in run
    assert not [word for word in run if word.startswith(("--memory", "--cpus", "--pids"))]


def test_where_they_may_not_only_what_works_is_asked_and_the_users_own_limit_counts_processes() -> None:
    told = specification(SPEC, rootful=False, kernel=V1)
    assert told["resource_limits"] == {}
    assert told["r_limits"] == [{"type": "nproc", "soft": 300, "hard": 300}]


def test_an_old_kernel_would_count_the_users_other_processes_too() -> None:
    assert "r_limits" not in specification(SPEC, rootful=False, kernel=OLD)


@pytest.mark.parametrize(
    ("kernel", "rootful", "lacking"),
    [
        (V2, False, set()),
        (V1, False, {"memory", "cpus"}),
        (OLD, False, {"memory", "cpus", "pids"}),
        (V1, True, {"memory", "cpus", "pids"}),
        (Kernel(cgroups="v2", controllers=frozenset({"memory", "pids"}), release="6.1"), False, {"cpus"}),
    ],
)
def test_what_cannot_be_enforced_is_known(kernel: Kernel, rootful: bool, lacking: set[str]) -> None:
    assert limits.unenforced(kernel, rootful=rootful).keys() == lacking


def test_only_limits_that_somebody_chose_are_worth_a_word() -> None:
    why = {"memory": "cgroups v1 obey root only", "cpus": "cgroups v1 obey root only", "pids": "..."}
    assert limit_notes(Options(), why) == []
    assert limit_notes(Options(memory=1 << 30, cpus=1.0), why) == [
        "--memory and --cpus cannot be enforced here (cgroups v1 obey root only): the session starts without"
    ]
    assert limit_notes(Options(memory=1 << 30), {}) == []


def test_controllers_are_those_that_the_user_was_given(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    assert cgroups.kernel(rootful=True, root=tmp_path).controllers == {"cpu", "memory", "pids"}
    assert cgroups.kernel(rootful=False, root=tmp_path).controllers == frozenset()
    assert cgroups.kernel(rootful=False, root=tmp_path).cgroups == "v2"


def test_of_the_first_version_only_root_may_use_any(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    (root / "pids").mkdir(parents=True)
    assert cgroups.kernel(rootful=True, root=root).controllers == {"pids"}
    assert cgroups.kernel(rootful=False, root=root).controllers == frozenset()
    assert cgroups.kernel(rootful=False, root=tmp_path / "none").cgroups == "v1"
