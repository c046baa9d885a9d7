"""What `import ommi` gives, costs and does not do."""

import inspect
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import ommi

ROOT = Path(__file__).resolve().parent.parent

PUBLIC = [
    "BoundEffect",
    "BoundQuery",
    "BoundRows",
    "BoundStream",
    "BsonDate",
    "Check",
    "CheckViolation",
    "Column",
    "CommitUnknown",
    "ConnectionFailed",
    "ConnectionLost",
    "ConstraintViolation",
    "DatabaseError",
    "Deadlock",
    "DecodeError",
    "Effect",
    "EncodeError",
    "Expression",
    "Failure",
    "ForeignKeyViolation",
    "Grouped",
    "Index",
    "InvalidCursor",
    "IsolationLevel",
    "Joined",
    "Key",
    "LoadState",
    "LockTimeout",
    "MaxLength",
    "ModelCollection",
    "MultipleFound",
    "Naive",
    "NotFound",
    "NotNullViolation",
    "Ommi",
    "OmmiError",
    "OnDelete",
    "OpenStream",
    "Outcome",
    "Page",
    "PermissionDenied",
    "PoolTimeout",
    "Predicate",
    "Prog",
    "Query",
    "QueryRejected",
    "ReferenceTo",
    "Related",
    "Rows",
    "Schedule",
    "SchemaMismatch",
    "SerializationConflict",
    "ServerDefault",
    "StaleRecord",
    "StatementTimeout",
    "StoreAs",
    "Stream",
    "Success",
    "ToMany",
    "ToOne",
    "Trace",
    "TraceStep",
    "Traced",
    "Transaction",
    "TransactionConflict",
    "TransactionOptions",
    "Unavailable",
    "Unique",
    "UniqueViolation",
    "UnsupportedOperation",
    "Version",
    "add",
    "add_all",
    "add_stream",
    "advisory_lock",
    "alias",
    "all_of",
    "alt",
    "any_of",
    "attempt",
    "auto",
    "avg",
    "bind",
    "bracket",
    "catch",
    "col",
    "count",
    "delete",
    "effect",
    "execute",
    "exists_",
    "find",
    "gather",
    "global_collection",
    "lash",
    "map_",
    "max_",
    "min_",
    "mongo",
    "not_",
    "ommi_model",
    "optional",
    "race",
    "ref",
    "reload",
    "requires_database",
    "save",
    "sleep",
    "sql",
    "sum_",
    "tap",
    "traverse",
    "upsert",
    "upsert_all",
    "validate",
]

DRIVERS = {
    "memory": ["MEMORY", "MemoryDriver", "MemoryStore", "MemoryTransaction", "from_url"],
    "mongo": ["MongoDriver", "from_url"],
    "postgres": ["PostgresDriver", "PostgresTransaction", "from_url"],
    "sqlite": ["AioSQLiteDriver", "SQLiteDriver", "SQLiteTransaction", "from_url"],
}

# Imported by drivers, by the models of a user, or by tests: never by `import ommi`.
OPTIONAL = {
    "aiosqlite",
    "asyncpg",
    "attr",
    "attrs",
    "bson",
    "hypothesis",
    "motor",
    "msgspec",
    "mypy",
    "psycopg",
    "pydantic",
    "pymongo",
    "pytest",
    "sqlite3",
    "trio",
}


def test_the_public_names_are_these() -> None:
    assert sorted(ommi.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", DRIVERS)
def test_the_public_names_of_a_driver_are_these(name: str) -> None:
    assert import_module(f"ommi.drivers.{name}").__all__ == DRIVERS[name]


def test_the_public_names_are_sorted_as_ruff_sorts_them() -> None:
    assert ommi.__all__ == sorted(name for name in ommi.__all__ if not name[0].islower()) + sorted(
        name for name in ommi.__all__ if name[0].islower()
    )


def test_a_star_import_gives_the_public_names_and_no_other() -> None:
    namespace: dict[str, Any] = {}
    exec("from ommi import *", namespace)
    assert sorted(namespace.keys() - {"__builtins__"}) == sorted(PUBLIC)


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isroutine(getattr(ommi, name, None))])
def test_a_function_says_what_it_does(name: str) -> None:
    first = (inspect.getdoc(getattr(ommi, name)) or "").partition("\n")[0]
    assert re.fullmatch(r"[A-Z`].+[.`:]", first)


def test_the_package_says_that_it_is_typed() -> None:
    assert files("ommi").joinpath("py.typed").is_file()


def test_the_version_is_written_once() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in declared["project"]
    assert declared["project"]["dynamic"] == ["version"]
    source = ROOT / declared["tool"]["hatch"]["version"]["path"]
    assert source == Path(ommi.__file__)
    assert re.findall(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE) == [ommi.__version__]
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", ommi.__version__)


