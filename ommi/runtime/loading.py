"""Loading what belongs to records: once for each record, or for many records at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ommi.effects.effect import Prefetch
from ommi.effects.paging import Page
from ommi.effects.related import Related, load_many
from ommi.errors import EncodeError, NotFound, Origin
from ommi.models.relations import Relation
from ommi.models.remembered import Cell, Entry, Flight
from ommi.runtime.calls import Ending, Execute, Watch
from ommi.runtime.fibers import Fiber, OpenTransaction, Outcome, ScopeSteps

if TYPE_CHECKING:
    from ommi.runtime.interpreter import Machine

__all__ = ["load", "prefetch", "related"]

VALUE, ERROR, DOOM, DEFECT, CANCELLED, NOT_MADE = Ending


def related(fiber: Fiber, node: Related[Any, Any], machine: Machine) -> ScopeSteps:
    """What was loaded, or a load; outside of transactions, only one at a time for all runs."""
    key, cell, owner = node.key, node.cell, machine.owner
    if isinstance(key, EncodeError):
        key.origin = key.origin or node.origin
        return ERROR, key
    if None in key:  # what is missing joins nothing
        return _related_outcome(node, [])
    while True:
        transaction = fiber.transaction
        rows = None if node.fresh else cell.rows(owner, transaction, key)
        if rows is not None:
            return _related_outcome(node, rows)
        flight = cell.flight
        shared = flight is not None and flight.owner is owner and flight.run is not machine and flight.key == key
        if transaction is not None or flight is None or not shared or node.fresh:
            break
        ending, payload = yield Watch(flight)
        if ending is not VALUE:
            return ending, payload
    mine: Flight | None = None
    if transaction is None and cell.flight is None:
        mine = cell.flight = Flight(owner, machine, key)
    cell.loading += 1
    try:
        ending, payload = yield Execute(node.load(key), transaction, fiber.covered > 0 or machine.in_block)
        if ending is VALUE:
            _remember(transaction, cell, Entry(owner, key, payload))
        elif ending is ERROR or ending is DOOM:
            cell.failed = True
    finally:
        cell.loading -= 1
        if mine is not None:
            cell.flight = None
            mine.end()
    return _related_outcome(node, payload) if ending is VALUE else (ending, payload)


def _related_outcome(node: Related[Any, Any], rows: list[Any]) -> Outcome:
    found = node.outcome(rows)
    return (ERROR, found) if isinstance(found, NotFound) else (VALUE, found)


def _remember(transaction: OpenTransaction | None, cell: Cell, entry: Entry) -> None:
    if transaction is None:
        cell.keep(entry)
    else:
        cell.keep_for(transaction, entry)
        transaction.loads.append((cell, entry))


def prefetch(fiber: Fiber, node: Prefetch[Any, Any], machine: Machine) -> ScopeSteps:
    """The query, and then what each relation leads to, for all records found so far at once."""
    ending, payload = yield node.source
    if ending is not VALUE:
        return ending, payload
    found = payload.rows if isinstance(payload, Page) else payload
    records = found if isinstance(found, list) else [] if found is None else [found]
    loaded = yield from load(fiber, records, node.model, node.relations, node.origin, machine)
    return (VALUE, payload) if loaded[0] is VALUE else loaded


def load(
    fiber: Fiber,
    records: list[Any],
    model: type[Any],
    relations: tuple[Relation, ...],
    origin: Origin | None,
    machine: Machine,
) -> ScopeSteps:
    """What each relation leads to, for all records found so far at once."""
    reached: dict[type[Any], list[Any]] = {model: list(records)}
    done: dict[Relation, int] = {}
    for relation in relations:
        joined, begun = relation.joined(), done.get(relation, 0)
        owners = reached.get(relation.model, [])
        done[relation] = len(owners)
        cells: list[tuple[Cell, tuple[Any, ...]]] = []
        for record in owners[begun:]:  # named twice, a relation to its own model goes one step further
            key = joined.key(record)
            if isinstance(key, tuple) and None not in key:
                cells.append((relation.remembered.of(record).cell(relation.name), key))
        if not cells:
            continue
        keys = tuple(dict.fromkeys([key for _, key in cells]))
        call = Execute(load_many(joined, keys, origin), fiber.transaction, fiber.covered > 0 or machine.in_block)
        ending, groups = yield call
        if ending is not VALUE:
            return ending, groups
        for cell, key in cells:
            _remember(fiber.transaction, cell, Entry(machine.owner, key, groups.get(key, [])))
        reached.setdefault(joined.target.model, []).extend([row for rows in groups.values() for row in rows])
    return VALUE, None
