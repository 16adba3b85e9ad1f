-- Contacts of the inboxes somebody works in.
CREATE INDEX identity_listing ON identity (inbox_id, contact_id);

-- What shows the words of a message that is deleted: replies to it, and the events that tell a message again.
CREATE INDEX message_reply ON message (conversation_id, reply_to_id) WHERE reply_to_id IS NOT NULL;
CREATE INDEX event_changed ON event (conversation_id, number) WHERE kind IN ('message.updated', 'message.deleted');

-- One's own conversations, and those to release of somebody who left.
CREATE INDEX desk_conversation_assignee ON desk_conversation
    (workspace_id, assignee_id, inbox_id, status, active_at, conversation_id) WHERE assignee_id IS NOT NULL;
