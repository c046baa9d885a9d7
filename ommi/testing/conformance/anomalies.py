"""What transactions that run at once see of each other at each level, exactly (semantics §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest
from returns.result import Failure

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all
from ommi.errors import TransactionConflict, UnsupportedOperation
from ommi.query.expressions import col
from ommi.testing.anomalies import Anomaly, Contender, Move, interleave
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Account
from ommi.testing.outcomes import fails, succeeds
from ommi.transactions import IsolationLevel

__all__ = ["Anomalies"]

at_each_level = pytest.mark.parametrize(
    "level",
    [
        IsolationLevel.READ_COMMITTED,
        IsolationLevel.REPEATABLE_READ,
        IsolationLevel.SNAPSHOT,
        IsolationLevel.SERIALIZABLE,
    ],
    ids=lambda level: level.name,
)
balance = col(Account.balance)

Shown = Callable[[dict[int, int]], bool]
"""Whether the anomaly happened; given the balances by key when all is over."""


class Undone(Exception):
    """Why a transaction of these programs rolls back."""


class Anomalies(DatabaseTests):
    """Each known anomaly as two interleaved programs, at each level.

    `anomalies` says which of them the database allows at a level; others it prevents. One that is allowed must
    happen; of one that is prevented, all transactions but losers with a `TransactionConflict` are kept, at least
    one of them. Nobody can see from outside that a statement waits for a lock, other than that it takes long: one
    that took `patience` seconds does. For anomalies that are prevented the exact order does not matter, and a
    `short_patience` saves time.
    """

    anomalies: ClassVar[Mapping[IsolationLevel, frozenset[Anomaly]]] = {}
    patience: ClassVar[float] = 0.5
    short_patience: ClassVar[float] = 0.02

    @at_each_level
    async def test_dirty_write(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((puts(1, 11), puts(2, 21))), Contender((puts(1, 12), puts(2, 22)))

        def shown(kept: dict[int, int]) -> bool:
            return (kept[1], kept[2]) not in [(10, 20), (11, 21), (12, 22)]

        await self.check(db, level, Anomaly.DIRTY_WRITE, (one, two), "122112", shown)

    @at_each_level
    async def test_aborted_read(self, db: Ommi, level: IsolationLevel) -> None:
        one = Contender((puts(1, 101), lambda _: Effect.from_failure(Undone())))
        two = Contender((reads(1), reads(1)), read_only=True)
        await self.check(db, level, Anomaly.ABORTED_READ, (one, two), "12122", lambda _: 101 in two.seen)

    @at_each_level
    async def test_intermediate_read(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((puts(1, 101), puts(1, 11))), Contender((reads(1), reads(1)), read_only=True)
        await self.check(db, level, Anomaly.INTERMEDIATE_READ, (one, two), "121122", lambda _: 101 in two.seen)

    @at_each_level
    async def test_circular_flow(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((puts(1, 11), reads(2))), Contender((puts(2, 22), reads(1)))

        def shown(_: dict[int, int]) -> bool:
            return one.committed and two.committed and one.seen[1] == 22 and two.seen[1] == 11

        await self.check(db, level, Anomaly.CIRCULAR_FLOW, (one, two), "121212", shown)

    @at_each_level
    async def test_lost_update(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((reads(1), raises(1, by=5))), Contender((reads(1), raises(1, by=7)))

        def shown(kept: dict[int, int]) -> bool:
            return kept[1] != 10 + 5 * one.committed + 7 * two.committed

        await self.check(db, level, Anomaly.LOST_UPDATE, (one, two), "121212", shown)

    @at_each_level
    async def test_non_repeatable_read(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((reads(1), reads(1)), read_only=True), Contender((puts(1, 11),))
        await self.check(db, level, Anomaly.NON_REPEATABLE_READ, (one, two), "12211", lambda _: len(set(one.seen)) > 1)

    @at_each_level
    async def test_read_skew(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((reads(1), reads(2)), read_only=True), Contender((puts(1, 12), puts(2, 18)))
        await self.check(db, level, Anomaly.READ_SKEW, (one, two), "122211", lambda _: one.seen == [10, 18])

    @at_each_level
    async def test_phantom(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((counts_rich, counts_rich), read_only=True), Contender((adds(3, 30),))
        await self.check(db, level, Anomaly.PHANTOM, (one, two), "12211", lambda _: one.seen == [0, 1])

    @at_each_level
    async def test_write_skew(self, db: Ommi, level: IsolationLevel) -> None:
        one = Contender((reads(1), reads(2), puts(1, 11)))
        two = Contender((reads(1), reads(2), puts(2, 21)))

        def shown(_: dict[int, int]) -> bool:
            return one.committed and two.committed and one.seen[:2] == two.seen[:2] == [10, 20]

        await self.check(db, level, Anomaly.WRITE_SKEW, (one, two), "12121212", shown)

    @at_each_level
    async def test_predicate_write_skew(self, db: Ommi, level: IsolationLevel) -> None:
        one, two = Contender((counts_rich, adds(3, 30))), Contender((counts_rich, adds(4, 42)))

        def shown(_: dict[int, int]) -> bool:
            return one.committed and two.committed and one.seen[0] == two.seen[0] == 0

        await self.check(db, level, Anomaly.PREDICATE_WRITE_SKEW, (one, two), "121212", shown)

    async def check(
        self,
        db: Ommi,
        level: IsolationLevel,
        anomaly: Anomaly,
        contenders: tuple[Contender, Contender],
        order: str,
        shown: Shown,
    ) -> None:
        """Interleave the two on the rows (1, 10) and (2, 20), and compare what happened with what is declared."""
        if level > db.driver.capabilities.isolation:
            await fails(db, find(Account).count().transactional(isolation=level), UnsupportedOperation)
            return
        allowed = anomaly in self.anomalies.get(level, frozenset())
        await succeeds(db, add_all([Account(1, "Ada", 10), Account(2, "Bob", 20)]))
        await interleave(db, level, contenders, order, patience=self.patience if allowed else self.short_patience)
        kept = {row.id: row.balance for row in await succeeds(db, find(Account).all())}
        story = [(contender.outcome, contender.seen, contender.waited) for contender in contenders]
        assert shown(kept) is allowed, (level.name, anomaly.name, story, kept)
        for contender in contenders:
            error = contender.outcome.failure() if isinstance(contender.outcome, Failure) else None
            assert error is None or isinstance(error, (TransactionConflict, Undone)), story
        assert any(contender.committed for contender in contenders), story


# -- statements


def reads(key: int) -> Move:
    """The balance of an account."""
    return lambda _: find(Account, Account.id == key).select(balance).one().map(lambda row: row[0])


def puts(key: int, value: int) -> Move:
    """Set the balance of an account."""
    return lambda _: find(Account, Account.id == key).update(balance=value)


def raises(key: int, by: int) -> Move:
    """Set the balance to what was read last and some more."""
    return lambda seen: find(Account, Account.id == key).update(balance=seen[-1] + by)


def adds(key: int, value: int) -> Move:
    """Add an account."""
    return lambda _: add(Account(key, "Cid", value))


def counts_rich(_: Any) -> Effect[int, Any]:
    """How many accounts meet a condition that the first two do not."""
    return find(Account, balance >= 30).count()
