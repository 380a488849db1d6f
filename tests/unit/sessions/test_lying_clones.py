"""What a clone sends is a stranger's: lies, endless answers and evil objects change nothing on the host."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_session.engine.command import ExecResult, OneOff
from agent_session.sessions import clone_contents
from tests.fake_clones import Volumes
from tests.unit.machine import Machine

Answer = Callable[[], bytes]


class Liar:
    """A repository with a session in a clone of it, whose answers the test writes."""

    def __init__(self, machine: Machine, volumes: Volumes, folder: Path) -> None:
        self.machine, self.volumes, self.here, self.evil = machine, volumes, machine.project, folder / "evil"
        self.made: list[str] = []
        for command in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
            self.git(*command)
        self.machine.engine.one_offs = volumes
        machine.ok("start", "-d", "-a", "shell", "--build", "-n", "a1", "--clone")
        subprocess.run(["git", "clone", "-q", self.here, self.evil], check=True)

    def git(self, *words: str, cwd: Path | None = None, given: bytes = b"") -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "core.protectNTFS=false"]
        done = subprocess.run(
            ["git", *who, *words], cwd=cwd or self.here, input=given, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def state(self) -> tuple[str, str, list[str]]:
        """All of the host that could be changed, objects included."""
        files = sorted(str(path) for path in self.here.rglob("*"))
        return self.git("for-each-ref"), self.git("status", "--porcelain"), files

    def commit(self, entries: dict[str, tuple[str, bytes]]) -> str:
        """A commit with a tree of these entries, whatever git thinks of their names: mode and content."""
        raw = b""
        for name, (mode, content) in sorted(entries.items()):
            kind = "tree" if mode == "40000" else "blob"
            oid = self.object(kind, content)
            raw += f"{mode} {name}\0".encode() + bytes.fromhex(oid)
        tree = self.object("tree", raw)
        self.made.append(self.git("commit-tree", tree, "-p", "HEAD", "-m", "evil", cwd=self.evil))
        return self.made[-1]

    def object(self, kind: str, content: bytes) -> str:
        words = ["hash-object", "-t", kind, "-w", "--stdin", "--literally"]
        self.made.append(self.git(*words, cwd=self.evil, given=content))
        return self.made[-1]

    def whole(self) -> bytes:
        """A pack of all that was made, and of what it was made on."""
        base = self.git("rev-parse", "HEAD", "HEAD^{tree}").split()
        asked = "".join(f"{name}\n" for name in dict.fromkeys([*self.made, *base])).encode()
        words = ["git", "pack-objects", "--stdout", "--quiet"]
        return subprocess.run(words, cwd=self.evil, input=asked, capture_output=True, check=True).stdout

    def pack(self, *names: str) -> bytes:
        asked = "".join(f"{name}\n" for name in names).encode()
        words = ["git", "pack-objects", "--revs", "--stdout", "--quiet"]
        return subprocess.run(words, cwd=self.evil, input=asked, capture_output=True, check=True).stdout

    def says(self, tip: str, pack: bytes, **more: Any) -> None:
        """From now on the session answers so."""
        said = {
            "head": tip, "on": "refs/heads/agent/a1", "tip": tip, "work": "", "to": tip, "base": "",
            "branches": [],
            "stashes": 0, "changes": 0,
        }  # fmt: skip
        self.answers(json.dumps(said | more).encode() + b"\n" + pack)

    def answers(self, said: bytes, code: int = 0) -> None:
        def one_off(_one_off: OneOff, _stdin: bytes) -> ExecResult:
            return ExecResult(exit_code=code, stdout=said, stderr=b"\x1b]0;owned\x07no\n")

        self.machine.engine.one_offs = one_off


@pytest.fixture
def liar(machine: Machine, tmp_path: Path) -> Liar:
    return Liar(machine, Volumes(folder=tmp_path / "volumes"), tmp_path)


def refused(liar: Liar, *verbs: str) -> str:
    """All of these verbs end with an expected failure, and change nothing; returns what they say."""
    said = ""
    for verb in verbs or ("fetch", "apply", "diff"):
        before = liar.state()
        ran = liar.machine(verb, "a1")
        assert ran.code in {5, 7, 124}, (verb, ran)
        assert liar.state() == before, verb
        assert "\x1b" not in ran.err + ran.out
        assert "Traceback" not in ran.err
        said += ran.err
    return said


def test_an_answer_that_is_none_is_told_and_changes_nothing(liar: Liar) -> None:
    for said in (
        b"",
        b"\n",
        b"x" * 10_000,
        b"null\n",
        b"[]\n",
        b'{"head": 1}\n',
        b"[" * 100_000 + b"\n",
        json.dumps({"branches": "x", "head": "", "on": [], "tip": "", "work": "", "to": ""}).encode() + b"\n",
    ):
        liar.answers(said)
        refused(liar)
    liar.answers(b"", code=3)
    assert "cannot be read" in refused(liar)


def test_an_answer_without_an_end_is_not_read_to_it(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clone_contents, "LARGEST_PACK", 1 << 16)
    monkeypatch.setattr(clone_contents, "LARGEST_ANSWER", 1 << 16)
    liar.says(liar.git("rev-parse", "HEAD"), b"PACK" + b"x" * (1 << 20))
    assert "to send" in refused(liar)
    liar.answers(b"x" * (1 << 20))
    assert "to send" in refused(liar)


def test_objects_that_are_none_or_others_are_refused(liar: Liar) -> None:
    head = liar.git("rev-parse", "HEAD")
    good = liar.commit({"file": ("100644", b"x")})
    pack = liar.pack(good, f"^{head}")
    for tip, sent in (
        (good, b"garbage"),
        (good, pack[:-1]),
        (good, pack[:40] + bytes([pack[40] ^ 1]) + pack[41:]),
        (good, liar.pack(head)),
        ("f" * 40, pack),
        ("--upload-pack=touch /tmp/x", pack),
        ("refs/heads/main", pack),
    ):
        liar.says(tip, sent)
        before = liar.state()
        for verb in ("fetch", "apply"):
            assert liar.machine(verb, "a1").code in {0, 5, 7}
        assert liar.state() == before
    liar.says(good, pack)
    assert liar.machine.ok("fetch", "a1") == "agent/a1\n"


def test_a_history_with_holes_is_refused(liar: Liar) -> None:
    (liar.evil / "file").write_text("1")
    for number in range(3):
        (liar.evil / "file").write_text(str(number))
        liar.git("add", "file", cwd=liar.evil)
        liar.git("commit", "-q", "-m", str(number), cwd=liar.evil)
    tip = liar.git("rev-parse", "HEAD", cwd=liar.evil)
    liar.says(tip, liar.pack(tip, "^HEAD~1"))
    refused(liar, "fetch")


def test_trees_that_could_write_into_a_git_directory_are_refused(liar: Liar) -> None:
    tree = b"100644 config\0" + bytes.fromhex(liar.object("blob", b"[core]\n\tfsmonitor = touch /tmp/x\n"))
    for name in (".git", ".GIT", ".Git", "git~1", ".git ", ".g\u200cit", "..", ".", "a/b", ""):
        liar.made.clear()
        commit = liar.commit({name: ("40000", tree)} if name else {"": ("100644", b"x")})
        liar.says(commit, liar.whole())
        refused(liar, "fetch", "apply")


def test_submodules_that_would_run_something_are_refused(liar: Liar) -> None:
    for modules in (
        b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/x\n',
        b'[submodule "x"]\n\tpath = -x\n\turl = https://example.org\n',
        b'[submodule "../../x"]\n\tpath = x\n\turl = https://example.org\n',
        b'[submodule "x"]\n\tpath = x\n\turl = https://example.org\n\tupdate = !touch /tmp/x\n',
    ):
        liar.made.clear()
        commit = liar.commit({".gitmodules": ("100644", modules)})
        liar.says(commit, liar.whole())
        refused(liar, "fetch")
    commit = liar.commit({".gitmodules": ("120000", b".git/config")})
    liar.says(commit, liar.whole())
    refused(liar, "fetch", "apply")


def test_names_with_escape_sequences_are_shown_plain(liar: Liar) -> None:
    commit = liar.commit({"a\x1b]0;owned\x07b": ("100644", b"\x1b[2Jtext\x1b]52;c;eA==\x07\n")})
    liar.says(
        commit,
        liar.whole(),
        on="refs/heads/\x1b[31mred",
        branches=[{"name": "refs/heads/\x1b]0;x\x07", "oid": "1" * 40, "ahead": 3}],
    )
    for verb in (
        ["diff", "a1"],
        ["diff", "--json", "a1"],
        ["diff", "--stat", "a1"],
        ["fetch", "a1"],
        ["apply", "a1"],
    ):
        ran = liar.machine(*verb)
        assert ran.code == 0, ran
        assert "\x1b" not in ran.out + ran.err
        assert "\x07" not in ran.out + ran.err


def test_attributes_of_the_session_run_no_filter_of_the_host(liar: Liar, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for key in ("clean", "smudge", "process"):
        liar.git("config", f"filter.mine.{key}", f"touch {ran}; cat")
    liar.git("config", "filter.mine.required", "true")
    liar.git("config", "diff.mine.textconv", f"touch {ran}; cat")
    liar.git("config", "diff.external", f"touch {ran}")
    liar.git("config", "merge.mine.driver", f"touch {ran}")
    files = {
        ".gitattributes": ("100644", b"* filter=mine diff=mine merge=mine\n"),
        "file": ("100644", b"text\n"),
    }
    commit = liar.commit(files)
    liar.says(commit, liar.whole())
    for verb in ("diff", "fetch", "apply"):
        liar.machine.ok(verb, "a1")
        liar.machine.ok(verb, "a1")
    assert not ran.exists()
    assert (liar.here / "file").read_text() == "text\n"


def test_hooks_of_the_host_are_not_run_either(liar: Liar, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in (
        "reference-transaction",
        "post-checkout",
        "applypatch-msg",
        "pre-auto-gc",
        "post-index-change",
    ):
        hook = liar.here / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
        hook.chmod(0o755)
    liar.git("config", "core.fsmonitor", f"touch {ran}")
    commit = liar.commit({"file": ("100644", b"text\n")})
    liar.says(commit, liar.whole())
    ran.unlink(missing_ok=True)
    for verb in ("diff", "fetch", "apply"):
        liar.machine.ok(verb, "a1")
    assert not ran.exists()
