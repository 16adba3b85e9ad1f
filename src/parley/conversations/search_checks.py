"""What must hold of the index of search, compared with the messages."""

from __future__ import annotations

from parley.infra.checking import Check, Walk

_REMEDY = "Run parley admin reindex; search goes on meanwhile."
_STEP = "(m.conversation_id, m.position) > ($1, $2) AND (m.conversation_id, m.position) <= ($3, $4)"
_FOLLOWED = """c.feed_transaction <= coalesce(
                (SELECT transaction FROM follower WHERE name = 'search'), '9223372036854775807'::xid8)"""
"""That the index has come to the conversation's last event; how far it is behind is told by infra.followers."""

SEARCH_CHECKS = (
    Check(
        name="search.complete",
        holds="Every message that is not deleted can be found, by the text it has now, as far as the index has come.",
        remedy=_REMEDY,
        severity="trouble",
        needs_serving=True,
        again_seconds=5,
        walk=Walk(table="message", key="conversation_id", number="position", rows=10_000),
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' is '
                || CASE WHEN s.version IS NULL THEN 'not indexed' ELSE 'indexed as it was at version ' || s.version END
                AS finding
            FROM message m JOIN conversation c ON c.id = m.conversation_id
            LEFT JOIN message_search s ON s.conversation_id = m.conversation_id AND s.at = m.created_at
                AND s.message_id = m.id
            WHERE {_STEP} AND {_FOLLOWED}
              AND m.deleted_at IS NULL AND m.kind <> 'system' AND s.version IS DISTINCT FROM m.version
              AND NOT EXISTS (SELECT FROM search_rebuild)""",
    ),
    Check(
        name="search.deleted",
        holds="Nothing is in the index but messages that are there, in their own workspace and inbox.",
        remedy="Search does not show it, but the index has words that somebody deleted. " + _REMEDY,
        needs_serving=True,
        again_seconds=5,
        walk=Walk(table="conversation", rows=500),
        sql=f"""SELECT 'message ' || s.message_id || ' of conversation ' || s.conversation_id || ' is indexed and '
                || CASE WHEN m.id IS NULL THEN 'not there' WHEN m.deleted_at IS NOT NULL THEN 'deleted'
                    ELSE 'another''s' END AS finding
            FROM conversation c JOIN message_search s ON s.conversation_id = c.id
            LEFT JOIN message m ON m.conversation_id = s.conversation_id AND m.id = s.message_id
            WHERE c.id > $1 AND $2::bigint IS NOT NULL AND c.id <= $3 AND $4::bigint IS NOT NULL
              AND {_FOLLOWED} AND (m.id IS NULL OR m.deleted_at IS NOT NULL OR m.workspace_id <> s.workspace_id
                OR m.sender_id <> s.sender_id OR (m.kind = 'note') <> s.is_note OR c.inbox_id IS DISTINCT FROM s.inbox_id)""",
    ),
    Check(
        name="search.function",
        holds="The function that searches past the policies belongs to parley_system, and requests may call it.",
        remedy="Nothing is found until then, or too much is read. Run src/parley/migrations/sql/after.sql as the owner (it "
        "may be repeated); loading a dump as another user does this.",
        severity="trouble",
        is_catalog=True,
        sql="""SELECT 'search_messages ' || CASE WHEN p.oid IS NULL THEN 'is missing'
                WHEN p.proowner::regrole::text <> 'parley_system' THEN 'belongs to ' || p.proowner::regrole
                WHEN NOT p.prosecdef THEN 'runs as who calls it' ELSE 'is closed to parley_app' END AS finding
            FROM (SELECT) one LEFT JOIN pg_proc p
                ON p.proname = 'search_messages' AND p.pronamespace = 'public'::regnamespace
            WHERE p.oid IS NULL OR p.proowner::regrole::text <> 'parley_system' OR NOT p.prosecdef
               OR NOT has_function_privilege('parley_app', p.oid, 'EXECUTE')""",
    ),
    Check(
        name="search.letters",
        holds="The database knows small from capital letters beyond ASCII, so that search need not care.",
        remedy="Its locale is C: dump it into a database made with LC_CTYPE C.UTF-8 (or of any language) and UTF8.",
        severity="trouble",
        sql="""SELECT 'ПРИВЕТ in small letters is ' || lower('ПРИВЕТ') AS finding WHERE lower('ПРИВЕТ') <> 'привет'""",
    ),
)
