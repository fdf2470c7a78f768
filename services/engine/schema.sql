-- Schema "engine" as its migrations leave it. Written by its schema test with UPDATE_SNAPSHOTS=1; not to be edited.

CREATE TYPE account_entry AS (
    id      integer,
    owner   uuid,
    purpose smallint,
    asset   integer
);

CREATE TYPE balance_block_entry AS (
    first_account integer,
    available     numeric[],
    held          numeric[]
);

CREATE TYPE journal_entry AS (
    command     uuid,
    fingerprint bigint,
    at          timestamp with time zone,
    reference   uuid,
    debit       integer,
    credit      integer,
    asset       integer,
    reason      smallint,
    kind        smallint,
    refusal     smallint,
    last        boolean,
    amount      numeric,
    hold        uuid,
    expires_at  timestamp with time zone
);

CREATE TYPE journal_order_entry AS (
    place     integer,
    market    integer,
    order_no  bigint,
    other_no  bigint,
    price     bigint,
    lots      bigint,
    lots_left bigint,
    display   bigint,
    stop      bigint,
    flags     integer,
    fee       numeric,
    client    uuid,
    details   jsonb
);

CREATE TABLE account (
    shard   smallint NOT NULL,
    id      integer NOT NULL,
    owner   uuid,
    purpose smallint NOT NULL,
    asset   integer NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (shard, id),
    CONSTRAINT account_is_unique UNIQUE NULLS NOT DISTINCT (owner, asset, purpose),
    CONSTRAINT account_asset_check CHECK ((asset >= 0)),
    CONSTRAINT account_id_check CHECK ((id > 0)),
    CONSTRAINT account_shard_check CHECK ((shard >= 0))
);
COMMENT ON TABLE account IS 'Dense account numbers by owner (null: the house), asset and purpose; append-only';
CREATE TRIGGER account_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON account FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON account TO ferrex_engine;

CREATE TABLE audit (
    only_row    boolean NOT NULL DEFAULT true,
    asked_at    timestamp with time zone NOT NULL,
    answered_at timestamp with time zone NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (only_row),
    CONSTRAINT audit_only_row_check CHECK (only_row)
);
COMMENT ON TABLE audit IS 'Which audit of the ledger was asked for, and which was made';
GRANT SELECT, UPDATE ON audit TO ferrex_engine;

CREATE VIEW balance AS
 SELECT b.first_account + a.place::integer - 1 AS account,
    a.available + a.held AS total,
    a.held
   FROM engine.balance_block b
     CROSS JOIN LATERAL UNNEST(b.available, b.held) WITH ORDINALITY a(available, held, place);

GRANT SELECT ON balance TO ferrex_engine;

CREATE TABLE balance_block (
    first_account integer NOT NULL,
    available     numeric[] NOT NULL,
    held          numeric[] NOT NULL,
    CONSTRAINT balance_block_pkey PRIMARY KEY (first_account),
    CONSTRAINT each_account_has_both CHECK ((cardinality(available) = cardinality(held))),
    CONSTRAINT nothing_is_negative CHECK ((((0)::numeric <= ALL (available)) AND ((0)::numeric <= ALL (held))))
);
COMMENT ON TABLE balance_block IS 'What accounts have that were opened one after the other, 128 a row, in their normal direction';
COMMENT ON COLUMN balance_block.available IS 'Of each account in the order of their numbers, what it has beside what holds and orders set aside';
COMMENT ON COLUMN balance_block.first_account IS 'Number of the first account: 1, 129, 257 and so on';
COMMENT ON COLUMN balance_block.held IS 'Of each account the part that holds and orders set aside';
GRANT INSERT, SELECT, UPDATE ON balance_block TO ferrex_engine;

CREATE TABLE fee_tier (
    owner uuid NOT NULL,
    tier  smallint NOT NULL,
    CONSTRAINT fee_tier_pkey PRIMARY KEY (owner),
    CONSTRAINT fee_tier_tier_check CHECK ((tier >= 0))
);
COMMENT ON TABLE fee_tier IS 'Fee tiers of people who are not in tier 0';
GRANT INSERT, SELECT, UPDATE ON fee_tier TO ferrex_engine;

