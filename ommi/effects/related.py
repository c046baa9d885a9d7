"""`user.posts`: the records that belong to a record, as an effect with a memory; `ToMany` and `ToOne` declare it.

A relation on an instance is an effect like any other: it can be run, composed and compared. What it loaded is
remembered beside the instance, so that it is loaded once, and one loaded by a bound query can be awaited.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from enum import Enum
from typing import Any, ClassVar, Generic, Protocol, Self, TypeAlias, cast, final, overload

from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Binding, Effect, Fail, Keys, Perform, Succeed
from ommi.effects.origin import origin
from ommi.effects.paging import Page
from ommi.errors import DatabaseError, EncodeError, NotFound, OmmiError, Origin
from ommi.models.declared import declared_on
from ommi.models.relations import Joined, Relation
from ommi.models.remembered import Cell, Remembered
from ommi.query.expressions import And, Column, Comparison, Literal, Membership, Or, PredicateNode
from ommi.query.statements import Select
from ommi.schema import Field

__all__ = ["LoadState", "Related", "Runner", "ToMany", "ToOne", "adopt", "among", "equal", "load_many", "related_to"]

M = TypeVar("M")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
U = TypeVar("U")

Key: TypeAlias = tuple[Any, ...]


class LoadState(Enum):
    """How far the related records of a record are loaded."""

    NOT_LOADED = "not loaded"
    LOADING = "loading"
    LOADED = "loaded"
    ERROR = "error"


class Runner(Protocol):
    """What a bound relation runs on: a database."""

    @property
    def home(self) -> Runner:
        """What records loaded here are bound to: it outlives this, where this is a block."""
        ...

    async def run(self, effect: Effect[T, U], /) -> Success[T] | Failure[U]:
        """Run an effect."""
        ...


@final
class Related(Binding[T_co, E_co]):
    """The records that belong to a record, loaded once.

    Running it again gives what was loaded, without a statement, until `refresh()`, or until the fields change by
    which the records belong together. What a transaction loaded is remembered beyond it only if it commits. Where
    the record came from a bound effect (`db.find(…)`), it can be awaited.
    """

    __slots__ = ("cell", "fresh", "key", "origin", "relation", "runner")

    def __init__(
        self,
        relation: Relation,
        key: Key | EncodeError,
        cell: Cell,
        runner: Runner | None,
        built: Origin | None,
        *,
        fresh: bool = False,
    ) -> None:
        self.relation = relation
        self.key = key
        self.cell = cell
        self.runner = runner
        self.origin = built
        self.fresh = fresh

    # -- memory

    @property
    def state(self) -> LoadState:
        """Whether the records are there, on their way, or could not be loaded."""
        if self.cell.loading:
            return LoadState.LOADING
        if not isinstance(self.key, EncodeError) and self.cell.shown(self.key) is not None:
            return LoadState.LOADED
        return LoadState.ERROR if self.cell.failed else LoadState.NOT_LOADED

    @property
    def cached(self) -> T_co | None:
        """What was loaded, or `None`; nothing is asked of the database."""
        rows = None if isinstance(self.key, EncodeError) else self.cell.shown(self.key)
        if rows is None:
            return None
        adopt(rows, self.runner)
        if self.relation.joined().many:
            return cast("T_co", list(rows))
        return rows[0] if rows else None

    def refresh(self) -> Related[T_co, E_co]:
        """The same, but loaded anew in every run, and remembered again."""
        return Related(self.relation, self.key, self.cell, self.runner, origin(), fresh=True)

    # -- running

    @property
    def source(self) -> Effect[Any, Any]:  # type: ignore[override]  # to the interpreter it is more than its source
        """What is asked of the database when nothing is remembered."""
        if isinstance(self.key, EncodeError):
            return Fail(self.key)
        if None in self.key:
            found = self.outcome([])
            return Fail(found) if isinstance(found, OmmiError) else Succeed(found)
        return self.load(self.key)

    def load(self, key: Key) -> Perform[list[Any], Any]:
        """The one operation that loads the rows of a key."""
        joined = self.relation.joined()
        where = equal(Keys(joined.asked, joined.far, (key,)), key)
        return Perform(_template(joined, where), Answer.ALL, origin=self.origin)

    def outcome(self, rows: list[Any]) -> Any:
        """The value that rows are, or the `NotFound` that they are not."""
        joined = self.relation.joined()
        if joined.many:
            return list(rows)
        if rows or joined.optional:
            return rows[0] if rows else None
        error = NotFound(
            f"{self.relation.place}: the {joined.target.name} that belongs to this {joined.owner.name} is not there",
            model=joined.target.model,
        )
        error.origin = self.origin
        error.operation = f"{joined.owner.name}(…).{self.relation.name}"
        return error

    def _runner(self) -> Runner:
        if self.runner is None:
            place = self.relation.place
            raise TypeError(
                f"{place} of a record that was not loaded through db.find(…) or the like has no database to await: "
                f"run it with `await db.run({_variable(self.relation.model)}.{self.relation.name})`"
            )
        return self.runner

    def __await__(self) -> Generator[Any, Any, Success[T_co] | Failure[E_co]]:
        return self._outcome(self._runner()).__await__()

    async def _outcome(self, runner: Runner) -> Success[T_co] | Failure[E_co]:
        outcome = await runner.run(self)
        if isinstance(outcome, Success):
            adopt(outcome.unwrap(), runner)
        return outcome

    @property
    def value(self) -> Awaitable[T_co]:
        """Await it for the value; a failure is raised."""
        return self._value(self._runner())

    async def _value(self, runner: Runner) -> T_co:
        outcome = await self._outcome(runner)
        if isinstance(outcome, Success):
            return outcome.unwrap()
        error = outcome.failure()
        if isinstance(error, Exception):
            raise error
        raise UnwrapFailedError(outcome)

    def value_or(self, default: U) -> Awaitable[T_co | U]:
        """Await it for the value, or the default after a failure."""
        return self._value_or(default, self._runner())

    async def _value_or(self, default: U, runner: Runner) -> T_co | U:
        outcome = await self._outcome(runner)
        return outcome.unwrap() if isinstance(outcome, Success) else default

    # -- a value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Related):
            return NotImplemented
        return (self.relation, self.key, self.fresh) == (other.relation, other.key, other.fresh)

    def __hash__(self) -> int:
        return hash((self.relation, self.key, self.fresh))


class ToMany(Relation, Generic[M]):
    """Declares the records of another model that refer to a record: `posts: ClassVar[ToMany["Post"]] = ToMany()`.

    With `through`, the records that a third model links to it. `on` names the field (or fields) of the reference
    where there are several, as text or as a column; with `through`, a pair: that to this model, that to the other.
    """

    __slots__ = ()
    many: ClassVar[bool] = True
    kind: ClassVar[str] = "ToMany"

    def __init__(self, *, on: object = None, through: object = None) -> None:
        super().__init__(on, through)

    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any], /) -> Related[list[M], DatabaseError]: ...
    def __get__(self, instance: object, owner: type[Any], /) -> Any:
        return self if instance is None else related_to(self, instance)


class ToOne(Relation, Generic[M]):
    """Declares the record of another model that a record refers to: `author: ClassVar[ToOne["User"]] = ToOne()`.

    Where the reference may be missing, say `ToOne["User | None"]`: it gives `None` in place of a `NotFound`. `on`
    names the field (or fields) of the reference where there are several. Where the other model refers to this one by
    a unique field, it is the record that does.
    """

    __slots__ = ()
    many: ClassVar[bool] = False
    kind: ClassVar[str] = "ToOne"

    def __init__(self, *, on: object = None) -> None:
        super().__init__(on, None)

    @overload
    def __get__(self, instance: None, owner: type[Any], /) -> Self: ...
    @overload
    def __get__(self: ToOne[T | None], instance: object, owner: type[Any], /) -> Related[T | None, DatabaseError]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any], /) -> Related[M, NotFound | DatabaseError]: ...
    def __get__(self, instance: object, owner: type[Any], /) -> Any:
        return self if instance is None else related_to(self, instance)


def related_to(relation: Relation, instance: Any) -> Related[Any, Any]:
    """The effect that an instance's relation is."""
    if not hasattr(relation, "model"):
        raise TypeError(f"{type(instance).__name__} is no model, so its relations lead nowhere: put @ommi_model on it")
    record = relation.remembered.of(instance)
    return Related(relation, relation.joined().key(instance), record.cell(relation.name), record.runner, origin())


