"""Git's config is read without git: what an agent wrote there leads nowhere, and nothing waits for it."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from agent_session.workspace import git_config

TRICKY = r"""
[core]
	fsmonitor = "touch \"a b\"; # not a comment" ; a comment
	Pager=less
[filter "My.X"] clean = sh \
 tools/clean.sh %f
	required
[alias]
	st = !echo # gone
[include] path = /a/fifo
[diff "q\"uote"]
	textConv = x\ty
[a.b]
	c
"""


def test_a_config_is_read_as_git_reads_it(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(TRICKY)
    done = subprocess.run(
        ["git", "config", "--file", tmp_path / "config", "--no-includes", "--list", "-z"],
        capture_output=True,
        text=True,
        check=True,
    )
    items = [item.partition("\n") for item in done.stdout.split("\0") if item]
    theirs = [(key.lower(), value if equals else "true") for key, equals, value in items]
    assert [(key, value) for key, value in git_config.read(tmp_path)] == theirs


def test_the_keys_that_run_something_are_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(TRICKY)
    (tmp_path / "config.worktree").write_text("[core]\nsshCommand = x\n")
    assert git_config.command_keys(tmp_path) == [
        "alias.st",
        "core.fsmonitor",
        "core.pager",
        "core.sshcommand",
        'diff.q"uote.textconv',
        "filter.my.x.clean",
        "include.path",
    ]


@pytest.mark.parametrize("kind", ["fifo", "link", "endless", "binary", "nothing"])
def test_nothing_waits_for_a_config_that_is_none(tmp_path: Path, kind: str) -> None:
    config = tmp_path / "config"
    if kind == "fifo":
        os.mkfifo(config)
    elif kind == "link":
        config.symlink_to("/dev/zero")
    elif kind == "endless":
        config.write_bytes(b"[core]\n\tpager = " + b"[" * 8_000_000)
    elif kind == "binary":
        config.write_bytes(bytes(range(256)) * 4000)
    begun = time.monotonic()
    git_config.command_keys(tmp_path)
    assert time.monotonic() - begun < 30


def test_an_included_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "config").write_text("[include]\n\tpath = pipe\n")
    assert git_config.paths_named(tmp_path, tmp_path)[0] == ("include.path", tmp_path / "pipe")
