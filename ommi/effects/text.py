"""Effects as the Python that builds them, and what they are made of."""

from __future__ import annotations

from typing import Any, assert_never

from ommi.effects.effect import (
    AfterCommit,
    Alt,
    Answer,
    Attempt,
    Await,
    Bind,
    Binding,
    Bracket,
    Catch,
    Do,
    Effect,
    Either,
    Ensure,
    Fail,
    Fold,
    Folding,
    Gather,
    Lash,
    Map,
    Node,
    Perform,
    Prefetch,
    Race,
    Retry,
    Sleep,
    Step,
    Stepwise,
    Succeed,
    Swap,
    Timeout,
    Together,
    Transact,
)
from ommi.effects.paging import asked
from ommi.effects.related import Related, among
from ommi.effects.rows import rows_text
from ommi.effects.stream import (
    CHUNK,
    Attached,
    Bound,
    Chunked,
    Effected,
    Filtered,
    Mapped,
    Produced,
    Retried,
    Selected,
    Stream,
    StreamNode,
    Taken,
)
from ommi.frozen import replace
from ommi.models.rows import Reading
from ommi.query.expressions import Literal
from ommi.query.statements import (
    AdvisoryLock,
    Count,
    CreateTables,
    Delete,
    DropTables,
    Exists,
    Insert,
    MongoCommand,
    Select,
    Sql,
    Update,
)
from ommi.query.text import expression_text, select_text
from ommi.schema import Field, Schema
from ommi.transactions import TransactionOptions
from ommi.values import DEFAULT

__all__ = ["children", "effect_text", "operation_text", "stream_text"]

_SHOWN = 3


def children(effect: Effect[Any, Any]) -> tuple[Effect[Any, Any], ...]:
    """The effects an effect holds, as far as they are known before it runs."""
    node: Node = effect  # type: ignore[assignment]  # the union is closed
    match node:
        case Succeed() | Fail() | Do() | Attempt() | Await() | Perform() | Fold() | Stepwise() | Sleep() | Related():
            return ()
        case Bind(source, Step("apply", Effect() as container)):
            return (source, container)
        case Ensure(source, finalizer):
            return (source, finalizer)
        case AfterCommit(source, after):
            return (source, after)
        case Gather(items, function):
            return items if function is None else ()
        case Race(effects):
            return effects
        case Bracket(acquire):
            return (acquire,)
        case (
            Map()
            | Bind()
            | Alt()
            | Lash()
            | Catch()
            | Swap()
            | Either()
            | Transact()
            | Retry()
            | Timeout()
            | Prefetch()
            | Binding()
        ):
            return (node.source,)
        case _:
            assert_never(node)


def effect_text(effect: Effect[Any, Any]) -> str:
    """The effect as it was written; a chain of any length, without recursion along it."""
    suffixes: list[str] = []
    while True:
        node: Node = effect  # type: ignore[assignment]  # the union is closed
        match node:
            case Map(source, function):
                suffixes.append(f".map({_function(function)})")
            case Bind(source, Step(name, argument, _)):
                suffixes.append(f".{name}({_function(argument)})")
            case Bind(source, function):
                suffixes.append(f".bind({_function(function)})")
            case Alt(source, function):
                suffixes.append(f".alt({_function(function)})")
            case Lash(source, function) if function is Succeed:
                suffixes.append(".merge()")
            case Lash(source, function):
                suffixes.append(f".lash({_function(function)})")
            case Catch(source, kinds, function):
                suffixes.append(f" >> catch({', '.join(kind.__name__ for kind in kinds)})({_function(function)})")
            case Swap(source):
                suffixes.append(".swap()")
            case Either(source):
                suffixes.append(".either()")
            case Transact(Fold(_, Folding.ADDED) as source, TransactionOptions(flatten=flatten)):
                # add_stream is one transaction
                return _adding(source, flatten) + "".join(reversed(suffixes))
            case Transact(source, None):
                suffixes.append(".savepoint()")
            case Transact(source, TransactionOptions() as options):
                suffixes.append(f".transactional({_options(options)})")
            case Retry(source, schedule, on):
                suffixes.append(f".retry({schedule!r}{_only(on)})")
            case Timeout(source, seconds):
                suffixes.append(f".timeout({seconds})")
            case Ensure(source, finalizer):
                suffixes.append(f".ensure({effect_text(finalizer)})")
            case AfterCommit(source, after):
                suffixes.append(f".after_commit({effect_text(after)})")
            case Related():
                return _head(node) + "".join(reversed(suffixes))
            case Binding():
                source = node.source
            case _:
                return _head(node) + "".join(reversed(suffixes))
        effect = source