CREATE TABLE head (
    only_row boolean NOT NULL DEFAULT true,
    epoch    bigint NOT NULL,
    last_id  bigint NOT NULL,
    CONSTRAINT head_pkey PRIMARY KEY (only_row),
    CONSTRAINT head_epoch_check CHECK ((epoch >= 0)),
    CONSTRAINT head_last_id_check CHECK ((last_id >= 0)),
    CONSTRAINT head_only_row_check CHECK (only_row)
);
COMMENT ON TABLE head IS 'The epoch that may write, and the id of the last journal row';
GRANT SELECT ON head TO ferrex_engine;

CREATE TABLE hold (
    id         uuid NOT NULL,
    account    integer NOT NULL,
    amount     numeric(39,0) NOT NULL,
    expires_at timestamp with time zone,
    closed     boolean NOT NULL,
    CONSTRAINT hold_pkey PRIMARY KEY (id),
    CONSTRAINT a_closed_hold_has_nothing CHECK (((closed = (amount = (0)::numeric)) AND (amount >= (0)::numeric)))
);
COMMENT ON TABLE hold IS 'Holds with what is left of them; closed ones stay, so that they are known for ever';
CREATE INDEX hold_open ON hold USING btree (id) WHERE (NOT closed);
GRANT INSERT, SELECT, UPDATE ON hold TO ferrex_engine;

