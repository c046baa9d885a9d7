"""Functional effects for databases: every operation a lazy, composable, typed value.

Start with `ommi_model`, `find`, `add`, `effect` and `Ommi`; the README shows them in one screen.
"""

from returns.result import Failure, Success

from ommi.block import Transaction
from ommi.bound import BoundEffect, BoundQuery, BoundRows, BoundStream
from ommi.database import Ommi, requires_database
from ommi.effects.catching import catch
from ommi.effects.effect import Effect, Outcome
from ommi.effects.finding import Query, find
from ommi.effects.grouping import Grouped
from ommi.effects.joining import Joined
from ommi.effects.many import attempt, bracket, gather, race, sleep, traverse, validate
from ommi.effects.native import execute, mongo, sql
from ommi.effects.operations import add, add_all, add_stream, advisory_lock, delete, reload, save, upsert, upsert_all
from ommi.effects.paging import Page
from ommi.effects.pointfree import alt, bind, lash, map_, tap
from ommi.effects.program import Prog, effect
from ommi.effects.related import LoadState, Related, ToMany, ToOne
from ommi.effects.rows import Rows
from ommi.effects.schedule import Schedule
from ommi.effects.stream import Stream
from ommi.effects.subqueries import exists_
from ommi.errors import (
    CheckViolation,
    CommitUnknown,
    ConnectionFailed,
    ConnectionLost,
    ConstraintViolation,
    DatabaseError,
    Deadlock,
    DecodeError,
    EncodeError,
    ForeignKeyViolation,
    InvalidCursor,
    LockTimeout,
    MultipleFound,
    NotFound,
    NotNullViolation,
    OmmiError,
    PermissionDenied,
    PoolTimeout,
    QueryRejected,
    SchemaMismatch,
    SerializationConflict,
    StaleRecord,
    StatementTimeout,
    TransactionConflict,
    Unavailable,
    UniqueViolation,
    UnsupportedOperation,
)
from ommi.models import (
    BsonDate,
    Check,
    Index,
    Key,
    MaxLength,
    ModelCollection,
    Naive,
    ReferenceTo,
    ServerDefault,
    StoreAs,
    Unique,
    Version,
    auto,
    global_collection,
    ommi_model,
    ref,
)
from ommi.models.aliases import alias
from ommi.opened import OpenStream
from ommi.query.aggregates import avg, count, max_, min_, sum_
from ommi.query.expressions import Column, Expression, Predicate, all_of, any_of, col, not_
from ommi.query.optional import optional
from ommi.runtime.trace import Trace, Traced, TraceStep
from ommi.schema import OnDelete
from ommi.transactions import IsolationLevel, TransactionOptions

__version__ = "0.1.0"

__all__ = [
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
