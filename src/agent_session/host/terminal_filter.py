"""Runs a command on a terminal of its own, and shows here what draws of all that it writes.

A program in a container may write anything to a terminal that is attached to it. What sets the clipboard or
the title, asks for them, prints, resizes, defines keys or resets does not go through. This file is run by
itself, as `python -IS terminal_filter.py [--clipboard] COMMAND...`: a process that lives as long as somebody
is attached needs no more of the program than this.
"""

import os
import pty
import sys

LONGEST = 1 << 20
"""Bytes of an unfinished sequence that are held back; a longer one is dropped."""
PIECE = 1 << 16
FALLBACK_STATUS = 255

CONTROLS = rb"\x05|\xc2[\x80-\x9f]"
"""An enquiry, which makes a terminal type its answerback; and the controls of 8 bits (ECMA-48, C1), each of
which begins a sequence in terminals that know them: nothing here uses them."""
LOOSE = rb"(?<![\xc2-\xf4])(?<![\xe0-\xf4][\x80-\xbf])(?<![\xf0-\xf4][\x80-\xbf]{2})[\x80-\x9f]"
"""The same controls as bytes that are part of no character, in what is not UTF-8."""
STRING = rb"[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?"
"""What a string (OSC, DCS, APC, PM, SOS) is after its ESC."""
END = rb"(?:\x07|\x1b\\)"
TEXT = rb"[^\x00-\x1f\x7f]*"
MODES = (
    rb"\[(?!\?(?:[0-9]*;)*0*(?:3|40)[;hl])"
    rb"[<=>?]?[0-9;:]*(?:[ !\"$][pq]|[@-IKLMPSTXZ`a-hl-nqr-su])"
)
"""Sequences that draw or choose how keys and the mouse are told. Not the modes 3 and 40 (columns), i (print),
p alone, t (windows), x to z, and those of rarer intermediates: some read the screen back."""
ERASE = rb"\[\??[012]?J"
"""Not 3: it erases what the terminal showed before."""
SIZES = rb"\[1[4689]t"
"""Questions for the size, in characters and pixels."""
PLAIN = rb"[78=>DEHM\\]|[()*+][0-9A-Z]|%G|#[3-68]"
OSC = rb"\](?:8;" + TEXT + rb"|4(?:;[0-9]+;\?)+|1[0-2];\?|104(?:;[0-9]+)*|11[0-2]|22;[a-z-]*)" + END
"""Links; questions for colours, and colours put back as they were; the pointer's shape."""
CLIPBOARD = rb"\](?:52;[a-z0-7]*;[A-Za-z0-9+/=]*|[012];" + TEXT + rb")" + END
"""What --clipboard lets through: the clipboard is set, never asked for; a title."""
OTHER_ENTER = rb"\x1b\[27;([0-9]{1,3});13~"
"""Enter with modifiers, as xterm's modifyOtherKeys sends it, and terminals that were set up so."""
UNFINISHED = rb"\x1b(?:[\]P_^X][^\x07\x1b]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)\Z|[\xc2-\xf4][\x80-\xbf]{0,2}\Z"
"""The beginning of a sequence, or of a character of several bytes, at the end of a piece."""


class Filter:
    """Bytes for a terminal, piece by piece."""

    def __init__(self, *, clipboard: bool = False) -> None:
        """Let the clipboard and titles be set with `clipboard`."""
        import re  # a few milliseconds, in which the command has begun already

        allowed = [MODES, ERASE, SIZES, PLAIN, OSC, *([CLIPBOARD] if clipboard else [])]
        forbidden = (
            rb"\x1b(?!" + b"|".join(allowed) + rb")(?:" + STRING + rb"|\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~]?)"
        )
        self._forbidden = re.compile(forbidden + rb"|" + CONTROLS)
        self._loose = re.compile(LOOSE)
        self._unfinished = re.compile(UNFINISHED)
        self._string_end = re.compile(rb"\x07|\x18|\x1a|\x1b")
        self._held = b""
        self._dropping = False

    def passed(self, piece: bytes) -> bytes:
        """Return what of the bytes so far may be shown now."""
        if self._dropping:
            end = self._string_end.search(piece)
            if end is None:
                return b""
            self._dropping = False
            piece = piece[end.start() :]
        text = self._held + piece
        last = text.rfind(b"\x1b")  # which may be half of a string's end
        unfinished = self._unfinished.search(text, max(0, text.rfind(b"\x1b", 0, max(0, last))))
        whole = text[: unfinished.start()] if unfinished else text
        self._held = text[len(whole) :]
        if len(self._held) > LONGEST:
            self._held, self._dropping = b"", True
        return self._forbidden.sub(b"", self._without_loose(whole))

    def _without_loose(self, text: bytes) -> bytes:
        try:
            text.decode()
        except UnicodeDecodeError:
            return self._loose.sub(b"", text)
        return text


def keys(typed: bytes) -> bytes:
    """Return what was typed, with each Enter as Kitty's protocol has it.

    In the other form Zellij 0.44 takes Shift from it.
    """
    if b"\x1b[27;" not in typed:
        return typed
    import re

    return re.sub(OTHER_ENTER, b"\x1b[13;\\1u", typed)


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    clipboard = arguments[:1] == ["--clipboard"]
    command = arguments[clipboard:]
    size = _size()
    child, terminal = pty.fork()
    if child == 0:
        _give_size(0, size)  # before the command can ask for it
        os.execvp(command[0], command)
    import signal
    import termios
    import tty

    signal.signal(signal.SIGWINCH, lambda *_: _give_size(terminal, _size()))
    _give_size(terminal, _size())  # it may have changed since the fork
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        _exchange(terminal, Filter(clipboard=clipboard))
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & FALLBACK_STATUS


def _size() -> bytes:
    """Return the size of this terminal as the kernel keeps it; nothing where there is none."""
    import fcntl
    import termios

    try:
        return fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return b""


def _give_size(terminal: int, size: bytes) -> None:
    """Give a terminal a size; the kernel tells who runs on it."""
    import fcntl
    import termios

    try:
        if size:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
    except OSError:  # the other side is closed
        pass


def _exchange(terminal: int, shown: Filter) -> None:
    """Pass keys on, and the filtered output, until the command's terminal is closed."""
    import select

    os.set_blocking(terminal, False)
    typed, ended = b"", False
    while True:
        reading = [terminal, *([0] if not typed and not ended else [])]
        ready, writable, _ = select.select(reading, [terminal] if typed else [], [])
        if terminal in ready:
            piece = _read(terminal)
            if piece == b"":
                return
            if piece:
                _write(shown.passed(piece))
        if 0 in ready:
            typed = keys(_read(0) or b"")
            ended = not typed
        if typed and (writable or 0 in ready):
            typed = _typed(terminal, typed)


def _read(descriptor: int) -> bytes | None:
    """Read what is there; None for nothing yet, b"" at the end."""
    try:
        return os.read(descriptor, PIECE)
    except BlockingIOError:
        return None
    except OSError:  # a terminal whose other side is closed
        return b""


def _write(content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(1, rest) :]


def _typed(terminal: int, content: bytes) -> bytes:
    """Type into the command's terminal; return what it does not take yet."""
    try:
        return content[os.write(terminal, content) :]
    except BlockingIOError:
        return content
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
