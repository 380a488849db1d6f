"""A program that lists the TCP ports of a session, or joins its own streams with one.

Its text is sent by the host, so that it works whatever image the session has, and it imports nothing of
agent-session. `list` writes a line of JSON; `connect PORT` copies until either side has ended.
"""

import json
import os
import select
import socket
import sys
import time
from pathlib import Path

LISTENS = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
PIECE = 1 << 16
REST = 60.0
"""Seconds that an answer may go on for when nothing more is asked."""


def programs() -> dict[str, str]:
    """Map the inodes of sockets to the names of the programs that hold them."""
    found: dict[str, str] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            name = (process / "comm").read_text(errors="replace").strip()
            for entry in (process / "fd").iterdir():
                link = str(entry.readlink())
                if link.startswith("socket:["):
                    found[link[8:-1]] = name
        except OSError:  # it has ended, or is not ours
            continue
    return found


def listening() -> list[dict[str, object]]:
    """List the ports that something listens on, its program, and whether only the loopback has it."""
    names = programs()
    found: dict[int, dict[str, object]] = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for words in map(str.split, lines):
            if words[3] != LISTENS:
                continue
            address, port = words[1].split(":")
            one = found.setdefault(int(port, 16), {"port": int(port, 16), "program": "", "loopback": True})
            one["program"] = one["program"] or names.get(words[9], "")
            one["loopback"] = one["loopback"] and address in LOOPBACK
    return [found[port] for port in sorted(found)]


def reached(port: int) -> socket.socket:
    """Connect to a port of this session, by whichever of its two loopbacks there is."""
    try:
        return socket.create_connection(("127.0.0.1", port))
    except OSError:
        return socket.create_connection(("::1", port))


def copy(port: int) -> None:
    """Copy from standard input to the port, and from the port to standard output."""
    with reached(port) as peer:
        sources, end = [0, peer.fileno()], None
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            ready = select.select(sources, [], [], left)[0]
            if not ready:
                return
            if peer.fileno() in ready:
                piece = peer.recv(PIECE)
                if not piece:
                    return
                while piece:
                    piece = piece[os.write(1, piece) :]
            if 0 in ready:
                piece = os.read(0, PIECE)
                if piece:
                    peer.sendall(piece)
                else:
                    peer.shutdown(socket.SHUT_WR)
                    sources, end = [peer.fileno()], time.monotonic() + REST


def main() -> None:
    """Do what the arguments say."""
    if sys.argv[1] == "list":
        sys.stdout.write(json.dumps(listening()) + "\n")
        return
    try:
        copy(int(sys.argv[2]))
    except OSError as error:
        sys.stderr.write(f"port {sys.argv[2]}: {error.strerror or error}\n")
        sys.exit(3)


if __name__ == "__main__":
    main()
