"""The laws of `returns`, checked on `Effect`: of functors, applicatives, monads, and their counterparts on errors."""

from collections.abc import Iterator
from typing import Any

import pytest
from returns.contrib.hypothesis.laws import check_all_laws
from returns.primitives import asserts

from ommi import Effect
from ommi.runtime.blocking import run_blocking
from ommi.runtime.calls import Call, Ending
from ommi.testing import FakeClock


def no_call(call: Call) -> Any:
    raise AssertionError(f"a law made a call: {call!r}")


@pytest.fixture(autouse=True, scope="module")
def _effects_are_compared_by_what_they_come_to() -> Iterator[None]:
    convert: Any = asserts._convert

    def converted(container: Any, *, deps: Any, backend: Any) -> Any:
        if not isinstance(container, Effect):
            return convert(container, deps=deps, backend=backend)
        ending, payload = run_blocking(container, no_call, FakeClock())
        assert ending in (Ending.VALUE, Ending.ERROR), payload
        return ending, payload

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asserts, "_convert", converted)
        yield


check_all_laws(Effect)


def test_there_are_seventeen_laws() -> None:
    assert sum(len(laws) for laws in Effect.laws().values()) == 17
    assert sum(name.startswith("test_effect_") for name in globals()) == 17
