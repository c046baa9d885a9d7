"""Rows put aside in a file that has no name, to be read again in their order."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, Final, final

from ommi.errors import QueryRejected

__all__ = ["Spool"]

_IN_MEMORY: Final = 1 << 20  # bytes
_SIZE: Final = Struct("Q")


@final
class Spool:
    """Lists of rows, first in and first out: all of them are written, then `rewind`, then all are read.

    Small ones stay in memory. `dumps` and `loads` are inverse functions of a list of rows.
    """

    def __init__(self, dumps: Callable[[list[Any]], bytes], loads: Callable[[bytes], list[Any]]) -> None:
        from tempfile import SpooledTemporaryFile  # here, because it is slow to import

        self._dumps = dumps
        self._loads = loads
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it stays open

    def write(self, rows: list[Any]) -> None:
        """Add a list; `QueryRejected` where there is no room for it."""
        data = self._dumps(rows)
        try:
            self._file.write(_SIZE.pack(len(data)))
            self._file.write(data)
        except OSError as error:
            raise QueryRejected(
                f"the rows of an open stream could not be put aside in a file: {error}",
                hint="make room for temporary files, or read the stream before the transaction writes",
            ) from error

    def rewind(self) -> None:
        """From now on they are read."""
        self._file.seek(0)

    def read(self) -> list[Any]:
        """The next list; an empty one at the end."""
        size = self._file.read(_SIZE.size)
        return self._loads(self._file.read(*_SIZE.unpack(size))) if size else []

    def close(self) -> None:
        """Forget them."""
        self._file.close()
