-- Claimed work: what makes claims cheap.
SELECT 1;
