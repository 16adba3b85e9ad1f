"""What must hold of the desk: journal and ledger explained, conversations with their contact, inboxes alive."""

from __future__ import annotations

from collections.abc import Sequence

from parley.desk.delivery_store import DELIVERIES
from parley.desk.intake_store import JOURNAL
from parley.desk.journal_checks import JOURNAL_CHECKS
from parley.infra.checking import CannotLook, Check, Probe, Walk
from parley.infra.crypto import KeyMismatch, load_keys
from parley.infra.work_checks import work_checks

POLLED_SECONDS = 120
"""An inbox that is polled gets a poller within seconds of its former one's end."""
SNOOZED_SECONDS = 300
_MESSAGES = Walk(table="message", key="conversation_id", number="position", rows=10_000)
_MESSAGE_STEP = "(m.conversation_id, m.position) > ($1, $2) AND (m.conversation_id, m.position) <= ($3, $4)"
_DELIVERIES = Walk(table="delivery")
_DELIVERY_STEP = "d.id > $1 AND $2::bigint IS NOT NULL AND d.id <= $3 AND $4::bigint IS NOT NULL"
_OUTWARD = """FROM message m JOIN conversation c ON c.id = m.conversation_id AND c.kind = 'desk'
    JOIN actor a ON a.id = m.sender_id AND a.kind <> 'contact'"""


async def _find_sealed(probe: Probe) -> Sequence[str]:
    data_dir = probe.place.settings.data_dir
    rows = await probe.fetch("SELECT id, name, secrets FROM inbox WHERE state <> 'disconnected' ORDER BY id")
    if not (data_dir / "secret.key").exists():
        return [f"{data_dir / 'secret.key'} is missing and {len(rows)} inboxes need it"] if rows else []
    try:
        keys = load_keys(data_dir)
    except KeyMismatch as error:
        return [error.message]
    except PermissionError as error:
        raise CannotLook(f"{error.filename} may not be read by this user") from error
    found = []
    for row in rows:
        try:
            keys.decrypt(row["secrets"], bound_to=row["id"].bytes)
        except KeyMismatch:
            found.append(f"inbox {row['id']} ({row['name']}) cannot be opened with this secret.key")
    return found


