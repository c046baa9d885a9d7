"""Classes of frozen values: dataclasses whose methods are written when they are first needed.

`@dataclass(frozen=True)` compiles six methods of a class as soon as it is declared: for the hundred of Ommi that was
half the time of `import ommi`. And it sets each attribute through `object.__setattr__`, which makes a new instance
three to five times as expensive as one of a class whose instances can be changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, NoReturn, TypeVar, dataclass_transform, overload

__all__ = ["frozen", "replace"]

T = TypeVar("T")

_FEW: Final = 3
"""So many attributes are set one by one; with more it pays to open a new instance and to close it again."""


@overload
def frozen(cls: type[T], /) -> type[T]: ...
@overload
def frozen(*, eq: bool = True, repr: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[Any] | None = None, /, *, eq: bool = True, repr: bool = True) -> Any:
    """`@dataclass(frozen=True, slots=True)`, for classes that nobody inherits from; every annotation is a field.

    `eq=False` and `repr=False` leave these methods to what the class inherits; those it defines itself always stay.
    """
    if cls is None:
        return lambda declared: _frozen(declared, eq, repr)
    return _frozen(cls, eq, repr)


def replace(value: T, /, **changes: Any) -> T:
    """The value with other parts, which go through `__init__`; as `dataclasses.replace`, in a fifth of the time."""
    replaced: T = value.__replace__(**changes)  # type: ignore[attr-defined]
    return replaced


def _frozen(declared: Any, eq: bool, repr: bool) -> Any:
    own = declared.__dict__
    given = {name: own.get(name, dataclasses.MISSING) for name in declared.__annotations__}
    namespace = {name: value for name, value in own.items() if name not in given and name not in _OF_INSTANCES}
    namespace |= _METHODS
    if eq and "__eq__" not in own:
        namespace |= _COMPARING
    if repr and "__repr__" not in own:
        namespace["__repr__"] = _repr
    if declared.__doc__ is None:  # help() would show that of a base class
        namespace["__doc__"] = f"{declared.__name__}({', '.join(given)})"
    namespace["__given__"] = given
    namespace["__slots__"] = tuple(given)
    namespace["__match_args__"] = tuple([name for name, default in given.items() if getattr(default, "init", True)])
    # slots cannot be added to a class that is there
    return type(declared)(declared.__name__, declared.__bases__, namespace)


def _fields(cls: Any) -> list[dataclasses.Field[Any]]:
    """What was declared, without the look that dataclasses take at annotations: all of them are fields here."""
    return [_field(name, default) for name, default in cls.__given__.items()]


def _field(name: str, default: Any) -> dataclasses.Field[Any]:
    made: dataclasses.Field[Any] = (
        default if isinstance(default, dataclasses.Field) else dataclasses.field(default=default)
    )
    made.name = name
    return made


class _Described:
    """What makes a dataclass of a class, to those who ask: `dataclasses` itself finds it out, when they do."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: Any) -> Any:
        types = owner.__annotations__
        fields = [(field.name, types[field.name], field) for field in _fields(owner)]
        documented = {"__doc__": owner.__doc__}  # or dataclasses would write one, slowly
        described: Any = dataclasses.make_dataclass(
            owner.__name__, fields, namespace=documented, init=False, repr=False, eq=False
        )
        owner.__dataclass_fields__ = described.__dataclass_fields__
        owner.__dataclass_params__ = described.__dataclass_params__
        return getattr(owner, self.name)


def _first_init(self: Any, *args: Any, **kwargs: Any) -> None:
    cls = type(self)
    cls.__init__ = _init(cls)
    cls.__init__(self, *args, **kwargs)


def _first_replace(self: Any, **changes: Any) -> Any:
    cls = type(self)
    cls.__replace__ = _replace(cls)
    return cls.__replace__(self, **changes)


def _first_eq(self: Any, other: object) -> bool:
    cls: Any = type(self)
    values = _values(cls)
    cls.__eq__ = lambda self, other: values(self) == values(other) if other.__class__ is cls else NotImplemented
    return cls.__eq__(self, other)  # type: ignore[no-any-return]


