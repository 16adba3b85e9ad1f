"""With every check of the application gone, the database alone keeps workspaces apart."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from parley.infra.db import Tx
from tests.house import House
from tests.isolation.furnished import Furnished

pytestmark = pytest.mark.anyio

OF_NO_WORKSPACE = {
    "alembic_version": "which migrations ran",
    "login": "a way to sign in to several workspaces; parley_system alone",
    "phone_code": "a number signs in before a workspace is known; parley_system alone",
    "chatapp_newcomer": "a number asks for a code before a workspace is known; parley_system alone",
    "totp": "of a login; parley_system alone",
    "recovery_code": "of a login; parley_system alone",
    "passkey": "of a login; parley_system alone",
    "attempt": "counts of attempts at logins; parley_system alone",
    "follower": "positions in the feed of the whole installation; parley_system alone",
    "schedule": "what runs when in the whole installation; parley_system alone",
    "installation": "which installation this is; parley_system alone",
    "search_rebuild": "how far the index of search of the whole installation is made anew; parley_system alone",
    "workspace": "is a workspace: its own id is what counts",
}
SYSTEM_ONLY = {
    "session": "looked up by token before the workspace is known",
    "one_time_token": "looked up by token before the workspace is known",
    "sign_in_challenge": "looked up by token before the workspace is known",
    "message_search": "words cannot be looked up under a policy: read by search_messages alone, which compares",
}
POINTS_NOWHERE = {
    "actor": "of its workspace; its login belongs to none",
    "inbox": "of its workspace alone",
    "media": "of its workspace alone",
    "job": "of its workspace alone",
    "audit_entry": "of its workspace alone",
}


async def scoped_tables(house: House) -> list[str]:
    rows = await house.sql(
        """SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id'
        ORDER BY 1"""
    )
    return [row["name"] for row in rows]


async def open_tables(house: House) -> list[str]:
    """The tables that requests work on."""
    return [name for name in await scoped_tables(house) if name not in SYSTEM_ONLY]


async def foreign_keys(house: House) -> list[asyncpg.Record]:
    return await house.sql(
        """SELECT con.conrelid::regclass::text AS source, con.confrelid::regclass::text AS target,
            (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(con.conkey) WITH ORDINALITY k(num, n)
             JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.num) AS columns,
            (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(con.confkey) WITH ORDINALITY k(num, n)
             JOIN pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.num) AS targets
        FROM pg_constraint con WHERE con.contype = 'f' AND con.connamespace = 'public'::regnamespace ORDER BY 1, 2, 3"""
    )


def is_refused(result: int | type[Exception]) -> bool:
    """By the foreign key; or, where the others' thing is there already, by its uniqueness; or by the grants."""
    return not isinstance(result, int) and issubclass(
        result,
        (asyncpg.ForeignKeyViolationError, asyncpg.UniqueViolationError, asyncpg.InsufficientPrivilegeError),
    )


async def row_of(house: House, table: str, workspace: UUID, filled: str = "workspace_id") -> dict[str, Any]:
    """Return a row of the workspace, one with that column filled if there is any."""
    rows = await house.sql(
        f"""SELECT to_jsonb(t)::text AS row FROM {table} t WHERE workspace_id = $1
        ORDER BY {filled} IS NULL LIMIT 1""",
        workspace,
    )
    assert rows, f"{table} holds nothing of the workspace: furnish it in furnished.py"
    return {"json": rows[0]["row"]}


@contextlib.asynccontextmanager
async def as_app(house: House, workspace: UUID) -> AsyncIterator[Tx]:
    """What a request of this workspace may do at the very most; undone at the end."""
    with contextlib.suppress(_Undone):
        async with house.db.transaction(workspace) as tx:
            yield tx
            raise _Undone


class _Undone(Exception):
    pass


async def attempt(tx: Tx, sql: str, *args: Any) -> int | type[Exception]:
    """Run a statement and undo it; return how many rows it touched, or what refused it."""
    result: int | type[Exception] = 0
    try:
        async with tx.savepoint():
            result = await tx.execute(sql, *args)
            raise _Undone
    except _Undone:
        return result
    except asyncpg.PostgresError as error:
        return type(error)