_LEDGER = (
    Check(
        name="ledger.complete",
        holds="Every message to a customer has exactly one delivery, and nothing else has one.",
        remedy="It was not sent, or may be sent twice: read the conversation and write to the customer again if needed. "
        "Ask the developers with the id.",
        walk=_MESSAGES,
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' has ' || d.count || ' deliveries'
                AS finding
            {_OUTWARD} CROSS JOIN LATERAL (SELECT count(*) AS count FROM delivery d
                WHERE d.conversation_id = m.conversation_id AND d.message_id = m.id AND d.action = 'send') d
            WHERE {_MESSAGE_STEP} AND (m.kind = 'text') <> (d.count = 1)""",
    ),
    Check(
        name="ledger.shown",
        holds="The state people see on a message is the ledger's.",
        remedy="The conversation shows another state than is true: set message.status to the ledger's.",
        walk=_MESSAGES,
        sql=f"""SELECT 'message ' || m.id || ' of conversation ' || m.conversation_id || ' shows '
                || coalesce(m.status ->> 'state', 'nothing') || ', the ledger says ' || d.state AS finding
            {_OUTWARD} JOIN delivery d ON d.conversation_id = m.conversation_id AND d.message_id = m.id
                AND d.action = 'send'
            WHERE {_MESSAGE_STEP} AND m.kind = 'text' AND m.status ->> 'state' IS DISTINCT FROM d.state""",
    ),
    Check(
        name="ledger.states",
        holds="A delivery that is queued or sending has work to do; one that is not has none left.",
        remedy="It will never be sent, or once more. If the customer has not got it: state = 'queued', work = 'ready'; "
        "else work = 'done', finished_at = now(). Ask the developers with the id.",
        walk=_DELIVERIES,
        again_seconds=2,
        sql=f"""SELECT 'delivery ' || d.id || ' is ' || d.state || ' and its work ' || d.work AS finding FROM delivery d
            WHERE {_DELIVERY_STEP} AND (d.state IN ('queued', 'sending') AND d.work IN ('done', 'failed')
                OR d.state NOT IN ('queued', 'sending') AND d.work IN ('ready', 'held')
                OR d.state = 'sending' AND d.work <> 'leased')""",
    ),
    Check(
        name="ledger.parts",
        holds="Every call of a delivery that was sent is known as done, but where a person said so, and one under way "
        "belongs to a delivery under way.",
        remedy="Nobody knows whether the customer got all of it: look at the customer's side, then ask the developers.",
        walk=_DELIVERIES,
        again_seconds=2,
        sql=f"""SELECT 'delivery ' || d.id || ' is ' || d.state || ' and its call ' || p.ordinal || ' ' || p.state AS finding
            FROM delivery d JOIN delivery_part p ON p.delivery_id = d.id
            WHERE {_DELIVERY_STEP} AND (d.state IN ('sent', 'delivered', 'read') AND p.state = 'sending'
                OR d.state IN ('queued', 'failed', 'cancelled', 'unknown') AND p.state = 'sending'
                OR d.state = 'sent' AND p.state = 'queued' AND d.error_code IS NULL
                    AND NOT EXISTS (SELECT FROM delivery_part o WHERE o.delivery_id = d.id AND o.state = 'unknown'))""",
    ),
    Check(
        name="ledger.provider_ids",
        holds="What a provider accepted has the provider's id, noted once, for that message alone.",
        remedy="Edits, deletions and receipts of this message go astray. Ask the developers with the id.",
        walk=_DELIVERIES,
        sql=f"""SELECT 'delivery ' || d.id || ': call ' || p.ordinal || CASE WHEN x.id IS NULL
                THEN ' was accepted without an id' ELSE ' was accepted as ' || x.id || ', which '
                || CASE WHEN EXISTS (SELECT FROM message_source o WHERE o.inbox_id = d.inbox_id
                    AND o.chat = (SELECT i.address FROM desk_conversation k JOIN identity i ON i.id = k.identity_id
                        AND i.workspace_id = k.workspace_id WHERE k.conversation_id = d.conversation_id)
                    AND o.provider_id = x.id) THEN 'is another message''s' ELSE 'is not noted' END END AS finding
            FROM delivery d JOIN delivery_part p ON p.delivery_id = d.id AND p.state = 'sent'
            LEFT JOIN LATERAL unnest(p.provider_ids) AS x (id) ON true
            WHERE {_DELIVERY_STEP} AND d.action = 'send' AND (x.id IS NULL
                OR NOT EXISTS (SELECT FROM message_source s WHERE s.conversation_id = d.conversation_id
                    AND s.message_id = d.message_id AND s.provider_id = x.id AND s.inbox_id = d.inbox_id))""",
    ),
    Check(
        name="ledger.parked",
        holds="A status that came before its message was known is applied once the message is known.",
        remedy="The message shows an older state than the provider told; nothing is lost. Delete the parked status.",
        severity="trouble",
        again_seconds=2,
        sql="""SELECT 'status ' || p.state || ' of ' || p.provider_id || ' in chat ' || p.chat || ' was not applied' AS finding
            FROM parked_status p JOIN message_source s ON s.inbox_id = p.inbox_id AND s.chat = p.chat
                AND s.provider_id = p.provider_id AND s.revision = '' AND s.direction = 'out'""",
    ),
    Check(
        name="ledger.held",
        holds="No outward message is held.",
        remedy="They were held because the database came from elsewhere (a restore): look at them, then run "
        "parley admin release-deliveries.",
        severity="trouble",
        sql="SELECT 'delivery ' || id || ' of conversation ' || conversation_id || ' is held' AS finding FROM delivery "
        "WHERE work = 'held' ORDER BY seq",
    ),
    Check(
        name="ledger.unknown",
        holds="No message waits for somebody to say whether the customer got it.",
        remedy="In each conversation, look at the customer's side and choose: send again, or mark as sent.",
        severity="note",
        sql="SELECT 'message ' || message_id || ' of conversation ' || conversation_id || ' is not certain' AS finding "
        "FROM delivery WHERE state = 'unknown' ORDER BY seq",
    ),
)

_ROOMS = (
    Check(
        name="desk.rooms",
        holds="Every desk conversation has its row for lists, its contact as a member, and its contact's address there.",
        remedy="It is missing from lists, or an answer goes nowhere. Ask the developers with the id.",
        walk=Walk(table="conversation", rows=2_000),
        sql="""SELECT 'conversation ' || c.id || CASE WHEN d.conversation_id IS NULL THEN ' has no row for lists'
                WHEN c.kind <> 'desk' THEN ' is ' || c.kind || ' and has a row for lists'
                WHEN d.inbox_id <> c.inbox_id THEN ' is listed in another inbox'
                WHEN i.id IS NULL THEN ' is with an address of another contact or inbox'
                ELSE ' does not have its contact as a member' END AS finding
            FROM conversation c LEFT JOIN desk_conversation d ON d.conversation_id = c.id
            LEFT JOIN identity i ON i.workspace_id = d.workspace_id AND i.id = d.identity_id
                AND i.inbox_id = d.inbox_id AND i.contact_id = d.contact_id
            LEFT JOIN member m ON m.conversation_id = c.id AND m.actor_id = d.contact_id
            WHERE c.id > $1 AND $2::bigint IS NOT NULL AND c.id <= $3 AND $4::bigint IS NOT NULL
              AND CASE WHEN c.kind = 'desk' THEN d.conversation_id IS NULL OR d.inbox_id <> c.inbox_id OR i.id IS NULL
                    OR m.actor_id IS NULL ELSE d.conversation_id IS NOT NULL END""",
    ),
    Check(
        name="desk.statuses",
        holds="A resolved conversation says when, one that is assigned is assigned to a user.",
        remedy="Set resolved_at, or clear assignee_id, of the desk_conversation that is named.",
        sql="""SELECT 'conversation ' || d.conversation_id || CASE WHEN a.kind <> 'user' THEN ' is assigned to ' || a.kind
                || ' ' || a.id ELSE ' is resolved and does not say when' END AS finding
            FROM desk_conversation d LEFT JOIN actor a ON a.id = d.assignee_id
            WHERE a.kind <> 'user' OR d.status = 'resolved' AND d.resolved_at IS NULL""",
    ),
    Check(
        name="desk.snoozed",
        holds="Snoozed conversations wake when their time has come.",
        remedy="The schedule 'wake snoozed' does not run or fails: look at infra.schedules, at the failed jobs and the log.",
        severity="trouble",
        needs_serving=True,
        again_seconds=2,
        values=lambda place: (place.wait(SNOOZED_SECONDS), place.serving_since),
        sql="""SELECT 'conversation ' || conversation_id || ' sleeps past ' || snoozed_until::timestamptz(0) AS finding
            FROM desk_conversation WHERE status = 'snoozed' AND greatest(snoozed_until, $2) < now() - make_interval(secs => $1)""",
    ),
    Check(
        name="desk.inboxes",
        holds="No inbox is broken.",
        remedy="Its provider refuses us: put right what it says, then reconnect the inbox in the settings.",
        severity="trouble",
        sql="""SELECT 'inbox ' || id || ' (' || name || ', ' || channel || ') is broken: ' || coalesce(state_reason, 'no reason')
                AS finding
            FROM inbox WHERE state = 'broken'""",
    ),
    Check(
        name="desk.polling",
        holds="Every connected inbox that is polled has somebody who polls it.",
        remedy="Nobody fetches what customers write there: see that one Parley runs with its workers, look in its log for "
        "polling.failed and polling.stopped, and restart it.",
        severity="trouble",
        needs_serving=True,
        again_seconds=4,
        values=lambda place: (place.wait(POLLED_SECONDS), place.serving_since),
        sql="""SELECT 'inbox ' || id || ' (' || name || ', ' || channel || ') is polled by nobody' AS finding
            FROM inbox WHERE state = 'connected' AND config ->> 'updates' = 'polling'
              AND greatest(poll_lease_until, $2, created_at) < now() - make_interval(secs => $1)""",
    ),
    Check(
        name="desk.secrets",
        holds="The credentials of every inbox can be opened with the installation's key.",
        remedy="Put the secret.key that belongs to this database back into the data directory, or connect the inboxes anew.",
        severity="trouble",
        look=_find_sealed,
    ),
)

DESK_CHECKS = (
    *_LEDGER,
    *_ROOMS,
    *work_checks(
        "journal",
        JOURNAL,
        noun="journal item",
        failed_remedy="Customers wrote what nobody sees. Read the reason; after an upgrade with the fix: parley journal "
        "replay. What is worth nothing can be deleted from journal.",
    ),
    *(
        check
        for check in work_checks("deliveries", DELIVERIES, noun="delivery", failed_remedy="")
        # a refused message is everyday business and shown in its conversation
        if check.name != "deliveries.failed"
    ),
    *JOURNAL_CHECKS,
)
