"""`DriverSuite`: everything a driver does, as tests."""

from __future__ import annotations

from ommi.testing.conformance.aggregates import Aggregates
from ommi.testing.conformance.anomalies import Anomalies
from ommi.testing.conformance.arithmetic import Arithmetic
from ommi.testing.conformance.atomic import Atomic
from ommi.testing.conformance.batching import Batching
from ommi.testing.conformance.blocks import Blocks
from ommi.testing.conformance.cancellation import Cancellation
from ommi.testing.conformance.committed import Committed
from ommi.testing.conformance.comparisons import Comparisons
from ommi.testing.conformance.constraints import Constraints
from ommi.testing.conformance.dooming import Dooming
from ommi.testing.conformance.endings import Endings
from ommi.testing.conformance.faults import Faults
from ommi.testing.conformance.joining import Joining
from ommi.testing.conformance.joins import Joins
from ommi.testing.conformance.leaving import Leaving
from ommi.testing.conformance.native import Native
from ommi.testing.conformance.natives import Natives
from ommi.testing.conformance.options import Options
from ommi.testing.conformance.ordering import Ordering
from ommi.testing.conformance.paging import Paging
from ommi.testing.conformance.references import References
from ommi.testing.conformance.relations import Relations
from ommi.testing.conformance.resources import Resources
from ommi.testing.conformance.retrying import Retrying
from ommi.testing.conformance.runs import Runs
from ommi.testing.conformance.storms import Storms
from ommi.testing.conformance.streams import Streams
from ommi.testing.conformance.tables import Tables
from ommi.testing.conformance.texts import Texts
from ommi.testing.conformance.together import Together
from ommi.testing.conformance.tracing import Tracing
from ommi.testing.conformance.transactions import Transactions
from ommi.testing.conformance.values import Values
from ommi.testing.conformance.writing import Writing

__all__ = ["DriverSuite"]


class DriverSuite(
    Comparisons,
    Texts,
    Ordering,
    Paging,
    Arithmetic,
    Aggregates,
    Values,
    Natives,
    Writing,
    Native,
    Constraints,
    References,
    Tables,
    Transactions,
    Options,
    Atomic,
    Committed,
    Blocks,
    Endings,
    Dooming,
    Retrying,
    Joining,
    Leaving,
    Together,
    Tracing,
    Runs,
    Resources,
    Relations,
    Joins,
    Batching,
    Streams,
    Cancellation,
    Faults,
    Anomalies,
    Storms,
):
    """Subclass it with a name that begins with `Test`, and say what database to use."""
