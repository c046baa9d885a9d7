"""`Effect[T, E]`: a program that will give a `T` or fail with an `E`, as a frozen value.

Making an effect runs nothing. Its nodes are a closed union (`Node`), which the interpreter of `ommi.runtime`
unwinds; equal parts make equal effects, and `repr` reads like the code that built them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, ParamSpec, TypeAlias, cast, final, overload

from returns.interfaces.specific.result import ResultLike2
from returns.primitives.hkt import SupportsKind2
from returns.result import Failure, Result, Success
from typing_extensions import TypeVar

from ommi.effects.schedule import Schedule
from ommi.errors import DatabaseError, Origin
from ommi.frozen import frozen
from ommi.models.relations import Relation
from ommi.query.statements import Statement
from ommi.schema import Field, Schema
from ommi.transactions import IsolationLevel, TransactionOptions

if TYPE_CHECKING:
    from returns.future import FutureResult
    from returns.io import IOResult
    from returns.maybe import Maybe

    from ommi.effects.stream import Stream

__all__ = ["Effect", "Outcome", "Raises", "Sent"]

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
T = TypeVar("T")
E = TypeVar("E")
U = TypeVar("U")
E2 = TypeVar("E2")
X = TypeVar("X", bound=Exception)
X2 = TypeVar("X2", bound=Exception)
P = ParamSpec("P")

Outcome: TypeAlias = Success[T] | Failure[E]
"""What a run gives back: a closed union, so that `match` is checked for exhaustiveness (`Result` is open)."""


@final
class Sent:
    """What the interpreter sends into a program: opaque, so that a bare `yield effect` does not type-check."""


class Raises(Generic[E_co]):
    """What a program yields, to the type checker: of an effect, only its error."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _raises(self) -> E_co: ...


class Description:
    """A plain base class: `returns`' law checks need one that is not generic."""

    __slots__ = ()


