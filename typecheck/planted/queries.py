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
users.where(lambda u: u.age > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
users.where(lambda u: u.nope > 1)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
users.where(lambda u: u.name)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda u: col(u.age))  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda u: u.deleted_at > now)  # WANT mypy[operator] pyright[reportOptionalOperand]
users.where(lambda u: col(u.age) > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
users.where(lambda u: col(u.age) == "x")  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda u: col(u.age) != "x")  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda u: (u.age > 3, u.age < 5))  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda u: not_(col(u.name)))  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda u: any_of(u.age > 3, u.name))  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(lambda a, b: a.age > 3)  # WANT mypy[misc] pyright[reportArgumentType]
users.where(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where("age > 3")  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(col(u.age))  # WANT mypy[arg-type] pyright[reportArgumentType]
find(User, lambda u: u.age > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
find(Attrs).where(lambda u: u.age > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
find(Pydantic).where(lambda u: u.age > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
find(Struct).where(lambda u: u.age > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
find(3)  # WANT mypy[call-overload] pyright[reportCallIssue]
find(True)  # WANT mypy[call-overload] pyright[reportCallIssue]
find(User.make())  # WANT mypy[call-overload] pyright[reportCallIssue]
find(u.age > 3)  # WANT mypy[call-overload] pyright[reportCallIssue]
u.nope  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]

# columns
age, height, name = col(u.age), col(u.height), col(u.name)
users.where(age < name)  # WANT mypy[operator] pyright[reportOperatorIssue]
users.where(age == name)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(age == None)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(age == col(u.deleted_at))  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(name < 3)  # WANT mypy[operator] pyright[reportOperatorIssue]
users.where(height < None)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(col(u.tags) == "x")  # WANT mypy[arg-type] pyright[reportArgumentType]
users.where(col(o.colour) == "red")  # WANT mypy[arg-type] pyright[reportArgumentType]
age.in_(["x"])  # WANT mypy[list-item] pyright[reportCallIssue]
age.in_(3)  # WANT mypy[call-overload] pyright[reportCallIssue]
age.not_in([None])  # WANT mypy[list-item] pyright[reportCallIssue]
age.in_(find(User).select(name))  # WANT mypy[arg-type] pyright[reportCallIssue]
age.in_(find(User).select(lambda u: (u.name,)))  # WANT mypy[arg-type] pyright[reportCallIssue]
age.in_(find(User).select(lambda u: (u.age, u.id)))  # WANT mypy[arg-type] pyright[reportCallIssue]
age.in_(find(User))  # WANT mypy[call-overload] pyright[reportCallIssue]
age.between("a", "b")  # WANT mypy[arg-type] pyright[reportArgumentType]
age.between(1)  # WANT mypy[call-arg] pyright[reportCallIssue]
age.is_null()  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
age.is_not_null()  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
age.coalesce(3)  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
height.coalesce("x")  # WANT mypy[call-overload] pyright[reportCallIssue]
age.contains(3)  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
age.starts_with("x")  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
age.like("x")  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
age.lower()  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
age.length()  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
name.starts_with(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
name.regex(name)  # WANT mypy[arg-type] pyright[reportArgumentType]
name.contains(age)  # WANT mypy[arg-type] pyright[reportArgumentType]
col(u.tags).contains(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
col(u.tags).starts_with("x")  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
name + "x"  # WANT mypy[misc] pyright[reportOperatorIssue]
name * 2  # WANT mypy[operator] pyright[reportOperatorIssue]
age + "x"  # WANT mypy[operator] pyright[reportOperatorIssue]
age + name  # WANT mypy[operator] pyright[reportOperatorIssue]
"x" + age  # WANT mypy[operator] pyright[reportOperatorIssue]
-age  # WANT mypy[operator] pyright[reportOperatorIssue]
age.desc.asc  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
(age > 3) & 3  # WANT mypy[operator] pyright[reportOperatorIssue]
(age > 3) & age  # WANT mypy[operator] pyright[reportOperatorIssue]
age.nope  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]

# shape
users.order_by(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.order_by("name")  # WANT mypy[arg-type] pyright[reportArgumentType]
users.order_by(lambda u: u.nope)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
users.limit("3")  # WANT mypy[arg-type] pyright[reportArgumentType]
users.limit(None)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.for_update(True)  # WANT mypy pyright[reportCallIssue]
users.select(lambda u: (u.nope, u.age))  # WANT mypy[arg-type] pyright[reportAttributeAccessIssue]
rows: Effect[list[tuple[int, int]], DatabaseError] = users.select(lambda u: (u.name, u.age)).all()  # WANT mypy[assignment] pyright[reportAssignmentType]
for row in users:  # WANT mypy[attr-defined] pyright[reportGeneralTypeIssues]
    pass

# writing
users.set(col(u.age), "x")  # WANT mypy[misc] pyright[reportCallIssue]
users.set(col(u.age), None)  # WANT mypy[misc] pyright[reportCallIssue]
users.set(col(u.age), col(u.name))  # WANT mypy[arg-type] pyright[reportCallIssue]
users.set(lambda u: col(u.age), "x")  # WANT mypy[arg-type] pyright[reportCallIssue]
users.set(col(u.age), 3).set(col(u.name), 3)  # WANT mypy[misc] pyright[reportCallIssue]
users.set("age", 3)  # WANT mypy[call-overload] pyright[reportCallIssue]
users.update(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.update(lambda u: u.age + 1)  # WANT mypy[arg-type] pyright[reportArgumentType]
users.update(lambda u: {u.nope: 1})  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
users.delete(3)  # WANT mypy[call-arg] pyright[reportCallIssue]
number: Query[int] = users  # WANT mypy[assignment] pyright[reportAssignmentType]
add()  # WANT mypy[call-arg] pyright[reportCallIssue]
add(User)(3)  # WANT mypy[operator] pyright[reportCallIssue]
add_all(User.make())  # WANT mypy[arg-type] pyright[reportArgumentType]
saved: Effect[User, DatabaseError] = save(User.make())  # WANT mypy[assignment] pyright[reportAssignmentType]
other: Effect[Order, object] = reload(User.make())  # WANT mypy[arg-type] pyright[reportAssignmentType]

# terminals
first: Effect[User, DatabaseError] = users.first()  # WANT mypy[assignment] pyright[reportAssignmentType]
one: Effect[User, DatabaseError] = users.one()  # WANT mypy[assignment] pyright[reportAssignmentType]
everyone: Effect[User, DatabaseError] = users.all()  # WANT mypy[assignment] pyright[reportAssignmentType]
users.first().map(lambda user: user.name)  # WANT mypy[union-attr] pyright[reportOptionalMemberAccess]


# a condition is no bool: at run time it raises. Of comparisons mypy does not ask whether they can be false, and of the
# sides of `and` pyright does not
if age > 18:  # WANT pyright[reportGeneralTypeIssues]
    pass
if age:  # WANT mypy[truthy-bool] pyright[reportGeneralTypeIssues]
    pass
if name.starts_with("A"):  # WANT mypy[truthy-bool] pyright[reportGeneralTypeIssues]
    pass
neither = not (age > 18)  # WANT mypy[truthy-bool] pyright[reportGeneralTypeIssues]
both = name.starts_with("A") and age > 18  # WANT mypy[truthy-bool]
users.where(lambda u: col(u.name).starts_with("A") and col(u.age) < 5)  # WANT mypy[truthy-bool]
users.where(lambda u: not col(u.name).starts_with("A"))  # WANT mypy[truthy-bool] pyright[reportGeneralTypeIssues]
