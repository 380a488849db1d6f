"""What a session may write to the terminal that is attached to it: all that draws, nothing that does more."""

import itertools
import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_session.host import terminal_filter
from agent_session.host.terminal_filter import Filter

DRAWS = [
    b"text \xe2\x94\x82 \xf0\x9f\x91\x8d\r\n\t\x08\x07",
    b"\x1b[1;31mred\x1b[m \x1b[38;2;1;2;3m\x1b[48:2::1:2:3m\x1b[4:3m\x1b[58;5;1m",
    (
        b"\x1b[2J\x1b[H\x1b[12;40H\x1b[K\x1b[?J\x1b[3@\x1b[2P\x1b[1;"
        b"24r\x1b[5S\x1b[2T\x1b[10X\x1b[3b\x1b[7G\x1b[4d"
    ),
    (
        b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1000;"
        b"1006h\x1b[?1003l\x1b[?2026h\x1b[?2026l\x1b[?1h\x1b[4l\x1b[?7h"
    ),
    b"\x1b7\x1b8\x1b=\x1b>\x1bM\x1bD\x1bE\x1b(B\x1b)0\x1b#8\x0e\x0f",
    (
        b"\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[>q\x1b[?u\x1b[>1u\x1b[<u\x1b[=1;1u\x1b[>4;"
        b"1m\x1b[?2026$p\x1b[14t\x1b[16t\x1b[18t"
    ),
    b"\x1b[2 q\x1b[0 q\x1b[!p",
    (
        b"\x1b]8;;https://example.org/\xe2\x9c\x93\x1b\\link\x1b]8;;\x1b\\ "
        b"\x1b]8;id=a;file:///x\x07x\x1b]8;;\x07"
    ),
    b"\x1b]10;?\x1b\\\x1b]11;?\x07\x1b]4;0;?;1;?\x07\x1b]104\x07\x1b]111\x1b\\\x1b]22;pointer\x07",
]
HARMS = {
    b"\x1b]52;c;ZXZpbA==\x07": b"",
    b"\x1b]52;c;?\x07": b"",
    b"\x1b]52;c;ZXZpbA==\x1b\\": b"",
    b"\x1b]0;title\x07": b"",
    b"\x1b]2;title\x1b\\after": b"after",
    b"\x1b]9;notify\x07": b"",
    b"\x1b]777;notify;a;b\x07": b"",
    b"\x1b]1337;File=inline=1:AAAA\x07": b"",
    b"\x1b]7;file:///x\x07": b"",
    b"\x1b]4;1;red\x07": b"",
    b"\x1b]11;#000000\x07": b"",
    b"\x1b]50;font\x07": b"",
    b"\x1bP+q544e\x1b\\": b"",
    b'\x1bP$q"p\x1b\\': b"",
    b"\x1bP1;1|17/616263\x1b\\": b"",
    b"\x1b_Ga=T;AAAA\x1b\\": b"",
    b"\x1b^pm\x1b\\\x1bXsos\x1b\\": b"",
    b"\x1b[21t\x1b[20t\x1b[8;10;10t\x1b[2t\x1b[22;0t\x1b[5t": b"",
    b"\x1b[5i\x1b[4i\x1b[?5i": b"",
    b"\x1b[3J": b"",
    b"\x1b[?3h\x1b[?40h\x1b[?1;3h\x1b[?03l": b"",
    b"\x1b[1;1;1;1;10;10*y\x1b[#{\x1b[1#p\x1b[2;1'z\x1b[>1p": b"",
    b"\x1bc\x1bn\x1b|\x1bZ": b"",
    b"\x05": b"",
    b"\xc2\x9d52;c;ZXZpbA==\x07": b"52;c;ZXZpbA==\x07",
    b"\x9d0;x\x07": b"0;x\x07",
    b"a\x9b21t": b"a21t",
    b"\x1b\x00]52;c;AAAA\x07": b"\x00]52;c;AAAA\x07",
    b"\x1b[2\x001t": b"\x001t",
    b"\x1b[31\x1b]0;x\x07": b"",
    b"\x1b\x1b]0;x\x07": b"",
    b"\x1b]0;x\x1b[31m": b"\x1b[31m",
    b"\x1b]8;;x\n\x07": b"",
}


