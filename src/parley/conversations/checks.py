"""What must hold of conversations: dense numbers, positions, read positions, what notes and tombstones may show."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley.infra.checking import Check, Probe, Walk
from parley.infra.reference_checks import Reference, reference_check
from parley.infra.stream_checks import stream_checks
from parley.kit.errors import Malformed
from parley.kit.ids import parse_id

_CONVERSATIONS = Walk(table="conversation", rows=2_000)
_STEP = "c.id > $1 AND $2::bigint IS NOT NULL AND c.id <= $3 AND $4::bigint IS NOT NULL"
_MESSAGES = Walk(table="message", key="conversation_id", number="position", rows=10_000)
_MESSAGE_STEP = "(m.conversation_id, m.position) > ($1, $2) AND (m.conversation_id, m.position) <= ($3, $4)"
_EVENTS = Walk(table="event", key="conversation_id", number="number", rows=10_000)
_EVENT_STEP = "(e.conversation_id, e.number) > ($1, $2) AND (e.conversation_id, e.number) <= ($3, $4)"
_ASK = "Ask the developers with these ids; a backup shows what was there."

_COUNTERS = (
    Check(
        name="conversations.message_numbers",
        holds="Messages to everyone are numbered 1, 2, 3 ... in the order of their positions.",
        remedy="Unread counts of this conversation are wrong, or a message was deleted by hand. " + _ASK,
        walk=Walk(
            table="message", key="conversation_id", number="number", where="number IS NOT NULL", rows=20_000
        ),
        sql="""SELECT 'conversation ' || conversation_id || CASE
                WHEN before IS NULL THEN ' begins with message number ' || number
                WHEN number <> before + 1 THEN ': message number ' || before || ' is followed by ' || number
                ELSE ': message number ' || number || ' stands before ' || before END AS finding
            FROM (SELECT m.conversation_id, m.number, lag(m.number) OVER w AS before, m.position,
                    lag(m.position) OVER w AS before_position
                FROM message m WHERE m.number IS NOT NULL AND (m.conversation_id, m.number) >= ($1, $2)
                  AND (m.conversation_id, m.number) <= ($3, $4)
                WINDOW w AS (PARTITION BY m.conversation_id ORDER BY m.number)) s
            WHERE number <> before + 1 OR position < before_position
               OR before IS NULL AND (conversation_id, number) <> ($1, $2) AND number <> 1""",
    ),
    Check(
        name="conversations.last_number",
        holds="A conversation's last message number is that of its last message.",
        remedy="Unread counts are wrong and the next send may fail: set conversation.last_number to the number named.",
        walk=_CONVERSATIONS,
        sql=f"""SELECT 'conversation ' || c.id || ' says ' || c.last_number || ', its last message has '
                || coalesce(m.number, 0) AS finding
            FROM conversation c LEFT JOIN LATERAL (SELECT number FROM message m WHERE m.conversation_id = c.id
                AND m.number IS NOT NULL ORDER BY m.number DESC LIMIT 1) m ON true
            WHERE {_STEP} AND c.last_number <> coalesce(m.number, 0)""",
    ),
    Check(
        name="conversations.last_message",
        holds="A conversation's last message, for lists, is its newest that is no note, with its time.",
        remedy="Lists show another line: set last_message_id and last_message_at of the conversation to those named.",
        walk=_CONVERSATIONS,
        sql=f"""SELECT 'conversation ' || c.id || ' shows ' || coalesce(c.last_message_id::text, 'none')
                || ', its newest message is ' || coalesce(m.id || ' of ' || m.created_at, 'none') AS finding
            FROM conversation c LEFT JOIN LATERAL (SELECT id, created_at FROM message m WHERE m.conversation_id = c.id
                AND m.kind <> 'note' ORDER BY m.position DESC LIMIT 1) m ON true
            WHERE {_STEP} AND (c.last_message_id, c.last_message_at) IS DISTINCT FROM (m.id, m.created_at)""",
    ),
    Check(
        name="conversations.read_positions",
        holds="Nobody has read past the last message: read number + own sent since <= last number, neither below 0.",
        remedy="Unread counts of this member are wrong: set member.read_number to the conversation's last_number and "
        "own_since to 0.",
        walk=_CONVERSATIONS,
        sql=f"""SELECT 'member ' || m.actor_id || ' of conversation ' || c.id || ' has read ' || m.read_number || ' and sent '
                || m.own_since || ' of ' || c.last_number AS finding
            FROM conversation c JOIN member m ON m.conversation_id = c.id
            WHERE {_STEP} AND (m.read_number + m.own_since > c.last_number OR m.read_number < 0 OR m.own_since < 0)""",
    ),
    Check(
        name="conversations.unread",
        holds="What a member sent or hid since its read position is as many as a recount finds, so unread is right.",
        remedy="Unread counts of this member are wrong until it reads; set member.own_since to the number named.",
        walk=Walk(table="conversation", rows=500),
        is_gathering=True,
        sql=f"""WITH behind AS MATERIALIZED (
                SELECT m.conversation_id, m.actor_id, m.read_number, m.own_since, c.last_number
                FROM conversation c JOIN member m ON m.conversation_id = c.id
                WHERE {_STEP} AND m.read_number + m.own_since <= c.last_number AND m.own_since >= 0
                  AND (m.own_since > 0 OR m.read_number < c.last_number)
            ), said AS MATERIALIZED (
                SELECT x.conversation_id, x.sender_id, x.number
                FROM (SELECT conversation_id, min(read_number) AS read_number FROM behind GROUP BY 1) low
                JOIN message x ON x.conversation_id = low.conversation_id AND x.number > low.read_number
            ), hidden AS MATERIALIZED (
                SELECT h.conversation_id, h.actor_id, x.number FROM behind b
                JOIN hidden_message h ON h.conversation_id = b.conversation_id AND h.actor_id = b.actor_id
                JOIN message x ON x.conversation_id = h.conversation_id AND x.id = h.message_id
                WHERE x.number > b.read_number AND x.sender_id <> b.actor_id
            ), own AS MATERIALIZED (
                SELECT b.conversation_id, b.actor_id, count(*) AS sent FROM behind b JOIN (
                    SELECT conversation_id, sender_id, number FROM said UNION ALL SELECT * FROM hidden) s
                    ON s.conversation_id = b.conversation_id AND s.sender_id = b.actor_id AND s.number > b.read_number
                GROUP BY 1, 2
            )
            SELECT 'member ' || b.actor_id || ' of conversation ' || b.conversation_id || ' counts ' || b.own_since
                || ' sent since ' || b.read_number || ', a recount ' || coalesce(o.sent, 0) AS finding
            FROM behind b LEFT JOIN own o USING (conversation_id, actor_id)
            WHERE b.own_since <> coalesce(o.sent, 0)""",
    ),
)


async def _find_told_of_notes(probe: Probe) -> Sequence[str]:
    """Events that name their message by its id alone: reactions and pins. SQL cannot read a public id."""
    found: list[str] = []
    async for bounds in probe.walk(_EVENTS):
        rows = await probe.fetch(
            f"""SELECT e.conversation_id, e.number, e.kind, e.audience, e.data ->> 'message_id' AS message_id
            FROM event e JOIN conversation c ON c.id = e.conversation_id AND c.kind = 'desk'
            WHERE {_EVENT_STEP} AND e.audience <> 'staff' AND e.data ? 'message_id'""",
            *bounds,
            is_indexed=True,
        )
        named = {row["message_id"]: key for row in rows if (key := _message_of(row["message_id"]))}
        notes = await probe.fetch(
            """SELECT m.id FROM unnest($1::uuid[], $2::uuid[]) AS t (conversation_id, id)
            JOIN message m ON m.conversation_id = t.conversation_id AND m.id = t.id AND m.kind = 'note'""",
            [row["conversation_id"] for row in rows],
            [named.get(row["message_id"]) for row in rows],
            is_indexed=True,
        )
        of_notes = {row["id"] for row in notes}
        found += [
            f"conversation {row['conversation_id']}: event {row['number']} ({row['kind']})"
            f" tells of a note to {row['audience']}"
            for row in rows
            if named.get(row["message_id"]) in of_notes
        ]
        probe.progress("conversations.note_marks")
    return found


def _message_of(text: str | None) -> UUID | None:
    try:
        return parse_id("msg", text or "")
    except Malformed:
        return None  # of no message, so of no note


_MESSAGES_AND_EVENTS = (
    Check(
        name="conversations.positions",
        holds="A message stands at the number of the event that told of it.",
        remedy="Clients that resume may miss this message or show it elsewhere. " + _ASK,
        walk=_MESSAGES,
        values=lambda place: (place.kept_seconds,),
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' stands at ' || m.position
                || ', where the stream has ' || coalesce(e.kind, 'no event') AS finding
            FROM message m LEFT JOIN event e ON e.conversation_id = m.conversation_id AND e.number = m.position
            WHERE {_MESSAGE_STEP} AND e.kind IS DISTINCT FROM 'message.created'
              AND (e.kind IS NOT NULL OR m.created_at > now() - make_interval(secs => $5))""",
    ),
    Check(
        name="conversations.created",
        holds="Every event that tells of a new message has that message.",
        remedy="The message was deleted by hand; clients that resume show it all the same. " + _ASK,
        walk=_EVENTS,
        sql=f"""SELECT 'conversation ' || e.conversation_id || ': event ' || e.number || ' tells of a message that is not there'
                AS finding
            FROM event e LEFT JOIN message m ON m.conversation_id = e.conversation_id AND m.position = e.number
            WHERE {_EVENT_STEP} AND e.kind = 'message.created' AND m.id IS NULL""",
    ),
    Check(
        name="conversations.notes",
        holds="What tells of a note is for staff only.",
        remedy="The contact may learn of this note. Set the event's audience to 'staff' now, then ask the developers.",
        walk=_EVENTS,
        sql=f"""SELECT 'conversation ' || e.conversation_id || ': event ' || e.number || ' (' || e.kind
                || ') tells of a note to ' || e.audience AS finding
            FROM event e LEFT JOIN message m ON m.conversation_id = e.conversation_id AND m.position = e.number
            WHERE {_EVENT_STEP} AND e.audience <> 'staff'
              AND (m.kind = 'note' OR e.data -> 'message' ->> 'kind' = 'note')""",
    ),
    Check(
        name="conversations.note_marks",
        holds="What is done to a note, a reaction or a pin, is told to staff only.",
        remedy="The contact may learn that there is a note. Set the event's audience to 'staff' now, then ask the "
        "developers.",
        look=_find_told_of_notes,
        is_long=True,
    ),
    Check(
        name="conversations.tombstones",
        holds="A deleted message keeps its number and nothing else.",
        remedy="What somebody deleted is still stored: empty text, entities, quote and extra of the message, delete its "
        "versions, attachments, reactions, mentions and pin.",
        walk=_MESSAGES,
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' is deleted and still has '
                || CASE WHEN m.text <> '' OR m.entities IS NOT NULL OR m.quote IS NOT NULL OR m.extra IS NOT NULL
                    THEN 'words' ELSE 'versions, files, reactions, mentions or a pin' END AS finding
            FROM message m WHERE {_MESSAGE_STEP} AND m.deleted_at IS NOT NULL AND (
                m.text <> '' OR m.entities IS NOT NULL OR m.quote IS NOT NULL OR m.extra IS NOT NULL
                OR EXISTS (SELECT FROM message_version v WHERE v.conversation_id = m.conversation_id
                    AND v.message_id = m.id)
                OR EXISTS (SELECT FROM attachment a WHERE a.conversation_id = m.conversation_id AND a.message_id = m.id)
                OR EXISTS (SELECT FROM mention x WHERE x.conversation_id = m.conversation_id AND x.message_id = m.id)
                OR EXISTS (SELECT FROM pin p WHERE p.conversation_id = m.conversation_id AND p.message_id = m.id)
                OR EXISTS (SELECT FROM reaction r WHERE r.conversation_id = m.conversation_id AND r.message_id = m.id))""",
    ),
    Check(
        name="conversations.mentions",
        holds="A mention carries the number and the sender of its message, so unread mentions are counted right.",
        remedy="Mention badges of this conversation are wrong: set number and sender_id of the row to the message's.",
        walk=_MESSAGES,
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' has number '
                || coalesce(m.number::text, 'none') || ', its mention says ' || x.number AS finding
            FROM message m JOIN mention x ON x.conversation_id = m.conversation_id AND x.message_id = m.id
            WHERE {_MESSAGE_STEP} AND (x.number, x.sender_id) IS DISTINCT FROM (m.number, m.sender_id)""",
    ),
    Check(
        name="conversations.versions",
        holds="An edited message keeps every former text: version n has n - 1 of them.",
        remedy="The history of this message has a hole. " + _ASK,
        walk=_MESSAGES,
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' is at version ' || m.version
                || ' and has ' || v.count || ' former ones' AS finding
            FROM message m CROSS JOIN LATERAL (SELECT count(*) AS count, coalesce(max(version), 0) AS newest
                FROM message_version v WHERE v.conversation_id = m.conversation_id AND v.message_id = m.id) v
            WHERE {_MESSAGE_STEP} AND m.deleted_at IS NULL
              AND (v.count <> m.version - 1 OR v.newest <> m.version - 1)""",
    ),
    Check(
        name="conversations.pairs",
        holds="Direct conversations, and they alone, have the key of their pair.",
        remedy="The pair may get a second conversation. " + _ASK,
        walk=_CONVERSATIONS,
        sql=f"""SELECT 'conversation ' || c.id || ' is ' || c.kind || ' and its key ' || coalesce(c.direct_key, 'missing')
                AS finding
            FROM conversation c WHERE {_STEP} AND (c.kind = 'direct') <> (c.direct_key IS NOT NULL)""",
    ),
)

_GROUPS = (
    Check(
        name="conversations.member_count",
        holds="A conversation among actors counts its members right, and each of them has it among their chats.",
        remedy="Set conversation.member_count to the number named, and member.is_chat of its members to true.",
        walk=_CONVERSATIONS,
        sql=f"""SELECT 'conversation ' || c.id || ' counts ' || c.member_count || ' members and has ' || m.count || ', '
                || m.chats || ' of them with it among their chats' AS finding
            FROM conversation c CROSS JOIN LATERAL (SELECT count(*) AS count, count(*) FILTER (WHERE is_chat) AS chats
                FROM member WHERE conversation_id = c.id) m
            WHERE {_STEP} AND c.kind <> 'desk' AND (c.member_count <> m.count OR m.chats <> m.count)""",
    ),
    Check(
        name="conversations.bans",
        holds="Who is kept out of a conversation is no member of it.",
        remedy="Take the member out, or lift the ban.",
        walk=_CONVERSATIONS,
        sql=f"""SELECT 'actor ' || b.actor_id || ' is banned from conversation ' || c.id || ' and a member of it' AS finding
            FROM conversation c JOIN ban b ON b.conversation_id = c.id
            JOIN member m ON m.conversation_id = c.id AND m.actor_id = b.actor_id
            WHERE {_STEP} AND (b.until IS NULL OR b.until > now())""",
    ),
)

OVERDUE_SECONDS = 300
"""A message whose job gave up has failed within a minute (`parley.conversations.scheduling.settle_abandoned`)."""

_SCHEDULED = (
    Check(
        name="conversations.scheduled",
        holds="A scheduled message that waits has a job that will post it.",
        remedy="It is never posted, and its author does not know: look whether the schedule 'settle scheduled' runs, at the "
        "failed jobs and the log; the author may send it or give it another time.",
        severity="trouble",
        needs_serving=True,
        again_seconds=2,
        values=lambda place: (place.wait(OVERDUE_SECONDS), place.serving_since),
        sql="""SELECT 'scheduled message ' || s.id || ', due at ' || s.send_at::timestamptz(0) || ', has no job' AS finding
            FROM scheduled_message s WHERE s.posted_at IS NULL AND s.error_code IS NULL
              AND (s.send_at > now() OR greatest(s.send_at, $2) < now() - make_interval(secs => $1))
              AND NOT EXISTS (SELECT FROM job j
                WHERE j.kind = 'conversations.post_scheduled' AND j.work IN ('ready', 'leased', 'held')
                  AND j.payload ->> 'scheduled_id' = s.id::text AND (j.payload ->> 'version')::int = s.version)""",
    ),
)

CONVERSATION_CHECKS = (
    *stream_checks(
        "stream", table="event", key="conversation_id", parent="conversation", noun="conversation"
    ),
    *_COUNTERS,
    *_MESSAGES_AND_EVENTS,
    *_GROUPS,
    *_SCHEDULED,
    reference_check(
        "conversations.references",
        Reference("conversation", ("workspace_id", "created_by"), "actor", ("workspace_id", "id")),
        Reference("event", ("workspace_id", "actor_id"), "actor", ("workspace_id", "id")),
        Reference("message_version", ("workspace_id", "replaced_by"), "actor", ("workspace_id", "id")),
    ),
)