class Effect(  # type: ignore[type-var]  # as in every container of `returns`: KindN is invariant
    Description,
    SupportsKind2["Effect[Any, Any]", T_co, E_co],
    ResultLike2[T_co, E_co],
    Raises[E_co],
):
    """A description of a program that succeeds with a `T` or fails with an `E`.

    Run it with `await db.run(effect)`, as often as needed. What the functions given to its methods raise is a
    defect: it rolls back, and leaves `run` as it is; only `attempt` turns exceptions into failures.
    """

    __slots__ = ()

    # -- making
    @classmethod
    def from_value(cls, inner_value: U) -> Effect[U, Never]:
        """Succeed with the value."""
        return Succeed(inner_value)

    @classmethod
    def from_failure(cls, inner_value: E2) -> Effect[Never, E2]:
        """Fail with the error."""
        return Fail(inner_value)

    @classmethod
    def from_result(cls, inner_value: Result[U, E2]) -> Effect[U, E2]:
        """Succeed or fail as the result did."""
        return _of_result(inner_value)

    @classmethod
    def from_ioresult(cls, inner_value: IOResult[U, E2]) -> Effect[U, E2]:
        """Succeed or fail as the result did."""
        return _of_result(inner_value._inner_value)

    @classmethod
    def from_maybe(cls, inner_value: Maybe[U], error: E2) -> Effect[U, E2]:
        """Succeed with what is there, or fail with `error` for `Nothing`."""
        from returns.maybe import Some  # here, because whoever has a Maybe has imported it

        return Succeed(inner_value.unwrap()) if isinstance(inner_value, Some) else Fail(error)

    @staticmethod
    def from_future_result(start: Callable[[], FutureResult[U, E2]]) -> Effect[U, E2]:
        """Await what `start` makes, anew in every run: a `FutureResult` itself can be awaited only once."""
        return Await(start, result=True)

    @overload
    @staticmethod
    def from_awaitable(start: Callable[[], Awaitable[U]]) -> Effect[U, Never]: ...
    @overload
    @staticmethod
    def from_awaitable(
        start: Callable[[], Awaitable[U]], *, catching: tuple[type[X], type[X2]]
    ) -> Effect[U, X | X2]: ...
    @overload
    @staticmethod
    def from_awaitable(start: Callable[[], Awaitable[U]], *, catching: tuple[type[X], ...]) -> Effect[U, X]: ...
    @staticmethod
    def from_awaitable(
        start: Callable[[], Awaitable[Any]], *, catching: tuple[type[Any], ...] = ()
    ) -> Effect[Any, Any]:
        """Await what `start` makes, anew in every run; exceptions of the classes in `catching` become failures."""
        given: object = catching
        if not callable(start):
            raise TypeError(
                f"from_awaitable(…) takes a function that makes an awaitable in every run, "
                f"such as from_awaitable(lambda: fetch(url)), not {start!r}"
            )
        if not isinstance(given, tuple):
            raise TypeError(f"from_awaitable(…, catching=) takes a tuple of classes, such as (OSError,), not {given!r}")
        return Await(start, catching=catching)

    # -- the railway: errors accumulate
    def map(self, function: Callable[[T_co], U]) -> Effect[U, E_co]:
        """Change the value."""
        return Map(self, function)

    def bind(self, function: Callable[[T_co], Effect[U, E2]]) -> Effect[U, E_co | E2]:  # type: ignore[override]
        """Go on with the effect the function makes of the value."""
        return Bind(self, function)

    def tap(self, function: Callable[[T_co], Effect[Any, E2]]) -> Effect[T_co, E_co | E2]:
        """Run the effect the function makes of the value, and keep the value."""
        return Bind(self, Step("tap", function, _tap))

    def bind_result(self, function: Callable[[T_co], Result[U, E2]]) -> Effect[U, E_co | E2]:
        """Go on with the `Result` the function makes of the value."""
        return Bind(self, Step("bind_result", function, _bind_result))

    def apply(self, container: Effect[Callable[[T_co], U], E2]) -> Effect[U, E_co | E2]:  # type: ignore[override]
        """Call the function the other effect gives with the value of this one, which runs first."""
        return Bind(self, Step("apply", container, _apply))

    def alt(self, function: Callable[[E_co], E2]) -> Effect[T_co, E2]:
        """Change the error."""
        return Alt(self, function)

    def lash(self, function: Callable[[E_co], Effect[U, E2]]) -> Effect[T_co | U, E2]:  # type: ignore[override]
        """Recover: go on with the effect the function makes of the error."""
        return Lash(self, function)

    def _catch(self, kinds: tuple[type[Any], ...], function: Callable[[Any], Effect[Any, Any]]) -> Effect[Any, Any]:
        return Catch(self, kinds, function)

    def swap(self) -> Effect[E_co, T_co]:
        """Succeed with the error and fail with the value."""
        return Swap(self)

    def either(self) -> Effect[Success[T_co] | Failure[E_co], Never]:
        """Succeed with the outcome itself, `Success` or `Failure`."""
        return Either(self)

    def merge(self) -> Effect[T_co | E_co, Never]:
        """Succeed with the value or with the error."""
        return Lash(self, Succeed)

    # -- scopes
    def transactional(
        self,
        *,
        isolation: IsolationLevel | None = None,
        read_only: bool = False,
        timeout: float | None = None,
        deferrable: bool = False,
        flatten: bool = False,
    ) -> Effect[T_co, E_co | DatabaseError]:
        """Run as one transaction: all of it is committed, or, unless it succeeds, nothing.

        Inside another transaction it is a savepoint; with `flatten` it is a part of that transaction, whose failure
        is the failure of the whole (MongoDB has no savepoints). `timeout` is in seconds, for the whole of it. The
        options are those of `TransactionOptions`.
        """
        return Transact(self, TransactionOptions(isolation, read_only, timeout, deferrable=deferrable, flatten=flatten))

    def savepoint(self) -> Effect[T_co, E_co | DatabaseError]:
        """Undo this part, and only it, unless it succeeds; outside a transaction it is one of its own."""
        return Transact(self, None)

    def retry(
        self, schedule: Schedule, *, on: tuple[type[Exception], ...] | type[Exception] | None = None
    ) -> Effect[T_co, E_co | DatabaseError]:
        """Run again from the beginning after a failure, as long as the schedule says.

        Without `on`, after errors whose `retryable` is true; with it, after errors of these classes.
        """
        given: object = schedule
        if not isinstance(given, Schedule):
            raise TypeError(f"retry(…) takes a schedule, such as Schedule.recurs(3), not {given!r}")
        kinds = None if on is None else on if isinstance(on, tuple) else (on,)
        return Retry(self, schedule, kinds)

    def timeout(self, seconds: float) -> Effect[T_co, E_co | DatabaseError]:
        """Stop after this many seconds, in the database too, and fail with `StatementTimeout`."""
        if not seconds >= 0:
            raise ValueError(f"timeout takes seconds, zero or more, not {seconds!r}")
        return Timeout(self, seconds)

    def ensure(self, finalizer: Effect[Any, Never]) -> Effect[T_co, E_co]:
        """Run the finalizer once afterwards, whatever happened: success, failure, defect or cancellation."""
        return Ensure(self, _checked(finalizer, "ensure"))

    def after_commit(self, effect: Effect[Any, Never]) -> Effect[T_co, E_co]:
        """Run the effect once after the outermost COMMIT; after a rollback, never.

        Outside a transaction it runs after this effect has succeeded.
        """
        return AfterCommit(self, _checked(effect, "after_commit"))

    # -- looking
    def children(self) -> tuple[Effect[Any, Any], ...]:
        """The effects this one is made of, as far as they are known before it runs."""
        from ommi.effects.text import children

        return children(self)

    def __repr__(self) -> str:
        from ommi.effects.text import effect_text

        return effect_text(self)

    # -- do-notation
    def __iter__(self) -> Generator[Raises[E_co], Sent, T_co]:
        return cast("T_co", (yield self))

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"an effect has no attribute {name!r}; if its value has, the value is there only while it runs: "
                "`x = yield from effect` in a program, `effect.map(lambda x: …)`, or await db.run(effect)",
                name=name,
                obj=self,
            )

        def __bool__(self) -> NoReturn:
            raise TypeError(f"an effect has no truth value before it runs: run it, and look at its value. {self!r}")

        def __await__(self) -> NoReturn:
            raise TypeError(
                f"an effect is a description and is not awaited: run it with `await db.run(effect)`, "
                f"or make it through the database (db.find(…), db.add(…)) to have it bound. The effect: {self!r}"
            )


