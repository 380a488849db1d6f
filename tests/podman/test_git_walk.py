"""A random walk of git commands, on the host and in two sessions,
gives what the same walk gives in a plain clone.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.host_git import Host

pytestmark = pytest.mark.podman

DATES = (
    "export GIT_AUTHOR_DATE='2026-11-01T00:00:00Z' GIT_COMMITTER_DATE='2026-11-01T00:00:00Z' GIT_EDITOR=true"
)
FILES = ("a", "b", "d/c", "d/e/f")
BRANCHES = ("main", "one", "two", "three")


@dataclass(kw_only=True)
class Walk:
    """The commands of a seed, each with where it is to run: 0 is the host, 1 and 2 are sessions.

    None writes config: that is each session's own.
    """

    random: random.Random
    number: int = 0
    said: list[str] = field(default_factory=list)

    def step(self) -> tuple[int, str]:
        self.number += 1
        any_of = self.random.choice
        file, branch, other = any_of(FILES), any_of(BRANCHES), any_of(BRANCHES)
        write = f"mkdir -p d/e; echo {self.number} >>{file}"
        commands = [
            f"{write}; git add -A; git commit -qm {self.number}",
            f"{write}; git commit -qam {self.number}",
            f"{write}; git add {file}",
            write,
            f"git rm -q --cached {file}",
            f"git switch -q {branch}",
            f"git switch -q -c x{self.number}",
            f"git switch -q --detach {branch}",
            f"git branch -f {branch} {other}",
            f"git branch -D x{self.number - 7}",
            f"git merge -q --no-edit {branch} || git merge --abort",
            f"git rebase -q {branch} || git rebase --abort",
            f"git cherry-pick {branch} || git cherry-pick --abort",
            # With words of our own: since git 2.43 the revert of a revert is called otherwise.
            f"git revert -n HEAD && git commit -qm {self.number} || git revert --abort",
            "git stash -q -u",
            "git stash pop -q",
            f"git reset -q --hard {any_of(['HEAD', 'HEAD~1', branch])}",
            "git reset -q",
            f"git checkout -q {branch} -- .",
            "git clean -fdq",
            f"git tag -f t{self.number % 5}",
            f"git push -q origin HEAD:refs/heads/p{self.number % 4} -f",
            "git fetch -q --prune origin",
            f"git pull -q --no-rebase origin p{self.number % 4} || git merge --abort",
            "git gc -q",
            "git gc -q --prune=now",
            "git repack -adq",
            "git pack-refs --all",
            "git reflog expire --all",
            "git worktree prune",
            "git commit -q --amend --no-edit --allow-empty",
            "git status --porcelain",
            "git log --oneline --all | sort",
            "git bisect start -q HEAD HEAD~2; git bisect reset -q",
            "git notes add -f -m n HEAD",
            "git update-index --refresh -q",
            "git ls-files -s",
            "git diff HEAD --stat",
        ]
        return self.random.randrange(3), any_of(commands)


STATE = (
    "git rev-parse HEAD; git symbolic-ref -q HEAD; git ls-files -s; git status --porcelain; "
    # Since git 2.48 a fetch makes origin/HEAD where there is none; the host's git may be older.
    "git for-each-ref --format='%(refname) %(objectname)' | grep -v ^refs/remotes/origin/HEAD; "
    "find . -name .git -prune -o -type f -print | sort | xargs cat | md5sum"
)


@pytest.mark.parametrize(
    ("seed", "steps"), [(1, 100), *(pytest.param(seed, 250, marks=pytest.mark.long) for seed in (2, 3, 4, 5))]
)
def test_a_walk_of_commands_is_the_same_as_in_a_plain_clone(host: Host, seed: int, steps: int) -> None:
    app = host.repository(host.account.home / "projects" / "shared" / "app")
    plain = app.parent.parent / "plain"
    begin = "git clone -q --bare . .git/origin.git; git remote set-url origin ./.git/origin.git"
    host.shell(app, f"{begin}; for b in one two three; do git branch $b; done; cp -a .. {plain}")
    for name in ("one", "two"):
        host.account.ok("start", "-d", "-a", "shell", "-n", name, app)
    walk = Walk(random=random.Random(seed))
    differences = []
    for _ in range(steps):
        place, command = walk.step()
        script = f"{DATES}; {command}"
        expected = run(host, plain / "app", script)
        found = run(host, app, script) if place == 0 else inside(host, ("one", "two")[place - 1], script)
        state = (run(host, plain / "app", STATE), run(host, app, STATE))
        if expected[0] != found[0] or state[0] != state[1]:
            differences.append(f"{walk.number} {command}: {expected} {found}\n{state[0][1]}\n{state[1][1]}")
            break
    print(f"seed {seed}: {walk.number} commands, {len(differences)} differences")
    assert not differences, differences[0]
    host.git(app, "fsck", "--no-dangling")


def run(host: Host, directory: Path, script: str) -> tuple[int, str]:
    done = host.shell(directory, script)
    return done.code, done.out


def inside(host: Host, session: str, script: str) -> tuple[int, str]:
    done = host.inside(session, script)
    return done.code, done.out
