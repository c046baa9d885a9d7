"""What every test may ask for: both event loops, and Hypothesis as continuous integration wants it."""

import os
from typing import cast

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=False, deadline=None, print_blob=True)
settings.register_profile("soak", settings.get_profile("ci"), max_examples=10_000)
settings.load_profile("soak" if os.environ.get("OMMI_SOAK") else "ci")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The storms of the shared suite, which knows nothing of this project's markers, are for `scripts/soak`, too."""
    for item in items:
        if "_storm_" in item.name:
            item.add_marker(pytest.mark.soak)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of a test marked `anyio`: every one of them runs on both."""
    return cast("str", request.param)
