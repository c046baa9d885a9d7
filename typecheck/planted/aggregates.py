"""Errors that every checker must find in aggregates and groups, without a plugin."""

from __future__ import annotations

from dataclasses import dataclass

from models import User

from ommi import DatabaseError, Effect, avg, col, count, find, ref, sum_


@dataclass
class Summary:
    name: str
    number: int


u = ref(User)
name, age = col(u.name), col(u.age)

name.sum_()  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
name.avg()  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
sum_(u.name)  # WANT mypy[call-overload] pyright[reportArgumentType]
avg(u.name)  # WANT mypy[call-overload] pyright[reportCallIssue]
find(User).having(count() > 3)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
find(User).group_by(name).where(age > 3)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
find(User).group_by(name).all()  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
find(User).group_by(lambda u: u.nam)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
wrong: Effect[list[tuple[str, int]], DatabaseError] = find(User).select(name, age.max_()).all()  # WANT mypy[assignment] pyright[reportAssignmentType]
other: Effect[list[Summary], DatabaseError] = find(User).select(name=name, number=count()).all()  # WANT mypy[assignment] pyright[reportAssignmentType]