def python(code: str) -> str:
    """What a new interpreter prints; that it succeeds is asserted."""
    ended = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_importing_ommi_imports_no_driver_and_no_model_library() -> None:
    loaded = python("import sys, ommi; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert "ommi" in loaded
    assert OPTIONAL & set(loaded) == set()


def test_importing_ommi_imports_no_driver_of_its_own() -> None:
    loaded = python("import sys, ommi; print(*sys.modules)").split()
    drivers = {name for name in loaded if name.startswith("ommi.drivers.")}
    assert drivers == {"ommi.drivers.driver", "ommi.drivers.registry"}


SLOW = {
    "asyncio",
    "email",
    "fractions",
    "hashlib",
    "importlib.metadata",
    "logging",
    "pathlib",
    "random",
    "returns.context",
    "returns.future",
    "returns.io",
    "returns.maybe",
    "sqlite3",
    "ssl",
    "string",
    "subprocess",
    "tempfile",
}


def test_importing_ommi_imports_no_slow_module_that_its_dependencies_do_without() -> None:
    imported = """
        import sys
        import anyio, returns.interfaces.specific.result, returns.result
        from anyio import CancelScope, get_cancelled_exc_class
        before = set(sys.modules)
        import ommi
        print(*(set(sys.modules) - before))
    """
    assert SLOW & set(python(dedent(imported)).split()) == set()


def test_connecting_by_a_url_imports_none_either() -> None:
    # of all, importlib.metadata took as long as a third of `import ommi`, for a driver that is known without it
    connected = """
        import sys
        import asyncio, anyio._backends._asyncio, sqlite3, pathlib, urllib.parse
        before = set(sys.modules)
        from ommi import Ommi
        Ommi.connect("memory://")
        Ommi.connect("sqlite://")
        print(*(set(sys.modules) - before))
    """
    assert SLOW & set(python(dedent(connected)).split()) == set()


# What belongs to SQL templates, streams, traces and messages is imported where it is used.
LATE = {
    "ommi.effects.text",
    "ommi.models.results",
    "ommi.query.templates",
    "ommi.runtime.streaming",
    "ommi.runtime.tracing",
}


def test_importing_ommi_leaves_out_what_few_programs_need() -> None:
    loaded = set(python("import sys, ommi; print(*sys.modules)").split())
    assert LATE & loaded == set()
    assert len([name for name in loaded if name.startswith("ommi.")]) < 90


CALLS_ARE_COUNTED = """
import sys

def count(frame, event, _):
    if event == "call" and not frame.f_code.co_filename.startswith("<frozen importlib"):
        calls.append(frame.f_code)

calls = []
import anyio, base64, dataclasses, datetime, decimal, heapq, json, returns.interfaces.specific.result, uuid
from anyio import CancelScope, get_cancelled_exc_class
sys.setprofile(count)
import ommi
sys.setprofile(None)
print(len(calls))
"""


def test_importing_ommi_executes_little() -> None:
    # 10,000 calls, most of them in `typing`; looks of dataclasses, compiled patterns and unions of generic classes
    # made it 30,000, and the import half as long again
    assert int(python(CALLS_ARE_COUNTED)) < 12_000


COMPILING_IS_WATCHED = """
import sys

def watch(event, arguments):
    if event == "compile" and arguments[1] == "<string>" and isinstance(arguments[0], bytes):
        methods.extend(line for line in arguments[0].splitlines() if line.startswith(b" ") and b" def " in line)

methods = []
import anyio, returns.interfaces.specific.result, returns.result
from anyio import CancelScope, get_cancelled_exc_class
sys.addaudithook(watch)
import ommi
print(len(methods))
"""


def test_importing_ommi_compiles_hardly_anything() -> None:
    # a frozen dataclass compiles some six methods, which made the import twice as slow; `ommi.frozen` does it later
    assert int(python(COMPILING_IS_WATCHED)) < 20


IMPORTING_IS_WATCHED = """
import sys

READ = (".py", ".pyc", ".so", ".pyd", ".zip")
OUTSIDE = ("glob", "shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "urllib")
CALLS = ("_thread.start_new_thread", "os.fork", "os.mkdir", "os.remove", "os.rename", "os.system")

def watch(event, arguments):
    if event == "open":
        path, mode, _ = arguments
        known = mode in ("r", "rb") and str(path).endswith(READ)
    else:
        known = event.split(".")[0] not in OUTSIDE and event not in CALLS
    if not known:
        happened.append((event, *arguments))

happened = []
sys.addaudithook(watch)
import ommi
print(happened)
"""


def test_importing_ommi_reads_its_code_and_touches_nothing_else() -> None:
    assert python(IMPORTING_IS_WATCHED) == "[]\n"
