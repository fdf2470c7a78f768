-- A batch comes as arrays of rows instead of an array a column: the server takes rows apart once, where it kept each column's
-- values in a store of their own to bring them together again, which was a fifth of what a row cost.
CREATE TYPE account_entry AS (id integer, owner uuid, purpose smallint, asset integer);
CREATE TYPE journal_entry AS (
    command uuid, fingerprint bigint, at timestamptz, reference uuid, debit integer, credit integer, asset integer, reason smallint,
    kind smallint, refusal smallint, last boolean, amount numeric, hold uuid, expires_at timestamptz
);
-- `place` says which row, from 1 on, it belongs to.
CREATE TYPE journal_order_entry AS (
    place integer, market integer, order_no bigint, other_no bigint, price bigint, lots bigint, lots_left bigint, display bigint,
    stop bigint, flags integer, fee numeric, client uuid, details jsonb
);

DROP FUNCTION append(bigint, bigint, smallint, integer[], uuid[], smallint[], integer[], uuid[], bigint[], timestamptz[], uuid[],
                     integer[], integer[], integer[], smallint[], smallint[], smallint[], boolean[], numeric[], uuid[],
                     timestamptz[], integer[], integer[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[],
                     integer[], numeric[], uuid[], jsonb[]);

-- Appends one batch. Raises FX001 unless the epoch is the present one and `previous` is the journal's end; the lock on the
-- head row puts concurrent writers in line. Row ids are given here, so that they have no gaps whatever the caller sends.
CREATE FUNCTION append(
    my_epoch bigint, previous bigint, my_shard smallint, accounts account_entry[], entries journal_entry[],
    orders journal_order_entry[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE head SET last_id = previous + cardinality(entries) WHERE epoch = my_epoch AND last_id = previous;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'epoch % does not write after row %', my_epoch, previous USING ERRCODE = 'FX001';
    END IF;
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
END
$$;
