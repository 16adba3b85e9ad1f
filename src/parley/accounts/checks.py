"""What must hold of accounts: personal streams, owners, and whom rows speak of."""

from __future__ import annotations

from parley.infra.checking import Check
from parley.infra.reference_checks import Reference, reference_check
from parley.infra.stream_checks import stream_checks

ACCOUNT_CHECKS = (
    *stream_checks(
        "personal", table="personal_event", key="actor_id", parent="actor", noun="personal stream"
    ),
    Check(
        name="accounts.owners",
        holds="Every workspace has an owner who may come in.",
        remedy="Nobody can administer it: UPDATE actor SET role = 'owner', deactivated_at = NULL for the right person.",
        severity="trouble",
        sql="""SELECT 'workspace ' || w.id || ' (' || w.name || ') has no owner' AS finding FROM workspace w
            WHERE NOT EXISTS (SELECT FROM actor a WHERE a.workspace_id = w.id AND a.kind = 'user' AND a.role = 'owner'
                AND a.deactivated_at IS NULL)""",
    ),
    Check(
        name="accounts.staff",
        holds="Only users work in inboxes, and only users and bots hold sessions and keys.",
        remedy="Delete the row that is named: it would let a customer or a program see the desk.",
        sql="""SELECT 'inbox ' || m.inbox_id || ' is worked in by ' || a.kind || ' ' || a.id AS finding
            FROM inbox_member m JOIN actor a ON a.id = m.actor_id WHERE a.kind <> 'user'
            UNION ALL SELECT 'session ' || s.id || ' is of ' || a.kind || ' ' || a.id
            FROM session s JOIN actor a ON a.id = s.actor_id WHERE a.kind <> 'user'
            UNION ALL SELECT 'API key ' || k.id || ' is of contact ' || a.id
            FROM api_key k JOIN actor a ON a.id = k.actor_id WHERE a.kind = 'contact'""",
    ),
    Check(
        name="accounts.second_factors",
        holds="Recovery codes stand in for a second factor, and what asks for a passkey has one.",
        remedy="The person is asked for what they do not have: parley admin remove-second-factors --email ...",
        severity="trouble",
        sql="""SELECT 'login ' || l.id || ' is asked for a passkey and has none' AS finding FROM login l
            WHERE l.needs_passkey AND NOT EXISTS (SELECT FROM passkey p WHERE p.login_id = l.id)
            UNION ALL SELECT DISTINCT 'login ' || r.login_id || ' has recovery codes and no second factor'
            FROM recovery_code r JOIN login l ON l.id = r.login_id
            WHERE NOT l.needs_passkey
                AND NOT EXISTS (SELECT FROM totp t WHERE t.login_id = l.id AND t.confirmed_at IS NOT NULL)""",
    ),
    reference_check(
        "accounts.references",
        Reference("api_key", ("workspace_id", "created_by"), "actor", ("workspace_id", "id")),
        Reference("audit_entry", ("workspace_id", "actor_id"), "actor", ("workspace_id", "id")),
    ),
)
