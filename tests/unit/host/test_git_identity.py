"""Who the user is to git, and what a session is lent only on request."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from agent_session.host import git_identity

PATH = {"PATH": os.environ["PATH"]}


def environment(home: Path, **more: str) -> dict[str, str]:
    return PATH | {"HOME": str(home)} | more


def read_back(tmp_path: Path, found: git_identity.Identity, key: str) -> str:
    file = tmp_path / "read-back"
    file.write_bytes(found.configuration())
    done = subprocess.run(
        ["git", "config", "--file", file, "--get", key], capture_output=True, text=True, check=False
    )
    return done.stdout.removesuffix("\n")


@pytest.mark.parametrize("name", ["Ada", 'A "B" C', "back\\slash", "größe; # x", " spaced ", "a\tb"])
def test_a_name_is_read_back_as_the_host_has_it(home: Path, tmp_path: Path, name: str) -> None:
    subprocess.run(["git", "config", "--file", home / ".gitconfig", "user.name", name], check=True)
    found = git_identity.read(environment(home))
    assert read_back(tmp_path, found, "user.name") == name
    assert (found.variables, found.notes) == ((), ())


def test_an_included_file_counts_and_commands_do_not_cross(home: Path) -> None:
    (home / "more").write_text("[user]\n\temail = a@b\n[alias]\n\tx = !touch y\n[core]\n\tfsmonitor = evil\n")
    (home / ".gitconfig").write_text("[include]\n\tpath = more\n[user]\n\tname = A\n")
    assert git_identity.read(environment(home)).git == (("user.name", "A"), ("user.email", "a@b"))


def test_a_host_without_git_or_without_a_name_says_nothing(home: Path) -> None:
    assert git_identity.read(environment(home)) == git_identity.UNKNOWN
    assert git_identity.read({"PATH": "/nowhere", "HOME": str(home)}) == git_identity.UNKNOWN


def test_a_github_token_crosses_only_on_request(home: Path) -> None:
    given = environment(home, GITHUB_TOKEN="ghp_secret")
    assert git_identity.read(given).variables == ()
    found = git_identity.read(given, github=True)
    assert dict(found.variables) == {"GH_TOKEN": "ghp_secret", "GITHUB_TOKEN": "ghp_secret"}
    assert b"ghp_secret" not in found.configuration()


def test_a_missing_github_token_is_said(home: Path) -> None:
    (note,) = git_identity.read(environment(home) | {"PATH": "/nowhere"}, github=True).notes
    assert "no GitHub token found" in note


def test_a_signing_key_crosses_as_its_public_half(home: Path, tmp_path: Path) -> None:
    (home / "key").write_text("PRIVATE")
    (home / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    (home / ".gitconfig").write_text(
        "[user]\n\tsigningkey = ~/key\n[gpg]\n\tformat = ssh\n[commit]\n\tgpgsign = true\n"
    )
    found = git_identity.read(environment(home), signing=True)
    assert read_back(tmp_path, found, "user.signingkey") == "key::ssh-ed25519 AAAA me"
    assert read_back(tmp_path, found, "commit.gpgsign") == "true"
    assert b"PRIVATE" not in found.configuration()
    assert git_identity.read(environment(home)).git == ()


def test_signing_with_anything_but_an_ssh_key_is_said_to_be_impossible(home: Path) -> None:
    (home / ".gitconfig").write_text("[user]\n\tsigningkey = 0xABCD\n")
    (note,) = git_identity.read(environment(home), signing=True).notes
    assert "SSH key" in note


def test_an_ssh_agent_is_a_socket_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    assert git_identity.agent_socket({}) == git_identity.NO_AGENT
    assert git_identity.agent_socket({"SSH_AUTH_SOCK": str(path)}) == git_identity.NO_AGENT
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        assert git_identity.agent_socket({"SSH_AUTH_SOCK": str(path)}) == str(path)
