"""SQLModel: SQLAlchemy's mapper with classes of pydantic. It evaluates annotations, so they are not postponed here."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Text
from sqlmodel import Field, Relationship, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from benchmarks.peers.sqlalchemy import Instant, Orm

__all__ = ["SqlModel"]

_MOMENT = DateTime(timezone=True).with_variant(Instant(), "sqlite")


class Stored(SQLModel, table=True):
    """The table."""

    __tablename__ = "record"

    name: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    age: int = Field(sa_type=BigInteger)
    score: float
    active: bool
    joined: datetime = Field(sa_type=_MOMENT)
    nick: str | None = Field(default=None, sa_type=Text)
    id: int | None = Field(default=None, primary_key=True)


class StoredParent(SQLModel, table=True):
    """What children refer to."""

    __tablename__ = "parent"

    name: str = Field(sa_type=Text)
    id: int | None = Field(default=None, primary_key=True)
    children: list["StoredChild"] = Relationship(sa_relationship_kwargs={"order_by": "StoredChild.id"})


class StoredChild(SQLModel, table=True):
    """What refers to a parent."""

    __tablename__ = "child"

    parent: int = Field(foreign_key="parent.id", index=True)
    name: str = Field(sa_type=Text)
    age: int = Field(sa_type=BigInteger)
    score: float
    joined: datetime = Field(sa_type=_MOMENT)
    id: int | None = Field(default=None, primary_key=True)


class SqlModel(Orm):
    """What its documentation writes is what SQLAlchemy's does, with its own session."""

    metadata = SQLModel.metadata
    record = Stored
    parent = StoredParent
    child = StoredChild
    session_class = AsyncSession