def _checked(effect: Any, said: str) -> Effect[Any, Never]:
    if not isinstance(effect, Effect):
        raise TypeError(
            f"{said}(…) takes an effect, not {effect!r}; of a function make one with attempt or from_awaitable"
        )
    return effect


def _of_result(result: Result[U, E2]) -> Effect[U, E2]:
    return Succeed(result.unwrap()) if isinstance(result, Success) else Fail(result.failure())


# -- the nodes


@final
@frozen(repr=False)
class Succeed(Effect[T_co, Never]):
    value: T_co


@final
@frozen(repr=False)
class Fail(Effect[Never, E_co]):
    error: E_co


@final
@frozen(repr=False)
class Map(Effect[T_co, E_co]):
    source: Effect[Any, E_co]
    function: Callable[[Any], T_co]


@final
@frozen(repr=False)
class Bind(Effect[T_co, E_co]):
    source: Effect[Any, E_co]
    function: Callable[[Any], Effect[T_co, Any]]


@final
@frozen(repr=False)
class Alt(Effect[T_co, E_co]):
    source: Effect[T_co, Any]
    function: Callable[[Any], E_co]


@final
@frozen(repr=False)
class Lash(Effect[T_co, E_co]):
    source: Effect[Any, Any]
    function: Callable[[Any], Effect[Any, E_co]]


