"""The desk: inboxes, intake, delivery, statuses and lists."""
