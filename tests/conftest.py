"""What every test may ask for: both event loops, servers, and Hypothesis as continuous integration wants it."""

import os
import re
from collections.abc import Iterator
from typing import cast
from zlib import crc32

import pytest
from hypothesis import settings

from tests.servers import postgres
from tests.servers.mongo import Database, database
from tests.servers.room import close_room, open_room

# whatever test is first to import a part of it
pytest.register_assert_rewrite("ommi.testing.conformance")

OPENED = pytest.StashKey[bool]()

# scripts/test draws the same examples in every run, so that a failure is of the change at hand; scripts/soak explores
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("soak", settings.get_profile("ci"), derandomize=False, max_examples=10_000)
settings.load_profile("soak" if os.environ.get("OMMI_SOAK") else "ci")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The storms of the shared suite, which knows nothing of this project's markers, are for `scripts/soak`, too.

    Of a test that runs on both event loops, OMMI_TEST_LOOPS=one keeps one, and OMMI_TEST_LOOPS=other the other one.
    """
    for item in items:
        if "_storm_" in item.name:
            item.add_marker(pytest.mark.soak)
    kept = os.environ.get("OMMI_TEST_LOOPS")
    if kept is None:
        return
    loops: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        given = getattr(item, "callspec", None)
        loop = None if given is None else given.params.get("anyio_backend")
        if loop is not None:
            alike = re.sub(rf"(?<=[\[-]){loop}(?=[\]-])", "", item.nodeid, count=1)
            loops.setdefault(alike, {})[loop] = item
    left_out = set[pytest.Item]()
    for alike, found in loops.items():
        if len(found) == 2:
            left_out.add(found[min(found) if (crc32(alike.encode()) % 2 == 0) is (kept == "one") else max(found)])
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of a test marked `anyio`: every one of them runs on both."""
    return cast("str", request.param)


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the servers of the run."""
    config.stash[OPENED] = open_room()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers of the run."""
    if config.stash[OPENED]:
        close_room()


@pytest.fixture(scope="session")
def worker() -> str:
    """What tells this process from the others of the run."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres_18(worker: str) -> str:
    """The URL of a database on PostgreSQL 18, or on the server that OMMI_TEST_POSTGRES_URL names."""
    url = os.environ.get(postgres.URL) or postgres.address("18", postgres.bundled())
    return postgres.create_database(url, f"ommi_{worker}")


@pytest.fixture(scope="session")
def postgres_installed(worker: str) -> str:
    """The URL of a database on the PostgreSQL that this machine has."""
    programs = postgres.installed()
    assert programs is not None, "collected only where there is one"
    return postgres.create_database(postgres.address("installed", programs), f"ommi_{worker}")


@pytest.fixture(scope="session")
def mongo(worker: str) -> Iterator[Database]:
    """A MongoDB database of this process."""
    found = database(worker)
    found.drop()
    yield found
    found.drop()
    found.client.close()
