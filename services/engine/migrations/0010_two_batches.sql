-- A batch takes the lock on the head row after its rows are written instead of before, so that two batches may be on their way at
-- once: the rows of one are written while the one before it waits for the disk.

-- Appends one batch. The lock on the head row, which a batch holds until it is committed, puts batches in line. Raises FX001 unless
-- the epoch is the present one and `previous` is the journal's end, or FX004 when the journal ends before `previous`: the batch has
-- overtaken the one that it follows. Row ids are given here, so that they have no gaps whatever the caller sends.
CREATE OR REPLACE FUNCTION append(
    my_epoch bigint, previous bigint, my_shard smallint, accounts account_entry[], entries journal_entry[],
    orders journal_order_entry[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    found_end bigint;
BEGIN
    IF cardinality(accounts) > 0 THEN
        INSERT INTO account (shard, id, owner, purpose, asset)
        SELECT my_shard, a.id, a.owner, a.purpose, a.asset FROM unnest(accounts) AS a;
    END IF;
    INSERT INTO journal (id, command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount,
                         hold, expires_at)
    SELECT previous + e.place, e.command, e.fingerprint, e.at, e.reference, e.debit, e.credit, e.asset, e.reason, e.kind,
           e.refusal, e.last, e.amount, e.hold, e.expires_at
      FROM unnest(entries) WITH ORDINALITY
           AS e (command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount, hold,
                 expires_at, place);
    IF cardinality(orders) > 0 THEN
        INSERT INTO journal_order (id, market, order_no, other_no, price, lots, lots_left, display, stop, flags, fee, client,
                                   details)
        SELECT previous + o.place, o.market, o.order_no, o.other_no, o.price, o.lots, o.lots_left, o.display, o.stop, o.flags,
               o.fee, o.client, o.details
          FROM unnest(orders) AS o;
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
