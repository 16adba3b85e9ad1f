"""What must hold of the database as a whole: schema, isolation, settings, feed, schedules, time, room on the disk."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from parley.infra.checking import Check, Probe
from parley.infra.jobs import JOBS
from parley.infra.migrate import HEAD
from parley.infra.reference_checks import FOREIGN_KEYS
from parley.infra.schedules import Schedule
from parley.infra.work_checks import work_checks

LONG_TRANSACTION_SECONDS = 30
"""What writes for longer keeps every follower of the feed waiting; our own statements end after 30 s."""
IDLE_SECONDS = 90
"""PostgreSQL ends our own transactions that idle for 60 s."""
LAG_SECONDS = 600
CLOCK_SECONDS = 5.0
LEAST_FREE_BYTES = 1 << 30
LEAST_FREE_SHARE = 0.05
WRAPAROUND_AGE = 1_000_000_000
"""Transactions; PostgreSQL stops writing near 2 billion, autovacuum acts from 200 million."""
_TABLES = (
    "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'"
)
_SCOPED = "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped)"
CLOSED_TO_APP = (
    "session",
    "one_time_token",
    "message_search",
    "search_rebuild",
    "login",
    "attempt",
    "follower",
    "schedule",
    "installation",
    "phone_code",
    "totp",
    "recovery_code",
    "passkey",
    "sign_in_challenge",
)
"""Tables that only the system role may touch (ADR 0004)."""
_AGAIN = (
    "Run src/parley/migrations/sql/after.sql as the owner (it may be repeated), then look who changed it."
)


async def _find_revision(probe: Probe) -> Sequence[str]:
    rows = await probe.fetch(
        "SELECT to_regclass('public.alembic_version') IS NOT NULL AS is_there", is_catalog=True
    )
    if not rows[0]["is_there"]:
        return ["the database has no Parley schema"]
    rows = await probe.fetch("SELECT version_num FROM alembic_version", is_catalog=True)
    return [f"the schema is at {row['version_num']}" for row in rows if row["version_num"] != HEAD]


async def _find_clock(probe: Probe) -> Sequence[str]:
    before = time.time()
    rows = await probe.fetch("SELECT extract(epoch FROM clock_timestamp())::float8 AS at", is_catalog=True)
    after = time.time()
    apart = max(rows[0]["at"] - after, before - rows[0]["at"], 0.0)
    if apart <= probe.place.wait(CLOCK_SECONDS):
        return []
    return [f"the clocks of this machine and of the database are {apart:.0f} s apart"]


async def _find_room(probe: Probe) -> Sequence[str]:
    usage = await asyncio.to_thread(shutil.disk_usage, _nearest(probe.place.settings.data_dir))
    least = min(LEAST_FREE_BYTES, usage.total * LEAST_FREE_SHARE)
    if usage.free >= least:
        return []
    return [
        f"{usage.free >> 20} MB of {usage.total >> 20} are free where {probe.place.settings.data_dir} lies"
    ]


def _nearest(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


async def _find_other_cluster(probe: Probe) -> Sequence[str]:
    rows = await probe.fetch(
        """SELECT (SELECT system_identifier::text FROM pg_control_system()) || '/' || oid AS identity
        FROM pg_database WHERE datname = current_database()""",
        is_catalog=True,
    )
    here = rows[0]["identity"]
    noted = await probe.fetch("SELECT system_identifier AS identity FROM installation")
    if not noted or noted[0]["identity"] in (here, f"?/{here.partition('/')[2]}"):
        return []
    return [f"the database was made as {noted[0]['identity']} (cluster/database) and lies in {here}"]


def schedule_check(schedules: Sequence[Schedule]) -> Check:
    """Return the check that schedules of these names come round."""
    names = [schedule.name for schedule in schedules]

    return Check(
        name="infra.schedules",
        holds="Every schedule is known and comes round.",
        remedy="No process looks at schedules: see that one Parley runs with its workers, look in its log for "
        "schedules.look_failed, and restart it.",
        severity="trouble",
        needs_serving=True,
        again_seconds=3,
        values=lambda place: (names, place.wait(LAG_SECONDS)),
        sql="""SELECT 'schedule ' || n.name || coalesce(' was due at ' || s.next_at::timestamptz(0), ' is not known')
                AS finding
            FROM unnest($1::text[]) AS n (name) LEFT JOIN schedule s USING (name)
            WHERE s.name IS NULL OR s.next_at < now() - make_interval(secs => $2)""",
    )


def infra_checks(schedules: Sequence[Schedule]) -> list[Check]:
    """Return the checks of the database as a whole, and of jobs."""
    return [
        *SCHEMA_CHECKS,
        FOREIGN_KEYS,
        *CLUSTER_CHECKS,
        schedule_check(schedules),
        *work_checks(
            "jobs",
            JOBS,
            noun="job",
            failed_remedy="Read the reason and put it right; then set work = 'ready', attempts = 0, finished_at = NULL "
            "on the row, or delete it when it is not wanted any more.",
        ),
    ]


SCHEMA_CHECKS = (
    Check(
        name="infra.migrations",
        holds=f"The schema is the one this program is made for ({HEAD}).",
        remedy="Run parley migrate; when the schema is newer than the program, install the newer program.",
        look=_find_revision,
    ),
    Check(
        name="infra.row_security",
        holds="Every table has row-level security, forced, with the policies of ADR 0004 and no others.",
        remedy=_AGAIN
        + " Drop policies that ADR 0004 does not know. Until then workspaces may see one another.",
        is_catalog=True,
        sql=f"""SELECT 'table ' || c.relname || ': row security is ' || CASE WHEN c.relrowsecurity THEN 'not forced'
                ELSE 'off' END AS finding
            FROM pg_class c WHERE {_TABLES} AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
            UNION ALL SELECT 'table ' || c.relname || ' has no policy system' FROM pg_class c WHERE {_TABLES}
                AND NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname
                    AND p.policyname = 'system' AND p.roles = '{{parley_system}}')
            UNION ALL SELECT 'table ' || c.relname || ' has no policy workspace' FROM pg_class c WHERE {_TABLES}
                AND {_SCOPED} AND c.relname <> ALL ($1::text[])
                AND NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = 'public' AND p.tablename = c.relname
                    AND p.policyname = 'workspace' AND p.roles = '{{parley_app}}')
            UNION ALL SELECT 'table ' || p.tablename || ': policy ' || p.policyname || ' lets ' || p.roles::text
                || ' see ' || coalesce(p.qual, 'everything') FROM pg_policies p WHERE p.schemaname = 'public'
                AND NOT (p.policyname = 'system' AND p.roles = '{{parley_system}}')
                AND NOT (p.policyname = 'workspace' AND p.roles = '{{parley_app}}'
                    AND p.qual ~ '^\\((workspace_id|id) = ANY .*parley\\.workspaces'
                    AND p.with_check ~ '^\\((workspace_id|id) = ANY .*parley\\.workspaces')""",
        values=lambda _: (list(CLOSED_TO_APP),),
    ),
    Check(
        name="infra.roles",
        holds="parley_app and parley_system are plain roles: no superuser, no login, bound by row-level security.",
        remedy="ALTER ROLE ... NOSUPERUSER NOBYPASSRLS NOLOGIN NOCREATEROLE NOCREATEDB; revoke memberships that make "
        "parley_app more than itself. Until then workspaces may see one another.",
        is_catalog=True,
        sql="""SELECT 'role ' || n.name || CASE WHEN r.oid IS NULL THEN ' is missing' WHEN r.rolsuper THEN ' is superuser'
                WHEN r.rolbypassrls THEN ' passes by row security' WHEN r.rolcanlogin THEN ' may log in'
                WHEN r.rolcreaterole THEN ' may make roles' ELSE ' is a member of ' || m.names END AS finding
            FROM unnest('{parley_app,parley_system}'::text[]) AS n (name) LEFT JOIN pg_roles r ON r.rolname = n.name
            LEFT JOIN LATERAL (SELECT string_agg(g.rolname, ', ') AS names FROM pg_auth_members a
                JOIN pg_roles g ON g.oid = a.roleid WHERE a.member = r.oid) m ON true
            WHERE r.oid IS NULL OR r.rolsuper OR r.rolbypassrls OR r.rolcanlogin OR r.rolcreaterole
                OR m.names IS NOT NULL""",
    ),
    Check(
        name="infra.grants",
        holds="The plain role cannot reach sessions, logins and links, and nobody can change the audit.",
        remedy="REVOKE what is named. " + _AGAIN,
        is_catalog=True,
        sql=f"""SELECT 'parley_app may ' || lower(x.privilege) || ' ' || c.relname AS finding
            FROM pg_class c, unnest('{{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}}'::text[]) AS x (privilege)
            WHERE {_TABLES} AND (c.relname = ANY ($1::text[]) OR x.privilege = 'TRUNCATE')
              AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_app')
              AND has_table_privilege('parley_app', c.oid, x.privilege)
            UNION ALL SELECT r.rolname || ' may ' || lower(x.privilege) || ' audit_entry'
            FROM pg_roles r, pg_class c, unnest('{{UPDATE,DELETE,TRUNCATE}}'::text[]) AS x (privilege)
            WHERE r.rolname IN ('parley_app', 'parley_system') AND NOT r.rolsuper AND {_TABLES}
              AND c.relname = 'audit_entry' AND has_table_privilege(r.oid, c.oid, x.privilege)""",
        values=lambda _: (list(CLOSED_TO_APP),),
    ),
    Check(
        name="infra.constraints",
        holds="Every constraint is validated and enforced, every index is valid, no trigger is off.",
        remedy="REINDEX what is not valid, VALIDATE the constraint, ENABLE TRIGGER ALL on the table; then run the doctor "
        "again: rows may have slipped in meanwhile.",
        is_catalog=True,
        sql="""SELECT 'constraint ' || conname || ' of ' || conrelid::regclass || ' is not validated' AS finding
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND NOT convalidated
            UNION ALL SELECT 'index ' || indexrelid::regclass || ' is not valid' FROM pg_index i
                JOIN pg_class c ON c.oid = i.indexrelid
                WHERE c.relnamespace = 'public'::regnamespace AND NOT (i.indisvalid AND i.indisready)
                  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
            UNION ALL SELECT 'a trigger of ' || t.tgrelid::regclass || ' is off (' || count(*) || ' of them)'
                FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                WHERE c.relnamespace = 'public'::regnamespace AND t.tgenabled <> 'O' GROUP BY t.tgrelid""",
    ),
)

CLUSTER_CHECKS = (
    Check(
        name="infra.feed",
        holds=f"No transaction of the cluster writes for longer than {LONG_TRANSACTION_SECONDS} s: the feed waits for it.",
        remedy="Screens on other servers and everything that follows the feed stand still until it ends. End it: "
        "SELECT pg_terminate_backend(<process>); a prepared one: ROLLBACK PREPARED '<name>'.",
        severity="trouble",
        is_catalog=True,
        values=lambda place: (place.wait(LONG_TRANSACTION_SECONDS),),
        sql="""SELECT 'process ' || pid || ' (' || coalesce(nullif(application_name, ''), 'unnamed') || ' as '
                || coalesce(usename, '?') || ' in database ' || coalesce(datname, '?') || ', ' || coalesce(state, '?')
                || ') writes since ' || xact_start::timestamptz(0) AS finding
            FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND backend_type <> 'autovacuum worker'
              AND xact_start < now() - make_interval(secs => $1)
            UNION ALL SELECT 'prepared transaction ' || gid || ' of database ' || database || ' since '
                || prepared::timestamptz(0)
            FROM pg_prepared_xacts WHERE prepared < now() - make_interval(secs => $1)""",
    ),
    Check(
        name="infra.idle_transactions",
        holds=f"No transaction on this database idles for longer than {IDLE_SECONDS} s.",
        remedy="It keeps vacuum from its work and locks from others. End it: SELECT pg_terminate_backend(<process>); "
        "set idle_in_transaction_session_timeout for that program.",
        severity="trouble",
        is_catalog=True,
        values=lambda place: (place.wait(IDLE_SECONDS),),
        sql="""SELECT 'process ' || pid || ' (' || coalesce(nullif(application_name, ''), 'unnamed') || ' as '
                || coalesce(usename, '?') || ') idles in a transaction since ' || state_change::timestamptz(0) AS finding
            FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'
              AND backend_xid IS NULL AND state_change < now() - make_interval(secs => $1)""",
    ),
    Check(
        name="infra.followers",
        holds=f"No follower of the feed is more than {LAG_SECONDS // 60} minutes behind.",
        remedy="The process that follows under this name does not run or hangs, or (amqp) the broker is away: look in its "
        "log, restart it; delete the "
        "row of a follower that is no longer wanted.",
        severity="trouble",
        needs_serving=True,
        again_seconds=3,
        values=lambda place: (place.wait(LAG_SECONDS),),
        sql="""SELECT 'follower ' || f.name || ' has not read an event of ' || e.at::timestamptz(0) AS finding
            FROM follower f CROSS JOIN LATERAL (SELECT v.at FROM event v WHERE v.transaction > f.transaction
                ORDER BY v.transaction, v.conversation_id, v.number LIMIT 1) e
            WHERE e.at < now() - make_interval(secs => $1)""",
    ),
    Check(
        name="infra.durability",
        holds="PostgreSQL keeps what it has acknowledged: fsync, synchronous_commit and full_page_writes are on.",
        remedy="Set them on in postgresql.conf (embedded: in postgres/cluster/data of the data directory) or by ALTER SYSTEM "
        "and reload. With them off, a power cut loses messages or the whole database.",
        severity="trouble",
        is_catalog=True,
        sql="""SELECT name || ' is ' || setting AS finding FROM pg_settings
            WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'""",
    ),
    Check(
        name="infra.checksums",
        holds="PostgreSQL found no damaged page in this database.",
        remedy="The disk or the memory gives back other bytes than were written. Make a backup at once, check the "
        "hardware, restore onto another disk. pg_stat_reset() clears the count.",
        is_catalog=True,
        sql="""SELECT checksum_failures || ' damaged pages since ' || checksum_last_failure::timestamptz(0) AS finding
            FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0""",
    ),
    Check(
        name="infra.wraparound",
        holds="Vacuum keeps up: no database is near the end of its transaction numbers.",
        remedy="VACUUM (FREEZE) in that database; look what holds vacuum back (old transactions, prepared ones, unused "
        "replication slots). PostgreSQL stops writing when the numbers end.",
        severity="trouble",
        is_catalog=True,
        values=lambda place: (int(WRAPAROUND_AGE * min(place.patience, 1.0)),),
        sql="""SELECT 'database ' || datname || ' is ' || age(datfrozenxid) || ' transactions old' AS finding
            FROM pg_database WHERE age(datfrozenxid) > $1::bigint""",
    ),
    Check(
        name="infra.connections",
        holds="PostgreSQL has connections left.",
        remedy="Close programs that keep connections, lower PARLEY_DATABASE_POOL, or raise max_connections.",
        severity="trouble",
        is_catalog=True,
        again_seconds=1,
        sql="""SELECT 'more than nine in ten of ' || setting || ' connections are taken' AS finding FROM pg_settings
            WHERE name = 'max_connections' AND (SELECT count(*) FROM pg_stat_activity
                WHERE backend_type = 'client backend') > setting::integer * 0.9""",
    ),
    Check(
        name="infra.cluster",
        holds="The database lies in the cluster that it knows.",
        remedy="It was loaded from a dump or moved. At its next start Parley holds outward messages not yet sent; look at "
        "them, then run parley admin release-deliveries.",
        severity="trouble",
        look=_find_other_cluster,
    ),
    Check(
        name="infra.clocks",
        holds=f"This machine's clock and the database's agree within {CLOCK_SECONDS:.0f} s.",
        remedy="Turn on time synchronisation (NTP) on both machines.",
        severity="trouble",
        look=_find_clock,
    ),
    Check(
        name="infra.disk",
        holds="The disk of the data directory has room (1 GB, or a twentieth of a small disk).",
        remedy="Make room: PostgreSQL stops when it cannot write. Look at postgres/cluster/log and files/ there.",
        severity="trouble",
        look=_find_room,
    ),
)
