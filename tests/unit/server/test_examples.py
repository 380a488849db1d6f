"""The commands that docs/server.md shows run as they are written."""

import subprocess

from tests.documents import blocks
from tests.served import Served
from tests.storage import REPOSITORY


def test_the_curl_lines_do_what_they_say(served: Served) -> None:
    (block,) = [text for _, text in blocks(REPOSITORY / "docs" / "server.md") if "api() {" in text]
    lines = [line for line in block.splitlines() if not line.startswith("TOKEN=")]
    script = "\n".join(lines).replace("--max-time 60", "--max-time 2")
    done = subprocess.run(
        ["bash", "-c", f"URL={served.url}\nTOKEN={served.token()}\n{script}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "no_proxy": "*"},
    )
    assert '"id":"fix-login"' in done.stdout, done.stderr
    assert '"content":"You said why is the login page slow?"' in done.stdout
    assert "event: snapshot" in done.stdout
