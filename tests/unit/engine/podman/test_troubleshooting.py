"""What Podman says when a machine is not set up, and the command that cures it."""

import pytest

from agent_session.engine.podman import troubleshooting
from agent_session.errors import EngineRefused, EngineUnavailable

SAID = [
    (
        "opening seccomp profile failed: open /home/you/seccomp/session.json: no such file or directory",
        EngineRefused,
        "scp -r",
    ),
    (
        "OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv1",
        EngineUnavailable,
        "runc",
    ),
    ("OCI runtime error: crun: unknown version specified", EngineUnavailable, "runc"),
    ('exec: "newuidmap": executable file not found in $PATH', EngineUnavailable, "--add-subuids"),
    (
        'cannot find UID/GID for user dev: no subuid ranges found for user "dev" in /etc/subuid',
        EngineUnavailable,
        "--add-subuids",
    ),
    (
        "potentially insufficient UIDs or GIDs available in user namespace",
        EngineUnavailable,
        "podman system migrate",
    ),
    ("localhost/agent-session-shell:0123: image not known", EngineRefused, "agent-session build --all"),
    (
        "could not find slirp4netns, the network namespace can't be configured",
        EngineUnavailable,
        "slirp4netns",
    ),
    ('slirp4netns failed: open("/dev/net/tun"): Permission denied', EngineUnavailable, "/dev/net/tun"),
    (
        (
            "Cannot connect to Podman. "
            "Please verify your connection to the Linux system using `podman system connection list`"
        ),
        EngineUnavailable,
        "podman machine start",
    ),
    (
        "unable to connect to Podman socket: dial tcp 127.0.0.1:50000: connect: connection refused",
        EngineUnavailable,
        "podman machine start",
    ),
    ("cannot connect to Podman: no connection is defined", EngineUnavailable, "podman machine start"),
    (
        "'overlay' is not supported over extfs at \"/home/x\": backing file system is unsupported",
        EngineUnavailable,
        "fuse-overlayfs",
    ),
    (
        "kernel does not support overlay fs: unable to create kernel-style whiteout",
        EngineUnavailable,
        "fuse-overlayfs",
    ),
    (
        "writing blob: storing blob to file: write /var/tmp/storage: no space left on device",
        EngineRefused,
        "podman image prune",
    ),
    ("runc create failed: error setting rlimit type 7: operation not permitted", EngineRefused, "ulimit"),
    ("netavark: No such file or directory (os error 2)", EngineRefused, "apt-get install iptables"),
    ("statfs /home/u/gone: no such file or directory", EngineRefused, "agent-session move"),
]


@pytest.mark.parametrize(
    ("said", "kind", "cure"), SAID, ids=lambda item: item[:40] if isinstance(item, str) else ""
)
def test_a_known_trouble_is_answered_with_its_cure_and_podmans_own_words(
    said: str, kind: type[Exception], cure: str
) -> None:
    error = troubleshooting.explain(said, "starting agent_x")
    assert type(error) is kind
    assert cure in error.hint
    assert error.message.startswith("starting agent_x: ")
    assert said in error.message


@pytest.mark.parametrize("trouble", troubleshooting.TROUBLES, ids=lambda trouble: trouble.words[0])
def test_every_row_has_a_sentence_that_was_seen(trouble: troubleshooting.Trouble) -> None:
    assert all(word == word.lower() for word in trouble.words)
    assert any(troubleshooting.explain(said, "x").hints == (trouble.cure,) for said, _, _ in SAID)


@pytest.mark.parametrize("folder", ["machine-learning", "pasta", "slirp4netns", "overlay"])
def test_a_projects_name_is_not_taken_for_a_trouble(folder: str) -> None:
    error = troubleshooting.explain(f"statfs /home/u/{folder}: no such file or directory", "creating agent_x")
    assert "does not exist" in error.message
    assert isinstance(error, EngineRefused)


def test_an_unknown_trouble_is_told_as_it_is_on_one_line() -> None:
    error = troubleshooting.explain("something\n  odd", "creating agent_x")
    assert isinstance(error, EngineRefused)
    assert error.message == "creating agent_x: something odd"


def test_silence_is_told_as_silence() -> None:
    assert (
        troubleshooting.explain("", "creating agent_x").message == "creating agent_x: Podman gave no reason"
    )


@pytest.mark.parametrize(
    ("system", "cure"), [("linux", "apt-get install podman"), ("darwin", "brew install podman")]
)
def test_a_missing_podman_is_answered_with_the_command_that_installs_it(system: str, cure: str) -> None:
    error = troubleshooting.missing(system)
    assert error.message.startswith("podman: command not found")
    assert cure in error.hint


@pytest.mark.parametrize("version", ["3.4.4", "4.2.0", "4", "0.9"])
def test_an_old_podman_is_refused_with_both_versions(version: str) -> None:
    error = troubleshooting.too_old(version)
    assert error
    assert version in error.message
    assert "4.3" in error.message


@pytest.mark.parametrize("version", ["4.3.1", "4.10.0", "5.0.0-dev", "10.1", "", "unknown"])
def test_a_podman_that_is_young_enough_or_does_not_say_is_taken(version: str) -> None:
    assert troubleshooting.too_old(version) is None


def test_a_dead_address_is_named_with_what_named_it() -> None:
    error = troubleshooting.unreachable("unix:///gone", "no such file", {"CONTAINER_HOST": "unix:///gone"})
    assert "unix:///gone" in error.message
    assert error.hint == "unset CONTAINER_HOST"
    assert troubleshooting.unreachable("unix:///gone", "no such file", {}).hint == "podman info"
