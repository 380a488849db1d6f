"""Who the user is to git, and what a session is lent only on request."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from agent_session.host import git_identity

PATH = {"PATH": os.environ["PATH"], "GIT_CONFIG_SYSTEM": os.devnull}


def environment(home: Path, **more: str) -> dict[str, str]:
    return PATH | {"HOME": str(home)} | more


def read_back(tmp_path: Path, found: git_identity.Identity, key: str) -> str:
    file = tmp_path / "read-back"
    file.write_bytes(dict(found.files).get("gitconfig", b""))
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


def test_an_included_file_counts_and_commands_do_not_cross(home: Path, tmp_path: Path) -> None:
    (home / "more").write_text("[user]\n\temail = a@b\n[alias]\n\tx = !touch y\n[core]\n\tfsmonitor = evil\n")
    (home / ".gitconfig").write_text("[include]\n\tpath = more\n[user]\n\tname = A\n")
    found = git_identity.read(environment(home))
    assert read_back(tmp_path, found, "user.name") == "A"
    assert read_back(tmp_path, found, "user.email") == "a@b"
    assert b"evil" not in dict(found.files)["gitconfig"]
    assert found.left_out == ("alias.x", "core.fsmonitor")


def test_a_host_without_git_or_without_a_name_says_nothing(home: Path) -> None:
    assert git_identity.read(environment(home)) == git_identity.UNKNOWN
    assert git_identity.read({"PATH": "/nowhere", "HOME": str(home)}) == git_identity.UNKNOWN


def test_a_github_token_crosses_only_on_request(home: Path) -> None:
    given = environment(home, GITHUB_TOKEN="ghp_secret")
    assert git_identity.read(given).variables == ()
    found = git_identity.read(given, github=True)
    assert dict(found.variables) == {"GH_TOKEN": "ghp_secret", "GITHUB_TOKEN": "ghp_secret"}
    assert b"ghp_secret" not in b"".join(dict(found.files).values())


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
    assert b"PRIVATE" not in b"".join(dict(found.files).values())
    assert git_identity.read(environment(home)).files == ()


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


def test_in_each_project_the_identity_is_what_git_has_there(home: Path, tmp_path: Path) -> None:
    for name in ("work", "own"):
        subprocess.run(["git", "init", "-q", home / name / "app"], check=True)
    (home / "at-work").write_text("[user]\n\temail = ada@work\n[pull]\n\trebase = true\n")
    (home / ".gitconfig").write_text(
        f'[user]\n\tname = Ada\n\temail = ada@home\n[includeIf "gitdir:{home}/work/"]\n\tpath = at-work\n'
    )
    projects = [
        git_identity.GitProject(directory=home / name / "app", inside=(f"/workspace/{name}/",))
        for name in ("work", "own")
    ]
    found = git_identity.read(environment(home), projects)
    assert read_back(tmp_path, found, "user.email") == "ada@home"
    assert read_back(tmp_path, found, "includeIf.gitdir:/workspace/work/.path").endswith("/gitconfig-1")
    assert not read_back(tmp_path, found, "includeIf.gitdir:/workspace/own/.path")
    assert b'email = "ada@work"' in dict(found.files)["gitconfig-1"]
    assert b'rebase = "true"' in dict(found.files)["gitconfig-1"]


@pytest.mark.parametrize("named", [True, False])
def test_what_the_user_ignores_everywhere_is_ignored_in_sessions(
    home: Path, tmp_path: Path, named: bool
) -> None:
    file = home / ("ignored" if named else ".config/git/ignore")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("secrets.local\n")
    if named:
        (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignored\n")
    found = git_identity.read(environment(home))
    assert dict(found.files)["gitignore-0"] == b"secrets.local\n"
    assert read_back(tmp_path, found, "core.excludesfile") == "/run/agent-session/seed/gitignore-0"


def test_preferences_cross_and_programs_are_left_out_by_name(home: Path, tmp_path: Path) -> None:
    (home / ".gitconfig").write_text(
        "[init]\n\tdefaultBranch = trunk\n[pull]\n\trebase = true\n[alias]\n\tst = status\n\tpwn = !x\n"
        "[core]\n\tpager = delta\n[credential]\n\thelper = store\n[http]\n\textraHeader = token\n"
        '[url "git@github.com:"]\n\tinsteadOf = https://github.com/\n[filter "x"]\n\tclean = x\n'
    )
    found = git_identity.read(environment(home))
    assert read_back(tmp_path, found, "init.defaultbranch") == "trunk"
    assert read_back(tmp_path, found, "pull.rebase") == "true"
    assert read_back(tmp_path, found, "alias.st") == "status"
    assert found.left_out == ("alias.pwn", "core.pager", "credential.helper", "filter.x.clean")
    assert not {b"delta", b"token", b"insteadof", b"store"} & set(dict(found.files)["gitconfig"].split())


def test_a_filter_that_is_missing_refuses(home: Path) -> None:
    project = git_identity.GitProject(directory=home, inside=("/workspace/app/",), filters=("crypt",))
    found = git_identity.read(environment(home), [project])
    assert b'required = "true"' in dict(found.files)["gitconfig-1"]
