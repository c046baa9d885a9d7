"""The words for records: what they write, what they give back, and what happens to the instance passed in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all, delete, reload, save, upsert, upsert_all
from ommi.errors import CheckViolation, EncodeError, ForeignKeyViolation, NotFound, StaleRecord, UniqueViolation
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Account, Badge, Job, Node, Order, Page, Player, Point, Seat, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Writing"]

NONE: Any = None
owner, balance = col(Account.owner), col(Account.balance)


class Writing(DatabaseTests):
    """`add`, `add_all`, `save`, `upsert`, `delete`, `reload`, and `update` and `delete` of queries."""

    @pytest.fixture
    async def accounts(self, db: Ommi) -> Ommi:
        await succeeds(db, add_all([Account(n, o, b) for n, o, b in ((1, "Ada", 10), (2, "Bob", 20), (3, "Cid", 30))]))
        return db

    # -- add
    async def test_add_gives_a_new_record_with_its_key(self, db: Ommi) -> None:
        player = Player("Ada")
        added = await succeeds(db, add(player))
        assert type(added.id) is int
        assert added is not player
        assert added == Player("Ada", id=added.id)
        assert await succeeds(db, find(Player).all()) == [added]

    async def test_add_fills_in_the_instance(self, db: Ommi) -> None:
        player = Player("Ada")
        added = await succeeds(db, add(player))
        assert player.id == added.id

    async def test_add_leaves_a_frozen_instance_alone(self, db: Ommi) -> None:
        point = Point(1.0, 2.0)
        added = await succeeds(db, add(point))
        assert point.id is NONE
        assert added == Point(1.0, 2.0, added.id)

    async def test_add_keeps_a_key_that_is_given(self, db: Ommi) -> None:
        assert (await succeeds(db, add(Player("Ada", id=77)))).id == 77
        assert (await succeeds(db, add(Player("Bob", id=-5)))).id == -5

    async def test_a_generated_key_is_new_after_one_that_was_given(self, db: Ommi) -> None:
        await succeeds(db, add(Player("Ada", id=77)))
        added = await succeeds(db, add_all([Player("Bob"), Player("Cid")]))
        assert len({77, *(player.id for player in added)}) == 3

    async def test_a_uuid_is_generated(self, db: Ommi) -> None:
        one, other = await succeeds(db, add_all([Badge("a"), Badge("b")]))
        assert type(one.id) is UUID
        assert one.id != other.id
        assert await succeeds(db, find(Badge, Badge.id == one.id).one()) == one

    async def test_server_defaults_are_given_back(self, db: Ommi) -> None:
        job = Job("a", note="given")
        added = await succeeds(db, add(job))
        assert (added.state, added.tries, added.note) == ("new", 3, "given")
        assert job == added

    async def test_a_value_given_wins_over_a_server_default(self, db: Ommi) -> None:
        added = await succeeds(db, add(Job("a", "old", 0)))
        assert (added.state, added.tries) == ("old", 0)
        assert await succeeds(db, find(Job).one()) == added

    async def test_none_for_a_server_default_that_may_be_missing_is_missing(self, db: Ommi) -> None:
        added = await succeeds(db, add(Job("a", note=None)))
        assert added.note is None
        assert (await succeeds(db, find(Job).one())).note is None

    async def test_an_effect_reads_the_record_when_it_is_made(self, db: Ommi) -> None:
        player = Player("Ada")
        effect = add(player)
        player.name = "Bob"
        assert (await succeeds(db, effect)).name == "Ada"

    async def test_two_runs_are_two_inserts(self, db: Ommi) -> None:
        player = Player("Ada")
        effect = add(player)
        one = await succeeds(db, effect)
        other = await succeeds(db, effect)
        assert one.id != other.id
        assert player.id == other.id
        assert await succeeds(db, find(Player).count()) == 2

    # -- add_all
    async def test_add_all_gives_records_in_order_with_their_keys(self, db: Ommi) -> None:
        players = [Player(f"p{n}") for n in range(500)]
        added = await succeeds(db, add_all(players))
        assert [player.name for player in added] == [player.name for player in players]
        assert len({player.id for player in added}) == 500
        assert players == added
        found = {player.id: player for player in await succeeds(db, find(Player).all())}
        assert [found[player.id] for player in added] == added

    async def test_add_all_of_given_and_generated_keys(self, db: Ommi) -> None:
        added = await succeeds(db, add_all([Player("a"), Player("b", id=1000), Player("c")]))
        assert [player.name for player in added] == ["a", "b", "c"]
        assert added[1].id == 1000
        assert len({player.id for player in added}) == 3

    async def test_add_all_of_given_and_default_values(self, db: Ommi) -> None:
        added = await succeeds(db, add_all([Job("a"), Job("b", "old"), Job("c", tries=9)]))
        assert [(job.state, job.tries) for job in added] == [("new", 3), ("old", 3), ("new", 9)]

    async def test_add_all_adds_all_or_none(self, db: Ommi) -> None:
        players = [*(Player(f"p{n}") for n in range(300)), Player("last", age=-1)]
        await fails(db, add_all(players), CheckViolation)
        assert await succeeds(db, find(Player).count()) == 0
        assert {player.id for player in players} == {None}

    async def test_add_all_of_nothing(self, db: Ommi) -> None:
        assert await succeeds(db, add_all([])) == []

    # -- save
    async def test_save_writes_all_fields(self, accounts: Ommi) -> None:
        saved = await succeeds(accounts, save(Account(2, "Eve", 5, "x")))
        assert saved == Account(2, "Eve", 5, "x")
        assert await succeeds(accounts, find(Account).order_by(Account.id).all()) == [
            Account(1, "Ada", 10),
            Account(2, "Eve", 5, "x"),
            Account(3, "Cid", 30),
        ]

    async def test_save_of_a_row_that_is_not_there(self, accounts: Ommi) -> None:
        error = await fails(accounts, save(Account(9, "Eve")), NotFound)
        assert error.model is Account

    async def test_save_of_a_record_without_a_key(self, db: Ommi) -> None:
        error = await fails(db, save(Player("Ada")), EncodeError)
        assert "Player.id" in error.message

    async def test_save_of_a_row_whose_fields_are_all_key(self, db: Ommi) -> None:
        await succeeds(db, add(Seat(1, 1)))
        assert await succeeds(db, save(Seat(1, 1, "Ada"))) == Seat(1, 1, "Ada")

    async def test_save_counts_versions(self, db: Ommi) -> None:
        page = await succeeds(db, add(Page("a")))
        saved = await succeeds(db, save(Page("b", page.version, page.id)))
        assert saved == Page("b", page.version + 1, page.id)
        assert await succeeds(db, find(Page).one()) == saved

    async def test_save_fills_in_the_version(self, db: Ommi) -> None:
        page = Page("a")
        await succeeds(db, add(page))
        before = page.version
        for text in ("b", "c"):
            page.text = text
            await succeeds(db, save(page))
        assert page.version == before + 2

    async def test_save_of_an_outdated_record(self, db: Ommi) -> None:
        page = await succeeds(db, add(Page("a")))
        await succeeds(db, save(Page("b", page.version, page.id)))
        error = await fails(db, save(Page("c", page.version, page.id)), StaleRecord)
        assert error.model is Page
        assert (await succeeds(db, find(Page).one())).text == "b"

    async def test_save_of_a_deleted_record_with_a_version(self, db: Ommi) -> None:
        await fails(db, save(Page("c", 0, 1)), StaleRecord)

    # -- upsert
    async def test_upsert_of_a_new_row(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, upsert(Account(9, "Eve", 1))) == Account(9, "Eve", 1)
        assert await succeeds(accounts, find(Account).count()) == 4

    async def test_upsert_of_a_row_that_is_there(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, upsert(Account(2, "Eve", 1))) == Account(2, "Eve", 1)
        assert await succeeds(accounts, find(Account, Account.id == 2).one()) == Account(2, "Eve", 1)
        assert await succeeds(accounts, find(Account).count()) == 3

    async def test_upsert_by_a_unique_field(self, db: Ommi) -> None:
        ada = await succeeds(db, add(Player("Ada", "ada@x", 36)))
        again = Player("Ada L.", "ada@x", 37)
        upserted = await succeeds(db, upsert(again, on=Player.email))
        assert upserted == Player("Ada L.", "ada@x", 37, id=ada.id)
        assert again == upserted
        assert await succeeds(db, find(Player).all()) == [upserted]

    async def test_upsert_by_a_unique_field_of_a_new_row(self, db: Ommi) -> None:
        upserted = await succeeds(db, upsert(Player("Ada", "ada@x"), on=lambda p: p.email))
        assert upserted.id is not NONE
        assert await succeeds(db, find(Player).all()) == [upserted]

    async def test_upsert_by_a_missing_unique_value_adds_a_row(self, db: Ommi) -> None:
        await succeeds(db, upsert(Player("Ada"), on=Player.email))
        await succeeds(db, upsert(Player("Bob"), on=Player.email))
        assert await succeeds(db, find(Player).count()) == 2

    async def test_upsert_by_several_fields(self, db: Ommi) -> None:
        one = await succeeds(db, add(Player("Ada", team="red", shirt=1)))
        await succeeds(db, upsert(Player("Bob", team="red", shirt=1), on=(Player.team, Player.shirt)))
        await succeeds(db, upsert(Player("Cid", team="red", shirt=2), on=(Player.shirt, Player.team)))
        found = await succeeds(db, find(Player).order_by(Player.shirt).all())
        assert [(player.name, player.shirt) for player in found] == [("Bob", 1), ("Cid", 2)]
        assert found[0].id == one.id

    async def test_upsert_of_some_fields(self, accounts: Ommi) -> None:
        upserted = await succeeds(accounts, upsert(Account(2, "Eve", 99), update=[Account.owner]))
        assert upserted == Account(2, "Eve", 20)

    async def test_upsert_of_no_fields_keeps_the_row(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, upsert(Account(2, "Eve", 99), update=[])) == Account(2, "Bob", 20)
        assert await succeeds(accounts, upsert(Account(9, "Eve", 99), update=[])) == Account(9, "Eve", 99)

    async def test_upsert_that_breaks_another_rule(self, accounts: Ommi) -> None:
        await succeeds(accounts, add(Account(4, "Dan", code="x")))
        await fails(accounts, upsert(Account(5, "Eve", code="x")), UniqueViolation)
        await fails(accounts, upsert(Account(2, "Eve", -1)), CheckViolation)
        assert await succeeds(accounts, find(Account).count()) == 4

    async def test_upsert_of_a_key_that_is_a_text(self, db: Ommi) -> None:
        await succeeds(db, upsert(Tag("a")))
        await succeeds(db, upsert(Tag("a")))
        assert await succeeds(db, find(Tag).count()) == 1

    # -- upsert_all
    async def test_upsert_all_updates_and_adds_in_order(self, accounts: Ommi) -> None:
        given = [Account(9, "Eve", 1), Account(2, "Bo", 2), Account(7, "Fay", 3), Account(1, "Al", 4)]
        assert await succeeds(accounts, upsert_all(given)) == given
        found = await succeeds(accounts, find(Account).order_by(Account.id).all())
        assert [(a.id, a.owner) for a in found] == [(1, "Al"), (2, "Bo"), (3, "Cid"), (7, "Fay"), (9, "Eve")]

    async def test_upsert_all_of_two_records_for_one_row(self, accounts: Ommi) -> None:
        twice = [Account(8, "a", 1), Account(2, "b", 2), Account(8, "c", 3), Account(2, "d", 4)]
        assert await succeeds(accounts, upsert_all(twice, update=[Account.owner])) == [
            Account(8, "a", 1),
            Account(2, "b", 20),
            Account(8, "c", 1),
            Account(2, "d", 20),
        ]

    async def test_upsert_all_without_update_keeps_what_is_there(self, accounts: Ommi) -> None:
        given = [Account(2, "x", 0), Account(5, "y", 5), Account(5, "z", 6)]
        kept = [Account(2, "Bob", 20), Account(5, "y", 5), Account(5, "y", 5)]
        assert await succeeds(accounts, upsert_all(given, update=[])) == kept

    async def test_upsert_all_by_a_unique_field_with_keys_to_assign(self, db: Ommi) -> None:
        ada = await succeeds(db, add(Player("Ada", "ada@x")))
        given = [Player(f"p{n}", f"p{n}@x") for n in range(20)]
        given[11:11] = [Player("Ada L.", "ada@x", 37)]
        given += [Player("none"), Player("none", None, 1)]
        upserted = await succeeds(db, upsert_all(given, on=lambda p: p.email))
        assert [(p.name, p.email, p.age) for p in upserted] == [(p.name, p.email, p.age) for p in given]
        assert upserted[11].id == ada.id
        assert len({p.id for p in upserted}) == 23
        assert given == upserted
        assert (await succeeds(db, add(Player("later")))).id not in {p.id for p in upserted}

    async def test_upsert_all_with_keys_that_are_given(self, db: Ommi) -> None:
        await succeeds(db, upsert_all([Player("a", id=70), Player("b", id=71), Player("c", id=70)]))
        added = await succeeds(db, add_all([Player("d"), Player("e")]))
        assert len({70, 71, *(player.id for player in added)}) == 4

    async def test_upsert_all_by_a_composite_key(self, db: Ommi) -> None:
        await succeeds(db, add_all([Seat(1, 1, "a"), Seat(1, 2, "b")]))
        await succeeds(db, upsert_all([Seat(1, 2, "c"), Seat(2, 1, "d"), Seat(1, 1)]))
        found = await succeeds(db, find(Seat).order_by(Seat.row, Seat.number).all())
        assert found == [Seat(1, 1), Seat(1, 2, "c"), Seat(2, 1, "d")]

    async def test_upsert_all_of_values_the_database_assigns(self, db: Ommi) -> None:
        upserted = await succeeds(db, upsert_all([Job("a"), Job("b", "old"), Job("c", tries=9)]))
        assert [(job.state, job.tries) for job in upserted] == [("new", 3), ("old", 3), ("new", 9)]
        again = [replace(job, name=job.name * 2) for job in upserted]
        assert await succeeds(db, upsert_all(again, update=[Job.name])) == again

    async def test_upsert_all_of_rows_that_refer_to_one_another(self, db: Ommi) -> None:
        await succeeds(db, upsert_all([Node(1, 2), Node(2, 3), Node(3)]))
        await succeeds(db, upsert_all([Node(4, 5), Node(1), Node(5, 1)]))
        assert await succeeds(db, find(Node).count()) == 5
        await fails(db, upsert_all([Node(6, 1), Node(7, 77)]), ForeignKeyViolation)

    async def test_upsert_all_is_all_or_none(self, accounts: Ommi) -> None:
        await fails(accounts, upsert_all([Account(1, "x"), Account(2, "y", -1)]), CheckViolation)
        assert (await succeeds(accounts, find(Account, Account.id == 1).one())).owner == "Ada"
        assert await succeeds(accounts, upsert_all([])) == []

    async def test_upsert_of_names_that_need_quoting(self, db: Ommi) -> None:
        order = await succeeds(db, add(Order(7, select="a", where="b")))
        changed = [replace(order, select="c"), Order(8, select="d")]
        upserted = await succeeds(db, upsert_all(changed, update=[Order.select, Order.where]))
        assert [(o.select, o.where) for o in upserted] == [("c", "b"), ("d", None)]

    async def test_upsert_of_a_version_overwrites_it(self, db: Ommi) -> None:
        page = await succeeds(db, add(Page("a")))
        assert (await succeeds(db, upsert(Page("b", 7, page.id)))).version == 7
        assert (await succeeds(db, save(Page("c", 7, page.id)))).version == 8

    # -- delete and reload
    async def test_delete(self, accounts: Ommi) -> None:
        await succeeds(accounts, delete(Account(2, "whoever")))
        assert [found.id for found in await succeeds(accounts, find(Account).order_by(Account.id).all())] == [1, 3]

    async def test_delete_of_a_row_that_is_not_there(self, accounts: Ommi) -> None:
        assert (await fails(accounts, delete(Account(9, "")), NotFound)).model is Account

    async def test_delete_by_a_composite_key(self, db: Ommi) -> None:
        await succeeds(db, add_all([Seat(1, 1), Seat(1, 2), Seat(2, 1)]))
        await succeeds(db, delete(Seat(1, 2)))
        found = await succeeds(db, find(Seat).order_by(Seat.row, Seat.number).all())
        assert found == [Seat(1, 1), Seat(2, 1)]

    async def test_reload_gives_the_row_as_it_is(self, accounts: Ommi) -> None:
        mine = Account(2, "mine")
        assert await succeeds(accounts, reload(mine)) == Account(2, "Bob", 20)
        assert mine == Account(2, "mine")

    async def test_reload_of_a_row_that_is_not_there(self, accounts: Ommi) -> None:
        assert (await fails(accounts, reload(Account(9, "")), NotFound)).model is Account

    # -- queries that write
    async def test_update_to_values(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, find(Account, balance >= 20).update(owner="x", code=None)) == 2
        found = await succeeds(accounts, find(Account).order_by(Account.id).all())
        assert [account.owner for account in found] == ["Ada", "x", "x"]

    async def test_update_to_expressions_of_the_old_row(self, accounts: Ommi) -> None:
        effect = find(Account, Account.id != 3).update(balance=balance * 2 + Account.id, owner=owner.upper())
        assert await succeeds(accounts, effect) == 2
        found = await succeeds(accounts, find(Account).order_by(Account.id).all())
        assert [(account.owner, account.balance) for account in found] == [("ADA", 21), ("BOB", 42), ("Cid", 30)]

    async def test_update_reads_the_old_row_alone(self, db: Ommi) -> None:
        await succeeds(db, add(Order(1, limit=2)))
        await succeeds(db, find(Order).everything().update(group=col(Order.limit), limit=col(Order.group)))
        found = await succeeds(db, find(Order).one())
        assert (found.group, found.limit) == (2, 1)

    async def test_update_counts_rows_matched(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, find(Account, Account.id == 1).update(owner="Ada")) == 1
        assert await succeeds(accounts, find(Account, Account.id == 9).update(owner="Ada")) == 0

    async def test_update_by_a_query_of_its_own_table(self, accounts: Ommi) -> None:
        rich = find(Account, balance > 10).select(Account.id)
        assert await succeeds(accounts, find(Account, col(Account.id).in_(rich)).update(balance=0)) == 2

    async def test_set_of_single_fields(self, accounts: Ommi) -> None:
        effect = find(Account, Account.id == 1).set(balance, balance + 1).set(owner, "x")
        assert await succeeds(accounts, effect) == 1
        assert await succeeds(accounts, find(Account, Account.id == 1).one()) == Account(1, "x", 11)

    async def test_update_of_the_key(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, find(Account, Account.id == 1).update(id=100)) == 1
        assert await succeeds(accounts, find(Account, Account.id == 100).one()) == Account(100, "Ada", 10)

    async def test_delete_by_a_query_counts_rows(self, accounts: Ommi) -> None:
        assert await succeeds(accounts, find(Account, balance > 10).delete()) == 2
        assert await succeeds(accounts, find(Account).everything().delete()) == 1
        assert await succeeds(accounts, find(Account).everything().delete()) == 0

    async def test_names_that_need_quoting(self, db: Ommi) -> None:
        order = await succeeds(db, add(Order(7, select="a", where="b")))
        group = col(Order.group)
        assert await succeeds(db, find(Order, group == 7, col(Order.where).starts_with("b")).one()) == order
        assert await succeeds(db, find(Order).order_by(col(Order.select).desc).select(group, Order.select).all()) == [
            (7, "a")
        ]
        assert await succeeds(db, find(Order, group.in_(find(Order).select(Order.group))).update(select="c")) == 1
        assert (await succeeds(db, upsert(Order(8, "d", id=order.id)))).select == "d"
        await succeeds(db, delete(order))

    # -- the words bound to a database
    async def test_bound_words(self, db: Ommi) -> None:
        added = await db.add(Account(1, "Ada")).value
        assert await db.find(Account).fetch.all() == [added]
        assert await db.find(Account, Account.id == 1).fetch.one() == added
        assert await db.find(Account).where(owner == "Bob").fetch.first() is None
        assert await db.find(Account).count().value_or(-1) == 1
        with pytest.raises(NotFound):
            await db.find(Account, Account.id == 9).fetch.one()
        with pytest.raises(UniqueViolation):
            await db.add(Account(1, "Bob")).value
        assert await db.add(Account(1, "Bob")).value_or(None) is None
        assert await db.find(Account).everything().update(balance=balance + 5).value == 1
        assert (await db.save(Account(1, "Eve")).value).owner == "Eve"
        assert (await db.reload(Account(1, "")).value).owner == "Eve"
        assert (await db.upsert(Account(1, "Dan")).value).owner == "Dan"
        assert [a.id for a in await db.add_all([Account(2, "x")]).value] == [2]
        await db.delete(Account(1, "")).value
        assert await db.find(Account).select(owner).fetch.all() == [("x",)]
