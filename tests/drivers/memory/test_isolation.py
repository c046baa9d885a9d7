"""Whatever happens, the writer, the others and every snapshot see exactly the rows that are theirs."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any

from hypothesis import given
from hypothesis import strategies as st

from ommi import ConstraintViolation, Key, ModelCollection, ReferenceTo, Unique, add, find, ommi_model
from ommi.drivers.driver import Request
from ommi.drivers.memory import MemoryStore
from ommi.models import schema_of
from ommi.query.statements import CreateTables

models = ModelCollection()
KEYS = range(4)


@ommi_model(collection=models)
@dataclass
class Item:
    id: Annotated[int, Key]
    code: Annotated[int | None, Unique] = None
    parent: Annotated[int | None, ReferenceTo("Item", on_delete="cascade")] = None


keys = st.sampled_from(KEYS)
values = st.none() | keys
steps = st.one_of(
    st.tuples(st.just("insert"), keys, values, values),
    st.tuples(st.just("update"), keys, values),
    st.tuples(st.just("move"), keys, keys),
    st.tuples(st.just("delete"), keys),
    st.sampled_from(
        [("begin",), ("commit",), ("rollback",), ("savepoint",), ("rollback_to",), ("release",), ("look",)]
    ),
)


def effect(step: tuple[Any, ...]) -> Any:
    match step:
        case ("insert", key, code, parent):
            return add(Item(key, code, parent))
        case ("update", key, code):
            return find(Item, Item.id == key).update(code=code)
        case ("move", key, other):
            return find(Item, Item.id == key).update(id=other)
        case ("delete", key):
            return find(Item, Item.id == key).delete()
    raise AssertionError(step)


def run(on: Any, statement: Any) -> Any:
    return on.execute(Request(statement))


def seen(on: Any) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = run(on, find(Item).query)
    for key in KEYS:  # the indexes tell the same as the rows
        assert run(on, find(Item, Item.id == key).query) == [row for row in rows if row[0] == key]
        assert run(on, find(Item, Item.code == key).query) == [row for row in rows if row[1] == key]
        assert run(on, find(Item, Item.parent == key).query) == [row for row in rows if row[2] == key]
    return rows


@given(st.lists(steps, max_size=40))
def test_everyone_sees_exactly_what_is_theirs(program: list[tuple[Any, ...]]) -> None:
    store = MemoryStore()
    run(store, CreateTables((schema_of(Item),)))
    writing: Any = None
    committed: list[tuple[Any, ...]] = []
    savepoints: list[list[tuple[Any, ...]]] = []
    snapshots: list[tuple[Any, list[tuple[Any, ...]]]] = []
    for step in program:
        match step:
            case ("begin",):
                if writing is None:
                    writing, savepoints = store.begin(), []
            case ("commit",) if writing is not None:
                committed = seen(writing)
                writing.commit()
                writing = None
            case ("rollback",) if writing is not None:
                writing.rollback()
                writing = None
            case ("savepoint",) if writing is not None:
                writing.savepoint("s")
                savepoints.append(seen(writing))
            case ("rollback_to",) if writing is not None and savepoints:
                writing.rollback_to("s")
                assert seen(writing) == savepoints[-1]
            case ("release",) if writing is not None and savepoints:
                writing.release("s")
                savepoints.pop()
            case ("look",):
                snapshots.append((store.begin(read_only=True), deepcopy(committed)))
            case (_, _, *_):
                before = seen(writing or store)
                try:
                    run(writing or store, effect(step).statement)
                except ConstraintViolation:
                    assert seen(writing or store) == before
                if writing is None:
                    committed = seen(store)
        assert seen(store) == committed
        for snapshot, rows in snapshots:
            assert seen(snapshot) == rows