def operation_text(perform: Perform[Any, Any]) -> str:
    """One operation as it was written, without the values of the records it writes (they may be secret)."""
    match perform.statement:
        case Select() as query:
            said = "all" if perform.answer is Answer.GROUPS else perform.answer.name.lower()
            return f"find({query.schema.name}) … .{said}()"
        case Count(query):
            return f"find({query.schema.name}) … .count()"
        case Exists(query):
            return f"find({query.schema.name}) … .exists()"
        case Insert(schema, rows, on_conflict):
            said = "add" if on_conflict is None else "upsert"
            said += "" if perform.answer is Answer.RECORD else "_all"
            return f"{said}({schema.name}(…))" if len(rows) == 1 else f"{said}({len(rows)} × {schema.name}(…))"
        case Update(schema):
            return f"save({schema.name}(…))" if perform.answer is Answer.SAVED else f"find({schema.name}) … .update(…)"
        case Delete(schema):
            return (
                f"delete({schema.name}(…))" if perform.answer is Answer.DELETED else f"find({schema.name}) … .delete()"
            )
        case CreateTables(schemas):
            return f"schema.create() of {', '.join(schema.name for schema in schemas)}"
        case DropTables(schemas):
            return f"schema.drop() of {', '.join(schema.name for schema in schemas)}"
        case AdvisoryLock(key):
            return f"advisory_lock({key})"
        case Sql() as statement:
            return f"{_said(statement)}({_template(statement)!r}, …)"
        case MongoCommand(collection):
            return f"mongo({collection!r}, …)"
        case _:
            assert_never(perform.statement)


def _said(statement: Sql) -> str:
    return "sql" if statement.rows else "execute"


def _template(statement: Sql) -> str:
    return "".join(
        part.replace("{", "{{").replace("}", "}}") if isinstance(part, str) else "{}" for part in statement.parts
    )


def _sql(perform: Perform[Any, Any], statement: Sql) -> str:
    given = [repr(_template(statement))]
    for part in statement.parts:
        match part:
            case str():
                continue
            case Schema():
                given.append(part.name)
            case Field():
                given.append(f"<column {part.column}>")
            case Literal():
                given.append(expression_text(part))
            case _:
                assert_never(part)
    if perform.read is not None and perform.read.into is not None:
        given.append(f"into={getattr(perform.read.into, '__name__', perform.read.into)}")
    if statement.rows and statement.writes:
        given.append("writes=True")
    return f"{_said(statement)}({', '.join(given)})"


