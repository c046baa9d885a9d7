"""`faults` finds what is planted, names it, and lets pass what is right."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

import anyio
import pytest

from ommi import (
    CommitUnknown,
    Effect,
    Failure,
    Key,
    ModelCollection,
    NotFound,
    Ommi,
    OmmiError,
    Prog,
    ReferenceTo,
    Schedule,
    SchemaMismatch,
    TransactionOptions,
    Unique,
    UniqueViolation,
    add,
    auto,
    catch,
    effect,
    find,
    gather,
    ommi_model,
    race,
    sleep,
)
from ommi.drivers.driver import Request
from ommi.drivers.memory import MemoryDriver
from ommi.testing import Fault, FaultRun, FaultsFound, Interposed, Probe, faults, succeeds

pytestmark = pytest.mark.anyio

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Owner:
    name: Annotated[str, Unique]
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Pet:
    owner: Annotated[int, ReferenceTo(Owner)]
    name: str
    id: Annotated[int, Key] = auto()


@effect
def adopt() -> Prog[None, Any]:
    owner = yield from add(Owner("Ada"))
    yield from add(Pet(owner.id, "Rex"))


async def prepare(db: Ommi) -> None:
    await succeeds(db, db.schema.drop(models))
    await succeeds(db, db.schema.create(models))


@asynccontextmanager
async def memory() -> AsyncIterator[Ommi]:
    async with Ommi(MemoryDriver(acquire_timeout=60)) as db:
        yield db


async def found(program: Any, **options: Any) -> FaultsFound:
    with pytest.raises(FaultsFound) as raised:
        await faults(program, memory, prepare=prepare, **options)
    return raised.value


# -- what is right passes, and is counted
async def test_a_transaction_is_whole_whatever_happens() -> None:
    report = await faults(adopt().transactional(), memory, prepare=prepare)
    assert report.steps == ("begin", "add(Owner)", "add(Pet)", "commit")
    assert report.undisturbed.ending == "success"
    assert "step 3 of 4, add(Pet): connection lost after it" in report.cases
    assert [case for case in report.missed if "; then" not in case] == []
    assert set(report.outcomes) >= set(Fault) - {fault for fault in Fault if "task" in fault.value} - {Fault.OVERDUE}


async def test_each_fault_is_what_a_database_answers() -> None:
    wanted = {
        Fault.REJECTED: {"PoolTimeout": 1, "QueryRejected": 2},
        Fault.VIOLATED: {"UniqueViolation": 2, "ForeignKeyViolation": 1},
        Fault.CONFLICT: {"LockTimeout": 1, "Deadlock": 2, "SerializationConflict": 1},
        Fault.LOST_BEFORE: {"ConnectionLost": 4, "QueryRejected": 1},  # at a rollback the first error is the answer
        Fault.LOST_DURING: {"CommitUnknown": 1},
        Fault.LOST_AFTER: {"ConnectionLost": 3, "QueryRejected": 1, "CommitUnknown": 1},
    }
    report = await faults(adopt().transactional(), memory, prepare=prepare, only=set(wanted))
    assert report.outcomes == wanted


async def test_an_autocommitted_write_whose_answer_is_lost_is_unknown() -> None:
    states: dict[Fault | None, Any] = {}

    def check(run: FaultRun) -> None:
        states[run.fault] = run.state["Owner"]
        if run.fault is not None:
            assert isinstance(run.result, CommitUnknown)
            assert run.is_unknown

    only = {Fault.LOST_DURING, Fault.LOST_AFTER}
    await faults(add(Owner("Ada")), memory, prepare=prepare, check=check, only=only)
    assert states == {None: [("Ada",)], Fault.LOST_DURING: [], Fault.LOST_AFTER: [("Ada",)]}


async def test_a_step_that_only_a_fault_leads_to_is_disturbed_too() -> None:
    report = await faults(adopt().transactional(), memory, prepare=prepare)
    assert "step 2 of 4, add(Owner): rejected; then rollback: connection lost before it" in report.cases


async def test_a_task_is_cancelled_natively_where_there_is_such_a_thing(anyio_backend: str) -> None:
    report = await faults(adopt().transactional(), memory, prepare=prepare)
    kinds = {fault for fault in report.outcomes if fault.name.startswith("TASK_")}
    assert len(kinds) == (3 if anyio_backend == "asyncio" else 0)
    assert all(set(report.outcomes[fault]) <= {"cancelled", "success"} for fault in kinds)


async def test_siblings_are_disturbed_in_order_of_arrival() -> None:
    program = gather(*(add(Owner(name)).transactional() for name in "abc"))
    report = await faults(program, memory, prepare=prepare, invariant=lambda state: len(state["Owner"]) <= 3)
    assert sorted(report.steps) == ["add(Owner)"] * 3 + ["begin"] * 3 + ["commit"] * 3
    assert [case for case in report.missed if "; then" not in case] == []


async def test_generated_keys_and_what_refers_to_them_do_not_count() -> None:
    def check(run: FaultRun) -> None:
        assert run.state in ({"Owner": [], "Pet": []}, {"Owner": [("Ada",)], "Pet": [("Rex",)]})

    report = await faults(adopt().transactional().retry(Schedule.recurs(2)), memory, prepare=prepare, check=check)
    assert report.outcomes[Fault.CONFLICT]["success"] >= 4


async def test_an_invariant_says_what_else_is_right() -> None:
    both = add(Owner("Ada")).bind(lambda _: add(Owner("Bob")))
    await faults(both, memory, prepare=prepare, invariant=lambda state: state["Owner"] != [("Bob",)])


async def test_an_open_database_is_used_for_every_run() -> None:
    async with memory() as db:
        report = await faults(adopt().transactional(), db, prepare=prepare)
        assert len(report.runs) > 30
        assert await succeeds(db, find(Owner).count()) <= 1


async def test_no_time_passes() -> None:
    conflicts = adopt().transactional().retry(Schedule.fixed(3600).up_to(2))
    program = sleep(3600).bind(lambda _: conflicts).timeout(1_000_000)
    report = await faults(program, memory, prepare=prepare)
    assert report.outcomes[Fault.OVERDUE]["StatementTimeout"] >= 3


async def test_code_is_a_program_too() -> None:
    class Refused(Exception):
        pass

    async def program(db: Ommi) -> None:
        async with db.transaction() as tx:
            try:
                await tx.add(Owner("Ada")).value
            except OmmiError as error:
                raise Refused from error

    report = await faults(program, memory, prepare=prepare, raises=(Refused,))
    assert report.outcomes[Fault.VIOLATED] == {"Refused": 1, "ForeignKeyViolation": 1}


async def test_a_database_that_cannot_undo_a_statement_ends_the_transaction() -> None:
    class Strict(MemoryDriver):  # type: ignore[misc]  # as MongoDB is
        capabilities = replace(MemoryDriver.capabilities, undoes_statements=False)

    other = add(Owner("Bob"))
    program = (add(Owner("Ada")) >> catch(UniqueViolation)(lambda _: other)).transactional()
    violated = {"UniqueViolation": 1, "ForeignKeyViolation": 1}
    report = await faults(program, lambda: Ommi(Strict()), prepare=prepare, only={Fault.VIOLATED})
    assert report.outcomes[Fault.VIOLATED] == violated
    report = await faults(program, memory, prepare=prepare, only={Fault.VIOLATED}, invariant=lambda _: True)
    assert report.outcomes[Fault.VIOLATED] == {"success": 1} | violated


# -- what is wrong is found
async def test_what_is_half_done_is_found_and_can_be_run_alone() -> None:
    error = await found(adopt())
    name = "step 2 of 2, add(Pet): connection lost before it"
    assert name in [run.case for run in error.violations]
    assert f"  {name}\n    half done" in str(error)
    assert "{'Owner'" not in str(error)
    alone = await found(adopt(), only={name})
    assert [run.case for run in alone.report.runs] == [name]


async def test_an_invariant_that_does_not_hold_is_found() -> None:
    both = add(Owner("Ada")).bind(lambda _: add(Owner("Bob")))
    error = await found(both, invariant=lambda state: len(state["Owner"]) != 1)
    assert "the invariant does not hold" in str(error)


async def test_a_check_that_fails_is_found() -> None:
    def check(run: FaultRun) -> None:
        assert run.ending != "failure", "no failures here"

    assert "check: no failures here" in str(await found(add(Owner("Ada")), check=check))


async def test_a_failure_after_a_commit_is_found() -> None:
    async def forgetting(db: Ommi) -> None:
        await db.run(adopt().transactional())
        raise NotFound("whatever happened")

    error = await found(forgetting)
    assert "it ended in NotFound('whatever happened')" in str(error)


@pytest.mark.parametrize("only", [{Fault.REJECTED}, {Fault.LOST_BEFORE}, {Fault.CANCELLED_BEFORE}])
async def test_what_is_not_given_back_is_found(only: set[Fault]) -> None:
    probe = Probe("lamp")

    async def program(db: Ommi) -> None:
        await db.run(probe.begin)
        await db.add(Owner("Ada")).value
        await db.run(probe.end)

    error = await found(program, probes=[probe], only=only)
    assert "<Probe lamp: 1 begun, 0 ended, 0 ticks>" in str(error)


async def test_what_is_around_an_effect_is_given_back() -> None:
    probe = Probe("lamp")
    await faults(probe.around(adopt()).transactional(), memory, prepare=prepare, probes=[probe])
    assert probe.begun == probe.ended <= 1


async def test_a_defect_in_a_handler_is_found() -> None:
    def handle(_: object) -> Effect[Any, Any]:
        raise ZeroDivisionError

    error = await found(add(Owner("Ada")).lash(handle))
    assert "ended in a defect: ZeroDivisionError()" in str(error)


async def test_an_exception_that_code_did_not_declare_is_found() -> None:
    async def program(db: Ommi) -> None:
        try:
            await db.add(Owner("Ada")).value
        except OmmiError as error:
            raise LookupError from error

    assert "ended in a defect: LookupError()" in str(await found(program))
    await faults(program, memory, prepare=prepare, raises=(LookupError,))


async def test_a_hang_is_found_with_its_place() -> None:
    async def program(db: Ommi) -> None:
        if isinstance(await db.run(adopt().transactional()), Failure):
            await anyio.sleep_forever()

    error = await found(program, only={Fault.REJECTED}, seconds=0.2)
    assert "hung after step 1, begin" in str(error)
    assert len(error.report.runs) == 1


async def test_a_hang_in_the_driver_under_a_shield_is_found_with_its_place() -> None:
    async def hang(step: str) -> None:
        if step == "rollback":
            await anyio.sleep_forever()

    @asynccontextmanager
    async def hanging() -> AsyncIterator[Ommi]:
        async with memory() as db, Ommi(Interposed(db.driver, before=hang)) as slow:
            yield slow

    with pytest.raises(FaultsFound, match="hung in step 3, rollback"):
        await faults(adopt().transactional(), hanging, prepare=prepare, only={Fault.REJECTED}, seconds=0.2)


async def test_a_transaction_that_is_not_ended_is_found() -> None:
    async def program(db: Ommi) -> None:
        transaction = await db.driver.begin(TransactionOptions())
        await transaction.savepoint("a")
        await transaction.commit()

    error = await found(program, only={Fault.LOST_BEFORE}, seconds=0.2)
    assert "1 transactions were begun and not ended" in str(error)


async def test_a_connection_that_the_driver_keeps_is_found() -> None:
    kept: list[Any] = []

    async def keep(step: str) -> None:
        if step == "rollback":
            kept.append(await driver.begin(TransactionOptions(read_only=True)))

    driver = MemoryDriver()

    class Leaking(Interposed):  # type: ignore[misc]
        @property
        def in_use(self) -> int:
            return driver.in_use

    async with Ommi(driver):
        leaking = Ommi(Leaking(driver, after=keep))
        async with leaking:
            with pytest.raises(FaultsFound, match=r"1 connections of .* are still in use"):
                await faults(
                    adopt().transactional(), leaking, prepare=prepare, only={"step 2 of 4, add(Owner): rejected"}
                )
        for transaction in kept:
            await transaction.rollback()


async def test_a_transaction_that_goes_on_after_a_failure_is_found() -> None:
    async def program(db: Ommi) -> None:
        statements = [request(find(model).count()) for model in (Owner, Pet)]
        transaction = await db.driver.begin(TransactionOptions())
        try:
            for statement in statements:
                with suppress(OmmiError):
                    await transaction.execute(statement)
        finally:
            await transaction.rollback()

    def request(counting: Any) -> Request:
        return Request(counting.statement)

    case = "step 2 of 4, count(Owner): "
    for fault, problem in (
        (Fault.REJECTED, "count(Pet) in a transaction after a failure that was not called recoverable"),
        (Fault.CONFLICT, "count(Pet) in a transaction that the database had ended"),
        (Fault.LOST_AFTER, "count(Pet) in a transaction that had lost its connection"),
    ):
        error = await found(program, only={case + fault.value})
        assert problem in str(error)


async def test_a_transaction_used_after_its_end_is_found() -> None:
    async def program(db: Ommi) -> None:
        transaction = await db.driver.begin(TransactionOptions())
        await transaction.commit()
        await transaction.rollback()

    assert "rollback in a transaction that had ended" in str(await found(program))


# -- what is asked for must be there
async def test_a_state_that_is_not_made_anew_is_an_error() -> None:
    async with memory() as db:
        await prepare(db)
        with pytest.raises(ValueError, match="`prepare` is to make the same state"):
            await faults(add(Owner("Ada")), db)


async def test_a_program_that_lacks_its_tables_is_an_error() -> None:
    with pytest.raises(ValueError, match="let `prepare` make what it needs") as raised:
        await faults(add(Owner("Ada")), memory)
    assert isinstance(raised.value.__cause__, SchemaMismatch)


async def test_a_name_that_is_no_case_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no case 'step 9'; near it are 'step "):
        await faults(add(Owner("Ada")), memory, prepare=prepare, only={"step 9"})


async def test_a_program_without_steps_proves_nothing() -> None:
    assert "it takes no step" in str(await found(Effect.from_value(1)))


async def test_faults_that_meet_no_step_prove_nothing() -> None:
    runs = iter(range(100))

    async def program(db: Ommi) -> None:
        await db.run(find(Owner).count() if next(runs) < 2 else find(Pet).count())

    assert "the fault met no step" in str(await found(program, only={Fault.REJECTED}))


async def test_the_report_reads_well() -> None:
    report = await faults(race(find(Owner).count(), sleep(1)), memory, prepare=prepare, only={Fault.LOST_AFTER})
    assert str(report).splitlines() == [
        "1 cases at 1 steps (count(Owner))",
        "  connection lost after it: 1 ConnectionLost",
    ]
