"""Transactions interleaved step by step, and what may go wrong between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias, final

import anyio
from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.program import Prog, effect
from ommi.transactions import IsolationLevel

__all__ = ["Anomaly", "Contender", "Move", "interleave"]


@final
class Anomaly(Enum):
    """What transactions that run at once may show and a serial order would not.

    Names and letters are those of Berenson et al., "A Critique of ANSI SQL Isolation Levels" (1995), of Adya,
    "Weak Consistency" (1999), and of Kleppmann's Hermitage, whose interleavings these are.
    """

    DIRTY_WRITE = "G0: the writes of two transactions are mixed"
    ABORTED_READ = "G1a: a row is read that was then rolled back"
    INTERMEDIATE_READ = "G1b: a row is read that its transaction then changed again"
    CIRCULAR_FLOW = "G1c: two transactions each read what the other wrote"
    LOST_UPDATE = "P4: a write overwrites one that it did not take into account"
    NON_REPEATABLE_READ = "P2: a row that is read twice differs"
    READ_SKEW = "G-single: of two rows one is read before and one after the same write"
    PHANTOM = "PMP: a condition that is asked twice finds a new row"
    WRITE_SKEW = "G2-item: two transactions each write a row that the other had read"
    PREDICATE_WRITE_SKEW = "G2: two transactions each add a row that the other's condition would have found"


Move: TypeAlias = Callable[[Sequence[Any]], Effect[Any, Any]]
"""One statement of a transaction, made of what those before it gave."""


@final
@dataclass(eq=False)
class Contender:
    """One transaction of an interleaving; `seen` are the answers it got, also where it was rolled back later."""

    moves: tuple[Move, ...]
    read_only: bool = False

    def __post_init__(self) -> None:
        self.seen: list[Any] = []
        self.outcome: Success[Any] | Failure[Any] | None = None
        self.waited = False
        self._allowed = 0
        self._woken = anyio.Event()
        self._resting = anyio.Event()

    @property
    def committed(self) -> bool:
        """Whether it came to its end, and was kept."""
        return isinstance(self.outcome, Success)

    async def play(self, db: Ommi, level: IsolationLevel) -> None:
        """Begin with the first move that is allowed, and go on as far as moves are."""
        try:
            await self._turn()
            self.outcome = await db.run(self._program().transactional(isolation=level, read_only=self.read_only))
        finally:
            self._resting.set()

    @effect
    def _program(self) -> Prog[None, Any]:
        for number, move in enumerate(self.moves):
            if number:
                yield from Effect.from_awaitable(self._turn)
            self.seen.append((yield from move(self.seen)))
        yield from Effect.from_awaitable(self._turn)  # the COMMIT is a step like others

    async def _turn(self) -> None:
        while not self._allowed:
            self._resting.set()
            await self._woken.wait()
            self._woken = anyio.Event()
        self._allowed -= 1

    def allow(self) -> None:
        """Let it make one move more."""
        self._allowed += 1
        if self.outcome is None:
            self._resting = anyio.Event()
        self._woken.set()

    async def rest(self, patience: float) -> bool:
        """Wait until it has made the moves that it may; false if it is held up by another for so many seconds."""
        with anyio.move_on_after(patience):
            await self._resting.wait()
        return self._resting.is_set()


async def interleave(
    db: Ommi, level: IsolationLevel, contenders: Sequence[Contender], order: str, *, patience: float
) -> None:
    """Run transactions, each in a task of its own, one statement at a time in this order.

    `order` names the contenders by number, `"1212"`; one more turn than a contender has moves is its COMMIT. A step
    either ends, or is held up until another transaction has ended (by a lock, or because there is but one writer):
    held up for `patience` seconds it counts as such, and is awaited again when another contender has ended.
    """
    held_up: set[Contender] = set()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for contender in contenders:
                group.start_soon(contender.play, db, level)
            for number in order:
                contender = contenders[int(number) - 1]
                contender.allow()
                if contender in held_up:
                    continue
                if not await contender.rest(patience):
                    contender.waited = True
                    held_up.add(contender)
                elif contender.outcome is not None:
                    held_up.clear()
