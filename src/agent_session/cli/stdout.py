"""Standard output that can be recognised in an error.

The error of a failed write carries no file's name in Python.
"""

import io
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NAME = "standard output"


class _Named(io.FileIO):
    """A file whose failed writes carry NAME."""

    def write(self, data: "ReadableBuffer", /) -> Any:
        """Write as every file does; OSError with NAME as its file's name."""
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, NAME) from None


def end_with_reader() -> None:
    """From now on Interrupted is raised in the main thread as soon as nobody reads stdout any more.

    For what writes seldom: without it `agent-session logs -f | head -1` ends with the second line. Only a
    pipe or a socket has such a reader.
    """
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):
        return
    from agent_session.host import signals

    signals.raise_on(signal.SIGPIPE)
    threading.Thread(target=_await_end, args=(descriptor,), daemon=True).start()


def _await_end(descriptor: int) -> None:
    waited = select.poll()
    waited.register(descriptor, 0)  # an error is told of anyway
    for _, event in waited.poll():
        if event & select.POLLERR:
            os.kill(os.getpid(), signal.SIGPIPE)


def named(stream: TextIO) -> TextIO:
    """The stream with failed writes that carry NAME.

    A stream that is no open file of the system stays as it is.
    """
    try:
        stream.flush()
        file = _Named(stream.fileno(), "wb", closefd=False)
    except (AttributeError, OSError, ValueError):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=getattr(stream, "line_buffering", False),
    )
