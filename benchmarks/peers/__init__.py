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


def _piccolo(place: Place) -> Contender[Any]:
    from benchmarks.peers.piccolo import Piccolo

    return Piccolo(place)


def _django(place: Place) -> Contender[Any]:
    from benchmarks.peers.django import Django

    return Django(place)


def _peewee(place: Place) -> Contender[Any]:
    from benchmarks.peers.peewee import Peewee

    return Peewee(place)


def _peewee_async(place: Place) -> Contender[Any]:
    from benchmarks.peers.peewee import PeeweeAsync

    return PeeweeAsync(place)


_PEERS: dict[str, Peer] = {
    "sqlalchemy-orm": _sqlalchemy_orm,
    "sqlalchemy-core": _sqlalchemy_core,
    "sqlmodel": _sqlmodel,
    "tortoise": _tortoise,
    "piccolo": _piccolo,
    "django": _django,
    "peewee": _peewee,
    "peewee-async": _peewee_async,
}
_ONLY = {"peewee-async": "postgres"}  # on SQLite it opens a connection for each operation; peewee itself does not


def peers(database: str) -> dict[str, tuple[Callable[[], Contender[Any]], str]]:
    """All peers on a database, by name, with the event loop they run on."""
    place = PLACES[database]
    here = {name: make for name, make in _PEERS.items() if _ONLY.get(name, database) == database}
    return {name: (lambda make=make: make(place), "asyncio") for name, make in here.items()}  # type: ignore[misc]
