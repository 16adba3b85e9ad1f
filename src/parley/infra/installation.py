"""Whether the database under us is the one we knew: a copy of it must not send last week's messages again."""

from __future__ import annotations

import asyncpg

from parley.infra.db import Tx


async def is_foreign_cluster(tx: Tx) -> bool:
    """Whether this database was made in another PostgreSQL cluster (a dump loaded elsewhere). First call: noted, False.

    Where the server does not tell its identity, nothing can be noticed and the answer is False.
    """
    try:
        async with tx.savepoint():
            present = await tx.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    except asyncpg.InsufficientPrivilegeError:
        return False
    known = await tx.fetchval(
        """INSERT INTO installation (id, system_identifier) VALUES (1, $1)
        ON CONFLICT (id) DO UPDATE SET id = 1 RETURNING system_identifier""",
        present,
    )
    return bool(known != present)


async def accept_cluster(tx: Tx) -> None:
    """Note that this cluster is the right one from now on."""
    await tx.execute(
        "UPDATE installation SET system_identifier = (SELECT system_identifier::text FROM pg_control_system())"
    )
