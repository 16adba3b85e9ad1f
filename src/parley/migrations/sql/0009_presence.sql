-- Presence: last seen, who may know.
SELECT 1;
