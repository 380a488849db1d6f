"""A program that makes a session's clone, and reads it, in a container of its own.

Its text is sent by the host, so that a clone can be fetched whatever image its session has, and it imports
nothing of agent-session. Orders are JSON on stdin, after its length in 12 digits, and git's objects follow;
answers are lines of JSON on stdout, and git's objects after the last one. An error ends it with 3 and a line
on stderr.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

OFF = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.pager=cat",
]
QUICK = ["checkout.workers=0", "checkout.thresholdForParallelism=1000", "core.fsync=none", "index.threads=0"]
MINE = "refs/remotes/host/"
"""Where a clone has the branches of the host: what those hold is no work that could be lost."""
WRITER = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "agent-session"), ("EMAIL", "agent-session@localhost"))
}
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0",
    "GIT_LFS_SKIP_SMUDGE": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_PROTOCOL_FROM_USER": "0",
}  # fmt: skip
PASSED = ("GIT_SSL_CAINFO", "SSH_AUTH_SOCK")
Order = dict[str, Any]


class Failed(Exception):
    """Git has failed; the message is what it said."""


def git(
    top: str, *words: str, more: "dict[str, str] | None" = None, stdin: Any = b"", check: bool = True
) -> bytes:
    """Run git in a repository; its hooks and its monitor are off."""
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    done = subprocess.run(
        command(*words), cwd=top, env=ENVIRONMENT | (more or {}), capture_output=True, check=False, **given
    )
    if done.returncode and check:
        raise Failed(last_words(done.stderr) or f"git {words[0]} ended with {done.returncode}")
    return done.stdout if not done.returncode else b""


def command(*words: str) -> list[str]:
    """Return the command line of git with hooks, monitor and maintenance off."""
    return ["git", *(word for setting in OFF for word in ("-c", setting)), *words]


def last_words(said: bytes) -> str:
    """Return the end of what git said, without its progress."""
    lines = re.split(r"[\r\n]+", said.decode("utf-8", "replace"))
    return "; ".join([line.strip() for line in lines if line.strip() and "%" not in line][-4:])[-1500:]


def text(top: str, *words: str, more: "dict[str, str] | None" = None) -> str:
    """Return what git says, "" where it fails."""
    return git(top, *words, more=more, check=False).decode("utf-8", "surrogateescape").rstrip("\n")


def tell(**what: Any) -> None:
    """Write a line of the answer."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def make(order: Order, rest: IO[bytes]) -> None:
    """Make a clone of what the host sends and lends, or of a URL."""
    top, branch = order["target"], order["own_branch"]
    if order.get("url"):
        clone_url(order)
    else:
        receive(order, rest)
    start = (
        text(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") if order.get("url") else order["start"]
    )
    if start:
        git(top, "update-ref", f"refs/heads/{branch}", start)
        git(top, "update-ref", f"{MINE}{branch}", start)
        git(top, "update-ref", "refs/agent-session/base", order.get("base") or start)
    git(top, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    if start:
        quick = [word for setting in QUICK for word in ("-c", setting)]
        git(top, *quick, "reset", "--quiet", "--hard", "--no-recurse-submodules")
    if order.get("staged"):
        git(top, "read-tree", "-m", "-u", "HEAD", order["base"])
        git(top, "read-tree", order["staged"])
        git(top, "update-index", "-q", "--refresh", check=False)
    tell(start=start, base=order.get("base") or start)


def receive(order: Order, rest: IO[bytes]) -> None:
    """Make a repository of the names, settings and objects that the host sends."""
    top = order["target"]
    words = ["init", "--quiet", "--template=", f"--initial-branch={order['own_branch']}", top]
    git("/", *words, more={"GIT_DEFAULT_HASH": "sha256" if order["sha256"] else "sha1"})
    own = Path(top, ".git")
    (own / "info").mkdir(exist_ok=True)
    (own / "info/exclude").write_text(order["exclude"], encoding="utf-8", errors="surrogateescape")
    if order["borrowed"]:
        (own / "objects/info/alternates").write_text(order["borrowed"] + "\n")
        # Git gc would drop each object that can be borrowed, and the host may drop it after that.
        git(top, "config", "core.repositoryFormatVersion", "1")
        git(top, "config", "extensions.preciousObjects", "true")
    if order["shallow"]:
        (own / "shallow").write_text(order["shallow"])
    if order["pack"]:
        git(top, "index-pack", "--stdin", "--fix-thin", stdin=rest)
    lines = [f"{oid} {name}\n" for oid, name in sorted(order["refs"], key=lambda one: os.fsencode(one[1]))]
    packed = own / "packed-refs"
    packed.write_text(
        "# pack-refs with: sorted \n" + "".join(lines), encoding="utf-8", errors="surrogateescape"
    )
    remotes = {key[len("remote.") : -len(".url")] for key, _ in order["settings"] if key.endswith(".url")}
    more = [(f"remote.{name}.fetch", f"+refs/heads/*:refs/remotes/{name}/*") for name in sorted(remotes)]
    with (own / "config").open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(map(setting, [*order["settings"], *more]))


def setting(entry: "tuple[str, str]") -> str:
    """Write a setting as git reads it in a file."""
    key, value = entry
    section, _, name = key.rpartition(".")
    head, _, sub = section.partition(".")
    said = [part.replace("\\", "\\\\").replace('"', '\\"') for part in (sub, value)]
    line = said[1].replace("\n", "\\n").replace("\t", "\\t")
    return f'[{head} "{said[0]}"]\n\t{name} = "{line}"\n'


def clone_url(order: Order) -> None:
    """Run git clone, telling its progress."""
    outside = {
        name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name in PASSED
    }
    more = {"GIT_ALLOW_PROTOCOL": "https:http:ssh", **outside}
    known = Path(tempfile.mkdtemp(), "known_hosts")
    known.write_text(order["known_hosts"])
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", *order["ssh"]]
    ssh = ["ssh", "-F", "/dev/null", *(word for option in options for word in ("-o", option))]
    more["GIT_SSH_COMMAND"] = shlex.join(ssh)
    if order["token"]:
        host = order["token_host"]
        more |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"credential.https://{host}.helper"}
        more["GIT_CONFIG_VALUE_0"] = '!echo username=x-access-token; echo "password=$CLONE_TOKEN"; :'
        more["CLONE_TOKEN"] = order["token"]
    branch = ["--branch", order["branch"]] if order["branch"] else []
    words = [
        "clone",
        "--progress",
        "--no-checkout",
        "--template=",
        *branch,
        "--",
        order["url"],
        order["target"],
    ]
    process = subprocess.Popen(
        command(*words), cwd="/", env=ENVIRONMENT | more, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said, told = b"", 0.0
    while piece := os.read(process.stderr.fileno(), 4096):
        said = (said + piece)[-20_000:]
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            line = [one for one in re.split(rb"[\r\n]+", said) if one.strip()][-1:]
            tell(progress=b"".join(line).decode("utf-8", "replace").strip()[:120])
    if process.wait():
        raise Failed(last_words(said) or f"git clone ended with {process.returncode}")


def read(order: Order, _rest: IO[bytes]) -> None:
    """Tell what a clone holds, and send the objects of it that are asked for."""
    top = order["target"]
    with tempfile.TemporaryDirectory() as scratch:
        own = private(top, scratch)
        existing = there(top, order["have"], own)
        head = text(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", more=own)
        answer: Order = {
            "head": head,
            "on": text(top, "symbolic-ref", "--quiet", "HEAD", more=own),
            "branches": branches(top, order["start"], own),
            "stashes": len(text(top, "stash", "list", more=own).splitlines()),
        }
        answer["base"] = base = compared_with(top, order, head, own)
        tip = tip_asked(top, order, answer, own)
        answer["tip"] = tip
        answer["work"] = work(top, head, own)
        answer["changes"] = changed(top, head, answer["work"], own)
        told = answer["work"] or head if order["objects"] == "difference" else answer["work"] or tip
        if order["objects"] == "difference":
            found = difference(top, base, told, own) if told else []
            tell(**answer, to=told)
            pack(top, [], found, own)
        elif order["objects"] == "history" and told:
            tell(**answer, to=told)
            tips = [tip, answer["work"] if order["with_work"] else ""]
            pack(top, ["--revs", "--thin"], [*tips, *(f"^{oid}" for oid in existing)], own)
        else:
            tell(**answer, to=told)


def private(top: str, scratch: str) -> dict[str, str]:
    """Variables with which git writes nothing into the repository: its index and new objects are our own."""
    objects = text(top, "rev-parse", "--git-path", "objects")
    index = text(top, "rev-parse", "--git-path", "index")
    if not objects:
        raise Failed(
            last_words(
                subprocess.run(
                    command("rev-parse"), cwd=top, env=ENVIRONMENT, capture_output=True, check=False
                ).stderr
            )
        )
    Path(scratch, "objects").mkdir()
    copy = Path(scratch, "index")
    if Path(top, index).is_file():
        # With its time: git takes a file for changed, or not, by whether it is older than the index.
        shutil.copy2(Path(top, index), copy)
    quoted = str(Path(top, objects).resolve()).replace("\\", "\\\\").replace('"', '\\"')
    return {
        "GIT_INDEX_FILE": str(copy), "GIT_OBJECT_DIRECTORY": f"{scratch}/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"', "GIT_OPTIONAL_LOCKS": "0",
    }  # fmt: skip


def branches(top: str, start: str, own: dict[str, str]) -> list[Order]:
    """Each branch with its commits that neither the host nor a remote has; a detached HEAD is "HEAD"."""
    listed = text(
        top, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", more=own
    ).splitlines()
    tips = [(name, oid) for oid, _, name in (line.partition(" ") for line in listed)]
    if not text(top, "symbolic-ref", "--quiet", "HEAD", more=own):
        tips.append(("HEAD", text(top, "rev-parse", "HEAD", more=own)))
    known = ["--not", "--remotes", *([start] if start else [])]
    counted = [
        (name, oid, text(top, "rev-list", "--count", oid, *known, more=own)) for name, oid in tips[:1000]
    ]
    return [{"name": name, "oid": oid, "ahead": int(count or 0)} for name, oid, count in counted]


def compared_with(top: str, order: Order, head: str, own: dict[str, str]) -> str:
    """The commit that differences are counted from: HEAD, HEAD at a time by its reflog, or the given one."""
    if order.get("against") != "head":
        return str(order["base"])
    since = f"HEAD@{{{order['since']}}}^{{commit}}" if order.get("since") else "HEAD^{commit}"
    return text(top, "rev-parse", "--verify", "--quiet", since, more=own) or head


def tip_asked(top: str, order: Order, answer: Order, own: dict[str, str]) -> str:
    """The commit that is asked for: a named one, else that of HEAD or of the own branch, if new."""
    if order["ref"]:
        for prefix in ("refs/heads/", "refs/tags/", ""):
            name = f"{prefix}{order['ref']}^{{commit}}"
            if found := text(top, "rev-parse", "--verify", "--quiet", "--end-of-options", name, more=own):
                answer["on"] = f"refs/heads/{order['ref']}"
                return found
        raise Failed(f"there is no branch {order['ref']!r}")
    new = {one["name"]: one["oid"] for one in answer["branches"] if one["ahead"]}
    for name in (answer["on"] or "HEAD", f"refs/heads/{order['own_branch']}"):
        if name in new:
            answer["on"] = name
            return str(new[name])
    return str(answer["head"])


def work(top: str, head: str, own: dict[str, str]) -> str:
    """A commit of what is not committed, on HEAD; "" where nothing is."""
    git(top, "add", "--all", "--", ":/", more=own)
    tree = text(top, "write-tree", more=own)
    if not tree:
        raise Failed("its working tree cannot be written as a tree")
    if tree == (text(top, "rev-parse", "--verify", "--quiet", "HEAD^{tree}", more=own) if head else ""):
        return ""
    parents = ["-p", head] if head else []
    words = ["commit-tree", tree, *parents, "-m", "Uncommitted work of a session"]
    return git(top, *words, more=own | WRITER).decode().strip()


def changed(top: str, head: str, made: str, own: dict[str, str]) -> int:
    """Count the files in which the uncommitted work differs from HEAD."""
    words = ["diff-tree", "-r", "--no-renames", "--name-only", "-z", head, made]
    if not head:
        words = ["ls-tree", "-r", "--name-only", "-z", made]
    return text(top, *words, more=own).count("\0") if made else 0


def there(top: str, oids: "list[str]", own: dict[str, str]) -> list[str]:
    """Those of the commits that are here."""
    asked = "".join(f"{oid}^{{commit}}\n" for oid in dict.fromkeys(oids)).encode()
    listed = git(
        top, "cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked, more=own, check=False
    )
    return [
        line.split()[0] for line in listed.decode("utf-8", "replace").splitlines() if line.endswith(" commit")
    ]


def difference(top: str, base: str, to: str, own: dict[str, str]) -> list[str]:
    """List what git needs to compare two commits: trees on the way to what differs, and that."""
    old = base or text(top, "hash-object", "-t", "tree", "-w", "/dev/null", more=own)
    listed = git(
        top, "diff-tree", "-r", "-t", "--no-renames", "--raw", "-z", "--no-abbrev", old, to, more=own
    )
    found = []
    for entry in listed.split(b"\0"):
        if entry.startswith(b":"):
            old_mode, new_mode, before, after = entry[1:].decode().split(" ")[:4]
            found += [
                oid
                for mode, oid in ((old_mode, before), (new_mode, after))
                if mode not in {"160000", "000000"}
            ]
    roots = [text(top, "rev-parse", f"{one}^{{tree}}", more=own) for one in (old, to)]
    return [oid for oid in dict.fromkeys([*roots, to, *([base] if base else []), *found]) if oid]


def pack(top: str, words: "list[str]", names: "list[str]", own: dict[str, str]) -> None:
    """Write those objects to stdout, as a pack."""
    asked = "".join(f"{name}\n" for name in names if name).encode()
    line = command("pack-objects", "--stdout", "--quiet", "--delta-base-offset", "--threads=2", *words)
    done = subprocess.run(
        line, cwd=top, env=ENVIRONMENT | own, input=asked, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise Failed(last_words(done.stderr))


def mark(order: Order, _rest: IO[bytes]) -> None:
    """Note in a clone what the host has now, as a branch of the remote `host`."""
    for name, oid in order["marks"]:
        git(order["target"], "update-ref", f"{MINE}{name}", oid)


def whole(order: Order, _rest: IO[bytes]) -> None:
    """Copy what a clone borrows, so that it borrows nothing any more."""
    alternates = Path(order["target"], ".git/objects/info/alternates")
    if alternates.is_file():
        git(order["target"], "repack", "-a", "--quiet")
        alternates.unlink()
        git(order["target"], "config", "--unset", "extensions.preciousObjects")


def rename(order: Order, _rest: IO[bytes]) -> None:
    """Give the session's own branch the name that it has in a session of another name."""
    top, old, own = order["target"], order["from"], order["own_branch"]
    if text(top, "rev-parse", "--verify", "--quiet", f"refs/heads/{old}"):
        git(top, "branch", "-m", old, own)
    if start := text(top, "rev-parse", "--verify", "--quiet", f"{MINE}{old}"):
        git(top, "update-ref", f"{MINE}{own}", start)


def exactly(rest: IO[bytes], count: int) -> bytes:
    """Read so many bytes."""
    said = b""
    while len(said) < count and (piece := rest.read(count - len(said))):
        said += piece
    return said


def main() -> None:
    """Read the order and do it."""
    os.umask(0o022)
    rest = os.fdopen(0, "rb", buffering=0)
    order = json.loads(exactly(rest, int(exactly(rest, 12))))
    try:
        {"make": make, "read": read, "mark": mark, "whole": whole, "rename": rename}[order["do"]](order, rest)
    except (Failed, OSError) as error:
        sys.stderr.write(str(error) + "\n")
        sys.exit(3)


if __name__ == "__main__":
    main()
