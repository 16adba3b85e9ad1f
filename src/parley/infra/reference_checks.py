"""Orphans: rows that point at something which is not there, where a foreign key stands and where none does.

Tables are read in stretches of blocks, each in a moment of its own. A row that moves meanwhile may be passed over; one
that is told was an orphan at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg

from parley.infra.checking import SHOWN, Check, Probe

BLOCKS = 8192
"""Blocks of a table looked at in one step: 64 MB."""


class Reference(NamedTuple):
    """Columns of a table that name a row of another; a null among them names none."""

    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


def reference_check(name: str, *references: Reference) -> Check:
    """Return the check of references that no foreign key guards."""

    async def look(probe: Probe) -> Sequence[str]:
        return [finding for one in references for finding in await _find_orphans(probe, one)]

    return Check(
        name=name,
        holds="What rows name by id is there: "
        + ", ".join(f"{one.table}.{one.columns[-1]}" for one in references)
        + ".",
        remedy="Something was deleted by hand. Restore it from a backup, or clear the id that is named.",
        look=look,
        is_long=True,
        again_seconds=1,
    )


async def _find_in_foreign_keys(probe: Probe) -> Sequence[str]:
    rows = await probe.fetch(
        """SELECT con.conrelid::regclass::text AS source, con.confrelid::regclass::text AS target,
            (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(con.conkey) WITH ORDINALITY k (num, n)
             JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.num) AS columns,
            (SELECT array_agg(a.attname::text ORDER BY k.n) FROM unnest(con.confkey) WITH ORDINALITY k (num, n)
             JOIN pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.num) AS targets
        FROM pg_constraint con WHERE con.contype = 'f' AND con.connamespace = 'public'::regnamespace
        ORDER BY 1, 2, 3""",
        is_catalog=True,
    )
    found = []
    for row in rows:
        reference = Reference(row["source"], tuple(row["columns"]), row["target"], tuple(row["targets"]))
        found += await _find_orphans(probe, reference)
        probe.progress(f"infra.foreign_keys, {row['source']}")
    return found


FOREIGN_KEYS = Check(
    name="infra.foreign_keys",
    holds="Every row's parents are there: what the foreign keys promise is so.",
    remedy="Rows were deleted with the keys switched off, or an index is damaged: REINDEX the parent table and look again; "
    "else restore the parent from a backup, or delete the orphan.",
    look=_find_in_foreign_keys,
    is_long=True,
)


async def _find_orphans(probe: Probe, one: Reference) -> list[str]:
    matches = " AND ".join(
        f"p.{theirs} = t.{ours}" for ours, theirs in zip(one.columns, one.parent_columns, strict=True)
    )
    named = " AND ".join(f"t.{column} IS NOT NULL" for column in one.columns)
    label = " || ', ' || ".join(f"'{column} ' || t.{column}::text" for column in one.columns)
    sql = f"""SELECT '{one.table} (' || {label} || ') has no {one.parent}' AS finding FROM {one.table} t
        WHERE t.ctid >= $1::text::tid AND t.ctid < $2::text::tid AND {named}
          AND NOT EXISTS (SELECT FROM {one.parent} p WHERE {matches}) LIMIT {SHOWN * 10}"""
    blocks = await probe.fetch(
        "SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::integer AS count", one.table,
        is_catalog=True,
    )  # fmt: skip
    found: list[str] = []
    step, first = BLOCKS, 0
    while first <= blocks[0]["count"]:
        try:
            rows = await probe.fetch(sql, f"({first},0)", f"({first + step},0)")
        except asyncpg.QueryCanceledError:
            if step == 1:
                raise
            step = max(1, step // 8)
        else:
            found += [row["finding"] for row in rows]
            first += step
    return found