def _first_hash(self: Any) -> int:
    cls: Any = type(self)
    values = _values(cls)
    cls.__hash__ = lambda self: hash(values(self))
    return hash(values(self))


def _values(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives the values instances are compared by."""
    names = [field.name for field in _fields(cls) if field.compare]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple([getattr(self, name) for name in names])


def _init(cls: Any) -> Callable[..., None]:
    """The `__init__` that a dataclass would have."""
    names: dict[str, Any] = {"__absent": _ABSENT}  # no field begins so
    parameters: list[str] = []
    given: dict[str, str] = {}
    for field in _fields(cls):
        name = field.name
        if not field.init:
            continue
        given[name] = name
        if field.default_factory is not dataclasses.MISSING:
            names[f"__make_{name}"] = field.default_factory
            parameters.append(f"{name}=__absent")
            given[name] = f"__make_{name}() if {name} is __absent else {name}"
        elif field.default is not dataclasses.MISSING:
            names[f"__default_{name}"] = field.default
            parameters.append(f"{name}=__default_{name}")
        else:
            parameters.append(name)
    if len(given) <= _FEW:
        names.update((f"__set_{name}", getattr(cls, name).__set__) for name in given)
        lines = [f"__set_{name}(self, {value})" for name, value in given.items()]
    else:
        names["__turn"] = object.__dict__["__class__"].__set__
        plain = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
        names["__open"] = type(cls.__name__, (cls,), plain, opened=True)
        names["__closed"] = cls
        lines = ["__turn(self, __open)", *(f"self.{name} = {value}" for name, value in given.items())]
        lines.append("self.__class__ = __closed")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    return _written(cls, "__init__", ["self", *parameters], lines, names)


def _replace(cls: Any) -> Callable[..., Any]:
    given = [field.name for field in _fields(cls) if field.init]
    parameters = ["self", "/", "*", *(f"{name}=__absent" for name in given)]
    arguments = [f"self.{name} if {name} is __absent else {name}" for name in given]
    names: dict[str, Any] = {"__absent": _ABSENT, "__cls": cls}
    return _written(cls, "__replace__", parameters, [f"return __cls({', '.join(arguments)})"], names)


def _written(
    cls: type[Any], name: str, parameters: list[str], lines: list[str], names: dict[str, Any]
) -> Callable[..., Any]:
    # the text holds nothing but the names of fields of Ommi's own classes
    text = "\n  ".join([f"def {name}({', '.join(parameters)}):", *lines, "pass"])
    exec(compile(text, f"<ommi {cls.__name__}>", "exec"), names)  # noqa: S102
    function: Callable[..., Any] = names[name]
    return function


_ABSENT: Final = object()


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"{name!r} cannot be changed: a {type(self).__name__} is a value")


def _refuse_subclass(cls: type[Any], *, opened: bool = False) -> None:
    if not opened:
        raise TypeError(f"nobody inherits from {cls.__bases__[0].__name__}")


def _restore(self: object, state: tuple[object, dict[str, object]]) -> None:
    for name, value in state[1].items():
        object.__setattr__(self, name, value)


def _repr(self: Any) -> str:
    parts = [f"{field.name}={getattr(self, field.name)!r}" for field in _fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(parts)})"


_OF_INSTANCES: Final = frozenset({"__dict__", "__weakref__"})
_METHODS: Final[dict[str, Any]] = {
    "__dataclass_fields__": _Described("__dataclass_fields__"),
    "__dataclass_params__": _Described("__dataclass_params__"),
    "__delattr__": _refuse,
    "__init__": _first_init,
    "__init_subclass__": classmethod(_refuse_subclass),
    "__replace__": _first_replace,
    "__setattr__": _refuse,
    "__setstate__": _restore,
}
_COMPARING: Final[dict[str, Any]] = {"__eq__": _first_eq, "__hash__": _first_hash}