@final
@frozen(repr=False)
class Catch(Effect[T_co, E_co]):
    """Recover from errors of some classes; others pass."""

    source: Effect[Any, Any]
    kinds: tuple[type[Any], ...]
    function: Callable[[Any], Effect[Any, Any]]


@final
@frozen(repr=False)
class Swap(Effect[T_co, E_co]):
    source: Effect[Any, Any]


@final
@frozen(repr=False)
class Either(Effect[T_co, Never]):
    source: Effect[Any, Any]


@final
@frozen(repr=False)
class Do(Effect[T_co, E_co]):
    """A program in do-notation: each run calls the generator function anew."""

    function: Callable[..., Generator[Any, Any, T_co]]
    arguments: tuple[Any, ...] = ()
    named: tuple[tuple[str, Any], ...] = ()


@final
@frozen(repr=False)
class Attempt(Effect[T_co, E_co]):
    """Call a function; exceptions of the classes in `catching` become failures."""

    function: Callable[[], T_co]
    catching: tuple[type[Any], ...]


@final
@frozen(repr=False)
class Await(Effect[T_co, E_co]):
    """Await what a function makes; with `result`, it gives a `FutureResult`."""

    start: Callable[[], Awaitable[Any]]
    catching: tuple[type[Any], ...] = ()
    result: bool = False


class Answer(Enum):
    """What becomes of a statement's answer."""

    PLAIN = "as it is: a count, a bool or None"
    ALL = "the list of rows"
    ONE = "the only row, or NotFound or MultipleFound"
    FIRST = "the first row or None"
    RECORD = "the record inserted, with what the database assigned"
    RECORDS = "the records inserted, in order"
    SAVED = "the record updated, or StaleRecord or NotFound when no row matched"
    DELETED = "None, or NotFound when no row matched"
    STREAM = "the records, some at a time"
    GROUPS = "a list of the records of each key that has any, by key"
    PAGE = "a page: the rows, and the cursors of those beside it"


@final
@frozen
class Keys:
    """Values that some fields are to have: a read of many keys at once."""

    schema: Schema
    fields: tuple[Field, ...]
    values: tuple[tuple[Any, ...], ...]


@final
@frozen(repr=False)
class Perform(Effect[T_co, E_co]):
    """One statement, and what its answer becomes."""

    statement: Statement
    answer: Answer
    read: Any = None
    """For selected columns: the `Reading` of their rows; a `Paging` for `PAGE`."""
    row: tuple[Any, ...] | None = None
    """For `SAVED`: the canonical values of the record as it is written."""
    keys: Keys | None = None
    """For `GROUPS`: the condition, which the statement is without."""
    targets: tuple[Any, ...] = field(default=(), compare=False)
    """The instances passed in, to be filled after the commit with what the database assigned."""
    origin: Origin | None = field(default=None, compare=False)


class Together(Enum):
    """How the outcomes of several effects become one."""

    ALL = "a tuple of the values, or the first failure"
    LIST = "a list of the values, or the first failure"
    VALIDATE = "a tuple of the values, or a tuple of all failures"


@final
@frozen(repr=False)
class Gather(Effect[T_co, E_co]):
    """Several effects at once; `function` makes them of `items` (`None`: the items are the effects)."""

    items: tuple[Any, ...]
    function: Callable[[Any], Effect[Any, Any]] | None
    how: Together
    limit: int | None = None


@final
@frozen(repr=False)
class Race(Effect[T_co, E_co]):
    """Several effects at once, of which the first to end is the answer."""

    effects: tuple[Effect[Any, Any], ...]


@final
@frozen(repr=False)
class Transact(Effect[T_co, E_co]):
    """A transaction, or a savepoint inside one; `options` is `None` where only a savepoint was asked for."""

    source: Effect[Any, Any]
    options: TransactionOptions | None


