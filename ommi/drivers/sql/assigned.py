"""What a database may assign to a new row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from ommi.schema import Schema

__all__ = ["assigned_values"]


def assigned_values(schema: Schema) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """A function that picks the values of the fields that a database may assign from those of all fields."""
    match [schema.fields.index(f) for f in schema.assigned]:
        case []:
            return lambda _: ()
        case [at]:
            return lambda values: (values[at],)
        case several:
            return itemgetter(*several)
