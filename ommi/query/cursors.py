"""Cursors: where a row stands in an order, as an opaque text that may travel through a URL and back.

A cursor holds the row's values of the parts of the order, exactly, and digests of the order and of itself. It is not
secret and not signed: whoever has it can read the values in it, and one who makes another can only ask for rows after
other values. What is no cursor, was cut off, or is for another order is refused.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ommi.errors import InvalidCursor
from ommi.query.expressions import After, Literal, Order, nullable, type_of
from ommi.query.seeking import reverse
from ommi.query.text import order_text
from ommi.schema import Schema
from ommi.values import CANONICAL, FieldType, Kind

__all__ = ["after", "cursor_of", "digest_of"]

_VERSION: Final = 1
_DIGEST: Final = 8
_LONGEST: Final = 100_000
_MICROSECOND: Final = timedelta(microseconds=1)


def digest_of(schema: Schema, order: tuple[Order, ...]) -> bytes:
    """What tells an order from others: the table, and each part with its type and where missing values go."""
    parts = [
        (order_text(Order(o.expression, o.descending)), type_of(o.expression).kind.name, o.missing_first) for o in order
    ]
    return _digest(json.dumps([schema.table, *parts]).encode())


def cursor_of(digest: bytes, types: Sequence[FieldType], values: Sequence[Any]) -> str:
    """The cursor of a row with these canonical values of the parts of an order."""
    written = [None if v is None else _FORMS[t.kind][0](v) for t, v in zip(types, values, strict=True)]
    body = bytes([_VERSION]) + digest + json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode()
    return urlsafe_b64encode(body + _digest(body)).rstrip(b"=").decode()


def after(schema: Schema, order: tuple[Order, ...], cursor: str, *, backwards: bool) -> After:
    """The condition for the rows after a cursor, or, `backwards`, before it.

    A cursor that does not fit gives a condition that fails with `InvalidCursor` when it is run.
    """
    types = [type_of(part.expression) for part in order]
    try:
        literals = _literals(schema, order, types, cursor)
    except InvalidCursor as error:
        literals = tuple([Literal(None, one, error) for one in types])
    return After(reverse(order) if backwards else order, literals, cursor, backwards)


def _literals(schema: Schema, order: tuple[Order, ...], types: Sequence[FieldType], cursor: str) -> tuple[Literal, ...]:
    try:
        whole = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)) if len(cursor) < _LONGEST else b""
    except ValueError:
        whole = b""
    body, check = whole[:-_DIGEST], whole[-_DIGEST:]
    if len(body) <= 1 + _DIGEST or _digest(body) != check:
        raise InvalidCursor("this is no cursor, or only a part of one: pass on what .page(…) or .cursor_of(…) gave")
    if body[0] != _VERSION:
        raise InvalidCursor(f"this cursor was made by another version of Ommi ({body[0]}): begin with the first page")
    if body[1 : 1 + _DIGEST] != digest_of(schema, order):
        wanted = ", ".join(map(order_text, order))
        raise InvalidCursor(f"this cursor is for another order than {wanted}: begin with the first page")
    try:
        values = json.loads(body[1 + _DIGEST :])
        if type(values) is not list or len(values) != len(order):
            raise TypeError("a list of other values")  # noqa: TRY301
        return tuple([_literal(part, t, value) for part, t, value in zip(order, types, values, strict=True)])
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise InvalidCursor("this cursor holds values that do not fit its order: it was tampered with") from error


def _literal(part: Order, type: FieldType, value: Any) -> Literal:
    if value is None:
        if not nullable(part.expression):
            raise ValueError("a value is missing")
        return Literal(None, type)
    return Literal(CANONICAL[type.kind](_FORMS[type.kind][1](value)), type)


def _digest(found: bytes) -> bytes:
    from hashlib import blake2b  # here, because it is slow to import

    return blake2b(found, digest_size=_DIGEST).digest()


def _same(value: Any) -> Any:
    return value


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _naive(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat()


_FORMS: Final[Mapping[Kind, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    Kind.INT: (_same, _same),
    Kind.FLOAT: (float.hex, float.fromhex),
    Kind.BOOL: (_same, _same),
    Kind.STR: (_same, _same),
    Kind.BYTES: (bytes.hex, bytes.fromhex),
    Kind.DECIMAL: (str, Decimal),
    Kind.DATETIME: (_naive, _utc),
    Kind.NAIVE_DATETIME: (_naive, datetime.fromisoformat),
    Kind.DATE: (date.isoformat, date.fromisoformat),
    Kind.TIME: (time.isoformat, time.fromisoformat),
    Kind.TIMEDELTA: (lambda span: span // _MICROSECOND, lambda number: number * _MICROSECOND),
    Kind.UUID: (str, UUID),
    Kind.JSON: (_same, _same),
}
"""What stands in a cursor for a canonical value, and back; what comes back is checked to be canonical."""
