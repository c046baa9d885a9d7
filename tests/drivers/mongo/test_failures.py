"""What becomes of work when the server fails: refused, retried, or known to be unknown; nothing is lost."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from returns.result import Failure, Success

from ommi import IsolationLevel, Ommi, Schedule, add, add_all, col, find, gather
from ommi.drivers.mongo import MongoDriver
from ommi.errors import (
    CommitUnknown,
    ConnectionFailed,
    ConnectionLost,
    SerializationConflict,
    StatementTimeout,
    Unavailable,
    UnsupportedOperation,
)
from ommi.testing import fails, succeeds
from ommi.testing.conformance.transactions import names, tagged
from ommi.testing.models import Account, Author, Book, Tag, suite_models
from tests.servers import mongo as servers
from tests.servers.mongo import Database
from tests.servers.room import Running, stop, turn

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def mongo(worker: str) -> Iterator[Database]:
    """A database on a server that fails when it is told to, which one that somebody else runs does not."""
    found = servers.database(worker, own=True)
    yield found
    found.client.close()


@pytest.fixture
async def db(mongo: Database) -> AsyncIterator[Ommi]:
    async with Ommi.connect(mongo.url, appname=mongo.db.name) as db:
        await succeeds(db, db.schema.create(suite_models))
        mongo.empty()
        yield db


@contextmanager
def failing(mongo: Database, times: int, commands: list[str], **how: Any) -> Iterator[None]:
    """The server fails commands of the driver so often."""
    data = {"failCommands": commands, "appName": mongo.db.name, **how}
    with turn("mongo-faults"):  # a server has one such point, and other processes of the run have the same server
        mongo.client.admin.command({"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data})
        try:
            yield
        finally:
            mongo.client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


async def test_a_write_whose_connection_breaks_once_is_done_once(db: Ommi, mongo: Database) -> None:
    with failing(mongo, 1, ["insert"], closeConnection=True):
        await succeeds(db, tagged("a"))
    assert await names(db) == ["a"]


async def test_a_write_whose_connections_break_is_unknown(db: Ommi, mongo: Database) -> None:
    with failing(mongo, 2, ["insert"], closeConnection=True):
        await fails(db, tagged("a"), CommitUnknown)


async def test_a_read_whose_connections_break_is_lost(db: Ommi, mongo: Database) -> None:
    with failing(mongo, 2, ["find"], closeConnection=True):
        error = await fails(db, find(Tag).all(), ConnectionLost)
    assert error.retryable


async def test_a_transaction_whose_connection_breaks_is_lost_and_can_be_retried(db: Ommi, mongo: Database) -> None:
    program = tagged("a", "b").transactional()
    with failing(mongo, 1, ["insert"], closeConnection=True):
        await fails(db, program, ConnectionLost)
    assert await names(db) == []
    with failing(mongo, 1, ["insert"], closeConnection=True):
        await succeeds(db, program.retry(Schedule.recurs(1)))
    assert await names(db) == ["a", "b"]


@pytest.mark.parametrize("code", [112, 251])
async def test_a_conflict_in_a_transaction_is_one(db: Ommi, mongo: Database, code: int) -> None:
    how = {"errorCode": code, "errorLabels": ["TransientTransactionError"]}
    with failing(mongo, 1, ["insert"], **how):
        await fails(db, tagged("a").transactional(), SerializationConflict)
    assert await names(db) == []


async def test_a_conflict_of_a_statement_on_its_own_is_tried_again(db: Ommi, mongo: Database) -> None:
    how = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    with failing(mongo, 2, ["insert"], **how):
        await succeeds(db, add_all([Tag("a"), Tag("b")]))
    assert await names(db) == ["a", "b"]


async def test_a_conflict_at_commit_is_one(db: Ommi, mongo: Database) -> None:
    how = {"errorCode": 251, "errorLabels": ["TransientTransactionError"]}
    with failing(mongo, 1, ["commitTransaction"], **how):
        await fails(db, tagged("a").transactional(), SerializationConflict)
    assert await names(db) == []


async def test_a_commit_whose_answer_is_lost_is_asked_for_again(db: Ommi, mongo: Database) -> None:
    with failing(mongo, 3, ["commitTransaction"], closeConnection=True):
        await succeeds(db, tagged("a").transactional())
    assert await names(db) == ["a"]


async def test_a_commit_that_is_never_answered_is_unknown(mongo: Database) -> None:
    async with Ommi.connect(mongo.url, appname=mongo.db.name, conflict_timeout=0) as db:
        await succeeds(db, db.schema.create(suite_models))
        mongo.empty()
        with failing(mongo, 9, ["commitTransaction"], closeConnection=True):
            await fails(db, tagged("a").transactional(), CommitUnknown)


@pytest.mark.parametrize("how", [{"closeConnection": True}, {"errorCode": 189, "errorLabels": ["RetryableWriteError"]}])
async def test_a_change_of_one_row_is_done_once_whatever_becomes_of_the_primary(
    db: Ommi, mongo: Database, how: dict[str, Any]
) -> None:
    await succeeds(db, add_all([Account(1, "Ada", 10), Account(2, "Bob", 20)]))
    one = find(Account, col(Account.id) == 1)
    with failing(mongo, 1, ["update"], **how):
        assert await succeeds(db, one.update(balance=col(Account.balance) + 1)) == 1
    assert (await succeeds(db, one.one())).balance == 11
    with failing(mongo, 1, ["delete"], **how):
        assert await succeeds(db, one.delete()) == 1
    assert await succeeds(db, find(Account).count()) == 1


async def test_a_cancelled_statement_stops_on_the_server(db: Ommi, mongo: Database) -> None:
    await succeeds(db, add_all([Author(n) for n in range(300)]))
    slow = {"blockConnection": True, "blockTimeMS": 20_000}
    with failing(mongo, 1, ["find"], **slow), anyio.fail_after(10):
        await fails(db, find(Author).all().timeout(0.05), StatementTimeout)
        await succeeds(db, find(Author).count())


async def test_a_run_that_is_cancelled_in_its_middle_leaves_no_transaction(db: Ommi, mongo: Database) -> None:
    await succeeds(db, add(Account(1, "Ada")))
    change = find(Account, col(Account.id) == 1).update(owner="Bob")
    program = gather(add(Tag("a")), add(Tag("b")), change, add(Tag("c"))).transactional()
    slow = {"blockConnection": True, "blockTimeMS": 20_000}
    with failing(mongo, 1, ["update"], **slow), anyio.fail_after(10):
        with anyio.move_on_after(0.1) as scope:
            await db.run(program)
        assert scope.cancelled_caught
        assert await names(db) == []
    await succeeds(db, program)  # which a transaction that is open would conflict with
    assert await names(db) == ["a", "b", "c"]


async def test_a_run_that_meets_a_conflict_ends_its_transaction(db: Ommi, mongo: Database) -> None:
    program = gather(add(Tag("a")), add(Tag("b"))).transactional()
    how = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    with failing(mongo, 1, ["insert"], **how):
        await fails(db, program, SerializationConflict)
    with failing(mongo, 1, ["insert"], **how):
        await succeeds(db, program.retry(Schedule.recurs(1)))
    assert await names(db) == ["a", "b"]


async def test_a_child_and_the_deletion_of_its_parent_conflict(db: Ommi) -> None:
    await succeeds(db, add(Author(1)))
    async with db.transaction() as tx:
        await tx.add(Book(1, 1)).value
        async with Ommi.connect(f"{db.driver!r}".split("'")[1], conflict_timeout=0.05) as other:
            await fails(other, find(Author).everything().delete(), SerializationConflict)
    assert await succeeds(db, find(Author).count()) == 1


async def test_serializable_is_refused(db: Ommi) -> None:
    await fails(db, tagged("a").transactional(isolation=IsolationLevel.SERIALIZABLE), UnsupportedOperation)


async def test_no_server_is_told_so(mongo: Database) -> None:
    (port,) = servers.free_ports(1)
    driver = MongoDriver(f"mongodb://127.0.0.1:{port}", "app", serverSelectionTimeoutMS=100)
    with pytest.raises(ConnectionFailed):
        await driver.open()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Running]:
    running = servers.launch(tmp_path, servers.free_ports(1)[0])
    yield running
    stop(running)


async def test_a_server_that_is_alone_says_what_is_missing(alone: Running) -> None:
    async with Ommi.connect(f"{alone.url}app") as db:
        await succeeds(db, db.schema.create(suite_models))
        await succeeds(db, tagged("a"))
        for effect in (tagged("b").transactional(), add_all([Tag("b"), Tag("c")]), add(Book(1, 1))):
            error = await fails(db, effect, UnsupportedOperation)
            assert "--replSet" in error.message
        assert await names(db) == ["a"]
        assert await succeeds(db, find(Account).count()) == 0


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[Running]]:
    running: list[Running] = []
    with turn("mongo-three"):
        try:
            for port in servers.free_ports(3):
                directory = tmp_path / str(port)
                directory.mkdir()
                running.append(servers.launch(directory, port, "--replSet", servers.REPLICA_SET))
            servers.initiate(running)
            yield running
        finally:
            for server in running:
                stop(server, patience=0)


async def test_nothing_acknowledged_is_lost_when_the_primary_steps_down_or_is_killed(three: list[Running]) -> None:
    hosts = [server.url.split("/")[2] for server in three]
    acknowledged: list[str] = []
    async with Ommi.connect(f"mongodb://{','.join(hosts)}/app?replicaSet={servers.REPLICA_SET}") as db:
        await succeeds(db, db.schema.create(suite_models))
        told = anyio.Condition()
        killed = anyio.Event()

        async def acknowledgements(number: int) -> None:
            async with told:
                while len(acknowledged) < number:
                    await told.wait()

        async def write(worker: int) -> None:
            number, after = 0, 0
            while after < 5:
                name = f"{worker}-{number}"
                effect = tagged(name) if worker % 2 else tagged(name).transactional()
                match await db.run(effect.retry(Schedule.fixed(0.05).up_to(200))):
                    case Success():
                        acknowledged.append(name)
                        after += killed.is_set()
                        async with told:
                            told.notify_all()
                    case Failure(error):
                        assert isinstance(error, (CommitUnknown, Unavailable, SerializationConflict))
                number += 1

        async with anyio.create_task_group() as group:
            for worker in range(4):
                group.start_soon(write, worker)
            await acknowledgements(20)
            await anyio.to_thread.run_sync(servers.step_down, hosts)
            await acknowledgements(len(acknowledged) + 20)
            primary = await anyio.to_thread.run_sync(servers.await_primary, hosts)
            await anyio.to_thread.run_sync(servers.kill, three[hosts.index(primary)])
            killed.set()
        assert set(acknowledged) <= set(await names(db))
