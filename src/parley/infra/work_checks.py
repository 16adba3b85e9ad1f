"""What must hold of a table of claimed work: leases, lanes, reasons, and nothing that waits for ever."""

from __future__ import annotations

from parley.infra.checking import Check, Walk
from parley.infra.work import WorkTable

SILENT_SECONDS = 60
"""A lease that ran out so long ago should have been taken over: every worker sweeps each 5 s."""
LATE_SECONDS = 300
"""Work that has been due for so long, with nothing in front of it, is stuck."""
OVERTAKEN_SECONDS = 900
"""Longer than any piece of work may take (`parley.infra.worker.Limits`): who finishes later began later."""


def work_checks(prefix: str, table: WorkTable, *, noun: str, failed_remedy: str) -> list[Check]:
    """Return the checks of one table of work."""
    name, key = table.name, table.key_column
    label = f"'{noun} ' || t.{key}"
    return [
        Check(
            name=f"{prefix}.leases",
            holds=f"A lease of a {noun} is renewed, or taken over soon after it ran out.",
            remedy="Nobody sweeps: look in the log for work.tending_failed, see that one Parley runs with its workers, "
            "and restart it.",
            severity="trouble",
            needs_serving=True,
            again_seconds=2,
            values=lambda place: (place.wait(SILENT_SECONDS),),
            sql=f"""SELECT {label} || ': its lease ran out at ' || lease_until::timestamptz(0) AS finding FROM {name} t
                WHERE work = 'leased' AND lease_until < now() - make_interval(secs => $1)""",
        ),
        Check(
            name=f"{prefix}.work",
            holds=f"A {noun} is ready, leased (with a token and a time), done, failed with a reason, or held.",
            remedy="The row was changed by hand, or by a bug: ask the developers with its id.",
            walk=Walk(table=name, key=key),
            sql=f"""SELECT {label} || ' is ' || work || CASE
                    WHEN work = 'leased' AND (lease_token IS NULL OR lease_until IS NULL)
                        OR work <> 'leased' AND (lease_token IS NOT NULL OR lease_until IS NOT NULL)
                        THEN ', its lease says otherwise'
                    WHEN (work IN ('done', 'failed')) <> (finished_at IS NOT NULL) THEN ', its end says otherwise'
                    WHEN work = 'failed' THEN ' without a reason' ELSE ' after less than no attempt' END AS finding
                FROM {name} t
                WHERE {key} > $1 AND $2::bigint IS NOT NULL AND {key} <= $3 AND $4::bigint IS NOT NULL
                  AND (work = 'leased' AND (lease_token IS NULL OR lease_until IS NULL)
                    OR work <> 'leased' AND (lease_token IS NOT NULL OR lease_until IS NOT NULL)
                    OR (work IN ('done', 'failed')) <> (finished_at IS NOT NULL)
                    OR work = 'failed' AND coalesce(last_error, '') = '' OR attempts < 0)""",
        ),
        Check(
            name=f"{prefix}.lane_holder",
            holds=f"A lane of {noun}s has one holder at a time.",
            remedy="Two workers hold one conversation or chat: order may be lost. Do two clusters share this database's "
            "rows, or does a proxy break advisory locks? Stop all Parleys but one, and ask the developers.",
            again_seconds=2,
            sql=f"""SELECT 'lane ' || lane || ' has ' || count(DISTINCT lease_token) || ' holders' AS finding
                FROM {name} WHERE work = 'leased' AND lane IS NOT NULL GROUP BY lane
                HAVING count(DISTINCT lease_token) > 1""",
        ),
        Check(
            name=f"{prefix}.lane_order",
            holds=f"In a lane, no later {noun} is done while an earlier one that was due stands unfinished.",
            remedy="Order in this conversation or chat is lost; ask the developers with the ids.",
            again_seconds=2,
            values=lambda place: (place.wait(OVERTAKEN_SECONDS),),
            sql=f"""WITH front AS MATERIALIZED (SELECT DISTINCT ON (lane) lane, seq, due_at, {key} AS id FROM {name}
                    WHERE work = 'ready' AND lane IS NOT NULL AND due_at < now() - make_interval(secs => $1)
                    ORDER BY lane, seq)
                SELECT 'lane ' || f.lane || ': ' || count(*) || ' later than {noun} ' || f.id
                    || ' are done or under way before it' AS finding
                FROM front f JOIN {name} t ON t.lane = f.lane AND t.seq > f.seq
                WHERE t.work = 'leased' AND t.lease_until > now()
                   OR t.work = 'done' AND t.finished_at > f.due_at + make_interval(secs => $1)
                GROUP BY f.lane, f.id""",
        ),
        Check(
            name=f"{prefix}.in_time",
            holds=f"A {noun} that is due is taken within {LATE_SECONDS // 60} minutes.",
            remedy="The workers do not keep up or hang: look at parley_work_lag_seconds, at the log, and at the "
            "provider's state; raise PARLEY_WORKER_CONCURRENCY or start another process; restart one that hangs.",
            severity="trouble",
            needs_serving=True,
            again_seconds=5,
            values=lambda place: (place.wait(LATE_SECONDS), place.serving_since),
            sql=f"""SELECT {label} || ' has been due since ' || t.due_at::timestamptz(0) AS finding
                FROM {name} t
                WHERE t.work = 'ready' AND greatest(t.due_at, $2) < now() - make_interval(secs => $1)
                  AND (t.lane IS NULL
                    OR NOT EXISTS (SELECT FROM {name} b WHERE b.lane = t.lane AND b.work = 'leased')
                      AND NOT EXISTS (SELECT FROM {name} b WHERE b.lane = t.lane AND b.work = 'ready'
                        AND b.seq < t.seq))""",
        ),
        Check(
            name=f"{prefix}.failed",
            holds=f"No {noun} has failed for good.",
            remedy=failed_remedy,
            severity="trouble",
            sql=f"""SELECT {label} || ' failed: ' || left(last_error, 200) AS finding
                FROM {name} t WHERE work = 'failed' AND last_error <> '' ORDER BY seq DESC""",
        ),
    ]
