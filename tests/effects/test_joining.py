"""Joins and subqueries as they are written: what is refused, with what to write, and how they print."""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

import pytest

from ommi import (
    Key,
    ModelCollection,
    ReferenceTo,
    ToMany,
    ToOne,
    alias,
    col,
    count,
    exists_,
    find,
    max_,
    ommi_model,
    optional,
)

collection = ModelCollection()


@ommi_model(collection=collection)
@dataclass
class User:
    id: Annotated[int, Key]
    name: str
    manager_id: Annotated[int | None, ReferenceTo("User")] = None
    manager: ClassVar[ToOne["User | None"]] = ToOne()
    posts: ClassVar[ToMany["Post"]] = ToMany(on="author_id")
    tags: ClassVar[ToMany["Tag"]] = ToMany(through="UserTag")


@ommi_model(collection=collection)
@dataclass
class Post:
    id: Annotated[int, Key]
    title: str
    author_id: Annotated[int, ReferenceTo(User)]
    editor_id: Annotated[int | None, ReferenceTo(User)] = None
    author: ClassVar[ToOne[User]] = ToOne(on="author_id")


@ommi_model(collection=collection)
@dataclass
class Comment:
    id: Annotated[int, Key]
    post_id: Annotated[int, ReferenceTo(Post)]


@ommi_model(collection=collection)
@dataclass
class Tag:
    name: Annotated[str, Key]


@ommi_model(collection=collection)
@dataclass
class UserTag:
    user_id: Annotated[int, Key, ReferenceTo(User)]
    tag: Annotated[str, Key, ReferenceTo(Tag)]


users: Any = User
posts = find(User).join(User.posts)
outer = find(User).left_join(User.posts)
manager: Any = alias(User, "manager")
title, name = col(Post.title), col(User.name)


class Line(NamedTuple):
    user: User
    post: Post


REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    (
        "several references",
        lambda: find(User).join(Post),
        "Post and User refer to each other in several ways (User.id == Post.author_id, User.id == Post.editor_id): say "
        "which is meant, join(Post, on=lambda u, p: …), or name a relation",
    ),
    (
        "a reference to its own model",
        lambda: find(User).join(manager),
        "manager and User refer to each other in several",
    ),
    (
        "no reference",
        lambda: find(User).join(Tag),
        "Tag and User do not refer to each other: say what belongs together, join(Tag, on=lambda u, t: …)",
    ),
    (
        "a relation through another model",
        lambda: find(User).join(User.tags),
        "User.tags leads through UserTag: join(UserTag)",
    ),
    (
        "a relation of another model",
        lambda: find(Comment).join(User.posts),
        "User.posts leads from User to Post, not from",
    ),
    ("a relation and a condition", lambda: find(User).join(User.posts, on=name == "x"), "leave out on="),
    (
        "the same model again",
        lambda: posts.join(User),
        "User is in the query already: give it another name, join(alias(User",
    ),
    (
        "no model",
        lambda: find(User).join("Post"),
        "join(…) takes a model or a relation, join(Post) or join(User.posts)",
    ),
    ("a class that is no model", lambda: find(User).join(Line), "Line is no model"),
    (
        "a condition on another model",
        lambda: find(User).join(Post, on=col(Tag.name) == "x"),
        "on= names Tag.name, which is",
    ),
    ("a bool", lambda: find(User).join(Post, on=True), "on= got the plain bool True"),
    ("an aggregate in a condition", lambda: find(User).join(Post, on=count() > 1), "on= is a condition on single rows"),
    (
        "where of another model",
        lambda: posts.where(col(Tag.name) == "x"),
        "where(…) names Tag.name, which is no column of",
    ),
    (
        "order of another model",
        lambda: posts.order_by(col(Tag.name)),
        "order_by(…) names Tag.name, which is no column of",
    ),
    (
        "columns of another model",
        lambda: posts.select(col(Tag.name)),
        "select(…) names Tag.name, which is no column of User",
    ),
    ("an aggregate in where", lambda: posts.where(count() > 1), "where(…) is a condition on single rows"),
    ("an aggregate in the order", lambda: posts.order_by(count()), "order_by(…) is about single rows"),
    (
        "limit before join",
        lambda: find(User).limit(3).join(User.posts),
        "limit(…) before join(…) could be meant of the rows",
    ),
    ("distinct before join", lambda: find(User).distinct().join(User.posts), "distinct(…) before join(…)"),
    ("a lock before join", lambda: find(User).for_update().left_join(User.posts), "for_update(…) before left_join(…)"),
    (
        "prefetch before join",
        lambda: find(User).prefetch(User.posts).join(User.posts),
        "join() gives no records to load",
    ),
    (
        "a column that may be missing",
        lambda: outer.select(lambda u, p: (u.name, p.title)),
        "Post.title may be missing here, since Post is joined by left_join: select optional(Post.title)",
    ),
    ("a part of what is computed", lambda: outer.select(title.upper()), "Post.title may be missing here"),
    ("a record that may be missing", lambda: outer.select(lambda u, p: (u, p)), "a Post may be missing here"),
    ("a group key that may be missing", lambda: outer.group_by(title).select(title), "Post.title may be missing here"),
    ("an optional value", lambda: optional("x"), "optional(…) takes a column (Post.title, or p.title of a lambda)"),
    (
        "a record of many rows",
        lambda: posts.group_by(lambda u, p: u.name).select(lambda u, p: (u, count(p))),
        "select(…) names User.id, of which rows that are grouped by (User.name) can have many values",
    ),
    (
        "a record that a class has not",
        lambda: posts.select(lambda u, p: {"user": p, "post": u}).into(Line),
        "declared User",
    ),
    (
        "a record without a name",
        lambda: posts.select(lambda u, p: (u, p)).into(Line),
        "User has none: name the columns",
    ),
    ("an alias without a name", lambda: alias(User, "no name"), "alias(User, …) takes a name, such as 'other'"),
    ("a delete of an alias", lambda: find(manager).everything().delete(), "delete() is said of User itself"),
    ("exists of a value", lambda: exists_("Post"), "exists_(…) takes a query for records, a model or a relation"),
    ("exists with a limit", lambda: exists_(find(Post).limit(1)), "leave out limit, offset and for_update"),
    ("exists of an aggregate", lambda: exists_(Post, count() > 1), "exists_(…) is a condition on single rows"),
    ("exists of a relation to itself", lambda: exists_(User.manager), "exists_(alias(User, 'other'), lambda other: …)"),
    ("exists of another model", lambda: find(Tag).where(exists_(User.posts)), "User.id is no column of Tag"),
    (
        "exists in having",
        lambda: find(User).group_by(User.name).having(exists_(Post)),
        "exists_(…) is a condition on rows and comes before group_by(…)",
    ),
]


