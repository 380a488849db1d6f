"""Fuzzers: what comes out of a container or an archive is read without a traceback,
in bounded time and memory.

Two seconds each in `make test`; AGENT_SESSION_FUZZ_SECONDS says how many in `make nightly`.
"""

import contextlib
import io
import json
import os
import resource
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_session import sanitize
from agent_session.activity import event_log, protocol, state
from agent_session.errors import AgentSessionError
from agent_session.host.terminal_filter import Filter
from agent_session.sessions import archive, untrusted_tar
from agent_session.workspace import git_config

SECONDS = float(os.environ.get("AGENT_SESSION_FUZZ_SECONDS", "2"))
MEMORY = 300 << 20
MOMENTS = st.sampled_from(
    ["2026-11-28T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-11-28", "", "9" * 50]
)
TEXTS = (
    st.text(max_size=40)
    | MOMENTS
    | st.sampled_from(["\x1b]52;c;AA\x07", "\u202e", "../..", "/etc", "\0", "waiting", "idle"])
)
KEYS = st.sampled_from(
    [
        "value",
        "since",
        "reason",
        "question",
        "text",
        "choices",
        "writer",
        "state",
        "time",
        "event",
        "detail",
        "kind",
        "id",
        "models",
        "name",
        "default",
        "entries",
        "role",
        "ended",
        "error",
        "projects",
        "source",
        "target",
        "options",
        "agent",
        "format",
        "made_by",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS | TEXTS, inner, max_size=8),
    max_leaves=25,
)
LINES = VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)
DEEP = st.sampled_from(
    [b"[" * 100_000, b'{"a":' * 50_000, b'"' + b"\\u0000" * 10_000 + b'"', b"1" * 10_000, b"-1e999", b"NaN"]
)


def fuzzed(inputs: "st.SearchStrategy[Any]", read: Callable[[Any], object]) -> None:
    """Try inputs for SECONDS; each is read or refused by an error of ours, within a second and MEMORY."""
    end = time.monotonic() + SECONDS
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs)
    def once(value: Any) -> None:
        if time.monotonic() > end:
            return
        begun = time.process_time()
        with contextlib.suppress(AgentSessionError):
            read(value)
        assert time.process_time() - begun < 5

    while time.monotonic() < end:
        once()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MEMORY


def test_states() -> None:
    def read(content: bytes) -> None:
        writer, said = state.writer_and_state(content)
        found = state.parsed(said)
        assert found.value in state.VALUES
        assert sanitize.shown(found.reason) == found.reason
        if writer:
            state.lives(writer, content)
        datetime.now(UTC).astimezone()

    wrapped = VALUES.map(lambda value: json.dumps({"writer": [1, 2], "state": value}).encode())
    fuzzed(LINES | DEEP | wrapped, read)


def test_events() -> None:
    def read(lines: list[bytes]) -> None:
        for event in event_log._parsed(b"\n".join(lines)):
            event.time.astimezone()
            event_log.sentence(event)

    whole = st.fixed_dictionaries(
        {
            "time": MOMENTS,
            "event": st.sampled_from([*event_log.SENTENCES, "state", "prompt", "agent-end", "x"]),
            "detail": VALUES,
        }
    )
    fuzzed(st.lists(LINES | DEEP | whole.map(lambda value: json.dumps(value).encode()), max_size=6), read)


@pytest.mark.parametrize(
    "reading", [protocol.event, protocol.models, protocol.entries], ids=["answers", "models", "history"]
)
def test_answers_models_and_history(reading: Callable[[Any], object]) -> None:
    def read(line: bytes) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # conversation.py calls those broken
            reading(protocol.parsed(line))

    fuzzed(LINES | DEEP, read)


def test_manifests(tmp_path: Path) -> None:
    file = tmp_path / "x.tar.zst"

    def read(content: bytes) -> None:
        file.write_bytes(content)
        archive.read_manifest(file)

    framed = (LINES | DEEP).map(lambda said: archive.FRAME.pack(archive.SKIPPABLE, len(said)) + said)
    huge = st.sampled_from([archive.FRAME.pack(archive.SKIPPABLE, 2**32 - 1), b"\x50\x2a\x4d\x18", b""])
    fuzzed(framed | huge | st.binary(max_size=100), read)


NAMES = st.sampled_from(
    ["top", "top/a", "top/../x", "/x", "top/b/c", "top/a/b", "other", ".", "./top", "top//a", "top/\udcff"]
)


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    written = io.BytesIO()
    with tarfile.open(
        fileobj=written, mode="w", format=draw(st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
    ) as tar:
        for name in ["top", *draw(st.lists(NAMES, max_size=6))]:
            entry = tarfile.TarInfo(name)
            entry.type = draw(
                st.sampled_from(
                    [
                        tarfile.REGTYPE,
                        tarfile.DIRTYPE,
                        tarfile.SYMTYPE,
                        tarfile.LNKTYPE,
                        tarfile.FIFOTYPE,
                        tarfile.CHRTYPE,
                    ]
                )
            )
            entry.linkname = draw(NAMES)
            entry.mode = draw(st.integers(0, 0o7777))
            entry.mtime = draw(st.sampled_from([0, 1, -1, 2**33, 2**60]))
            entry.size = 3 if entry.isreg() else 0
            tar.addfile(entry, io.BytesIO(b"abc"))
    content = bytearray(written.getvalue())
    for place in draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)


def test_tars(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    count = iter(range(10**9))

    def read(content: bytes) -> None:
        folder = tmp_path / "in" / str(next(count))
        folder.mkdir(parents=True)
        untrusted_tar.receive(io.BytesIO(content), f"{folder}/got", name="got", fenced=[])
        assert not [
            path
            for path in folder.rglob("*")
            if path.is_symlink() and not path.resolve().is_relative_to(folder)
        ]

    fuzzed(tars() | st.binary(max_size=2000), read)
    assert list(outside.iterdir()) == []


def test_gits_config() -> None:
    words = st.sampled_from(
        [
            "[core]\n",
            "fsmonitor = x\n",
            "\\",
            '"',
            "[include]\n",
            "path = a\n",
            "[",
            "]",
            "\n",
            "=",
            "#",
            " ",
            "\0",
            "é",
            '[a "b',
        ]
    )
    fuzzed(
        st.lists(words, max_size=60).map("".join) | st.text(max_size=200),
        lambda text: list(git_config.parse(text)),
    )


def test_terminals() -> None:
    bits = st.sampled_from(
        [
            b"\x1b",
            b"]",
            b"[",
            b"52;c;QQ==",
            b"\x07",
            b"\x1b\\",
            b"\x9d",
            b"\xc2",
            b"\xe2\x94",
            b"m",
            b"1;2",
            b"\0",
        ]
    )
    fuzzed(
        st.lists(bits | st.binary(max_size=9), max_size=60),
        lambda pieces: [Filter().passed(b"".join(pieces)), *map(Filter().passed, pieces)],
    )
