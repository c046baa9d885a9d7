"""From a URL to a driver."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ommi.drivers.memory import MemoryDriver
from ommi.drivers.registry import driver_for, redacted, schemes
from ommi.drivers.sqlite import SQLiteDriver
from ommi.errors import ConnectionFailed


def path_of(url: str, **options: Any) -> Path | None:
    driver = driver_for(url, **options)
    assert isinstance(driver, SQLiteDriver)
    return driver._location.path


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "SQLITE://"])
def test_without_a_path_sqlite_is_in_memory(url: str) -> None:
    assert path_of(url) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///file.db", Path("file.db").absolute()),
        ("sqlite:///some/file.db", Path("some/file.db").absolute()),
        ("sqlite:////abs/file.db", Path("/abs/file.db")),
        ("sqlite:////abs/my%20file%231.db", Path("/abs/my file#1.db")),
        ("sqlite:////abs/my file.db", Path("/abs/my file.db")),
        ("sqlite:////abs/100%25%3F.db", Path("/abs/100%?.db")),
    ],
)
def test_the_path_of_a_file_follows_the_third_slash(url: str, path: Path) -> None:
    assert path_of(url) == path


def test_options_are_taken_from_the_url_and_from_the_call() -> None:
    driver = driver_for("sqlite:///file.db?synchronous=normal&readers=2&busy_timeout=1.5", busy_timeout=2)
    assert isinstance(driver, SQLiteDriver)
    assert driver._location.synchronous == "NORMAL"
    assert driver._size == 2
    assert driver._busy_timeout == 2.0


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite://file.db", "after a third slash: sqlite:///file.db"),
        ("sqlite:///file.db?pool=3", "unknown option 'pool'; SQLite has readers, synchronous"),
        ("sqlite:///file.db?readers=many", "readers=many makes no sense"),
        ("sqlite:///file.db?readers=0", "at least one"),
        ("sqlite:///file#1.db", "write %23"),
        ("sqlite:file.db", "no SQLite URL"),
        ("sqlite:///a%00b.db", "NUL"),
        ("oracle://host/db", "no driver for 'oracle'"),
        ("just a name", "is no database URL"),
        ("memory://named", "no name"),
    ],
)
def test_a_url_that_makes_no_sense_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises((ConnectionFailed, ValueError)) as caught:
        driver_for(url)
    assert reason in str(caught.value)


def test_an_unknown_scheme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        driver_for("oracle://host/db")
    assert "memory://" in str(caught.value)
    assert "sqlite://" in str(caught.value)
    assert not caught.value.retryable


def test_an_unknown_option_is_a_type_error_that_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match="unknown option 'pool_size'; SQLite has readers, synchronous, busy_timeout"):
        driver_for("sqlite://", pool_size=3)


def test_memory_is_a_driver_of_its_own() -> None:
    assert isinstance(driver_for("memory://"), MemoryDriver)
    assert {"memory", "sqlite"} <= set(schemes())


@pytest.fixture
def without_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("asyncpg", "pymongo", "bson", "ommi.drivers.postgres", "ommi.drivers.mongo"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("without_libraries")
@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("postgresql://u:secret@host/db", 'pip install "ommi[postgres]"'),
        ("postgres://u:secret@host/db", 'pip install "ommi[postgres]"'),
        ("mongodb://u:secret@host/db", 'pip install "ommi[mongo]"'),
        ("mongodb+srv://u:secret@host/db", 'pip install "ommi[mongo]"'),
    ],
)
def test_a_driver_that_is_not_installed_is_answered_with_the_command_to_run(url: str, command: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        driver_for(url)
    assert command in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_driver_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / "other_driver-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: other-driver\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[ommi.drivers]\nother = other_driver:connect\n")
    module = ModuleType("other_driver")
    given: list[Any] = []

    def connect(url: str, /, **options: Any) -> MemoryDriver:
        given.append((url, options))
        return MemoryDriver()

    vars(module)["connect"] = connect
    monkeypatch.setitem(sys.modules, "other_driver", module)
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(driver_for("other://somewhere", speed=3), MemoryDriver)
    assert given == [("other://somewhere", {"speed": 3})]
    assert "other" in schemes()


def test_a_driver_of_another_package_does_not_take_the_place_of_one_of_ommi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    information = tmp_path / "other_driver-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: other-driver\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[ommi.drivers]\nsqlite = other_driver:connect\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(driver_for("sqlite://"), SQLiteDriver)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:secret@host:5432/db", "postgresql://ada:***@host:5432/db"),
        ("postgresql://ada:se@c/r?et#@host/db", "postgresql://ada:***@host/db"),
        ("postgresql://:secret@host/db", "postgresql://:***@host/db"),
        ("mongodb://a:secret@h1:1,h2:2/db?x=1", "mongodb://a:***@h1:1,h2:2/db?x=1"),
        ("postgresql://host/db?user=a&password=secret&x=1", "postgresql://host/db?user=a&password=***&x=1"),
        ("postgresql://host/db?sslpassword=secret", "postgresql://host/db?sslpassword=***"),
        ("mongodb://h/db?authMechanismProperties=AWS_SESSION_TOKEN:secret", None),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("sqlite:///C:/a@b.db", "sqlite:///C:/a@b.db"),
        ("sqlite:///file.db?readers=2", "sqlite:///file.db?readers=2"),
    ],
)
def test_a_password_never_shows(url: str, shown: str | None) -> None:
    assert "secret" not in redacted(url)
    assert shown is None or redacted(url) == shown
