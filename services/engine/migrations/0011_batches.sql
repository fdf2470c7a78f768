-- The journal is kept by the batch, as append() gets it: a row a batch instead of a row a row, found by b-trees that have an entry a
-- batch. A view shows it by the row. (BRIN indexes, and what kept them complete, go with the tables that they were on.)

CREATE TABLE journal_batch (
    first_id bigint          NOT NULL,
    span     bigint          NOT NULL,
    entries  journal_entry[] NOT NULL,
    orders   journal_order_entry[]
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_freeze_min_age = 0,
        toast.autovacuum_vacuum_insert_scale_factor = 0, toast.autovacuum_vacuum_insert_threshold = 100000,
        toast.autovacuum_vacuum_cost_delay = 0, toast.autovacuum_freeze_min_age = 0);
COMMENT ON TABLE journal_batch IS 'What happened, one row a batch, one entry an effect, append-only; ids count from 1 without gaps';
COMMENT ON COLUMN journal_batch.first_id IS 'Id of the first entry; those of the others follow';
COMMENT ON COLUMN journal_batch.span IS 'Which 256 ms the id of the first command is of, as all bits but the last 88';
COMMENT ON COLUMN journal_batch.orders IS 'What entries of kind 7 and above have beside, by their place from 1; null if none is';
-- None is unique: a writer that is not the owner any more must be refused by its epoch, not wait for the other's row. append() keeps
-- writers apart, and the audit counts.
CREATE INDEX journal_batch_by_id ON journal_batch (first_id);
CREATE INDEX journal_batch_by_span ON journal_batch (span);

CREATE TABLE journal_span (
    span     bigint NOT NULL,
    first_id bigint NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000, autovacuum_freeze_min_age = 0);
COMMENT ON TABLE journal_span IS 'Other spans that ids of the commands of a batch are of; append-only';
CREATE INDEX journal_span_by_span ON journal_span (span);

-- The entries of a batch differ little from one another. A server that was built without lz4 keeps its own way.
DO $$
BEGIN
    ALTER TABLE journal_batch ALTER COLUMN entries SET COMPRESSION lz4, ALTER COLUMN orders SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

-- Statistics of what is in the arrays would be made of all their elements, and no plan asks for them.
ALTER TABLE journal_batch ALTER COLUMN entries SET STATISTICS 0, ALTER COLUMN orders SET STATISTICS 0;

-- What there is: a batch a thousand rows at most, all of one span; read a hundred thousand at a time.
DO $$
DECLARE
    page CONSTANT bigint := 100000;
    before bigint := 0;
BEGIN
    WHILE before < (SELECT last_id FROM head) LOOP
        INSERT INTO journal_batch (first_id, span, entries, orders)
        WITH spans AS (
            SELECT *, ('x' || left(replace(command::text, '-', ''), 10))::bit(40)::bigint AS span
              FROM journal WHERE id > before AND id <= before + page
        ), starts AS (
            SELECT *, id % 1000 = 1 OR span IS DISTINCT FROM lag(span) OVER (ORDER BY id) AS starts FROM spans
        ), placed AS (
            SELECT *, max(id) FILTER (WHERE starts) OVER (ORDER BY id) AS first_id FROM starts
        )
        SELECT p.first_id, min(p.span),
               array_agg(ROW(p.command, p.fingerprint, p.at, p.reference, p.debit, p.credit, p.asset, p.reason, p.kind, p.refusal,
                             p.last, p.amount, p.hold, p.expires_at)::journal_entry ORDER BY p.id),
               array_agg(ROW(p.id - p.first_id + 1, o.market, o.order_no, o.other_no, o.price, o.lots, o.lots_left, o.display, o.stop,
                             o.flags, o.fee, o.client, o.details)::journal_order_entry ORDER BY p.id) FILTER (WHERE o.id IS NOT NULL)
          FROM placed p
          LEFT JOIN (SELECT * FROM journal_order WHERE id > before AND id <= before + page) o ON o.id = p.id
         GROUP BY p.first_id ORDER BY p.first_id;
        before := before + page;
    END LOOP;
END
$$;

DROP FUNCTION append(bigint, bigint, smallint, account_entry[], journal_entry[], journal_order_entry[]);
DROP FUNCTION summarize();
DROP FUNCTION summarize_pages(regclass, regclass[], bigint, bigint);
DROP FUNCTION has_statistics(text);
DROP TABLE summarized;
DROP TABLE journal_order;
DROP TABLE journal;

