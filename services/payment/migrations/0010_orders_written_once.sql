-- An order's row is written once, when it is decided: what was asked for lies beside until then, in a small table that few indexes
-- have to follow.

CREATE DOMAIN order_self_trade AS text CHECK (VALUE IN ('cancel_newest', 'cancel_oldest', 'cancel_both', 'decrement'));

CREATE TABLE asked_order (
    user_id         uuid             NOT NULL,
    -- UUIDv7: the id of the command that places it, and the engine's client id.
    id              uuid             NOT NULL,
    market          integer          NOT NULL,
    client_order_id order_name,
    side            order_side       NOT NULL,
    kind            order_kind       NOT NULL,
    tif             order_tif        NOT NULL,
    price           units            NOT NULL,
    -- Null for a buy by value.
    quantity        units,
    value           positive_units,
    expires_at      timestamptz,
    placed_at       timestamptz      NOT NULL,
    stop            positive_units,
    display         positive_units,
    self_trade      order_self_trade NOT NULL,
    PRIMARY KEY (user_id, id)
    -- It is empty again and again. To give its end back to the disk would lock it, and everybody waits for 20 ms and more.
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);
COMMENT ON TABLE asked_order IS 'Orders that were asked for and are not decided as far as is known here';
INSERT INTO asked_order (user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at, placed_at, stop,
                         display, self_trade)
SELECT user_id, id, market, client_order_id, side, kind, tif, price, quantity, value, expires_at, placed_at, stop,
       (command #>> '{terms,display}')::numeric, command #>> '{terms,self_trade}'
  FROM placed_order WHERE status = 'requested';

CREATE TABLE taken_order_name (
    user_id uuid       NOT NULL,
    name    order_name NOT NULL,
    id      uuid       NOT NULL,
    PRIMARY KEY (user_id, name)
) WITH (vacuum_truncate = off);
COMMENT ON TABLE taken_order_name IS 'A person''s own names of those of their orders that are asked for or open';
INSERT INTO taken_order_name (user_id, name, id)
SELECT user_id, client_order_id, id FROM placed_order WHERE status IN ('requested', 'open') AND client_order_id IS NOT NULL;

DELETE FROM placed_order WHERE status = 'requested';
DROP INDEX placed_order_user, placed_order_open, placed_order_client_unique, placed_order_requested;
ALTER TABLE placed_order
    ADD COLUMN display    positive_units,
    -- Null for an order that was not asked for here.
    ADD COLUMN self_trade order_self_trade;
UPDATE placed_order SET display = (command #>> '{terms,display}')::numeric, self_trade = command #>> '{terms,self_trade}';
ALTER TABLE placed_order
    DROP COLUMN command,
    DROP CONSTRAINT placed_order_pkey,
    ADD PRIMARY KEY (user_id, id);
CREATE INDEX placed_order_open ON placed_order (user_id, id DESC) WHERE status = 'open';
COMMENT ON TABLE placed_order IS 'Orders that were decided: what was asked for, and where it stands by engine.market.v1';
ALTER DOMAIN order_status DROP CONSTRAINT order_status_check;
ALTER DOMAIN order_status ADD CONSTRAINT order_status_check
    CHECK (VALUE IN ('open', 'filled', 'cancelled', 'expired', 'unfilled', 'self_trade', 'refused', 'lapsed'));

DROP TYPE asked_order_entry;
CREATE TYPE asked_order_entry AS (
    id uuid, user_id uuid, key text, fingerprint bytea, market integer, client_order_id text, side text, kind text, tif text,
    price numeric, quantity numeric, value numeric, expires_at timestamptz, placed_at timestamptz, stop numeric, display numeric,
    self_trade text, owes_nothing boolean
);
DROP TYPE changed_order_entry;
CREATE TYPE changed_order_entry AS (
    user_id uuid, id uuid, price numeric, quantity numeric, status text, triggered boolean, filled numeric, filled_value numeric,
    fee numeric
);