def _head(node: Any) -> str:
    match node:
        case Succeed(value):
            return f"Effect.from_value({value!r})"
        case Fail(error):
            return f"Effect.from_failure({error!r})"
        case Do(function, arguments, named):
            given = [*map(repr, arguments), *(f"{name}={value!r}" for name, value in named)]
            return f"{function.__qualname__.rpartition('<locals>.')[2]}({', '.join(given)})"
        case Attempt(function, catching):
            return f"attempt({_function(function)}, catching=({', '.join(kind.__name__ for kind in catching)},))"
        case Await(start, catching, result):
            return f"Effect.from_{'future_result' if result else 'awaitable'}({_function(start)})"
        case Gather(items, function, how, limit):
            bound = "" if limit is None else f", limit={limit}"
            if function is not None:
                return f"traverse({_several(items, repr)}, {_function(function)}{bound})"
            said = "validate" if how is Together.VALIDATE else "gather"
            return f"{said}({', '.join(map(effect_text, items))}{bound})"
        case Race(effects):
            return f"race({', '.join(map(effect_text, effects))})"
        case Bracket(acquire, use, release):
            return f"bracket({effect_text(acquire)}, {_function(use)}, {_function(release)})"
        case Sleep(seconds):
            return f"sleep({seconds})"
        case Related():
            return _related(node)
        case Prefetch(source, _, relations):
            query, _, terminal = effect_text(source).rpartition(".")
            return f"{query}.prefetch({', '.join(map(repr, relations))}).{terminal}"
        case Perform():
            return _perform(node)
        case Fold(Effected(stream, function), Folding.EACH):
            return f"{stream_text(stream)}.for_each({_function(function)})"
        case Fold(_, Folding.ADDED):
            return _adding(node, False)
        case Fold(stream, Folding.FOLD, initial, function):
            return f"{stream_text(stream)}.fold({initial!r}, {_function(function)})"
        case Fold(stream):
            return f"{stream_text(stream)}.to_list()"
        case Stepwise(steps):
            return f"a step of a stream ({_function(steps)})"
        case _:
            raise TypeError(f"{type(node).__name__} is no effect")


def _query(query: Select, read: Reading | None) -> str:
    return select_text(query) if read is None else rows_text(query, read)


def stream_text(stream: Stream[Any, Any]) -> str:
    """The stream as it was written."""
    node: StreamNode = stream  # type: ignore[assignment]  # the union is closed
    match node:
        case Selected(perform, chunk, relations):
            loaded = f".prefetch({', '.join(map(repr, relations))})" if relations else ""
            assert isinstance(perform.statement, Select)
            return f"{_query(perform.statement, perform.read)}{loaded}.stream({_chunk(chunk)})"
        case Produced(source, chunk, catching):
            said = [_source_text(node)]
            said += [f"catching=({', '.join(kind.__name__ for kind in catching)},)"] if catching else []
            return f"Stream.from_iterable({', '.join([*said, *filter(None, [_chunk(chunk)])])})"
        case Mapped(source, function):
            return f"{stream_text(source)}.map({_function(function)})"
        case Filtered(source, predicate):
            return f"{stream_text(source)}.filter({_function(predicate)})"
        case Effected(source, function):
            return f"{stream_text(source)}.map_effect({_function(function)})"
        case Bound(source, function):
            return f"{stream_text(source)}.bind({_function(function)})"
        case Taken(source, count):
            return f"{stream_text(source)}.take({count})"
        case Chunked(source, size):
            return f"{stream_text(source)}.chunks({'' if size is None else size})"
        case Retried(source, schedule, on):
            return f"{stream_text(source)}.retry({schedule!r}{_only(on)})"
        case Attached():
            return stream_text(node.source)
        case _:
            assert_never(node)


def _adding(fold: Fold[Any, Any], flatten: bool) -> str:
    assert isinstance(fold.stream, Effected)
    assert isinstance(fold.stream.source, Chunked)
    size = fold.stream.source.size
    said = [_source_text(fold.stream.source.source), _chunk(size or CHUNK), "flatten=True" if flatten else ""]
    return f"add_stream({', '.join(filter(None, said))})"


def _source_text(stream: Stream[Any, Any]) -> str:
    """What was handed in: a stream, or where elements come from."""
    if not isinstance(stream, Produced):
        return stream_text(stream)
    source = stream.source
    return _several(source, repr) if isinstance(source, (list, tuple)) else _function(source)


def _chunk(chunk: int) -> str:
    return "" if chunk == CHUNK else f"chunk={chunk}"


def _only(on: tuple[type[Exception], ...] | None) -> str:
    return "" if on is None else f", on=({', '.join(kind.__name__ for kind in on)},)"


