"""Errors that every checker must find in queries, without a plugin."""

from __future__ import annotations

import datetime as dt

from models import Attrs, Order, Pydantic, Struct, User

from ommi import Effect, DatabaseError, Query, add, add_all, any_of, col, find, not_, ref, reload, save

u = ref(User)
o = ref(Order)
users = find(User)
now = dt.datetime.now(dt.timezone.utc)

# lambdas
users.where(lambda u: u.age > "x")  # WANT mypy pyright
users.where(lambda u: u.nope > 1)  # WANT mypy pyright
users.where(lambda u: u.name)  # WANT mypy pyright
users.where(lambda u: col(u.age))  # WANT mypy pyright
users.where(lambda u: u.deleted_at > now)  # WANT mypy pyright
users.where(lambda u: col(u.age) > "x")  # WANT mypy pyright
users.where(lambda u: col(u.age) == "x")  # WANT mypy pyright
users.where(lambda u: col(u.age) != "x")  # WANT mypy pyright
users.where(lambda u: (u.age > 3, u.age < 5))  # WANT mypy pyright
users.where(lambda u: not_(col(u.name)))  # WANT mypy pyright
users.where(lambda u: any_of(u.age > 3, u.name))  # WANT mypy pyright
users.where(lambda a, b: a.age > 3)  # WANT mypy pyright
users.where(3)  # WANT mypy pyright
users.where("age > 3")  # WANT mypy pyright
users.where(col(u.age))  # WANT mypy pyright
find(User, lambda u: u.age > "x")  # WANT mypy pyright
find(Attrs).where(lambda u: u.age > "x")  # WANT mypy pyright
find(Pydantic).where(lambda u: u.age > "x")  # WANT mypy pyright
find(Struct).where(lambda u: u.age > "x")  # WANT mypy pyright
find(3)  # WANT mypy pyright
find(True)  # WANT mypy pyright
find(User.make())  # WANT mypy pyright
find(u.age > 3)  # WANT mypy pyright
u.nope  # WANT mypy pyright

# columns
age, height, name = col(u.age), col(u.height), col(u.name)
users.where(age < name)  # WANT mypy pyright
users.where(age == name)  # WANT mypy pyright
users.where(age == None)  # WANT mypy pyright
users.where(age == col(u.deleted_at))  # WANT mypy pyright
users.where(name < 3)  # WANT mypy pyright
users.where(height < None)  # WANT mypy pyright
users.where(col(u.tags) == "x")  # WANT mypy pyright
users.where(col(o.colour) == "red")  # WANT mypy pyright
age.in_(["x"])  # WANT mypy pyright
age.in_(3)  # WANT mypy pyright
age.not_in([None])  # WANT mypy pyright
age.in_(find(User).select(name))  # WANT mypy pyright
age.in_(find(User).select(lambda u: (u.name,)))  # WANT mypy pyright
age.in_(find(User).select(lambda u: (u.age, u.id)))  # WANT mypy pyright
age.in_(find(User))  # WANT mypy pyright
age.between("a", "b")  # WANT mypy pyright
age.between(1)  # WANT mypy pyright
age.is_null()  # WANT mypy pyright
age.is_not_null()  # WANT mypy pyright
age.coalesce(3)  # WANT mypy pyright
height.coalesce("x")  # WANT mypy pyright
age.contains(3)  # WANT mypy pyright
age.starts_with("x")  # WANT mypy pyright
age.like("x")  # WANT mypy pyright
age.lower()  # WANT mypy pyright
age.length()  # WANT mypy pyright
name.starts_with(3)  # WANT mypy pyright
name.regex(name)  # WANT mypy pyright
name.contains(age)  # WANT mypy pyright
col(u.tags).contains(3)  # WANT mypy pyright
col(u.tags).starts_with("x")  # WANT mypy pyright
name + "x"  # WANT mypy pyright
name * 2  # WANT mypy pyright
age + "x"  # WANT mypy pyright
age + name  # WANT mypy pyright
"x" + age  # WANT mypy pyright
-age  # WANT mypy pyright
age.desc.asc  # WANT mypy pyright
(age > 3) & 3  # WANT mypy pyright
(age > 3) & age  # WANT mypy pyright
age.nope  # WANT mypy pyright

# shape
users.order_by(3)  # WANT mypy pyright
users.order_by("name")  # WANT mypy pyright
users.order_by(lambda u: u.nope)  # WANT mypy pyright
users.limit("3")  # WANT mypy pyright
users.limit(None)  # WANT mypy pyright
users.for_update(True)  # WANT mypy pyright
users.select(lambda u: (u.nope, u.age))  # WANT mypy pyright
rows: Effect[list[tuple[int, int]], DatabaseError] = users.select(lambda u: (u.name, u.age)).all()  # WANT mypy pyright
for row in users:  # WANT mypy pyright
    pass

# writing
users.set(col(u.age), "x")  # WANT mypy pyright
users.set(col(u.age), None)  # WANT mypy pyright
users.set(col(u.age), col(u.name))  # WANT mypy pyright
users.set(lambda u: col(u.age), "x")  # WANT mypy pyright
users.set(col(u.age), 3).set(col(u.name), 3)  # WANT mypy pyright
users.set("age", 3)  # WANT mypy pyright
users.update(3)  # WANT mypy pyright
users.update(lambda u: u.age + 1)  # WANT mypy pyright
users.update(lambda u: {u.nope: 1})  # WANT mypy pyright
users.delete(3)  # WANT mypy pyright
number: Query[int] = users  # WANT mypy pyright
add()  # WANT mypy pyright
add(User)(3)  # WANT mypy pyright
add_all(User.make())  # WANT mypy pyright
saved: Effect[User, DatabaseError] = save(User.make())  # WANT mypy pyright
other: Effect[Order, object] = reload(User.make())  # WANT mypy pyright

# terminals
first: Effect[User, DatabaseError] = users.first()  # WANT mypy pyright
one: Effect[User, DatabaseError] = users.one()  # WANT mypy pyright
everyone: Effect[User, DatabaseError] = users.all()  # WANT mypy pyright
users.first().map(lambda user: user.name)  # WANT mypy pyright


# a condition is no bool: at run time it raises. Of comparisons mypy does not ask whether they can be false, and of the
# sides of `and` pyright does not
if age > 18:  # WANT pyright
    pass
if age:  # WANT mypy pyright
    pass
if name.starts_with("A"):  # WANT mypy pyright
    pass
neither = not (age > 18)  # WANT mypy pyright
both = name.starts_with("A") and age > 18  # WANT mypy
users.where(lambda u: col(u.name).starts_with("A") and col(u.age) < 5)  # WANT mypy
users.where(lambda u: not col(u.name).starts_with("A"))  # WANT mypy pyright