@pytest.mark.parametrize("make, said", [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_what_a_join_cannot_mean_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        make()


PRINTED: list[tuple[Any, str]] = [
    (posts, "find(User).join(Post, on=User.id == Post.author_id)"),
    (posts.all(), "find(User).join(Post, on=User.id == Post.author_id).all()"),
    (outer.first(), "find(User).left_join(Post, on=User.id == Post.author_id).first()"),
    (
        find(User).left_join(manager, on=User.manager).where(col(manager.name) == "Ada").order_by(name).limit(2),
        "find(User).left_join(alias(User, 'manager'), on=User.manager_id == manager.id).where(manager.name == 'Ada')"
        ".order_by(User.name.asc).limit(2)",
    ),
    (
        outer.select(lambda u, p: (u, optional(p.title))),
        "find(User).left_join(Post, on=User.id == Post.author_id).select(User, optional(Post.title))",
    ),
    (
        outer.group_by(lambda u, p: u.id).select(lambda u, p: {"user": u, "last": max_(p.id)}).all(),
        "find(User).left_join(Post, on=User.id == Post.author_id).group_by(User.id)"
        ".select(user=User, last=Post.id.max_()).all()",
    ),
    (find(User).where(exists_(User.posts)), "find(User).where(exists_(Post, Post.author_id == User.id))"),
    (
        find(User, ~exists_(find(Post).join(Comment), title == "x")),
        "find(User).where(~exists_(find(Post).join(Comment, on=Post.id == Comment.post_id), Post.title == 'x'))",
    ),
]


@pytest.mark.parametrize("made, text", PRINTED)
def test_it_prints_as_it_is_written(made: Any, text: str) -> None:
    assert repr(made) == text


def test_equal_joins_are_equal() -> None:
    assert find(User).join(User.posts) == posts == find(User).join(Post, on=lambda u, p: u.id == p.author_id)
    assert find(User).join(Post, on=Post.author).all() == posts.all()
    assert posts != outer
    assert posts.where(title == "x") != posts.where(title == "y")
    assert find(User, exists_(User.posts)) == find(User).where(lambda u: exists_(User.posts))
    assert find(User, exists_(Post, title == "x")) != find(User, exists_(Post, title == "y"))


def test_a_join_goes_along_the_one_reference_to_any_model_before_it() -> None:
    three = posts.join(Comment)
    assert repr(three) == f"{posts!r}.join(Comment, on=Post.id == Comment.post_id)"
    assert repr(find(Comment).join(Post)) == "find(Comment).join(Post, on=Comment.post_id == Post.id)"


def test_an_alias_is_the_same_each_time_and_its_columns_are_its_own() -> None:
    assert alias(User, "manager") is manager
    assert repr(manager.name) == "manager.name"
    assert hash(manager.name) != hash(name)
    assert copy.copy(manager).name is manager.name
    assert repr(manager) == "alias(User, 'manager')"
    with pytest.raises(AttributeError, match="has no field 'nme'; its fields are id, name, manager_id"):
        manager.nme  # noqa: B018  # it is to fail


def test_a_join_is_no_effect() -> None:
    with pytest.raises(TypeError, match="is a query: end it with"):
        iter(posts)
    with pytest.raises(AttributeError, match=re.escape("write .group_by(…)")):
        posts.having  # noqa: B018  # it is to fail
