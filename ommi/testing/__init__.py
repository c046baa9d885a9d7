"""What tests of programs and of drivers are made with.

`run_script` runs a program without a database, `FakeClock` without waiting, `Interposed` disturbs a driver at any of
its steps, `faults` runs a program with everything that can go wrong at each of them, and `DriverSuite` is what every
driver has to do. `ommi.testing.strategies` draws rows, conditions and programs with Hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ommi.testing.anomalies import Anomaly
from ommi.testing.clock import FakeClock
from ommi.testing.faults import Fault, FaultReport, FaultRun, FaultsFound, Probe, faults
from ommi.testing.interposed import DriverStep, Hook, Interposed
from ommi.testing.outcomes import fails, succeeds
from ommi.testing.script import BEGIN, COMMIT, RELEASE, ROLLBACK, ROLLBACK_TO, SAVEPOINT, Line, Step, run_script

if TYPE_CHECKING:
    from ommi.testing.suite import DriverSuite

__all__ = [
    "BEGIN",
    "COMMIT",
    "RELEASE",
    "ROLLBACK",
    "ROLLBACK_TO",
    "SAVEPOINT",
    "Anomaly",
    "DriverStep",
    "DriverSuite",
    "FakeClock",
    "Fault",
    "FaultReport",
    "FaultRun",
    "FaultsFound",
    "Hook",
    "Interposed",
    "Line",
    "Probe",
    "Step",
    "fails",
    "faults",
    "run_script",
    "succeeds",
]


def __getattr__(name: str) -> Any:
    if name != "DriverSuite":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # only the suite needs pytest, and its asserts are to show their values
    import pytest

    pytest.register_assert_rewrite("ommi.testing.conformance")
    from ommi.testing.suite import DriverSuite

    return DriverSuite
