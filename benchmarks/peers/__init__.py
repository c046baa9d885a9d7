"""What others make of the same operations, each as its documentation writes them; imported only when measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contenders import Contender
from benchmarks.places import PLACES, Place

__all__ = ["peers"]

Peer = Callable[[Place], Contender[Any]]


def _sqlalchemy_orm(place: Place) -> Contender[Any]:
    from benchmarks.peers.sqlalchemy import Orm

    return Orm(place)


def _sqlalchemy_core(place: Place) -> Contender[Any]:
    from benchmarks.peers.sqlalchemy import Core

    return Core(place)


def _sqlmodel(place: Place) -> Contender[Any]:
    from benchmarks.peers.sqlmodel import SqlModel

    return SqlModel(place)


def _tortoise(place: Place) -> Contender[Any]:
    from benchmarks.peers.tortoise import Tortoise

    return Tortoise(place)


_PEERS: dict[str, Peer] = {
    "sqlalchemy-orm": _sqlalchemy_orm,
    "sqlalchemy-core": _sqlalchemy_core,
    "sqlmodel": _sqlmodel,
    "tortoise": _tortoise,
}


def peers(database: str) -> dict[str, tuple[Callable[[], Contender[Any]], str]]:
    """All peers on a database, by name, with the event loop they run on."""
    place = PLACES[database]
    return {name: (lambda make=make: make(place), "asyncio") for name, make in _PEERS.items()}  # type: ignore[misc]
