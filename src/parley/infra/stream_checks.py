"""What must hold of a kind of stream: dense numbers, a head that is the newest event, an order the feed can follow."""

from __future__ import annotations

from parley.infra.checking import Check, Place, Walk


def stream_checks(prefix: str, *, table: str, key: str, parent: str, noun: str) -> list[Check]:
    """Return the checks of the streams whose events stand in ``table`` and whose counters in ``parent``."""
    events = Walk(table=table, key=key, number="number", rows=20_000)
    span = f"(e.{key}, e.number) >= ($1, $2) AND (e.{key}, e.number) <= ($3, $4)"

    def kept(place: Place) -> tuple[float]:
        return (place.kept_seconds,)

    return [
        Check(
            name=f"{prefix}.numbers",
            holds=f"The events of a {noun} are numbered 1, 2, 3 ... without a hole (old ones go by the sweep only).",
            remedy="Readers that pass the hole will be reset for ever. Restore from a backup, or ask the developers "
            "with these numbers. Was PARLEY_EVENT_DAYS raised lately? Then events swept before are missed; that heals.",
            walk=events,
            values=kept,
            sql=f"""SELECT '{noun} ' || id || CASE WHEN before IS NULL THEN ' begins with event ' || number
                    ELSE ': event ' || before || ' is followed by ' || number END AS finding
                FROM (SELECT e.{key} AS id, e.number, lag(e.number) OVER w AS before, lag(e.at) OVER w AS before_at,
                        p.created_at
                    FROM {table} e LEFT JOIN {parent} p ON p.id = e.{key} WHERE {span}
                    WINDOW w AS (PARTITION BY e.{key} ORDER BY e.number)) s
                WHERE before IS NOT NULL AND number <> before + 1 AND before_at > now() - make_interval(secs => $5)
                   OR before IS NULL AND (id, number) <> ($1, $2) AND number <> 1
                    AND created_at > now() - make_interval(secs => $5)""",
        ),
        Check(
            name=f"{prefix}.heads",
            holds=f"A {noun}'s head, tag and place in the feed are those of its newest event.",
            remedy="Writers would use a number again, or readers be reset. Restore from a backup, or set head, tag and "
            f"feed_transaction in {parent} to the newest event's while Parley is stopped.",
            walk=Walk(table=parent, rows=5_000),
            sql=f"""SELECT '{noun} ' || p.id || ' stands at ' || p.head || ', tag ' || p.tag || ', its newest event is '
                    || coalesce(e.number || ', tag ' || e.tag, 'missing') || CASE WHEN p.feed_transaction NOT IN ('0', e.transaction)
                    THEN ', its place in the feed ' || p.feed_transaction::text || ' and not ' || e.transaction::text
                    ELSE '' END AS finding
                FROM {parent} p LEFT JOIN LATERAL (SELECT number, tag, transaction FROM {table} e WHERE e.{key} = p.id
                    ORDER BY number DESC LIMIT 1) e ON true
                WHERE p.id > $1 AND $2::bigint IS NOT NULL AND p.id <= $3 AND $4::bigint IS NOT NULL
                  AND CASE WHEN e.number IS NULL THEN p.head <> 0
                      ELSE (p.head, p.tag) IS DISTINCT FROM (e.number, e.tag)
                        OR p.feed_transaction NOT IN ('0', e.transaction) END""",
        ),
        Check(
            name=f"{prefix}.feed_order",
            holds=f"In the feed, the events of a {noun} come in order of their numbers.",
            remedy="Followers (screens on other servers) may miss or turn round these events; clients heal by "
            "resuming. Ask the developers.",
            walk=events,
            sql=f"""SELECT '{noun} ' || id || ': event ' || number || ' comes before ' || before AS finding
                FROM (SELECT e.{key} AS id, e.number, e.transaction, lag(e.transaction) OVER w AS before_in_feed,
                        lag(e.number) OVER w AS before
                    FROM {table} e WHERE {span} WINDOW w AS (PARTITION BY e.{key} ORDER BY e.number)) s
                WHERE transaction < before_in_feed""",
        ),
        Check(
            name=f"{prefix}.feed_past",
            holds=f"No event of a {noun} lies in the feed's future.",
            remedy="The database was loaded from a dump of another cluster, and its events wait for transaction "
            "numbers that this cluster has not reached; live updates stand still. Start the newest Parley on it: it "
            "notices a foreign cluster and puts the feed right. If it stays, ask the developers.",
            again_seconds=1,
            sql=f"""SELECT '{noun} ' || {key} || ': event ' || number || ' is of transaction ' || transaction::text
                    AS finding
                FROM {table} WHERE transaction >= pg_snapshot_xmax(pg_current_snapshot())""",
        ),
    ]
