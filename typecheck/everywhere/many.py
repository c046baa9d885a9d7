"""Several effects as one."""

from __future__ import annotations

from typing import Never, assert_type

from models import Closed, Order, TooPoor, User

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
    add,
    attempt,
    bracket,
    find,
    gather,
    race,
    sleep,
    traverse,
    validate,
)

user = find(User).one()
count = find(User).count()


def read() -> Effect[str, TooPoor]:
    return Effect.from_value("x")


def close() -> Effect[None, Closed]:
    return Effect.from_value(None)


text = read()
nothing = close()
surely = Effect.from_value(1.5)

# gather
assert_type(gather(user), Effect[tuple[User], NotFound | MultipleFound | DatabaseError])
assert_type(gather(user, count), Effect[tuple[User, int], NotFound | MultipleFound | DatabaseError])
assert_type(gather(count, text, limit=3), Effect[tuple[int, str], DatabaseError | TooPoor])
assert_type(gather(count, text, nothing), Effect[tuple[int, str, None], DatabaseError | TooPoor | Closed])
assert_type(
    gather(count, text, nothing, surely), Effect[tuple[int, str, None, float], DatabaseError | TooPoor | Closed]
)
assert_type(
    gather(count, text, nothing, surely, count),
    Effect[tuple[int, str, None, float, int], DatabaseError | TooPoor | Closed],
)
assert_type(
    gather(count, text, nothing, surely, count, text),
    Effect[tuple[int, str, None, float, int, str], DatabaseError | TooPoor | Closed],
)
assert_type(
    gather(count, text, nothing, surely, count, text, nothing),
    Effect[tuple[int, str, None, float, int, str, None], DatabaseError | TooPoor | Closed],
)
assert_type(
    gather(count, text, nothing, surely, count, text, nothing, user),
    Effect[
        tuple[int, str, None, float, int, str, None, User],
        DatabaseError | TooPoor | Closed | NotFound | MultipleFound,
    ],
)
assert_type(gather(*[count, count]), Effect[tuple[int, ...], DatabaseError])
assert_type(gather(*[find(User).one() for _ in range(9)]), Effect[tuple[User, ...], NotFound | MultipleFound | DatabaseError])

# validate
assert_type(validate(text), Effect[tuple[str], tuple[TooPoor, ...]])
assert_type(validate(text, nothing), Effect[tuple[str, None], tuple[TooPoor | Closed, ...]])
assert_type(validate(text, nothing, count), Effect[tuple[str, None, int], tuple[TooPoor | Closed | DatabaseError, ...]])
assert_type(
    validate(text, nothing, count, surely, text, nothing, count, surely),
    Effect[tuple[str, None, int, float, str, None, int, float], tuple[TooPoor | Closed | DatabaseError, ...]],
)
assert_type(validate(*[text, text]), Effect[tuple[str, ...], tuple[TooPoor, ...]])

# race
assert_type(race(text, count), Effect[str | int, TooPoor | DatabaseError])
assert_type(race(text, count, nothing), Effect[str | int | None, TooPoor | DatabaseError | Closed])
assert_type(race(*[count, count]), Effect[int, DatabaseError])

# traverse
assert_type(traverse([1, 2], lambda i: add(Order(i, i))), Effect[list[Order], ConstraintViolation | DatabaseError])
assert_type(
    traverse((User.make() for _ in range(3)), lambda u: find(Order).where(lambda o: o.user_id == u.id).all(), limit=2),
    Effect[list[list[Order]], DatabaseError],
)
assert_type(
    traverse([User.make()], lambda u: find(Order).where(lambda o: o.user_id == u.id).one().map(lambda o: u.name)),
    Effect[list[str], NotFound | MultipleFound | DatabaseError],
)
# mypy gives Any for what a lambda makes of its parameter, if nothing can fail
assert_type(traverse(["a"], lambda a: Effect.from_value(a.upper())), Effect[list[str], Never])  # WANT mypy[assert-type]


# attempt
def parsed() -> int:
    return int("3")


assert_type(attempt(parsed, catching=(ValueError,)), Effect[int, ValueError])
assert_type(attempt(parsed, catching=(ValueError, OSError)), Effect[int, ValueError | OSError])
assert_type(attempt(lambda: 3, catching=(ValueError, OSError, KeyError)), Effect[int, ValueError | OSError | KeyError])

# bracket, sleep
assert_type(
    bracket(text, lambda found: count.map(lambda n: (found, n)), lambda found: sleep(len(found))),
    Effect[tuple[str, int], TooPoor | DatabaseError],
)
assert_type(sleep(0.5), Effect[None, Never])
