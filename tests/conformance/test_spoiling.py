"""The suite on a database in which a failed statement spoils its transaction, as in PostgreSQL.

Such a driver sets a savepoint around every statement that the runtime calls recoverable, and around no other. A
statement in a spoiled transaction is a defect, so that the suite finds one that had to be recoverable and was not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from hypothesis import given

from ommi import (
    Effect,
    Ommi,
    OmmiError,
    Prog,
    Schedule,
    TransactionOptions,
    UniqueViolation,
    add,
    bracket,
    catch,
    effect,
    find,
    gather,
    validate,
)
from ommi.drivers.driver import Capabilities, Cursor, Driver, Request, Transaction
from ommi.drivers.memory import MemoryDriver
from ommi.testing import DriverSuite
from ommi.testing.comparison import answer, tables
from ommi.testing.models import Tag, suite_models
from ommi.testing.outcomes import fails, succeeds
from ommi.testing.programs import MODELS, UNKEYED, library, programs
from ommi.values import Storage


class Spoiling:
    """A driver around another one, whose transactions are spoiled by what fails in them."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.guards = 0

    @property
    def name(self) -> str:
        return self.driver.name

    @property
    def storage(self) -> Storage:
        return self.driver.storage

    @property
    def capabilities(self) -> Capabilities:
        return self.driver.capabilities

    async def open(self) -> None:
        await self.driver.open()

    async def close(self) -> None:
        await self.driver.close()

    async def execute(self, request: Request, /) -> Any:
        return await self.driver.execute(request)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        return await self.driver.stream(request, chunk)

    async def begin(self, options: TransactionOptions, /) -> Transaction:
        return Spoiled(self, await self.driver.begin(options))


class Spoiled:
    def __init__(self, owner: Spoiling, inner: Transaction) -> None:
        self.owner = owner
        self.inner = inner
        self.spoiled: BaseException | None = None

    @property
    def usable(self) -> bool:
        return self.inner.usable

    async def execute(self, request: Request, /) -> Any:
        return await self.guarded(request, lambda: self.inner.execute(request))

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        inner = await self.guarded(request, lambda: self.inner.stream(request, chunk))
        return SpoiledCursor(self, inner, request)

    async def guarded(self, request: Request, act: Callable[[], Awaitable[Any]]) -> Any:
        self.require_unspoiled("a statement")
        if not request.recoverable:
            return await self.spoiling(act)
        self.owner.guards += 1
        await self.inner.savepoint("guard")
        try:
            answer = await act()
        except OmmiError:
            await self.inner.rollback_to("guard")
            await self.inner.release("guard")
            raise
        await self.inner.release("guard")
        return answer

    async def spoiling(self, act: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await act()
        except OmmiError as error:
            self.spoiled = error
            raise

    def require_unspoiled(self, step: str) -> None:
        if self.spoiled is not None:
            raise AssertionError(f"{step} in a transaction that was spoiled by {self.spoiled!r}")

    async def commit(self) -> None:
        self.require_unspoiled("COMMIT")
        await self.inner.commit()

    async def rollback(self) -> None:
        await self.inner.rollback()

    async def savepoint(self, name: str, /) -> None:
        self.require_unspoiled("SAVEPOINT")
        await self.inner.savepoint(name)

    async def release(self, name: str, /) -> None:
        self.require_unspoiled("RELEASE")
        await self.inner.release(name)

    async def rollback_to(self, name: str, /) -> None:
        await self.inner.rollback_to(name)
        self.spoiled = None


class SpoiledCursor:
    def __init__(self, owner: Spoiled, inner: Cursor, request: Request) -> None:
        self.owner = owner
        self.inner = inner
        self.request = request

    async def next_rows(self) -> list[Any]:
        found: list[Any] = await self.owner.guarded(self.request, self.inner.next_rows)
        return found

    async def close(self) -> None:
        await self.inner.close()


class TestSpoiling(DriverSuite):
    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi(Spoiling(MemoryDriver()))


# -- guards stand only where a handler in the transaction would go on after the failure


@effect
def two() -> Prog[None, Any]:
    yield from add(Tag("a"))
    yield from find(Tag).count()


nothing: Effect[Any, Any] = Effect.from_value(None)
recovered = catch(UniqueViolation)(lambda _: nothing)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "guards, program",
    [
        pytest.param(0, two().transactional(), id="no handler"),
        pytest.param(0, two().lash(lambda _: nothing), id="no transaction"),
        pytest.param(0, two().transactional() >> recovered, id="a handler around the transaction"),
        pytest.param(0, two().transactional().retry(Schedule.recurs(1)), id="a retry around the transaction"),
        pytest.param(2, (two() >> recovered).transactional(), id="catch"),
        pytest.param(2, two().lash(lambda _: nothing).transactional(), id="lash"),
        pytest.param(2, two().either().transactional(), id="either"),
        pytest.param(2, two().swap().swap().transactional(), id="swap"),
        pytest.param(0, two().alt(str).transactional(), id="alt only changes the failure"),
        pytest.param(2, two().retry(Schedule.recurs(1)).transactional(), id="a retry in the transaction"),
        pytest.param(2, validate(two()).transactional(), id="validate goes on"),
        pytest.param(0, gather(two()).transactional(), id="gather ends"),
        pytest.param(2, two().ensure(nothing).transactional(), id="a finalizer comes after it"),
        pytest.param(
            2, bracket(nothing, lambda _: two(), lambda _: nothing).transactional(), id="a release comes after it"
        ),
        pytest.param(0, (two().savepoint() >> recovered).transactional(), id="the savepoint undoes it"),
        pytest.param(2, (two() >> recovered).savepoint().transactional(), id="a handler in the savepoint"),
        pytest.param(2, (two() >> recovered).timeout(60).transactional(), id="a handler in a fiber of its own"),
        pytest.param(2, (two().timeout(60) >> recovered).transactional(), id="a handler around another fiber"),
        pytest.param(
            2, (two() >> recovered).bind(lambda _: find(Tag).everything().delete()).transactional(), id="no longer"
        ),
    ],
)
async def test_a_guard_stands_where_a_handler_goes_on(guards: int, program: Effect[Any, Any]) -> None:
    driver = Spoiling(MemoryDriver())
    async with Ommi(driver) as db:
        await succeeds(db, db.schema.create(suite_models))
        await db.run(program)
    assert driver.guards == guards


