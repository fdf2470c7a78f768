-- What the journal says about markets and orders, and its projection.

-- Rows about markets and orders may move nothing, as a change of a market's state.
ALTER TABLE journal DROP CONSTRAINT amount_fits_kind;
ALTER TABLE journal ADD CONSTRAINT amount_fits_kind CHECK (amount >= 0 AND (kind >= 7 OR (kind = 6) = (amount = 0))) NOT VALID;
COMMENT ON COLUMN journal.kind IS '1 move, 2 reserve, 3 post, 4 void, 5 expire, 6 refused, 7 trade, 8 order placed, 9 order lifted, 10 order set, 11 order ended, 12 market created, 13 market set, 14 fees set, 15 tier set';

CREATE TABLE journal_order (
    id        bigint NOT NULL,
    market    integer NOT NULL,
    order_no  bigint NOT NULL,
    other_no  bigint NOT NULL,
    price     bigint NOT NULL,
    lots      bigint NOT NULL,
    lots_left bigint NOT NULL,
    display   bigint NOT NULL,
    stop      bigint NOT NULL,
    flags     integer NOT NULL,
    fee       numeric(39,0) NOT NULL CHECK (fee >= 0),
    client    uuid,
    details   jsonb
);
COMMENT ON TABLE journal_order IS 'What journal rows of kind 7 and above have beside, so that the rows of all others stay narrow; append-only';
COMMENT ON COLUMN journal_order.id IS 'Id of the journal row';
COMMENT ON COLUMN journal_order.order_no IS 'The order; in a trade the one that pays';
COMMENT ON COLUMN journal_order.price IS 'In ticks of the market, of a trade its price, else the limit';
CREATE INDEX journal_order_by_id ON journal_order USING brin (id) WITH (pages_per_range = 32, autosummarize = on);
CREATE TRIGGER journal_order_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_order
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

DROP FUNCTION append(bigint, bigint, smallint, integer[], uuid[], smallint[], integer[], uuid[], bigint[], timestamptz[], uuid[],
                     integer[], integer[], integer[], smallint[], smallint[], smallint[], boolean[], numeric[], uuid[],
                     timestamptz[]);

-- Appends one batch. Raises FX001 unless the epoch is the present one and `previous` is the journal's end; the lock on the
-- head row puts concurrent writers in line. Row ids are given here, so that they have no gaps whatever the caller sends.
-- `places` says which rows, from 1 on, the order arrays belong to.
CREATE FUNCTION append(
    my_epoch bigint, previous bigint, my_shard smallint,
    account_ids integer[], account_owners uuid[], account_purposes smallint[], account_assets integer[],
    commands uuid[], fingerprints bigint[], ats timestamptz[], row_references uuid[],
    debits integer[], credits integer[], assets integer[], reasons smallint[], kinds smallint[], refusals smallint[],
    lasts boolean[], amounts numeric[], holds uuid[], expiries timestamptz[],
    places integer[], markets integer[], orders bigint[], others bigint[], prices bigint[], order_lots bigint[],
    lefts bigint[], displays bigint[], stops bigint[], order_flags integer[], fees numeric[], clients uuid[], order_details jsonb[]
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
    IF cardinality(places) > 0 THEN
        INSERT INTO journal_order (id, market, order_no, other_no, price, lots, lots_left, display, stop, flags, fee, client,
                                   details)
        SELECT previous + o.place, o.market, o.order_no, o.other_no, o.price, o.lots, o.lots_left, o.display, o.stop, o.flags,
               o.fee, o.client, o.details
          FROM unnest(places, markets, orders, others, prices, order_lots, lefts, displays, stops, order_flags, fees, clients,
                      order_details)
               AS o (place, market, order_no, other_no, price, lots, lots_left, display, stop, flags, fee, client, details);
    END IF;
END
$$;

CREATE TABLE market (
    id         integer PRIMARY KEY,
    spec       jsonb NOT NULL,
    state      smallint NOT NULL,
    fees       jsonb NOT NULL,
    last_price bigint NOT NULL,
    last_order bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE market IS 'Markets as of projection.journal_id';
COMMENT ON COLUMN market.state IS '1 open, 2 cancel only, 3 halted, 4 auction';
COMMENT ON COLUMN market.last_price IS 'Of the last trade, in ticks; 0 before the first';
COMMENT ON COLUMN market.last_order IS 'The last number that an order was given; 0 before the first';

CREATE TABLE open_order (
    market     integer NOT NULL,
    order_no   bigint NOT NULL,
    owner      uuid NOT NULL,
    side       smallint NOT NULL,
    limit_price bigint NOT NULL,
    lots       bigint NOT NULL,
    lots_left  bigint NOT NULL,
    shown      bigint NOT NULL,
    display    bigint NOT NULL,
    value      numeric(39,0) NOT NULL,
    by_market  boolean NOT NULL,
    tif        smallint NOT NULL,
    stop       bigint NOT NULL,
    waiting    boolean NOT NULL,
    expires_at timestamptz,
    self_trade smallint NOT NULL,
    priority   bigint NOT NULL,
    held       numeric(39,0) NOT NULL CHECK (held >= 0),
    account    integer NOT NULL,
    client     uuid,
    PRIMARY KEY (market, order_no)
) WITH (fillfactor = 70);
COMMENT ON TABLE open_order IS 'Open orders as of projection.journal_id, prices in ticks and quantities in lots';
COMMENT ON COLUMN open_order.priority IS 'Place in time: of two orders at one price the lower is first';
COMMENT ON COLUMN open_order.held IS 'What it has set aside of account, part of balance.held';

CREATE TABLE fee_tier (
    owner uuid PRIMARY KEY,
    tier  smallint NOT NULL CHECK (tier >= 0)
);
COMMENT ON TABLE fee_tier IS 'Fee tiers of people who are not in tier 0';
