"""Ports of a session, from this machine: published at its start, forwarded while it runs; and no network."""

import json
import signal
import socket
import urllib.request

from tests.account import Account
from tests.waiting import until

SERVER = "nohup python3 -m http.server {port} --bind {address} >/dev/null 2>&1 </dev/null &"


def read(port: int, path: str = "note") -> bytes | None:
    """What a web server at that port of this machine has there; None where none answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20) as answer:
            content: bytes = answer.read()
            return content
    except OSError:
        return None


def free(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_a_port_of_a_session_is_reached_from_this_machine(account: Account) -> None:
    published, forwarded = free(2)
    project = account.project(note="here")
    (project / "big").write_bytes(b"x" * 5_000_000)
    account.ok("start", "-d", "-a", "shell", "-n", "web", "-p", f"{published}:3000", cwd=project)
    for port, address in ((3000, "0.0.0.0"), (3001, "127.0.0.1")):
        account.inside("web", "sh", "-c", SERVER.format(port=port, address=address))
    until(lambda: read(published) == b"here", "the published port answers")

    told = json.loads(account.ok("ports", "web", "--json"))
    assert {(one["port"], one["loopback"]) for one in told["listening"]} >= {(3000, False), (3001, True)}
    assert f"127.0.0.1:{published}" in account.ok("ports", "web")

    forward = account.begin("ports", "web", "--publish", f"{forwarded}:3001")
    until(lambda: read(forwarded) == b"here", "the forward answers")
    assert read(forwarded, "big") == b"x" * 5_000_000
    forward.send_signal(signal.SIGINT)
    forward.communicate(timeout=30)
    assert forward.returncode == 130
    assert read(forwarded) is None
    until(lambda: "connect" not in account.inside("web", "ps", "-eo", "args"), "nothing is left inside")

    taken = account.run("start", "-d", "-a", "shell", "-n", "two", "-p", f"{published}:3000", cwd=project)
    assert (taken.code, "taken by session 'web'" in taken.err) == (5, True), taken
    account.ok("restart", "-d", "web")
    account.inside("web", "sh", "-c", SERVER.format(port=3000, address="0.0.0.0"))
    until(lambda: read(published) == b"here", "the port is published again")
    account.ok("stop", "web")


def test_a_session_without_a_network_reaches_nothing(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "off", "--network", "none", cwd=account.project())
    assert account.inside("off", "ls", "/sys/class/net").split() == ["lo"]
    assert "network none" in account.ok("ls")
    account.ok("stop", "off")
