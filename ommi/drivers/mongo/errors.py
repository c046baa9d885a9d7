"""What the server and PyMongo say, as members of `ommi.errors`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from bson.errors import BSONError
from pymongo import errors as mongo

from ommi.drivers.mongo.arithmetic import MARK
from ommi.drivers.mongo.documents import Shape
from ommi.drivers.mongo.rules import broken_rule, key_index
from ommi.drivers.violations import taken
from ommi.errors import (
    CommitUnknown,
    ConnectionFailed,
    ConnectionLost,
    DatabaseError,
    EncodeError,
    OmmiError,
    PermissionDenied,
    PoolTimeout,
    QueryRejected,
    SerializationConflict,
    StatementTimeout,
    Unavailable,
    UniqueViolation,
    UnsupportedOperation,
)

__all__ = ["FAILURES", "STANDALONE", "is_transient", "is_unknown_commit", "translate"]

FAILURES: Final = (mongo.PyMongoError, BSONError, OverflowError)
"""What PyMongo raises; `OverflowError` for an int that BSON does not hold."""

STANDALONE: Final = "start it as a replica set of one: mongod --replSet rs0, and once in mongosh rs.initiate()"
_INDEX: Final = re.compile(r" index: (.*?) dup key: ", re.DOTALL)
_SAID: Final = re.compile(re.escape(f"'{MARK}") + r"(.*?) \w+' in \$convert")
_INTERRUPTED: Final = frozenset({11601, 11602, 237, 262})
_UNAVAILABLE: Final = frozenset({6, 7, 89, 91, 189, 9001, 10107, 11600, 13435, 13436})
_FORBIDDEN: Final = frozenset({13, 18, 8000})
_CONFLICTS: Final = frozenset({24, 112, 246, 251, 267})


def is_transient(error: BaseException) -> bool:
    """Whether the whole transaction can be tried again."""
    return isinstance(error, mongo.PyMongoError) and error.has_error_label("TransientTransactionError")


def is_unknown_commit(error: BaseException) -> bool:
    """Whether a COMMIT may have happened; committing again tells."""
    return isinstance(error, mongo.PyMongoError) and error.has_error_label("UnknownTransactionCommitResult")


def translate(
    error: Exception, shape: Shape | None, *, writes: bool, in_transaction: bool, database: str = ""
) -> OmmiError:
    """What an error means to a statement about the rows of a shape."""
    if isinstance(error, mongo.BulkWriteError):
        details: Mapping[str, Any] = error.details or {}
        for failed in details.get("writeErrors", ()):
            return _server(failed, shape, error, in_transaction=in_transaction)
        return CommitUnknown(_unknown(error), code=_name(details))
    if isinstance(error, mongo.WriteConcernError) and not in_transaction:
        return CommitUnknown(_unknown(error), code=_name(error.details or {}))
    if isinstance(error, mongo.NotPrimaryError):
        return _conflict_or(Unavailable(f"the server is not, or no longer, the primary: {error}"), in_transaction)
    if isinstance(error, mongo.OperationFailure):
        return _server(
            error.details or {"code": error.code, "errmsg": str(error)}, shape, error, in_transaction=in_transaction
        )
    if isinstance(error, mongo.ServerSelectionTimeoutError):
        return ConnectionFailed(f"no primary of MongoDB could be reached: {_short(error)}")
    if isinstance(error, mongo.WaitQueueTimeoutError):
        return PoolTimeout(
            f"no connection became free in time: {_short(error)}", hint="raise maxPoolSize or waitQueueTimeoutMS"
        )
    if isinstance(error, mongo.ConnectionFailure):
        if writes and not in_transaction:
            return CommitUnknown(
                f"a write was sent and the connection broke before the answer came: {_short(error)}; "
                "look in the database whether it happened before trying again"
            )
        return ConnectionLost(f"the connection to MongoDB broke: {_short(error)}")
    if isinstance(error, mongo.DocumentTooLarge):
        return EncodeError(f"a document is larger than MongoDB keeps: {error}")
    if isinstance(error, (BSONError, OverflowError)):
        return EncodeError(f"a value does not fit BSON: {error}")
    if isinstance(error, mongo.ConfigurationError):
        return UnsupportedOperation(str(error))
    return QueryRejected(str(error))


def _server(
    details: Mapping[str, Any], shape: Shape | None, error: mongo.PyMongoError, *, in_transaction: bool
) -> OmmiError:
    code = details.get("code")
    said = str(details.get("errmsg", error))
    if code == 11000:
        return _duplicate(details, said, shape)
    if code == 121:
        return broken_rule(details.get("errInfo", {}).get("details", {}), shape, said)
    name = _name(details)
    if code in _CONFLICTS or (in_transaction and error.has_error_label("TransientTransactionError")):
        if code in _UNAVAILABLE or code in _INTERRUPTED:
            return ConnectionLost(f"the server ended the transaction: {said}", code=name)
        return SerializationConflict(f"another transaction was faster: {said}", code=name)
    if code == 50:
        return StatementTimeout(f"the server stopped the statement: {said}", code=name)
    if code == 20 and "Transaction numbers" in said:
        return UnsupportedOperation(f"this MongoDB server is alone, and has no transactions: {STANDALONE}", code=name)
    if code in _UNAVAILABLE:
        return Unavailable(f"MongoDB is not available: {said}", code=name)
    if code in _INTERRUPTED:
        return StatementTimeout(f"the statement was stopped on the server: {said}", code=name)
    if code in _FORBIDDEN:
        return PermissionDenied(f"MongoDB refused: {said}", code=name)
    guard = _SAID.search(said)
    if guard is not None:
        return QueryRejected(f"a computation has no answer to store: {guard[1]}", code=name)
    return QueryRejected(f"MongoDB rejected the statement: {said}", code=name)


def _duplicate(details: Mapping[str, Any], said: str, shape: Shape | None) -> DatabaseError | UniqueViolation:
    found = _INDEX.search(said)
    index = found[1] if found else ""
    if shape is None:
        return UniqueViolation(f"the values of {index} are there already", constraint=index or None)
    schema = shape.schema
    for declared in schema.indexes:
        if declared.name == index:
            return taken(schema, declared.fields, declared.name)
    if index in ("_id_", key_index(schema.table)):
        return taken(schema, schema.key, None)
    return UniqueViolation(
        f"values of {', '.join(details.get('keyPattern', ()))} are there already",
        model=schema.model,
        fields=tuple(details.get("keyPattern", ())),
        constraint=index or None,
    )


def _conflict_or(error: OmmiError, in_transaction: bool) -> OmmiError:
    return ConnectionLost(error.message) if in_transaction else error


def _name(details: Mapping[str, Any]) -> str | None:
    found = details.get("codeName") or details.get("code")
    return None if found is None else str(found)


def _unknown(error: Exception) -> str:
    return f"the write was made, and it is not known whether a majority has it: {_short(error)}"


def _short(error: Exception) -> str:
    text = str(error).partition(", Timeout:")[0]
    return text if len(text) < 300 else f"{text[:297]}..."
