"""`DriverSuite`: everything a driver does, as tests."""

from __future__ import annotations

from ommi.testing.conformance.arithmetic import Arithmetic
from ommi.testing.conformance.comparisons import Comparisons
from ommi.testing.conformance.ordering import Ordering
from ommi.testing.conformance.texts import Texts

__all__ = ["DriverSuite"]


class DriverSuite(Comparisons, Texts, Ordering, Arithmetic):
    """Subclass it with a name that begins with `Test`, and say what database to use."""
