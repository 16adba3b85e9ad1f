"""What must hold of contacts and their addresses."""

from __future__ import annotations

from parley.infra.checking import Check

CONTACT_CHECKS = (
    Check(
        name="contacts.details",
        holds="Every contact has its details, an identity is a contact's, and nobody else has either.",
        remedy="Insert the missing row into contact, or delete the row of who is no contact.",
        sql="""SELECT 'contact ' || a.id || ' has no details' AS finding FROM actor a
            LEFT JOIN contact c ON c.workspace_id = a.workspace_id AND c.actor_id = a.id
            WHERE a.kind = 'contact' AND c.actor_id IS NULL
            UNION ALL SELECT a.kind || ' ' || a.id || ' has the details of a contact' FROM contact c
                JOIN actor a ON a.workspace_id = c.workspace_id AND a.id = c.actor_id WHERE a.kind <> 'contact'
            UNION ALL SELECT a.kind || ' ' || a.id || ' has the identity ' || i.id FROM identity i
                JOIN actor a ON a.workspace_id = i.workspace_id AND a.id = i.contact_id WHERE a.kind <> 'contact'""",
    ),
)
