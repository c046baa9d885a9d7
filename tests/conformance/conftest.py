"""What the suites of several drivers share."""

from zlib import crc32

import pytest


@pytest.fixture
def inline(request: pytest.FixtureRequest) -> bool:
    """Whether SQLite makes brief statements in the event loop's thread: for each test, on one of the two loops."""
    name, loop = request.node.originalname, request.node.callspec.params.get("anyio_backend")
    return (crc32(name.encode()) % 2 == 0) is (loop == "asyncio")
