"""Random `async with db.transaction()` blocks as data: what is said in them, in which order, and how they end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never, final

from hypothesis import strategies as st

from ommi.block import Transaction
from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.testing.comparison import answer, comparable
from ommi.testing.programs import programs

__all__ = ["Block", "GoBack", "Left", "MarkPoint", "Run", "blocks", "play"]


class Left(Exception):
    """What leaves a block that is to be rolled back."""


@final
@dataclass(frozen=True, slots=True)
class Run:
    """Run an effect in the block, whatever comes of it."""

    effect: Effect[Any, Any]


@final
@dataclass(frozen=True, slots=True)
class MarkPoint:
    """A savepoint with a name."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class GoBack:
    """Back to the savepoint of a name, which may not be there."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A block, left by its end or by an exception."""

    lines: tuple[Run | MarkPoint | GoBack | Block, ...]
    leaves: bool = False


Line: TypeAlias = Run | MarkPoint | GoBack | Block


def blocks(*, concurrent: bool = True) -> st.SearchStrategy[Block]:
    """Blocks of programs, savepoints and other blocks, nested at random."""
    name = st.sampled_from("ab")
    line: st.SearchStrategy[Line] = st.one_of(
        programs(concurrent=concurrent, fuses=True).map(Run),
        name.map(MarkPoint),
        name.map(GoBack),
    )
    leaf = st.builds(Block, st.lists(line, min_size=1, max_size=5).map(tuple), st.booleans())
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            Block,
            st.lists(st.one_of(line, inner), min_size=1, max_size=5).map(tuple),
            st.sampled_from([False, False, True]),
        ),
        max_leaves=4,
    )


async def play(
    where: Ommi | Transaction, block: Block, *, unkeyed: Collection[type[Any]] = ()
) -> tuple[list[Any], Any]:
    """What each line of the block gave, and how it ended, in the form that `comparable` has."""
    given: list[Any] = []
    try:
        async with where.transaction() as tx:
            for line in block.lines:
                said = await _said(tx, line, unkeyed)
                given.append(said)
            if block.leaves:
                raise Left  # noqa: TRY301  # it is to leave the block
    except Exception as error:  # noqa: BLE001  # any end is to be compared
        return given, ("raised", comparable(error, unkeyed))
    return given, "kept"


async def _said(tx: Transaction, line: Line, unkeyed: Collection[type[Any]]) -> Any:
    match line:
        case Run(effect):
            return await answer(tx, effect, unkeyed=unkeyed)
        case Block():
            return await play(tx, line, unkeyed=unkeyed)
        case MarkPoint() | GoBack():
            try:
                await (tx.savepoint(line.name) if isinstance(line, MarkPoint) else tx.rollback_to_savepoint(line.name))
            except Exception as error:  # noqa: BLE001  # so is any refusal
                return "refused", comparable(error, unkeyed)
            return "done"
        case _:
            assert_never(line)
