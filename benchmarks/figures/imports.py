"""What it takes to import Ommi and to install it, against its dependencies and its peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

from benchmarks.figures.asked import Asked
from benchmarks.results import Figure

__all__ = ["measure", "size"]

_DEPENDENCIES = ("anyio", "returns", "typing_extensions")
_BASE = "returns and anyio"
_TIMED = """
import time
start = time.perf_counter()
{}
print((time.perf_counter() - start) * 1e3)
"""
_LIBRARIES = """
import returns.context, returns.future
from anyio import CancelScope, create_task_group, get_cancelled_exc_class, sleep
"""
_EMPTY_RUN = """
import asyncio, dataclasses, typing
import anyio._backends._asyncio, returns.context, returns.future

async def main():
    pass

asyncio.run(main())
"""
_FIRST_RUN = """
import asyncio
from dataclasses import dataclass
from typing import Annotated
from ommi import Key, Ommi, add, auto, find, ommi_model

@ommi_model
@dataclass
class User:
    name: str
    id: Annotated[int, Key] = auto()

async def main():
    async with Ommi.connect("memory://") as db:
        (await db.run(db.schema.create())).unwrap()
        (await db.run(add(User("Ada")))).unwrap()
        assert (await db.run(find(User, User.name == "Ada").one())).unwrap().name == "Ada"

asyncio.run(main())
"""
_LOADED = """
import json, sys
before = set(sys.modules)
import ommi
print(json.dumps([name for name in sys.modules if name not in before]))
"""
_IMPORTS = {
    "ommi": ("ommi",),
    "ommi and its SQLite driver": ("ommi", "ommi.drivers.sqlite"),
    "ommi, its PostgreSQL driver and asyncpg": ("ommi", "ommi.drivers.postgres", "asyncpg"),
    "sqlalchemy": ("sqlalchemy.ext.asyncio", "sqlalchemy.orm"),
    "sqlmodel": ("sqlmodel", "sqlmodel.ext.asyncio.session"),
    "tortoise": ("tortoise", "tortoise.models", "tortoise.fields"),
    "piccolo": ("piccolo.table", "piccolo.columns"),
    "django": ("django.db.models",),
    "peewee": ("peewee", "playhouse.pwasyncio"),
}
_PEERS = ("sqlalchemy", "sqlmodel", "tortoise-orm", "piccolo", "django", "peewee", "beanie")


def measure(asked: Asked) -> Figure:
    """Milliseconds, the median of processes that do nothing else, in turns."""
    imports = {**_IMPORTS, "of these, what ommi imports": _loaded()}
    wanted = {_BASE: _LIBRARIES}
    wanted |= {name: "\n".join(f"import {module}" for module in modules) for name, modules in imports.items()}
    wanted["returns, anyio and an empty run of asyncio"] = _EMPTY_RUN
    wanted["ommi, a model and its first query, on memory://"] = _FIRST_RUN
    found: dict[str, list[float]] = {name: [] for name in wanted}
    with TemporaryDirectory() as compiled:
        for program in wanted.values():
            _milliseconds(program, compiled)
        for _ in range(max(asked.repeat, 3) * 2):
            for name, program in wanted.items():
                found[name].append(_milliseconds(program, compiled))
    base = median(found[_BASE])
    lines: dict[str, dict[str, float | None]] = {
        name: {"ms": median(times), f"× {_BASE}": median(times) / base} for name, times in found.items()
    }
    return Figure("Time to import", "ms", lines)


def size(asked: Asked) -> Figure:
    """Megabytes of the files that are installed, without compiled copies."""
    lines: dict[str, dict[str, float | None]] = {}
    for name in ("ommi", *_PEERS):
        needed = _closure(name) - {name}
        own = _project() if name == "ommi" else _files(distribution(name))
        lines[name] = {"itself": own / 1e6, "with all it needs": (own + sum(map(_installed, needed))) / 1e6}
    return Figure("Installed size", "MB", lines)


def _loaded() -> Sequence[str]:
    """The modules of its dependencies that `import ommi` loads, in that order."""
    done = subprocess.run([sys.executable, "-c", _LOADED], check=True, stdout=subprocess.PIPE, text=True)
    names: list[str] = json.loads(done.stdout)
    return [name for name in names if name.partition(".")[0] in _DEPENDENCIES]


def _milliseconds(program: str, compiled: str) -> float:
    """In a process that finds all it imports compiled, after the first."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", _TIMED.format(program)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return float(done.stdout)


def _closure(name: str) -> set[str]:
    """The distribution and all it requires without extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            needed = map(Requirement, requires(one) or ())
            waiting += [
                need.name.lower() for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})
            ]
    return found


def _installed(name: str) -> int:
    try:
        return _files(distribution(name))
    except PackageNotFoundError:
        return 0


def _files(found: Distribution) -> int:
    paths = [Path(str(file.locate())) for file in found.files or () if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def _project() -> int:
    """This project is installed as a link to its sources."""
    import ommi

    return sum(
        path.stat().st_size for path in Path(ommi.__file__).parent.rglob("*") if path.suffix in {".py", ".typed"}
    )
