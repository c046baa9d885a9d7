"""The model that the annotation of a relation names: `ClassVar[ToOne["User | None"]]`, as text or as an object."""

from __future__ import annotations

import ast
from types import NoneType, UnionType
from typing import ClassVar, ForwardRef, Union, get_args, get_origin

from ommi.models.annotations import spelled

__all__ = ["target_said"]


def target_said(annotation: object, place: str, kind: str) -> tuple[object, bool]:
    """The model (or its name) that an annotation names, and whether it says `| None`."""
    text = annotation if isinstance(annotation, str) else None
    if isinstance(annotation, ForwardRef):
        text = annotation.__forward_arg__
    found: object = None
    optional = False
    if text is not None:
        found, optional = _of_text(text, unwrapping=True)
    else:
        inner = annotation
        if get_origin(inner) is ClassVar:
            (inner,) = get_args(inner)
            if isinstance(inner, (str, ForwardRef)):
                return target_said(inner, place, kind)
        if get_args(inner):
            found, optional = _of_object(get_args(inner)[0])
    if found is None:
        raise TypeError(f'{place}: {spelled(annotation)} does not name a model: write ClassVar[{kind}["Other"]]')
    return found, optional


def _of_object(found: object) -> tuple[object, bool]:
    if isinstance(found, ForwardRef):
        return _of_text(found.__forward_arg__)
    if isinstance(found, str):
        return _of_text(found)
    if get_origin(found) in (Union, UnionType):
        members = [member for member in get_args(found) if member is not NoneType]
        inner, _ = _of_object(members[0]) if len(members) == 1 else (None, False)
        return inner, len(members) < len(get_args(found))
    return (found, False) if isinstance(found, type) else (None, False)


def _of_text(text: str, *, unwrapping: bool = False) -> tuple[object, bool]:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None, False
    if unwrapping:
        while isinstance(node, ast.Subscript):
            name = ast.unparse(node.value).rpartition(".")[2]
            node = node.slice
            if name != "ClassVar":
                return _of_node(node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                return _of_text(node.value, unwrapping=True)
        return None, False
    return _of_node(node)


def _of_node(node: ast.expr) -> tuple[object, bool]:
    match node:
        case ast.Constant(value=str() as text):
            return _of_text(text)
        case ast.Name() | ast.Attribute():
            return ast.unparse(node), False
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            sides = [side for side in (left, right) if not (isinstance(side, ast.Constant) and side.value is None)]
            return (_of_node(sides[0])[0], True) if len(sides) == 1 else (None, False)
        case ast.Subscript(value=value, slice=inner) if ast.unparse(value).rpartition(".")[2] == "Optional":
            return _of_node(inner)[0], True
        case _:
            return None, False
