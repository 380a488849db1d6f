"""plant_links.py TARGET ROUNDS: puts links, pipes and directories with links into .git, where git on the host
would write; then again and again. Prints the names that stay for longer than 3 seconds.
"""

import contextlib
import os
import sys
import time

target, rounds = sys.argv[1], int(sys.argv[2])
os.chdir("/workspace/app/.git")
planted = []


def plant(name: str) -> None:
    planted.append(name)
    while True:  # the host may write a file of that name meanwhile
        try:
            return os.symlink(target, name)
        except FileExistsError:
            os.unlink(name)


for name in ("FETCH_HEAD", "refs/heads/new", "logs/HEAD", "objects/zz", "ORIG_HEAD"):
    plant(name)
os.mkfifo("MERGE_MSG")
planted.append("MERGE_MSG")
os.makedirs("lfs/tree/below")
os.symlink(target, "lfs/tree/below/link")
os.rename("lfs/tree", "logs/refs/heads/tree")
planted.append("logs/refs/heads/tree/below/link")
os.mkdir("refs/hidden", 0o311)
plant("refs/hidden/link")
os.mkdir("refs/one")
os.rename("refs/one", "refs/two")
plant("refs/two/link")
os.symlink("testing", "tABCDEF")  # as git does to try the file system
end = time.monotonic() + 3
while time.monotonic() < end and any(map(os.path.lexists, planted)):
    time.sleep(0.01)
print(*filter(os.path.lexists, planted))
for number in range(rounds):
    with contextlib.suppress(OSError):
        os.unlink("COMMIT_EDITMSG")
        os.symlink(target, "COMMIT_EDITMSG")
    if number % 3 == 0:
        time.sleep(0.05)
