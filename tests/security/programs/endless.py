"""endless.py FILES: makes a session answer with endless output, pipes and dates of the year 9999.

FILES are made in each of three folders.
"""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

files = int(sys.argv[1])
home, run = Path.home(), Path("/run/agent-session")
PROGRAMS = (
    "cat date find git head jq ls python3 sh stat tail tar timeout tini zellij zstd session-seed session-run"
)

bin_ = home / ".local" / "bin"
bin_.mkdir(parents=True, exist_ok=True)
for name in PROGRAMS.split():
    (bin_ / name).write_text("#!/bin/bash\nexec /bin/cat /dev/zero\n")
    (bin_ / name).chmod(0o755)
modules = home / ".local/lib/python3.13/site-packages"
modules.mkdir(parents=True, exist_ok=True)
(modules / "usercustomize.py").write_text("while True:\n    print('x' * 1000000)\n")

events = home / ".local/state/agent-session"
shutil.rmtree(events / "events.1.jsonl", ignore_errors=True)
line = {
    "time": "9999-12-31T23:59:59.999Z",
    "event": "state",
    "detail": {"value": "waiting", "reason": "x" * 9000},
}
with (events / "events.jsonl").open("w") as file:
    for _ in range(20_000):
        file.write(json.dumps(line) + "\n")
    file.write("[" * 200_000)
with contextlib.suppress(OSError):
    (run / "state").unlink()
os.mkfifo(run / "state")
for folder in (home, Path("/workspace"), Path("/workspace/app")):
    for number in range(20):
        with contextlib.suppress(FileExistsError):
            os.mkfifo(folder / f"pipe{number}")
for folder in (home / "many", Path("/workspace/many"), Path("/workspace/app/many")):
    for number in range(files):
        if number % 1000 == 0:
            (folder / str(number // 1000)).mkdir(parents=True, exist_ok=True)
        (folder / str(number // 1000) / str(number)).touch()
for number in range(30):
    git = Path(f"/workspace/app/planted{number}/.git")
    for folder in ("objects", "refs"):
        (git / folder).mkdir(parents=True, exist_ok=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    with contextlib.suppress(FileExistsError):
        os.mkfifo(git / "config")