def _perform(perform: Perform[Any, Any]) -> str:
    match perform.statement:
        case Select() as query if perform.keys is not None:
            return f"{select_text(replace(query, where=among(perform.keys, perform.keys.values)))}.all()"
        case Select() as query if perform.answer is Answer.PAGE:
            return f"{_query(asked(query, perform.read), perform.read.labels)}.page({perform.read.size})"
        case Select() as query:
            if perform.answer is Answer.FIRST and query.limit == 1:
                query = replace(query, limit=None)
            return f"{_query(query, perform.read)}.{perform.answer.name.lower()}()"
        case Count(query):
            return f"{select_text(query)}.count()"
        case Exists(query):
            return f"{select_text(query)}.exists()"
        case Insert(schema, rows, on_conflict):
            several = perform.answer is Answer.RECORDS
            given = _several(rows, lambda row: _record(schema, row)) if several else _record(schema, rows[0])
            if on_conflict is None:
                return f"add{'_all' * several}({given})"
            on = ", ".join(f"{schema.name}.{f.name}" for f in on_conflict.fields)
            others = tuple(f for f in schema.fields if f not in on_conflict.fields and not f.is_key)
            update = ", ".join(f"{schema.name}.{f.name}" for f in on_conflict.update)
            said = "" if on_conflict.update == others else f", update=[{update}]"
            return f"upsert{'_all' * several}({given}, on=({on},){said})"
        case Update(schema, assignments, where):
            if perform.answer is Answer.SAVED:
                return f"save({_record(schema, perform.row or ())})"
            sets = ", ".join(f"{f.name}={expression_text(value)}" for f, value in assignments)
            return f"{_conditions(schema, where)}.update({sets})"
        case Delete(schema, where):
            return f"{_conditions(schema, where)}.delete()"
        case CreateTables():
            return "schema.create()"
        case DropTables():
            return "schema.drop()"
        case AdvisoryLock(key):
            return f"advisory_lock({key})"
        case Sql() as statement:
            return _sql(perform, statement)
        case MongoCommand(collection, body):
            return f"mongo({collection!r}, {body!r})"
        case _:
            assert_never(perform.statement)


def _related(node: Related[Any, Any]) -> str:
    joined = node.relation.joined()
    if isinstance(node.key, tuple):
        said = ", ".join(
            f"{f.name}={value if f.type.load is None or value is None else f.type.load(value)!r}"
            for f, value in zip(joined.near, node.key, strict=True)
        )
    else:
        said = "…"
    return f"{joined.owner.name}({said}).{node.relation.name}{'.refresh()' if node.fresh else ''}"


def _conditions(schema: Schema, where: Any) -> str:
    text = select_text(Select(schema, where=where))
    return text if where is not None else f"{text}.everything()"


def _record(schema: Schema, row: tuple[Any, ...]) -> str:
    values: list[str] = []
    for f, value in zip(schema.fields, row, strict=False):
        if value is not DEFAULT:
            load = f.type.load
            values.append(f"{f.name}={value if load is None or value is None else load(value)!r}")
    return f"{schema.name}({', '.join(values)})"


def _several(items: Any, text: Any) -> str:
    shown = ", ".join(text(item) for item in items[:_SHOWN])
    return f"[{shown}]" if len(items) <= _SHOWN else f"[{shown}, … {len(items)} in all]"


def _function(function: Any) -> str:
    if isinstance(function, Effect):
        return effect_text(function)
    name = getattr(function, "__qualname__", None)
    return repr(function) if name is None else str(name).rpartition("<locals>.")[2]


def _options(options: TransactionOptions) -> str:
    said: list[str] = []
    if options.isolation_level is not None:
        said.append(f"isolation=IsolationLevel.{options.isolation_level.name}")
    if options.read_only:
        said.append("read_only=True")
    if options.deferrable:
        said.append("deferrable=True")
    if options.timeout is not None:
        said.append(f"timeout={options.timeout}")
    if options.flatten:
        said.append("flatten=True")
    return ", ".join(said)