@final
@frozen(repr=False)
class Retry(Effect[T_co, E_co]):
    source: Effect[Any, Any]
    schedule: Schedule
    on: tuple[type[Exception], ...] | None


@final
@frozen(repr=False)
class Timeout(Effect[T_co, E_co]):
    source: Effect[Any, Any]
    seconds: float


@final
@frozen(repr=False)
class Ensure(Effect[T_co, E_co]):
    source: Effect[Any, Any]
    finalizer: Effect[Any, Never]


@final
@frozen(repr=False)
class Bracket(Effect[T_co, E_co]):
    """Acquire, use, release; release runs once for every acquire that succeeded."""

    acquire: Effect[Any, Any]
    use: Callable[[Any], Effect[Any, Any]]
    release: Callable[[Any], Effect[Any, Never]]


@final
@frozen(repr=False)
class AfterCommit(Effect[T_co, E_co]):
    source: Effect[Any, Any]
    effect: Effect[Any, Never]


@final
@frozen(repr=False)
class Prefetch(Effect[T_co, E_co]):
    """A query whose records come with what their relations load: one statement for each of these."""

    source: Effect[Any, Any]
    model: type[Any]
    relations: tuple[Relation, ...]
    origin: Origin | None = field(default=None, compare=False)


class Folding(Enum):
    """What a stream comes to."""

    FOLD = "what a function made of each element and of what it had made of those before"
    LIST = "all elements"
    EACH = "how many there were"
    ADDED = "the sum of them: how many records were inserted"


@final
@frozen(repr=False)
class Fold(Effect[T_co, E_co]):
    """All elements of a stream, one after the other; `function` and `initial` are for `FOLD`."""

    stream: Stream[Any, Any]
    how: Folding
    initial: Any = None
    function: Callable[[Any, Any], Any] | None = None


@final
@frozen(repr=False)
class Stepwise(Effect[T_co, E_co]):
    """Steps of the runtime's own, such as one of a stream that is open."""

    steps: Callable[[Any, Any], Generator[Any, Any, Any]]


@final
@frozen(repr=False)
class Sleep(Effect[None, Never]):
    seconds: float


class Binding(Effect[T_co, E_co]):
    """The base of effects that carry the database they run on; to the interpreter they are their source."""

    __slots__ = ()

    if TYPE_CHECKING:
        source: Effect[Any, Any]


Node: TypeAlias = """
    Succeed[Any] | Fail[Any] | Map[Any, Any] | Bind[Any, Any] | Alt[Any, Any] | Lash[Any, Any] | Catch[Any, Any]
    | Swap[Any, Any] | Either[Any] | Do[Any, Any] | Attempt[Any, Any] | Await[Any, Any] | Perform[Any, Any]
    | Gather[Any, Any] | Race[Any, Any] | Transact[Any, Any] | Retry[Any, Any] | Timeout[Any, Any] | Ensure[Any, Any]
    | Bracket[Any, Any] | AfterCommit[Any, Any] | Prefetch[Any, Any] | Fold[Any, Any] | Stepwise[Any, Any] | Sleep
    | Binding[Any, Any]
"""
"""Every kind of effect."""


# -- steps: functions that are data, so that what is derived from `bind` compares and prints as it was written


@final
@frozen
class Step:
    """The function of a `Bind` made by another method: `name` and `argument` are what the user wrote."""

    name: str
    argument: Any
    meaning: Callable[[Any, Any], Effect[Any, Any]]

    def __call__(self, value: Any) -> Effect[Any, Any]:
        return self.meaning(self.argument, value)


def _tap(function: Callable[[Any], Effect[Any, Any]], value: Any) -> Effect[Any, Any]:
    return function(value).map(lambda _: value)


def _bind_result(function: Callable[[Any], Result[Any, Any]], value: Any) -> Effect[Any, Any]:
    return _of_result(function(value))


def _apply(container: Effect[Callable[[Any], Any], Any], value: Any) -> Effect[Any, Any]:
    return container.map(lambda function: function(value))