CREATE TRIGGER journal_batch_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_batch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_span_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_span
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW journal AS
SELECT b.first_id + e.place - 1 AS id, e.command, e.fingerprint, e.at, e.reference, e.debit, e.credit, e.asset, e.reason, e.kind,
       e.refusal, e.last, e.amount, e.hold, e.expires_at, b.first_id AS batch
  FROM journal_batch b
  CROSS JOIN LATERAL unnest(b.entries) WITH ORDINALITY
       AS e (command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount, hold, expires_at, place);
COMMENT ON VIEW journal IS 'What happened, one row an effect. Rows n to m are found by batch BETWEEN (SELECT batch_of(n)) AND m AND id BETWEEN n AND m';
COMMENT ON COLUMN journal.id IS 'Counts from 1 without gaps';
COMMENT ON COLUMN journal.kind IS '1 move, 2 reserve, 3 post, 4 void, 5 expire, 6 refused, 7 trade, 8 order placed, 9 order lifted, 10 order set, 11 order ended, 12 market created, 13 market set, 14 fees set, 15 tier set';
COMMENT ON COLUMN journal.debit IS 'Account debited or held; 0 for none';
COMMENT ON COLUMN journal.last IS 'Last row of its command';

CREATE VIEW journal_order AS
SELECT b.first_id + o.place - 1 AS id, o.market, o.order_no, o.other_no, o.price, o.lots, o.lots_left, o.display, o.stop, o.flags,
       o.fee, o.client, o.details, b.first_id AS batch
  FROM journal_batch b
  CROSS JOIN LATERAL unnest(b.orders)
       AS o (place, market, order_no, other_no, price, lots, lots_left, display, stop, flags, fee, client, details);
COMMENT ON VIEW journal_order IS 'What journal rows of kind 7 and above have beside';
COMMENT ON COLUMN journal_order.id IS 'Id of the journal row';
COMMENT ON COLUMN journal_order.order_no IS 'The order; in a trade the one that pays';
COMMENT ON COLUMN journal_order.price IS 'In ticks of the market, of a trade its price, else the limit';

-- The batch that a row is in, if there is such a row.
CREATE FUNCTION batch_of(row_id bigint) RETURNS bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT max(first_id) FROM journal_batch WHERE first_id <= row_id
$$;

-- Appends one batch. The lock on the head row, which a batch holds until it is committed, puts batches in line. Raises FX001 unless
-- the epoch is the present one and `previous` is the journal's end, or FX004 when the journal ends before `previous`: the batch has
-- overtaken the one that it follows. Row ids are given here, so that they have no gaps whatever the caller sends. `spans`: those that
-- the ids of its commands are of, each once, that of the first command first.
CREATE FUNCTION append(
    my_epoch bigint, previous bigint, my_shard smallint, spans bigint[], accounts account_entry[], entries journal_entry[],
    orders journal_order_entry[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    found_end bigint;
BEGIN
    IF cardinality(accounts) > 0 THEN
        INSERT INTO account (shard, id, owner, purpose, asset)
        SELECT my_shard, a.id, a.owner, a.purpose, a.asset FROM unnest(accounts) AS a;
    END IF;
    INSERT INTO journal_batch (first_id, span, entries, orders)
    VALUES (previous + 1, spans[1], entries, CASE WHEN cardinality(orders) > 0 THEN orders END);
    IF cardinality(spans) > 1 THEN
        INSERT INTO journal_span (span, first_id) SELECT other, previous + 1 FROM unnest(spans[2:]) AS other;
    END IF;
    -- Not found by `last_id`, which this statement would compare as it was before the batch that it waits for.
    UPDATE head SET last_id = last_id + cardinality(entries) WHERE epoch = my_epoch
    RETURNING last_id - cardinality(entries) INTO found_end;
    IF found_end = previous THEN
        RETURN;
    ELSIF found_end < previous THEN
        RAISE EXCEPTION 'the journal ends with row %, not yet with row %', found_end, previous USING ERRCODE = 'FX004';
    END IF;
    RAISE EXCEPTION 'epoch % does not write after row %', my_epoch, previous USING ERRCODE = 'FX001';
END
$$;