async def test_every_table_is_of_a_workspace_or_listed_with_its_reason(house: House) -> None:
    rows = await house.sql(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    unscoped = {row["name"] for row in rows} - set(await scoped_tables(house))
    assert unscoped == set(OF_NO_WORKSPACE)


async def test_every_table_has_forced_row_security_and_a_policy_for_each_role(house: House) -> None:
    rows = await house.sql(
        """SELECT c.relname AS name, c.relrowsecurity AS is_on, c.relforcerowsecurity AS is_forced,
            array(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1) AS policies
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
            AND c.relname <> 'alembic_version'"""
    )
    open_to_app = {*await open_tables(house), "workspace"}
    for row in rows:
        assert (row["is_on"], row["is_forced"]) == (True, True), row["name"]
        expected = ["system", "workspace"] if row["name"] in open_to_app else ["system"]
        assert row["policies"] == expected, row["name"]


async def test_the_roles_are_plain(house: House) -> None:
    rows = await house.sql(
        "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname ~ '^parley_'"
    )
    assert {row["rolname"] for row in rows} == {"parley_app", "parley_system"}
    for row in rows:
        assert not any(row[key] for key in row.keys() if key != "rolname")  # noqa: SIM118 - a record


async def test_another_workspace_sees_no_row_and_touches_none(
    house: House, ours: Furnished, theirs: Furnished
) -> None:
    for table in [*await open_tables(house), "workspace"]:
        key = "id" if table == "workspace" else "workspace_id"
        if table != "workspace":
            await row_of(house, table, ours.place.id)  # there is something to hide
        async with as_app(house, theirs.place.id) as tx:
            assert await tx.fetchval(f"SELECT count(*) FROM {table} WHERE {key} = $1", ours.place.id) == 0
            seen = await tx.fetchval(f"SELECT count(DISTINCT {key}) FROM {table}")
            assert seen == 1, table
            for verb in (f"UPDATE {table} SET {key} = {key}", f"DELETE FROM {table}"):
                touched = await attempt(tx, f"{verb} WHERE {key} = $1", ours.place.id)
                assert touched in (0, asyncpg.InsufficientPrivilegeError), (table, verb, touched)


async def test_without_a_workspace_nothing_is_seen(house: House, ours: Furnished) -> None:
    async with house.db.transaction() as tx:
        for table in [*await open_tables(house), "workspace"]:
            assert await tx.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_what_belongs_to_nobody_is_closed_to_requests(house: House, ours: Furnished) -> None:
    for table in {*SYSTEM_ONLY, *OF_NO_WORKSPACE} - {"workspace"}:
        async with as_app(house, ours.place.id) as tx:
            for sql in (
                f"SELECT FROM {table}",
                f"DELETE FROM {table}",
                f"INSERT INTO {table} DEFAULT VALUES",
            ):
                assert await attempt(tx, sql) is asyncpg.InsufficientPrivilegeError, (table, sql)


async def test_a_row_cannot_be_written_into_another_workspace(
    house: House, ours: Furnished, theirs: Furnished
) -> None:
    for table in await open_tables(house):
        row = await row_of(house, table, ours.place.id)
        columns = await written_columns(house, table)
        copy = f"""INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
            SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1)"""
        async with as_app(house, theirs.place.id) as tx:
            refused = await attempt(tx, copy, row["json"].encode())
            assert refused is asyncpg.InsufficientPrivilegeError, (table, refused)
            moved = await attempt(tx, f"UPDATE {table} SET workspace_id = $1", ours.place.id)
            assert moved in (asyncpg.InsufficientPrivilegeError, asyncpg.ForeignKeyViolationError), (
                table,
                moved,
            )


async def test_a_row_of_ones_own_cannot_point_across(
    house: House, ours: Furnished, theirs: Furnished
) -> None:
    """Every foreign key, by an insert of a copy and by an update: one's own row that names the others' thing."""
    tried = set()
    for key in await foreign_keys(house):
        table, columns = key["source"], [name for name in key["columns"] if name != "workspace_id"]
        if table in {*SYSTEM_ONLY, *OF_NO_WORKSPACE} or not columns or key["target"] in OF_NO_WORKSPACE:
            continue
        tried.add(table)
        targets = [key["targets"][key["columns"].index(name)] for name in columns]
        found = await house.sql(
            f"SELECT {', '.join(targets)} FROM {key['target']} WHERE workspace_id = $1 LIMIT 1", ours.place.id
        )
        sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 1))
        async with as_app(house, theirs.place.id) as tx:
            one = f"(SELECT ctid FROM {table} ORDER BY {columns[0]} IS NULL LIMIT 1)"
            moved = await attempt(tx, f"UPDATE {table} SET {sets} WHERE ctid = {one}", *found[0].values())
            assert is_refused(moved), (table, columns, moved)
            row = await row_of(house, table, theirs.place.id, columns[0])
            copy = f"""INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(NULL::{table}, $1::jsonb || $2::jsonb)).*"""
            across = {name: str(value) for name, value in zip(columns, found[0].values(), strict=True)}
            fresh = await fresh_key(house, table, columns)
            refused = await attempt(tx, copy, row["json"].encode(), {**fresh, **across})
            assert is_refused(refused), (table, columns, refused)
    assert tried == set(await open_tables(house)) - set(POINTS_NOWHERE)


