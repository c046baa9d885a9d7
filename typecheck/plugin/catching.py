"""With the plugin, `catch` subtracts exactly with an application's own errors left over, too."""

from __future__ import annotations

from typing import Any, Never, assert_type

from models import Closed, TooPoor, User

from ommi import (
    BoundEffect,
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
    Ommi,
    Prog,
    UniqueViolation,
    catch,
    effect,
    find,
)


def shop() -> Effect[int, TooPoor | Closed | NotFound | DatabaseError]:
    return Effect.from_value(3)


def to_none(error: object) -> Effect[None, Never]:
    return Effect.from_value(None)


assert_type(shop() >> catch(NotFound)(to_none), Effect[int | None, TooPoor | Closed | DatabaseError])
assert_type(shop() >> catch(TooPoor)(to_none), Effect[int | None, Closed | NotFound | DatabaseError])
assert_type(shop() >> catch(TooPoor, DatabaseError)(to_none), Effect[int | None, Closed | NotFound])
assert_type(shop() >> catch(NotFound, DatabaseError)(to_none), Effect[int | None, TooPoor | Closed])
assert_type(shop() >> catch(NotFound, DatabaseError, Closed)(to_none), Effect[int | None, TooPoor])
assert_type(shop() >> catch(NotFound, DatabaseError, Closed, TooPoor)(to_none), Effect[int | None, Never])
assert_type(shop() >> catch(Exception)(to_none), Effect[int | None, Never])
assert_type(
    shop() >> catch(UniqueViolation)(to_none), Effect[int | None, TooPoor | Closed | NotFound | DatabaseError]
)
assert_type(
    shop() >> catch(NotFound)(lambda e: Effect.from_value(e)) >> catch(TooPoor)(lambda e: Effect.from_value(e.missing)),
    Effect[int | NotFound, Closed | DatabaseError],
)
assert_type(
    shop() >> catch(NotFound)(lambda e: Effect.from_failure(ValueError())),
    Effect[int, TooPoor | Closed | DatabaseError | ValueError],
)
assert_type(catch(NotFound)(to_none)(shop()), Effect[int | None, TooPoor | Closed | DatabaseError])


@effect
def program() -> Prog[int | None, TooPoor | DatabaseError]:
    return (yield from shop() >> catch(NotFound, Closed)(to_none))


def bound(db: Ommi, at: BoundEffect[int, TooPoor | Closed | NotFound]) -> None:
    assert_type(at >> catch(NotFound)(to_none), BoundEffect[int | None, TooPoor | Closed])
    assert_type(at >> catch(NotFound)(to_none) >> catch(Closed)(to_none), BoundEffect[int | None, TooPoor])
    assert_type(db.find(User).one() >> catch(NotFound)(to_none), BoundEffect[User | None, MultipleFound | DatabaseError])
    # as a function, a step gives what is only an effect to the type checker
    assert_type(catch(NotFound)(to_none)(at), Effect[int | None, TooPoor | Closed])


def untyped(found: Effect[Any, Any], anything: Any) -> None:
    assert_type(found >> catch(NotFound)(lambda e: Effect.from_value(3)), Effect[Any | int, Any])
    assert_type(anything >> catch(NotFound)(lambda e: Effect.from_value(3)), Any)


def declared() -> Effect[int | None, TooPoor | Closed | DatabaseError]:
    return shop() >> catch(NotFound)(to_none)


declared_too: Effect[int | None, Closed] = shop() >> catch(NotFound, DatabaseError, TooPoor)(to_none)


def undeclared() -> Effect[int | None, TooPoor | DatabaseError]:
    return shop() >> catch(NotFound)(to_none)  # WANT plugins[operator]


def wrong(error: ConstraintViolation) -> Effect[int, Never]:
    return Effect.from_value(3)


shop() >> catch(NotFound)(wrong)  # WANT plugins[arg-type]
3 >> catch(NotFound)(to_none)  # WANT plugins[operator]
find(User) >> catch(NotFound)(to_none)  # WANT plugins[operator]