@pytest.mark.anyio
async def test_in_a_block_only_reads_are_guarded_since_a_failed_write_dooms_it() -> None:
    driver = Spoiling(MemoryDriver())
    async with Ommi(driver) as db:
        await succeeds(db, db.schema.create(suite_models))
        async with db.transaction() as tx:
            await tx.run(two())
            assert driver.guards == 1
            await tx.run(find(Tag).everything().delete() >> recovered)
            assert driver.guards == 2


@pytest.mark.anyio
async def test_a_run_that_joins_the_body_of_a_program_is_guarded_since_its_caller_may_go_on() -> None:
    driver = Spoiling(MemoryDriver())
    async with Ommi(driver) as db:
        await succeeds(db, db.schema.create(suite_models))
        await succeeds(db, add(Tag("a")))

        async def body() -> None:
            await fails(db, add(Tag("a")), UniqueViolation)
            await succeeds(db, add(Tag("b")))

        await succeeds(db, Effect.from_awaitable(body).transactional())
        assert await succeeds(db, find(Tag).count()) == 2
    assert driver.guards == 2


@pytest.mark.soak
@given(programs())
def test_no_random_program_goes_on_in_a_spoiled_transaction(program: Effect[Any, Any]) -> None:
    async def run() -> None:
        async with Ommi.connect("memory://") as memory, Ommi(Spoiling(MemoryDriver())) as spoiling:
            outcomes = []
            for db in (memory, spoiling):
                await succeeds(db, db.schema.create(suite_models))
                await succeeds(db, library())
                outcomes.append((await answer(db, program, unkeyed=UNKEYED), await tables(db, MODELS, unkeyed=UNKEYED)))
            assert outcomes[0] == outcomes[1]

    anyio.run(run)
