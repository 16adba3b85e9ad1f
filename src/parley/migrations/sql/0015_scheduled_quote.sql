ALTER TABLE scheduled_message ADD COLUMN quote text;

-- What is quoted of a message goes when it is deleted.
CREATE INDEX scheduled_message_quote ON scheduled_message (conversation_id, reply_to_id) WHERE quote IS NOT NULL;
