"""Django's models by their asynchronous methods, with settings of this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection, connections, models, transaction
from django.db.models import Avg, Count

from benchmarks.places import SQLITE_SETTINGS, Place, server_url
from benchmarks.records import Child, Parent, Record

__all__ = ["Django"]

settings.configure(USE_TZ=True, TIME_ZONE="UTC", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
django.setup()


class Stored(models.Model):
    """The table."""

    name = models.TextField()
    email = models.TextField()
    age = models.BigIntegerField()
    score = models.FloatField()
    active = models.BooleanField()
    joined = models.DateTimeField()
    nick = models.TextField(null=True)
    id = models.BigAutoField(primary_key=True)

    class Meta:
        app_label = "benchmarks"
        db_table = "record"


class StoredParent(models.Model):
    """What children refer to."""

    name = models.TextField()
    id = models.BigAutoField(primary_key=True)

    class Meta:
        app_label = "benchmarks"
        db_table = "parent"


class StoredChild(models.Model):
    """What refers to a parent."""

    parent = models.ForeignKey(StoredParent, models.CASCADE, related_name="children")
    name = models.TextField()
    age = models.BigIntegerField()
    score = models.FloatField()
    joined = models.DateTimeField()
    id = models.BigAutoField(primary_key=True)

    class Meta:
        app_label = "benchmarks"
        db_table = "child"
        ordering = ("id",)


_MODELS = (Stored, StoredParent, StoredChild)


def _settings(place: Place, path: Path) -> dict[str, Any]:
    if place.database == "sqlite":
        pragmas = ";".join(f"PRAGMA {name}={value}" for name, value in SQLITE_SETTINGS.items())
        options = {"init_command": pragmas, "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}
    at = urlsplit(server_url())
    return {
        "ENGINE": "django.db.backends.postgresql", "NAME": at.path.lstrip("/"), "HOST": at.hostname, "PORT": at.port,
        "USER": unquote(at.username or ""), "PASSWORD": unquote(at.password or ""), "CONN_MAX_AGE": None,
    }  # fmt: skip


def _create() -> None:
    with connection.cursor() as cursor:
        for table in ("child", "parent", "record"):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
    with connection.schema_editor() as editor:
        for model in _MODELS:
            editor.create_model(model)


class Django:
    """Its querysets. Their asynchronous methods share one worker thread, which holds one connection."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def open(self, path: Path) -> None:
        connections.settings = connections.configure_settings({"default": _settings(self.place, path)})
        await sync_to_async(_create)()

    async def close(self) -> None:
        await sync_to_async(connections.close_all)()

    def made(self, record: Record) -> Stored:
        return Stored(
            name=record.name, email=record.email, age=record.age, score=record.score, active=record.active,
            joined=record.joined, nick=record.nick,
        )  # fmt: skip

    async def insert(self, made: Stored) -> int:
        await made.asave(force_insert=True)
        return int(made.id)

    async def insert_many(self, made: list[Stored]) -> int:
        return len(await Stored.objects.abulk_create(made))

    async def fetch(self) -> list[Stored]:
        return [one async for one in Stored.objects.all()]

    async def stream(self) -> int:
        count = 0
        async for _ in Stored.objects.all().aiterator(chunk_size=1000):
            count += 1
        return count

    async def get(self, key: int) -> Stored:
        return await Stored.objects.aget(pk=key)

    async def get_at_once(self, key: int) -> Stored:
        return await self.get(key)

    async def page(self, age: int) -> list[Stored]:
        found = Stored.objects.filter(age__gt=age, active=True, name__startswith="name")
        return [one async for one in found.order_by("-age", "-id")[:20]]

    async def update(self, key: int, age: int) -> int:
        return await Stored.objects.filter(pk=key).aupdate(age=age)

    async def count(self, age: int) -> int:
        return await Stored.objects.filter(age__gt=age).acount()

    async def summary(self, age: int) -> tuple[int, float]:
        found = await Stored.objects.filter(age__gt=age).aaggregate(number=Count("id"), mean=Avg("age"))
        return found["number"], float(found["mean"])

    async def delete(self, key: int) -> int:
        return (await Stored.objects.filter(pk=key).adelete())[0]

    async def transaction(self, keys: list[int], age: int) -> int:
        """One synchronous function, as its documentation asks: its transactions are not asynchronous."""

        def work() -> int:
            with transaction.atomic():
                return sum(Stored.objects.filter(pk=key).update(age=age) for key in keys)

        return await sync_to_async(work)()

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await StoredParent.objects.abulk_create([StoredParent(name=one.name, id=one.id) for one in parents])
        await StoredChild.objects.abulk_create(
            [
                StoredChild(
                    parent_id=one.parent, name=one.name, age=one.age, score=one.score, joined=one.joined, id=one.id
                )
                for one in children
            ]
        )

    async def families(self) -> list[tuple[StoredParent, list[StoredChild]]]:
        found = StoredParent.objects.order_by("id").prefetch_related("children")
        return [(parent, list(parent.children.all())) async for parent in found]

    async def children(self, parents: list[Parent]) -> list[list[StoredChild]]:
        return [[child async for child in StoredChild.objects.filter(parent_id=parent.id)] for parent in parents]

    async def pairs(self) -> list[tuple[StoredParent, StoredChild]]:
        return [(child.parent, child) async for child in StoredChild.objects.select_related("parent")]
