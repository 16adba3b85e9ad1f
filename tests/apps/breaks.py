"""How each of the doctor's checks is broken by hand, and a word its finding must hold. A new check needs its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_WORK = "work, due_at, lease_token, lease_until, finished_at, last_error, attempts"


class Break(NamedTuple):
    """Statements of the owner, or what is done to the data directory; ``says`` is in the words of the check."""

    check: str
    says: str
    statements: tuple[str, ...] = ()
    files: Callable[[Path], object] | None = None


def _statements(check: str, says: str, *statements: str) -> Break:
    return Break(check, says, statements)


def _insert(table: str, work: str, lane: str = "NULL") -> str:
    """A row of work; ``work``: values of the columns `_WORK`."""
    if table == "job":
        return f"INSERT INTO job (id, kind, lane, {_WORK}) VALUES (gen_random_uuid(), 'x', {lane}, {work})"
    return f"""INSERT INTO journal (workspace_id, id, inbox_id, body, lane, {_WORK})
        SELECT workspace_id, gen_random_uuid(), id, '', {lane}, {work} FROM inbox"""


_READY = "'ready', now() - interval '2 hours', NULL, NULL, NULL, NULL, 0"
_LEASED = "'leased', now(), gen_random_uuid(), now() + interval '1 hour', NULL, NULL, 1"
_SILENT = "'leased', now(), gen_random_uuid(), now() - interval '1 hour', NULL, NULL, 1"
_FAILED = "'failed', now(), NULL, NULL, now(), 'no luck', 1"


def _work_breaks(prefix: str, table: str) -> list[Break]:
    return [
        _statements(f"{prefix}.leases", "ran out", _insert(table, _SILENT)),
        _statements(f"{prefix}.work", "its end says otherwise", f"UPDATE {table} SET finished_at = NULL"),
        _statements(f"{prefix}.work", "its lease says otherwise",
                    f"UPDATE {table} SET lease_until = now() WHERE work = 'done'"),
        _statements(f"{prefix}.lane_holder", "lane z has 2 holders",
                    _insert(table, _LEASED, "'z'"), _insert(table, _LEASED, "'z'")),
        _statements(f"{prefix}.lane_order", "lane z: 1 later",
                    _insert(table, _READY, "'z'"), _insert(table, _LEASED, "'z'")),
        _statements(f"{prefix}.in_time", "has been due since", _insert(table, _READY)),
        _statements(f"{prefix}.failed", "no luck", _insert(table, _FAILED)),
    ]  # fmt: skip


_FIRST = "(SELECT id FROM delivery ORDER BY seq LIMIT 1)"
_SECOND = "(SELECT id FROM delivery ORDER BY seq DESC LIMIT 1)"


def _deliver(which: str, state: str, work: str) -> tuple[str, ...]:
    """A delivery and what shows it, in a state, with its work as `_WORK` says."""
    return (
        f"UPDATE delivery SET state = '{state}', ({_WORK}) = ROW({work}) WHERE id = {which}",
        f"""UPDATE message SET status = '{{"state": "{state}"}}'
        WHERE id = (SELECT message_id FROM delivery WHERE id = {which})""",
    )


_QUEUED_PART = "UPDATE delivery_part SET state = 'queued', provider_ids = '{}'"


def _stream_breaks(prefix: str, table: str, key: str, parent: str, one: str) -> list[Break]:
    newest = f"{key} = {one} AND number = (SELECT head FROM {parent} WHERE id = {one})"
    return [
        _statements(f"{prefix}.heads", "its newest event is", f"UPDATE {parent} SET tag = tag # 1 WHERE id = {one}"),
        _statements(f"{prefix}.feed_order", "event 2 comes before 1",
                    f"UPDATE {table} SET transaction = '3' WHERE {key} = {one} AND number = 2"),
        _statements(f"{prefix}.feed_past", "is of transaction 900000000000",
                    f"UPDATE {table} SET transaction = '900000000000' WHERE {newest}",
                    f"UPDATE {parent} SET feed_transaction = '900000000000' WHERE id = {one}"),
    ]  # fmt: skip


_GROUP = "(SELECT id FROM conversation WHERE kind = 'group')"
_READER = "(SELECT actor_id FROM personal_event GROUP BY 1 HAVING count(*) > 2 LIMIT 1)"
_LAST = f"conversation_id = {_GROUP} AND number = (SELECT last_number FROM conversation WHERE kind = 'group')"
_NOW_REPLICA = "SET session_replication_role = replica"


def _content(data_dir: Path) -> Path:
    return next((data_dir / "files").glob("*/*/content"))


def _leave_garbage(data_dir: Path) -> None:
    folder = data_dir / "files" / "0" / "01890000-0000-7000-8000-000000000000"
    folder.mkdir(parents=True)
    two_days_ago = time.time() - 2 * 86400
    os.utime(folder, (two_days_ago, two_days_ago))


BREAKS = [
    _statements("infra.migrations", "0000", "UPDATE alembic_version SET version_num = '0000'"),
    _statements("infra.row_security", "table message: row security is not forced",
                "ALTER TABLE message NO FORCE ROW LEVEL SECURITY"),
    _statements("infra.row_security", "table reaction: row security is off",
                "ALTER TABLE reaction DISABLE ROW LEVEL SECURITY"),
    _statements("infra.row_security", "table note_pad has no policy", "CREATE TABLE note_pad (workspace_id uuid)",
                "ALTER TABLE note_pad ENABLE ROW LEVEL SECURITY", "ALTER TABLE note_pad FORCE ROW LEVEL SECURITY"),
    _statements("infra.row_security", "policy helpful lets {parley_app} see true",
                "CREATE POLICY helpful ON message TO parley_app USING (true)"),
    _statements("infra.row_security", "policy workspace lets {parley_app} see true",
                "ALTER POLICY workspace ON message USING (true)"),
    _statements("infra.grants", "parley_app may select session", "GRANT SELECT ON session TO parley_app"),
    _statements("infra.grants", "parley_system may update audit_entry", "GRANT UPDATE ON audit_entry TO parley_system"),
    _statements("infra.constraints", "a trigger of reaction is off", "ALTER TABLE reaction DISABLE TRIGGER ALL"),
    _statements("infra.constraints", "is not validated",
                "ALTER TABLE media ADD CONSTRAINT odd CHECK (name <> 'odd') NOT VALID"),
    _statements("infra.foreign_keys", "has no actor", _NOW_REPLICA,
                "INSERT INTO inbox_member SELECT workspace_id, id, gen_random_uuid() FROM inbox"),
    _statements("infra.followers", "follower reports", "UPDATE follower SET transaction = '0'",
                "UPDATE event SET at = at - interval '1 day'"),
    _statements("infra.cluster", "lies in", "INSERT INTO installation (id, system_identifier) VALUES (1, '7/5')"),
    _statements("infra.schedules", "schedule sweep was due", "UPDATE schedule SET next_at = now() - interval '1 day'"),
    _statements("infra.schedules", "schedule sweep is not known", "DELETE FROM schedule WHERE name = 'sweep'"),
    *_work_breaks("jobs", "job"),
    *_stream_breaks("personal", "personal_event", "actor_id", "actor", _READER),
    _statements("personal.numbers", "event 1 is followed by 3",
                f"DELETE FROM personal_event WHERE actor_id = {_READER} AND number = 2"),
    _statements("accounts.owners", "(Acme) has no owner", "UPDATE actor SET deactivated_at = now() WHERE role = 'owner'"),
    _statements("accounts.staff", "is worked in by contact",
                "INSERT INTO inbox_member SELECT i.workspace_id, i.id, a.id FROM inbox i, actor a WHERE a.kind = 'contact'"),
    _statements("accounts.second_factors", "is asked for a passkey", "UPDATE login SET needs_passkey = true"),
    _statements("accounts.second_factors", "and no second factor", "INSERT INTO recovery_code (login_id, hash, created_at) "
                "SELECT id, 'x', now() FROM login"),
    _statements("accounts.references", "has no actor", "INSERT INTO audit_entry (workspace_id, id, actor_id, action) "
                "SELECT id, gen_random_uuid(), gen_random_uuid(), 'x' FROM workspace"),
    _statements("contacts.details", "has no details", "DELETE FROM contact"),
    _statements("personal.heads", "missing", "UPDATE actor SET head = 3 WHERE kind = 'contact'"),
    _statements("stream.heads", "missing",
                "INSERT INTO conversation (workspace_id, id, kind, head) SELECT id, gen_random_uuid(), 'group', 3 FROM workspace"),
    *_stream_breaks("stream", "event", "conversation_id", "conversation", _GROUP),
    _statements("stream.numbers", "is followed by", f"""DELETE FROM event WHERE conversation_id = {_GROUP} AND number = (
        SELECT min(number) FROM event WHERE conversation_id = {_GROUP} AND kind <> 'message.created' AND number > 1)"""),
    _statements("stream.numbers", "begins with event 2", "DELETE FROM event WHERE number = 1 AND kind <> 'message.created'"),
    _statements("conversations.message_numbers", "is followed by", f"UPDATE message SET number = number + 100 WHERE {_LAST}",
                f"UPDATE conversation SET last_number = last_number + 100 WHERE id = {_GROUP}"),
    _statements("conversations.last_number", "its last message has",
                f"UPDATE conversation SET last_number = last_number + 1 WHERE id = {_GROUP}"),
    _statements("conversations.last_message", "its newest message is",
                f"UPDATE conversation SET last_message_id = NULL WHERE id = {_GROUP}"),
    _statements("conversations.read_positions", "has read 999",
                f"UPDATE member SET read_number = 999 WHERE conversation_id = {_GROUP}"),
    _statements("conversations.unread", "a recount 2", f"""UPDATE member SET own_since = 0
        WHERE conversation_id = {_GROUP} AND own_since > 0"""),
    _statements("conversations.positions", "where the stream has message.updated",
                f"UPDATE event SET kind = 'message.updated' WHERE conversation_id = {_GROUP} AND kind = 'message.created'"),
    _statements("conversations.created", "a message that is not there", f"""UPDATE event SET kind = 'message.created'
        WHERE conversation_id = {_GROUP} AND kind <> 'message.created'"""),
    _statements("conversations.notes", "tells of a note to all", "UPDATE event SET audience = 'all' WHERE audience = 'staff' "
                "AND data -> 'message' ->> 'kind' = 'note'"),
    _statements("conversations.note_marks", "(reaction.added) tells of a note to all",
                "UPDATE event SET audience = 'all' WHERE audience = 'staff' AND kind = 'reaction.added'"),
    _statements("conversations.tombstones", "mentions or a pin",
                "INSERT INTO pin SELECT workspace_id, conversation_id, id, sender_id, now() FROM message"
                " WHERE deleted_at IS NOT NULL"),
    _statements("conversations.mentions", "its mention says 1001",
                "INSERT INTO mention SELECT workspace_id, conversation_id, id, number + 1000, sender_id, NULL FROM message"
                " WHERE number = 1"),
    _statements("conversations.tombstones", "still has words", "UPDATE message SET text = 'x' WHERE deleted_at IS NOT NULL"),
    _statements("search.complete", "is not indexed",
                "DELETE FROM message_search WHERE message_id = (SELECT message_id FROM message_search LIMIT 1)"),
    _statements("search.complete", "at version 99", "UPDATE message_search SET version = 99"),
    _statements("search.deleted", "and another's", "UPDATE message_search SET is_note = NOT is_note"),
    _statements("search.deleted", "and not there", """INSERT INTO message_search (workspace_id, conversation_id, message_id,
                at, sender_id, version, is_note, words)
                SELECT workspace_id, id, gen_random_uuid(), now(), id, 1, false, '' FROM conversation"""),
    _statements("search.function", "is closed to parley_app", "REVOKE EXECUTE ON FUNCTION search_messages FROM parley_app"),
    _statements("search.function", "runs as who calls it", "ALTER FUNCTION search_messages SECURITY INVOKER"),
    _statements("conversations.versions", "has 0 former ones", "DELETE FROM message_version"),
    _statements("conversations.pairs", "its key missing", "UPDATE conversation SET direct_key = NULL"),
    _statements("conversations.member_count", "counts 99 members",
                f"UPDATE conversation SET member_count = 99 WHERE id = {_GROUP}"),
    _statements("conversations.member_count", "0 of them with it among their chats", "UPDATE member SET is_chat = false"),
    _statements("conversations.bans", "is banned from", """INSERT INTO ban (workspace_id, conversation_id, actor_id, banned_by,
        created_at) SELECT workspace_id, conversation_id, actor_id, actor_id, now() FROM member WHERE is_chat"""),
    _statements("conversations.scheduled", "has no job", f"""INSERT INTO scheduled_message (workspace_id, id, conversation_id,
        actor_id, client_id, text, send_at, created_at) SELECT workspace_id, gen_random_uuid(), conversation_id, actor_id,
        'x', 'x', now() + interval '1 day', now() FROM member WHERE conversation_id = {_GROUP} LIMIT 1"""),
    _statements("conversations.scheduled", "due at 2020", f"""INSERT INTO scheduled_message (workspace_id, id, conversation_id,
        actor_id, client_id, text, send_at, created_at) SELECT workspace_id, gen_random_uuid(), conversation_id, actor_id,
        'x', 'x', '2020-01-02', '2020-01-01' FROM member WHERE conversation_id = {_GROUP} LIMIT 1"""),
    _statements("conversations.references", "has no actor",
                f"UPDATE conversation SET created_by = gen_random_uuid() WHERE id = {_GROUP}"),
    Break("media.files", "is missing", files=lambda data_dir: _content(data_dir).unlink()),
    Break("media.files", "has 1 bytes and not 3", files=lambda data_dir: _content(data_dir).write_bytes(b"a")),
    _statements("media.states", "without size or digest", "UPDATE media SET sha256 = NULL WHERE state = 'ready'"),
    _statements("media.pending", "has been awaited", "DELETE FROM job WHERE kind = 'desk.fetch_media'"),
    Break("media.garbage", "belongs to no file", files=_leave_garbage),
    _statements("media.references", "has no media", "UPDATE actor SET avatar_media_id = gen_random_uuid()"),
    _statements("ledger.complete", "has 0 deliveries", "DELETE FROM delivery_part", "DELETE FROM delivery"),
    _statements("ledger.complete", "has 2 deliveries", """INSERT INTO delivery (workspace_id, id, conversation_id, message_id,
        inbox_id, action, state, work, finished_at) SELECT workspace_id, gen_random_uuid(), conversation_id, message_id,
        inbox_id, 'send', 'sent', 'done', now() FROM delivery"""),
    _statements("ledger.shown", "shows queued, the ledger says sent",
                """UPDATE message SET status = '{"state": "queued"}' WHERE status IS NOT NULL"""),
    _statements("ledger.states", "is queued and its work done",
                *_deliver(_FIRST, "queued", "'done', now(), NULL, NULL, now(), NULL, 1")),
    _statements("ledger.parts", "is sent and its call 0 sending", "UPDATE delivery_part SET state = 'sending'"),
    _statements("ledger.provider_ids", "is not noted", "DELETE FROM message_source WHERE direction = 'out'"),
    _statements("ledger.provider_ids", "without an id", "UPDATE delivery_part SET provider_ids = '{}'"),
    _statements("ledger.provider_ids", "is another message's", "UPDATE delivery_part SET provider_ids = '{101}'"),
    _statements("ledger.parked", "status read of 101", """INSERT INTO parked_status
        SELECT workspace_id, inbox_id, chat, provider_id, 'read', NULL, NULL, now() FROM message_source"""),
    _statements("ledger.held", "is held", _QUEUED_PART,
                *_deliver(_FIRST, "queued", "'held', now(), NULL, NULL, NULL, NULL, 0"),
                *_deliver(_SECOND, "queued", "'held', now(), NULL, NULL, NULL, NULL, 0")),
    _statements("ledger.unknown", "is not certain", "UPDATE delivery_part SET state = 'unknown'",
                *_deliver(_FIRST, "unknown", "'done', now(), NULL, NULL, now(), NULL, 1")),
    _statements("desk.rooms", "has no row for lists", "DELETE FROM desk_conversation"),
    _statements("desk.rooms", "its contact as a member",
                "DELETE FROM member WHERE actor_id IN (SELECT id FROM actor WHERE kind = 'contact')"),
    _statements("desk.statuses", "is assigned to contact", "UPDATE desk_conversation SET assignee_id = contact_id"),
    _statements("desk.snoozed", "sleeps past",
                "UPDATE desk_conversation SET status = 'snoozed', snoozed_until = now() - interval '1 hour'"),
    _statements("desk.inboxes", "is broken: no such bot",
                "UPDATE inbox SET state = 'broken', state_reason = 'no such bot'"),
    _statements("desk.polling", "is polled by nobody",
                "UPDATE inbox SET poll_lease_until = NULL, created_at = now() - interval '1 hour'"),
    _statements("desk.secrets", "cannot be opened", "UPDATE inbox SET secrets = '\\x00'"),
    Break("desk.secrets", "secret.key is missing", files=lambda data_dir: (data_dir / "secret.key").unlink()),
    *_work_breaks("journal", "journal")[:-1],
    _statements("journal.work", "without a reason", _insert("journal", _FAILED),
                "UPDATE journal SET last_error = '' WHERE work = 'failed'"),
    _statements("journal.failed", "no luck", _insert("journal", _FAILED)),
    _statements("journal.outcome", "does not say what became of it", "UPDATE journal SET outcome = NULL"),
    _statements("journal.messages", "message 7 of chat 5 is none of ours",
                "DELETE FROM message_source WHERE direction = 'in'"),
    _statements("deliveries.leases", "ran out", _QUEUED_PART, *_deliver(_FIRST, "sending", _SILENT),
                *_deliver(_SECOND, "queued", "'ready', now(), NULL, NULL, NULL, NULL, 0")),
    _statements("deliveries.work", "after less than no attempt", "UPDATE delivery SET attempts = -1"),
    _statements("deliveries.lane_holder", "has 2 holders", _QUEUED_PART, *_deliver(_FIRST, "sending", _LEASED),
                *_deliver(_SECOND, "sending", _LEASED)),
    _statements("deliveries.lane_order", "1 later than delivery", _QUEUED_PART, *_deliver(_FIRST, "queued", _READY),
                *_deliver(_SECOND, "sending", _LEASED)),
    _statements("deliveries.in_time", "has been due since", _QUEUED_PART, *_deliver(_FIRST, "queued", _READY),
                *_deliver(_SECOND, "queued", _READY)),
]  # fmt: skip
