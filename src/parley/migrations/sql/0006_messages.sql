-- Messages: mentions, pins, schedules, drafts, what was deleted for one alone.
SELECT 1;