def adopt(found: object, runner: Runner | None) -> None:
    """Let the relations of records be awaited: of one, or of a list of them."""
    if runner is None:
        return
    if isinstance(found, Page):
        found = found.rows
    if type(found) is tuple:  # records side by side
        for part in found:
            adopt(part, runner)
        return
    if type(found) is not list:
        remembered = _remembered(type(found))
        if remembered is not None:
            remembered.of(found).runner = runner.home
        return
    if found and isinstance(found[0], tuple):
        _adopt_side_by_side(found, runner)
        return
    if not found or _remembered(type(found[0])) is None:
        return  # rows of something else, which are of one kind, too
    home, known, remembered = runner.home, type(found[0]), _remembered(type(found[0]))
    for record in found:
        if type(record) is not known:
            known, remembered = type(record), _remembered(type(record))
        if remembered is not None:
            remembered.of(record).runner = home


def _adopt_side_by_side(rows: list[tuple[Any, ...]], runner: Runner) -> None:
    for place in range(len(rows[0])):
        known = next((row[place] for row in rows if row[place] is not None), None)
        if known is not None and _remembered(type(known)) is not None:
            adopt([row[place] for row in rows if row[place] is not None], runner)


def _remembered(cls: type[Any]) -> Remembered | None:
    declared = declared_on(cls)
    return None if declared is None else declared.remembered


