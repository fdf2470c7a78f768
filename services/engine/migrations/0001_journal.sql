-- The engine's truth: the journal and the accounts it names. Written only by append(), which checks the writer's epoch and
-- that exactly the predecessor's last row is the journal's end; read by id.

CREATE TABLE head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    bigint NOT NULL CHECK (epoch >= 0),
    last_id  bigint NOT NULL CHECK (last_id >= 0)
) WITH (fillfactor = 10); -- one row, updated by every batch: room for many versions on its page
COMMENT ON TABLE head IS 'The epoch that may write, and the id of the last journal row';
INSERT INTO head (epoch, last_id) VALUES (0, 0);

CREATE TABLE lease (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch      bigint NOT NULL,
    owner      text NOT NULL,
    address    text,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE lease IS 'Which process owns the ledger and until when others leave it alone; safety rests on head.epoch, not on this';
COMMENT ON COLUMN lease.owner IS 'Random name of the process';
COMMENT ON COLUMN lease.address IS 'Base address of its internal HTTP/2 listener';
INSERT INTO lease (epoch, owner, renewed_at, expires_at) VALUES (0, '', '-infinity', '-infinity');

CREATE TABLE account (
    shard   smallint NOT NULL CHECK (shard >= 0),
    id      integer NOT NULL CHECK (id > 0),
    owner   uuid,
    purpose smallint NOT NULL,
    asset   integer NOT NULL CHECK (asset >= 0),
    PRIMARY KEY (shard, id),
    -- the engine opens an account once; this catches a defect before it becomes two balances
    CONSTRAINT account_is_unique UNIQUE NULLS NOT DISTINCT (owner, asset, purpose)
);
COMMENT ON TABLE account IS 'Dense account numbers by owner (null: the house), asset and purpose; append-only';

CREATE TABLE journal (
    id          bigint NOT NULL,
    command     uuid NOT NULL,
    fingerprint bigint NOT NULL,
    at          timestamptz NOT NULL,
    reference   uuid NOT NULL,
    debit       integer NOT NULL,
    credit      integer NOT NULL,
    asset       integer NOT NULL,
    reason      smallint NOT NULL,
    kind        smallint NOT NULL,
    refusal     smallint NOT NULL,
    last        boolean NOT NULL,
    amount      numeric(39,0) NOT NULL,
    hold        uuid,
    expires_at  timestamptz,
    -- a refusal moves nothing, everything else moves something
    CONSTRAINT amount_fits_kind CHECK ((kind = 6) = (amount = 0) AND amount >= 0)
);
COMMENT ON TABLE journal IS 'What happened, one row an effect, append-only; ids count from 1 without gaps';
COMMENT ON COLUMN journal.kind IS '1 move, 2 reserve, 3 post, 4 void, 5 expire, 6 refused';
COMMENT ON COLUMN journal.debit IS 'Account debited or held; 0 for none';
COMMENT ON COLUMN journal.last IS 'Last row of its command';
-- No unique index: it would cost as much as the row. The one writer keeps ids in order, append() keeps writers apart, and
-- the audit counts.
CREATE INDEX journal_by_id ON journal USING brin (id) WITH (pages_per_range = 32, autosummarize = on);
-- For the answer to an id that is older than the window in memory. Ids are made in time order; multi-minmax keeps a few that
-- are not from widening every range.
CREATE INDEX journal_by_command ON journal USING brin (command uuid_minmax_multi_ops)
    WITH (pages_per_range = 32, autosummarize = on);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: it is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'FX003';
END
$$;
CREATE TRIGGER journal_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Appends one batch. Raises FX001 unless the epoch is the present one and `previous` is the journal's end; the lock on the
-- head row puts concurrent writers in line. Row ids are given here, so that they have no gaps whatever the caller sends.
CREATE FUNCTION append(
    my_epoch bigint, previous bigint, my_shard smallint,
    account_ids integer[], account_owners uuid[], account_purposes smallint[], account_assets integer[],
    commands uuid[], fingerprints bigint[], ats timestamptz[], row_references uuid[],
    debits integer[], credits integer[], assets integer[], reasons smallint[], kinds smallint[], refusals smallint[],
    lasts boolean[], amounts numeric[], holds uuid[], expiries timestamptz[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE head SET last_id = previous + cardinality(commands) WHERE epoch = my_epoch AND last_id = previous;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'epoch % does not write after row %', my_epoch, previous USING ERRCODE = 'FX001';
    END IF;
    IF cardinality(account_ids) > 0 THEN
        INSERT INTO account (shard, id, owner, purpose, asset)
        SELECT my_shard, a.id, a.owner, a.purpose, a.asset
          FROM unnest(account_ids, account_owners, account_purposes, account_assets) AS a (id, owner, purpose, asset);
    END IF;
    INSERT INTO journal (id, command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount,
                         hold, expires_at)
    SELECT previous + r.place, r.command, r.fingerprint, r.at, r.reference, r.debit, r.credit, r.asset, r.reason, r.kind,
           r.refusal, r.last, r.amount, r.hold, r.expires_at
      FROM unnest(commands, fingerprints, ats, row_references, debits, credits, assets, reasons, kinds, refusals, lasts,
                  amounts, holds, expiries) WITH ORDINALITY
           AS r (command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount, hold,
                 expires_at, place);
END
$$;

-- Makes the caller the owner under a new epoch, if the lease is its own, has run out, or its owner's connection is gone (the
-- advisory lock, which a session holds as long as it lives, can be had). Answers nothing if another process owns the ledger.
CREATE FUNCTION take_lease(my_name text, my_address text, ttl interval) RETURNS TABLE (taken_epoch bigint, taken_last_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    held lease;
BEGIN
    -- lock order: lease, then head; append() takes head alone
    SELECT * INTO held FROM lease FOR UPDATE;
    IF held.owner <> my_name AND held.expires_at > clock_timestamp() AND NOT pg_try_advisory_lock(7238249541278007297) THEN
        RETURN;
    END IF;
    UPDATE lease SET epoch = held.epoch + 1, owner = my_name, address = my_address, renewed_at = clock_timestamp(),
                     expires_at = clock_timestamp() + ttl;
    -- from here on no older epoch can append
    RETURN QUERY UPDATE head SET epoch = held.epoch + 1 RETURNING head.epoch, head.last_id;
END
$$;

-- Keeps the lease; false if another process has it.
CREATE FUNCTION renew_lease(my_epoch bigint, ttl interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE lease SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + ttl WHERE epoch = my_epoch;
    RETURN FOUND;
END
$$;

-- Gives the lease up, so that a standby takes it at once.
CREATE FUNCTION release_lease(my_epoch bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    UPDATE lease SET expires_at = '-infinity' WHERE epoch = my_epoch
$$;
