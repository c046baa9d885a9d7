"""Servers of a test run: started by the first test that needs one, in whatever process, stopped when all is over.

The process that runs pytest makes a directory for them and names it in the environment, so that the workers of
pytest-xdist find it. What is started is noted there, and stopped by its process id at the end of the run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOM = "OMMI_TEST_SERVER_ROOM"
NOBODY = 65534


@dataclass(frozen=True)
class Running:
    """A server that runs: its process, the file that is there as long as it is, and where it listens."""

    pid: int
    sign: str
    url: str


def open_room() -> bool:
    """Make the directory for servers, if this process is the first; whether it was."""
    if ROOM in os.environ:
        return False
    room = tempfile.mkdtemp(prefix="ommi-servers-")
    os.chmod(room, 0o711)  # noqa: PTH101 - servers that refuse root run as somebody else
    os.environ[ROOM] = room
    return True


def close_room() -> None:
    """Stop every server, and remove the directory."""
    room = Path(os.environ.pop(ROOM))
    for note in room.glob("*.json"):
        stop(Running(**json.loads(note.read_text())))
    shutil.rmtree(room, ignore_errors=True)


def shared(name: str, start: Callable[[Path], Running]) -> Running:
    """The server of that name of this test run; the first to ask starts it, in a directory of its own."""
    room = Path(os.environ[ROOM])
    with _locked(room / f"{name}.lock"):
        note = room / f"{name}.json"
        if not note.exists():
            note.write_text(json.dumps(asdict(start(directory(room, name)))))
        return Running(**json.loads(note.read_text()))


def turn(name: str) -> AbstractContextManager[None]:
    """A turn at what the name stands for, of which the processes of this test run have one at a time."""
    return _locked(Path(os.environ[ROOM]) / f"{name}.lock")


def directory(room: Path, name: str) -> Path:
    """A new directory that the server may write to."""
    made = room / name
    made.mkdir()
    if os.geteuid() == 0:
        os.chown(made, NOBODY, NOBODY)
    return made


def stop(server: Running, patience: float = 30.0) -> None:
    """Ask a server to end, and make it, if it does not."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(server.pid, number)
        deadline = time.monotonic() + patience
        while Path(server.sign).exists():
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)  # another process's end cannot be waited for
        else:
            return


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
