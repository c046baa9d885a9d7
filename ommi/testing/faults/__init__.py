"""Everything that can go wrong at each step of a program, one run each."""

from ommi.testing.faults.exploring import faults
from ommi.testing.faults.kinds import Fault
from ommi.testing.faults.probe import Probe
from ommi.testing.faults.report import FaultReport, FaultRun, FaultsFound

__all__ = ["Fault", "FaultReport", "FaultRun", "FaultsFound", "Probe", "faults"]
