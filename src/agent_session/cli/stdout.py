"""Standard output that can be recognised in an error.

The error of a failed write carries no file's name in Python.
"""

import io
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