def load_many(joined: Joined, keys: tuple[Key, ...], built: Origin | None) -> Perform[dict[Key, list[Any]], Any]:
    """The operation that loads the rows of many keys at once: a list for each key that has any."""
    return Perform(_template(joined, None), Answer.GROUPS, keys=Keys(joined.asked, joined.far, keys), origin=built)


def equal(keys: Keys, key: Key) -> PredicateNode:
    """The condition that the fields of a key have its values."""
    parts = [_equals(keys, field, value) for field, value in zip(keys.fields, key, strict=True)]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def among(keys: Keys, values: Sequence[Key]) -> PredicateNode:
    """The condition that the fields of a key have the values of one of these."""
    first, rest = keys.fields[0], keys.fields[1:]
    if not rest:
        return _one_of(keys, first, [value for (value,) in values])
    begun: dict[Any, list[Key]] = {}
    for value, *others in values:
        begun.setdefault(value, []).append(tuple(others))
    left = Keys(keys.schema, rest, ())
    parts = tuple([And((_equals(keys, first, value), among(left, others))) for value, others in begun.items()])
    return parts[0] if len(parts) == 1 else Or(parts)


def _one_of(keys: Keys, field: Field, values: list[Any]) -> PredicateNode:
    if len(values) == 1:
        return _equals(keys, field, values[0])
    return Membership(Column(keys.schema, field), tuple([Literal(value, field.type) for value in values]))


def _equals(keys: Keys, field: Field, value: Any) -> Comparison:
    return Comparison("==", Column(keys.schema, field), Literal(value, field.type))


def _template(joined: Joined, where: PredicateNode | None) -> Select:
    return Select(joined.target, where=where, order=joined.order, link=joined.link)


def _variable(model: type[Any]) -> str:
    return model.__name__.lower()
