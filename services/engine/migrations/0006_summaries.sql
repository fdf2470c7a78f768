-- The BRIN indexes are kept complete by the engine itself. A row in a range of pages that has no summary is looked at by every
-- query; autovacuum, which would summarize, comes once a minute, and meanwhile a fast journal grows by millions of rows.
-- So it is with the first statistics, without which the planner does not use these indexes.

ALTER INDEX journal_by_id SET (autosummarize = off);
ALTER INDEX journal_by_command SET (autosummarize = off);
ALTER INDEX journal_order_by_id SET (autosummarize = off);

CREATE TABLE summarized (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    journal       bigint NOT NULL CHECK (journal >= 0),
    journal_order bigint NOT NULL CHECK (journal_order >= 0)
) WITH (fillfactor = 10); -- one row, updated every second
COMMENT ON TABLE summarized IS 'Up to which page each table is in its BRIN indexes';
INSERT INTO summarized (journal, journal_order) VALUES (0, 0);

-- The first pages that may lack a summary in an index of `summarized_table`, up to the last whole range.
CREATE FUNCTION summarize_pages(summarized_table regclass, indexes regclass[], begin_page bigint, most bigint)
RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    pages_per_range CONSTANT bigint := 32; -- as in every index of the journal
    whole CONSTANT bigint := pg_relation_size(summarized_table) / current_setting('block_size')::bigint / pages_per_range;
    range_no bigint := begin_page / pages_per_range;
    index_name regclass;
BEGIN
    WHILE range_no < least(whole, begin_page / pages_per_range + most) LOOP
        FOREACH index_name IN ARRAY indexes LOOP
            PERFORM brin_summarize_range(index_name, range_no * pages_per_range);
        END LOOP;
        range_no := range_no + 1;
    END LOOP;
    RETURN range_no * pages_per_range;
END
$$;

CREATE FUNCTION has_statistics(of_table text) RETURNS boolean LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT FROM pg_stats WHERE schemaname = current_schema() AND tablename = of_table AND attname = 'id')
$$;

-- Brings the indexes up to the last whole range, at most 1,000 ranges of a table at once. True when it did as many as it
-- may and should be called again; false also while another process, or a vacuum, is at it.
CREATE FUNCTION summarize() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
-- Waiting for longer than deadlock_timeout would make autovacuum give up.
SET lock_timeout = '100ms' AS $$
DECLARE
    most CONSTANT bigint := 1000;
    before summarized;
    after summarized;
BEGIN
    SELECT * INTO before FROM summarized FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    after := before;
    after.journal := summarize_pages('journal', ARRAY['journal_by_id', 'journal_by_command']::regclass[], before.journal, most);
    after.journal_order := summarize_pages('journal_order', ARRAY['journal_order_by_id']::regclass[], before.journal_order, most);
    -- Without statistics the planner takes a BRIN index for one that finds every page, and reads the whole table instead.
    IF after.journal > 0 AND NOT has_statistics('journal') THEN
        ANALYZE journal (id, command);
    END IF;
    IF after.journal_order > 0 AND NOT has_statistics('journal_order') THEN
        ANALYZE journal_order (id);
    END IF;
    IF after IS DISTINCT FROM before THEN
        UPDATE summarized SET journal = after.journal, journal_order = after.journal_order;
    END IF;
    RETURN after.journal >= before.journal + most * 32 OR after.journal_order >= before.journal_order + most * 32;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
