-- Search of messages.
SELECT 1;