def passed(*pieces: bytes, clipboard: bool = False) -> bytes:
    one = Filter(clipboard=clipboard)
    return b"".join(map(one.passed, pieces))


@pytest.mark.parametrize("drawn", DRAWS, ids=repr)
def test_what_draws_passes_unchanged_however_it_is_cut(drawn: bytes) -> None:
    assert passed(drawn) == drawn
    assert passed(*(drawn[i : i + 1] for i in range(len(drawn)))) == drawn
    for cut in range(len(drawn)):
        assert passed(drawn[:cut], drawn[cut:]) == drawn


@pytest.mark.parametrize(("written", "left"), HARMS.items(), ids=repr)
def test_what_does_more_than_draw_does_not_pass_however_it_is_cut(written: bytes, left: bytes) -> None:
    assert passed(written) == left
    around = b"\x1b[1mbefore" + written + b"after\x1b[m"
    whole = passed(around)
    assert whole.startswith(b"\x1b[1mbefore")
    assert whole.endswith(b"after\x1b[m") or b"\x07" not in written[-1:] + b"\\"
    for cut in range(len(around)):
        assert passed(around[:cut], around[cut:]) == whole


def test_the_clipboard_and_titles_are_set_where_the_user_says_so_and_never_asked_for() -> None:
    for allowed in (b"\x1b]52;c;ZXZpbA==\x07", b"\x1b]0;title\x07", b"\x1b]2;t\xc3\xa9\x1b\\"):
        assert passed(allowed, clipboard=True) == allowed
    for refused in (b"\x1b]52;c;?\x07", b"\x1b[21t", b"\x1b]0;a\x01b\x07"):
        assert passed(refused, clipboard=True) == b""


def test_a_sequence_without_end_is_dropped_in_little_memory() -> None:
    one = Filter()
    assert one.passed(b"\x1b]52;c;") == b""
    for _ in range(64):
        assert one.passed(b"A" * 65536) == b""
        assert len(one._held) <= terminal_filter.LONGEST + 65536
    assert one.passed(b"AA\x07shown") == b"\x07shown"


BITS = [
    b"\x1b",
    b"]",
    b"52;c;QQ==",
    b"0;t",
    b"[",
    b"21t",
    b"P",
    b"\\",
    b"\x07",
    b"\x9d",
    b"\xc2",
    b"\x05",
    b"8;;",
    b"\x00",
    b"m",
    b"\x18",
    b"a",
]


@given(st.lists(st.sampled_from(BITS), max_size=30), st.lists(st.integers(0, 60), max_size=4))
def test_no_bytes_and_no_cuts_make_a_forbidden_sequence(bits: list[bytes], cuts: list[int]) -> None:
    written = b"".join(bits)
    places = sorted({0, len(written), *(cut for cut in cuts if cut < len(written))})
    shown = passed(*(written[a:b] for a, b in itertools.pairwise(places)))
    again = Filter()
    assert again.passed(shown) + again._held == shown


def test_a_command_is_run_with_its_status_size_and_keys() -> None:
    script = "stty size; read line; printf 'got %s \\033]0;title\\007\\033[1mbold' \"$line\"; exit 7"
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=slave, check=True)
    words = [sys.executable, "-IS", terminal_filter.__file__, "sh", "-c", script]
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        shown = b""
        while b"33 77" not in shown:
            shown += os.read(master, 1000)
        os.write(master, b"typed\r")
        while b"bold" not in shown:
            shown += os.read(master, 1000)
        assert process.wait(10) == 7
    os.close(master)
    assert b"got typed \x1b[1mbold" in shown


def test_an_enter_with_modifiers_is_typed_as_kitty_has_it() -> None:
    assert terminal_filter.keys(b"a\x1b[27;2;13~b\x1b[27;5;9~\x1b") == b"a\x1b[13;2ub\x1b[27;5;9~\x1b"
    assert terminal_filter.keys(b"\x1b[27;2;13") == b"\x1b[27;2;13"