async def written_columns(house: House, table: str) -> str:
    """The columns of a table that the database does not compute by itself."""
    rows = await house.sql(
        """SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
        WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''""",
        table,
    )
    return str(rows[0]["columns"])


async def fresh_key(house: House, table: str, kept: list[str]) -> dict[str, Any]:
    """New values for unique columns, so that nothing but the foreign key can refuse a copy."""
    rows = await house.sql(
        """SELECT a.attname AS name, format_type(a.atttypid, NULL) AS kind FROM pg_attribute a
        WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY(i.indkey))
          AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'f'
                          AND a.attnum = ANY(c.conkey))""",
        table,
    )
    made: dict[str, Any] = {}
    for row in rows:
        if row["name"] in kept or row["name"] == "workspace_id":
            continue
        made[row["name"]] = {
            "uuid": "01234567-89ab-7def-8123-456789abcdef", "text": "sent", "bigint": 987654321,
            "integer": 98765, "bytea": "\\x00ff",
        }[row["kind"]]  # fmt: skip
    return made


async def test_every_foreign_key_carries_the_workspace(house: House) -> None:
    """Itself, or beside another one of the same table over the same conversation that does."""
    keys = await foreign_keys(house)
    scoped = set(await scoped_tables(house))
    for key in keys:
        if key["target"] not in scoped or "workspace_id" in key["columns"]:
            continue
        beside = [
            other["columns"] for other in keys
            if other["source"] == key["source"] and "workspace_id" in other["columns"]
        ]  # fmt: skip
        assert any(set(columns) & set(key["columns"]) for columns in beside), (key["source"], key["columns"])


async def test_nobody_rewrites_the_audit(house: House, ours: Furnished) -> None:
    for sql in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"):
        async with as_app(house, ours.place.id) as tx:
            assert await attempt(tx, sql) is asyncpg.InsufficientPrivilegeError
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.db.system() as tx:
                await tx.execute(sql)
    assert await house.sql("SELECT FROM audit_entry WHERE action = 'x.done'")


@pytest.mark.parametrize(
    "hostile", ["x'; RESET ROLE; --", "{}", "00000000-0000-0000-0000-000000000000", None, 7, b"1" * 15]
)
async def test_only_real_ids_go_into_the_setting(house: House, hostile: Any) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError)):
        async with house.db.transaction(hostile):
            raise AssertionError("the transaction was opened")


async def test_an_id_that_lies_about_itself_is_written_by_its_bytes(house: House, ours: Furnished) -> None:
    class Liar(UUID):
        def __str__(self) -> str:
            return "'; RESET ROLE; SELECT '"

    async with house.db.transaction(Liar(bytes=ours.place.id.bytes)) as tx:
        assert await tx.fetchval("SELECT current_setting('parley.workspaces')") == f"{{{ours.place.id}}}"
        assert await tx.fetchval("SELECT current_user") == "parley_app"


async def test_nothing_of_a_transaction_outlives_it(house: House, ours: Furnished) -> None:
    async with house.db.transaction(ours.place.id):
        pass
    with pytest.raises(ZeroDivisionError):
        async with house.db.transaction(ours.place.id):
            raise ZeroDivisionError
    async with house.db.pool.acquire() as connection:
        assert await connection.fetchval("SELECT current_user") not in ("parley_app", "parley_system")
        assert not await connection.fetchval("SELECT current_setting('parley.workspaces', true)")


async def test_a_batch_sees_exactly_its_workspaces(house: House, ours: Furnished, theirs: Furnished) -> None:
    third = await house.workspace("Third")
    async with house.db.transaction(ours.place.id, theirs.place.id) as tx:
        seen = {row["id"] for row in await tx.fetch("SELECT id FROM workspace")}
    assert seen == {ours.place.id, theirs.place.id}
    async with house.db.system() as tx:
        seen = {row["id"] for row in await tx.fetch("SELECT id FROM workspace")}
    assert seen == {ours.place.id, theirs.place.id, third.id}


async def test_the_app_cannot_become_anybody_else_by_its_own_means(house: House, ours: Furnished) -> None:
    """A definer function or a grant that lets parley_app see more would show here."""
    rows = await house.sql(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    assert [row["proname"] for row in rows] == ["search_messages"]
    rows = await house.sql(
        "SELECT FROM pg_auth_members WHERE member IN ('parley_app'::regrole, 'parley_system'::regrole)"
    )
    assert rows == []
