"""The refs of a repository whose refs are reftables (git 2.45 and later), read without running git.

The format is git's Documentation/technical/reftable. An agent may have written the tables: all is bounded.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from agent_session.host import nofollow

FOLDER = "reftable"
LIST = "tables.list"
LARGEST_LIST = 100_000
LARGEST = 50_000_000
"""Bytes of one table; a ref takes about 50."""
MOST_TABLES = 200
HEADERS = {1: 24, 2: 28}
"""Bytes of a table's header, by its version."""
DELETED, ONE, PEELED, SYMBOLIC = range(4)


def values(git: Path) -> list[str]:
    """What the refs of a git directory are now: ids of objects, in no order; [] where it has no reftables.

    HEAD is among them where it names a commit itself.
    """
    refs: dict[bytes, str] = {}
    for table in _tables(git):
        try:
            refs |= dict(_records(table))
        except (IndexError, struct.error, KeyError, ValueError):
            continue  # not a table, or half of one
    return [value for value in refs.values() if value]


def _tables(git: Path) -> Iterator[bytes]:
    """The tables, the oldest first; each says what has changed since."""
    try:
        listed = nofollow.read(git, FOLDER, LIST, largest=LARGEST_LIST).decode("ascii", "replace").split()
    except OSError:
        return
    for name in listed[:MOST_TABLES]:
        if "/" not in name and name not in {".", ".."}:
            try:
                yield nofollow.read(git, FOLDER, name, largest=LARGEST)
            except OSError:
                continue


def _records(table: bytes) -> Iterator[tuple[bytes, str]]:
    """Each ref of a table with the id that it names; "" for one that is gone or names another ref."""
    if table[:4] != b"REFT":
        return
    header = HEADERS[table[4]]
    size = int.from_bytes(table[5:8])
    length = 32 if table[4] == 2 and table[24:28] == b"s256" else 20
    start, at = 0, header
    while table[at : at + 1] == b"r":
        end = start + int.from_bytes(table[at + 1 : at + 4])
        restarts = struct.unpack_from(">H", table, end - 2)[0]
        yield from _block(table[at + 4 : end - 2 - 3 * restarts], length)
        # A block is filled with zeros up to its size, or the next one follows it at once.
        start = start + size if size and table[end : end + 1] in {b"", b"\0"} else end
        if end <= at:
            return
        at = start


def _block(block: bytes, length: int) -> Iterator[tuple[bytes, str]]:
    name, at = b"", 0
    while at < len(block):
        prefix, at = _number(block, at)
        both, at = _number(block, at)
        suffix, kind = both >> 3, both & 7
        name = name[:prefix] + block[at : at + suffix]
        _, at = _number(block, at + suffix)  # when it was written
        last = at + length * (kind - 1)  # of a tag, the commit that it is of
        value = block[last : last + length].hex() if kind in {ONE, PEELED} else ""
        if kind == SYMBOLIC:
            target, at = _number(block, at)
            at += target
        elif kind not in {DELETED, ONE, PEELED}:
            raise ValueError(f"a record of the kind {kind}")
        at += length * (kind if kind in {ONE, PEELED} else 0)
        yield name, value


def _number(block: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    byte = block[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = block[at]
        value = ((value + 1) << 7) | (byte & 0x7F)
    return value, at + 1
