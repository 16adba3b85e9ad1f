-- Claimed work: what makes claims cheap.
--
-- Each index's predicate says something that is always true and that only the queries meant for it say too: "seq > 0"
-- for what is due, "attempts >= 0" for lanes. The planner cannot take the one for the other, as it does for lanes while
-- its statistics know of a handful of ready rows, and then reads all of them again for each lane.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['journal', 'delivery', 'job'] LOOP
        EXECUTE format('DROP INDEX %1$s_due', t);
        EXECUTE format('DROP INDEX %1$s_lane', t);
        EXECUTE format('CREATE INDEX %1$s_due ON %1$I (due_at, seq) '
            'WHERE work = ''ready'' AND lane IS NOT NULL AND seq > 0', t);
        EXECUTE format('CREATE INDEX %1$s_lane ON %1$I (lane, seq) '
            'WHERE work = ''ready'' AND lane IS NOT NULL AND attempts >= 0', t);
    END LOOP;
END $$;