CREATE TABLE inbox (
    consumer    text NOT NULL,
    message_id  uuid NOT NULL,
    received_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, message_id)
);
COMMENT ON TABLE inbox IS 'Messages that took effect or were parked, in the transaction that did it';
CREATE INDEX inbox_received_at ON inbox USING brin (received_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON inbox TO ferrex_engine;

CREATE VIEW journal AS
 SELECT b.first_id + e.place - 1 AS id,
    e.command,
    e.fingerprint,
    e.at,
    e.reference,
    e.debit,
    e.credit,
    e.asset,
    e.reason,
    e.kind,
    e.refusal,
    e.last,
    e.amount,
    e.hold,
    e.expires_at,
    b.first_id AS batch
   FROM engine.journal_batch b
     CROSS JOIN LATERAL unnest(b.entries) WITH ORDINALITY e(command, fingerprint, at, reference, debit, credit, asset, reason, kind, refusal, last, amount, hold, expires_at, place);

GRANT SELECT ON journal TO ferrex_engine;

CREATE TABLE journal_batch (
    first_id bigint NOT NULL,
    span     bigint NOT NULL,
    entries  engine.journal_entry[] NOT NULL,
    orders   engine.journal_order_entry[]
);
COMMENT ON TABLE journal_batch IS 'What happened, one row a batch, one entry an effect, append-only; ids count from 1 without gaps';
COMMENT ON COLUMN journal_batch.first_id IS 'Id of the first entry; those of the others follow';
COMMENT ON COLUMN journal_batch.orders IS 'What entries of kind 7 and above have beside, by their place from 1; null if none is';
COMMENT ON COLUMN journal_batch.span IS 'Which 256 ms the id of the first command is of, as all bits but the last 88';
CREATE INDEX journal_batch_by_id ON journal_batch USING btree (first_id);
CREATE INDEX journal_batch_by_span ON journal_batch USING btree (span);
CREATE TRIGGER journal_batch_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON journal_batch FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON journal_batch TO ferrex_engine;

CREATE VIEW journal_order AS
 SELECT b.first_id + o.place - 1 AS id,
    o.market,
    o.order_no,
    o.other_no,
    o.price,
    o.lots,
    o.lots_left,
    o.display,
    o.stop,
    o.flags,
    o.fee,
    o.client,
    o.details,
    b.first_id AS batch
   FROM engine.journal_batch b
     CROSS JOIN LATERAL unnest(b.orders) o(place, market, order_no, other_no, price, lots, lots_left, display, stop, flags, fee, client, details);

GRANT SELECT ON journal_order TO ferrex_engine;

CREATE TABLE journal_span (
    span     bigint NOT NULL,
    first_id bigint NOT NULL
);
COMMENT ON TABLE journal_span IS 'Other spans that ids of the commands of a batch are of; append-only';
CREATE INDEX journal_span_by_span ON journal_span USING btree (span);
CREATE TRIGGER journal_span_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON journal_span FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON journal_span TO ferrex_engine;

CREATE TABLE lease (
    only_row   boolean NOT NULL DEFAULT true,
    epoch      bigint NOT NULL,
    owner      text NOT NULL,
    address    text,
    renewed_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT lease_pkey PRIMARY KEY (only_row),
    CONSTRAINT lease_only_row_check CHECK (only_row)
);
COMMENT ON TABLE lease IS 'Which process owns the ledger and until when others leave it alone; safety rests on head.epoch, not on this';
COMMENT ON COLUMN lease.address IS 'Base address of its internal HTTP/2 listener';
COMMENT ON COLUMN lease.owner IS 'Random name of the process';
GRANT SELECT ON lease TO ferrex_engine;

CREATE TABLE market (
    id         integer NOT NULL,
    spec       jsonb NOT NULL,
    state      smallint NOT NULL,
    fees       jsonb NOT NULL,
    last_price bigint NOT NULL,
    last_order bigint NOT NULL,
    CONSTRAINT market_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE market IS 'Markets as of projection.journal_id';
COMMENT ON COLUMN market.last_order IS 'The last number that an order was given; 0 before the first';
COMMENT ON COLUMN market.last_price IS 'Of the last trade, in ticks; 0 before the first';
COMMENT ON COLUMN market.state IS '1 open, 2 cancel only, 3 halted, 4 auction';
GRANT INSERT, SELECT, UPDATE ON market TO ferrex_engine;

CREATE TABLE open_order (
    market      integer NOT NULL,
    order_no    bigint NOT NULL,
    owner       uuid NOT NULL,
    side        smallint NOT NULL,
    limit_price bigint NOT NULL,
    lots        bigint NOT NULL,
    lots_left   bigint NOT NULL,
    shown       bigint NOT NULL,
    display     bigint NOT NULL,
    value       numeric(39,0) NOT NULL,
    by_market   boolean NOT NULL,
    tif         smallint NOT NULL,
    stop        bigint NOT NULL,
    waiting     boolean NOT NULL,
    expires_at  timestamp with time zone,
    self_trade  smallint NOT NULL,
    priority    bigint NOT NULL,
    held        numeric(39,0) NOT NULL,
    account     integer NOT NULL,
    client      uuid,
    CONSTRAINT open_order_pkey PRIMARY KEY (market, order_no),
    CONSTRAINT open_order_held_check CHECK ((held >= (0)::numeric))
);
COMMENT ON TABLE open_order IS 'Open orders as of projection.journal_id, prices in ticks and quantities in lots';
COMMENT ON COLUMN open_order.held IS 'What it has set aside of account, part of balance.held';
COMMENT ON COLUMN open_order.priority IS 'Place in time: of two orders at one price the lower is first';
GRANT DELETE, INSERT, SELECT, UPDATE ON open_order TO ferrex_engine;

CREATE TABLE outbox (
    seq          bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    id           uuid NOT NULL,
    topic        text NOT NULL,
    message_type text NOT NULL,
    key          text NOT NULL,
    at           timestamp with time zone NOT NULL,
    source       text NOT NULL,
    traceparent  text,
    body         bytea NOT NULL,
    created_at   timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT outbox_pkey PRIMARY KEY (seq)
);
COMMENT ON TABLE outbox IS 'Messages of committed changes that are not yet known to be published; a published one is deleted';
COMMENT ON COLUMN outbox.seq IS 'Order of insertion: within one aggregate, whose lock the writer holds, the order of commits';
GRANT DELETE, INSERT, SELECT, UPDATE ON outbox TO ferrex_engine;

GRANT SELECT, USAGE ON outbox_seq_seq TO ferrex_engine;

CREATE TABLE parked (
    id                   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    consumer             text NOT NULL,
    message_id           uuid NOT NULL,
    message_type         text NOT NULL,
    source               text NOT NULL,
    at                   timestamp with time zone NOT NULL,
    topic                text NOT NULL,
    partition            integer NOT NULL,
    offset               bigint NOT NULL,
    key                  text NOT NULL,
    ordered              boolean NOT NULL,
    headers              jsonb NOT NULL,
    body                 bytea NOT NULL,
    behind               boolean NOT NULL,
    code                 text NOT NULL,
    reason               text NOT NULL,
    attempts             integer NOT NULL,
    parked_at            timestamp with time zone NOT NULL DEFAULT now(),
    redrive_requested_at timestamp with time zone,
    CONSTRAINT parked_pkey PRIMARY KEY (id),
    CONSTRAINT parked_consumer_message_id_key UNIQUE (consumer, message_id)
);
COMMENT ON TABLE parked IS 'Messages that could not be handled, or that wait behind such a one of their key, until staff redrive or discard them';
COMMENT ON COLUMN parked.behind IS 'Nothing is wrong with this one; an earlier one of its key is parked';
CREATE INDEX parked_key ON parked USING btree (consumer, topic, key, id) WHERE ordered;
CREATE INDEX parked_redrive ON parked USING btree (consumer, id) WHERE (redrive_requested_at IS NOT NULL);
GRANT DELETE, INSERT, SELECT, UPDATE ON parked TO ferrex_engine;

GRANT SELECT, USAGE ON parked_id_seq TO ferrex_engine;

CREATE TABLE projection (
    only_row   boolean NOT NULL DEFAULT true,
    journal_id bigint NOT NULL,
    CONSTRAINT projection_pkey PRIMARY KEY (only_row),
    CONSTRAINT projection_journal_id_check CHECK ((journal_id >= 0)),
    CONSTRAINT projection_only_row_check CHECK (only_row)
);
COMMENT ON TABLE projection IS 'The journal row up to which balance and hold are true; changed in one transaction with them';
GRANT SELECT, UPDATE ON projection TO ferrex_engine;

CREATE TABLE published (
    first_seq     bigint NOT NULL,
    topics        text[] NOT NULL,
    partitions    integer[] NOT NULL,
    ids           uuid[] NOT NULL,
    message_types text[] NOT NULL,
    keys          text[] NOT NULL,
    ats           timestamp with time zone[] NOT NULL,
    sources       text[] NOT NULL,
    traceparents  text[] NOT NULL,
    bodies        bytea[] NOT NULL,
    published_at  timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT published_pkey PRIMARY KEY (first_seq)
);
COMMENT ON TABLE published IS 'Batches that a broker took from the outbox in the last hour, to be published again should the broker lose them';
COMMENT ON COLUMN published.first_seq IS 'As in the outbox, of the first message';
COMMENT ON COLUMN published.partitions IS 'Where the broker stored each; null for one that has gone over a transport that loses nothing';
CREATE INDEX published_at ON published USING brin (published_at);
GRANT DELETE, INSERT, SELECT, UPDATE ON published TO ferrex_engine;

CREATE TABLE published_end (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT published_end_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE published_end IS 'The last place in each partition that the broker gave to a message of the outbox';
GRANT DELETE, INSERT, SELECT, UPDATE ON published_end TO ferrex_engine;

CREATE TABLE relay (
    only_row   boolean NOT NULL DEFAULT true,
    journal_id bigint NOT NULL,
    CONSTRAINT relay_pkey PRIMARY KEY (only_row),
    CONSTRAINT relay_journal_id_check CHECK ((journal_id >= 0)),
    CONSTRAINT relay_only_row_check CHECK (only_row)
);
COMMENT ON TABLE relay IS 'The journal row up to which the bus has been told; set after publishing, so a message may come twice';
GRANT SELECT, UPDATE ON relay TO ferrex_engine;

CREATE TABLE schema_migration (
    set_name   text NOT NULL,
    version    bigint NOT NULL,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT schema_migration_pkey PRIMARY KEY (set_name, version)
);
COMMENT ON TABLE schema_migration IS 'Which changes this schema has had, with the checksum of each';
GRANT SELECT ON schema_migration TO ferrex_engine;

CREATE TABLE snapshot (
    id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    shard      smallint NOT NULL,
    journal_id bigint NOT NULL,
    bytes      bigint NOT NULL,
    made_at    timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT snapshot_pkey PRIMARY KEY (id),
    CONSTRAINT snapshot_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT snapshot_journal_id_check CHECK ((journal_id > 0)),
    CONSTRAINT snapshot_shard_check CHECK ((shard >= 0))
);
COMMENT ON TABLE snapshot IS 'States of the engine as of journal rows that the projection has reached; the newest few are kept, all may be deleted';
COMMENT ON COLUMN snapshot.bytes IS 'How many its parts have together';
CREATE TRIGGER snapshot_is_never_changed BEFORE UPDATE OR TRUNCATE ON snapshot FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT DELETE, INSERT, SELECT ON snapshot TO ferrex_engine;

GRANT SELECT, USAGE ON snapshot_id_seq TO ferrex_engine;

CREATE TABLE snapshot_part (
    snapshot bigint NOT NULL,
    place    integer NOT NULL,
    bytes    bytea NOT NULL,
    CONSTRAINT snapshot_part_pkey PRIMARY KEY (snapshot, place),
    CONSTRAINT snapshot_part_place_check CHECK ((place >= 0)),
    CONSTRAINT snapshot_part_snapshot_fkey FOREIGN KEY (snapshot) REFERENCES engine.snapshot(id) ON DELETE CASCADE
);
COMMENT ON TABLE snapshot_part IS 'The bytes of a snapshot, a megabyte a row, by place; the format is that of domain/engine/src/snapshot';
CREATE TRIGGER snapshot_part_is_never_changed BEFORE UPDATE OR TRUNCATE ON snapshot_part FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT, SELECT ON snapshot_part TO ferrex_engine;

CREATE TABLE told (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    last_offset bigint NOT NULL,
    CONSTRAINT told_pkey PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE told IS 'The last place in each partition that a broker gave to an event of the journal';
GRANT DELETE, INSERT, SELECT, UPDATE ON told TO ferrex_engine;

CREATE TABLE told_upto (
    journal_id bigint NOT NULL,
    at         timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT told_upto_pkey PRIMARY KEY (journal_id)
);
COMMENT ON TABLE told_upto IS 'Where the relay was, a row a minute for an hour: from the oldest it tells again what a broker has lost';
GRANT DELETE, INSERT, SELECT, UPDATE ON told_upto TO ferrex_engine;

CREATE OR REPLACE FUNCTION append(my_epoch bigint, previous bigint, my_shard smallint, spans bigint[], accounts engine.account_entry[], entries engine.journal_entry[], orders engine.journal_order_entry[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'engine'
AS $function$
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
$function$
;

CREATE OR REPLACE FUNCTION batch_of(row_id bigint)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO 'engine'
AS $function$
    SELECT max(first_id) FROM journal_batch WHERE first_id <= row_id
$function$
;

CREATE OR REPLACE FUNCTION refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% of % is refused: it is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'FX003';
END
$function$
;

CREATE OR REPLACE FUNCTION release_lease(my_epoch bigint)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'engine'
AS $function$
    UPDATE lease SET expires_at = '-infinity' WHERE epoch = my_epoch
$function$
;

CREATE OR REPLACE FUNCTION renew_lease(my_epoch bigint, ttl interval)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'engine'
AS $function$
BEGIN
    UPDATE lease SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + ttl WHERE epoch = my_epoch;
    RETURN FOUND;
END
$function$
;

CREATE OR REPLACE FUNCTION take_lease(my_name text, my_address text, ttl interval)
 RETURNS TABLE(taken_epoch bigint, taken_last_id bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'engine'
AS $function$
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
$function$
;
