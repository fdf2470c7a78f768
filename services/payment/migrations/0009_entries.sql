-- What comes by the hundred comes as arrays of rows instead of an array a column, which the server takes apart for less (see the
-- engine's migration of the same name).
CREATE TYPE asked_order_entry AS (
    id uuid, user_id uuid, key text, fingerprint bytea, market integer, client_order_id text, command jsonb, side text, kind text,
    tif text, price numeric, quantity numeric, value numeric, expires_at timestamptz, placed_at timestamptz, stop numeric,
    owes_nothing boolean
);
CREATE TYPE placed_order_entry AS (
    id uuid, user_id uuid, market integer, number bigint, side text, kind text, tif text, price numeric, quantity numeric,
    expires_at timestamptz, placed_at timestamptz, status text, stop numeric, waiting boolean, filled numeric,
    filled_value numeric, fee numeric
);
CREATE TYPE changed_order_entry AS (
    id uuid, price numeric, quantity numeric, status text, triggered boolean, filled numeric, filled_value numeric, fee numeric
);
CREATE TYPE trade_entry AS (
    sequence bigint, place integer, market integer, at timestamptz, price numeric, quantity numeric, value numeric, taker text,
    buyer uuid, buy_order uuid, buy_fee numeric, seller uuid, sell_order uuid, sell_fee numeric
);
CREATE TYPE movement_entry AS (
    user_id uuid, sequence bigint, asset integer, command uuid, reason smallint, reference uuid, at timestamptz, credited numeric,
    debited numeric, reserved numeric, released numeric, owed numeric, repaid numeric, fee numeric
);

-- Each statement reads every CHECK of its table anew, 10 us each, and three statements write an order. What a domain demands is read
-- once a session.
CREATE DOMAIN units AS numeric(39,0) CHECK (VALUE >= 0);
CREATE DOMAIN positive_units AS numeric(39,0) CHECK (VALUE > 0);
CREATE DOMAIN order_side AS text CHECK (VALUE IN ('buy', 'sell'));
CREATE DOMAIN order_kind AS text CHECK (VALUE IN ('limit', 'market'));
CREATE DOMAIN order_tif AS text CHECK (VALUE IN ('gtc', 'ioc', 'fok', 'post_only'));
CREATE DOMAIN order_status AS text CHECK (VALUE IN ('requested', 'open', 'filled', 'cancelled', 'expired', 'unfilled', 'self_trade',
                                                    'refused', 'lapsed'));
CREATE DOMAIN order_name AS text CHECK (length(VALUE) BETWEEN 1 AND 64);
CREATE DOMAIN client_key AS text CHECK (length(VALUE) BETWEEN 1 AND 255);
CREATE DOMAIN fingerprint AS bytea CHECK (octet_length(VALUE) = 32);
ALTER TABLE idempotency
    DROP CONSTRAINT idempotency_key_check, DROP CONSTRAINT idempotency_fingerprint_check,
    ALTER key TYPE client_key, ALTER fingerprint TYPE fingerprint;
ALTER TABLE movement DROP CONSTRAINT movement_fee_check, ALTER fee TYPE units;
ALTER TABLE placed_order
    DROP CONSTRAINT placed_order_client_order_id_check, DROP CONSTRAINT placed_order_fee_check,
    DROP CONSTRAINT placed_order_filled_check, DROP CONSTRAINT placed_order_filled_value_check,
    DROP CONSTRAINT placed_order_kind_check, DROP CONSTRAINT placed_order_price_check,
    DROP CONSTRAINT placed_order_quantity_check, DROP CONSTRAINT placed_order_side_check,
    DROP CONSTRAINT placed_order_status_check, DROP CONSTRAINT placed_order_stop_check,
    DROP CONSTRAINT placed_order_tif_check, DROP CONSTRAINT placed_order_value_check,
    ALTER client_order_id TYPE order_name, ALTER side TYPE order_side, ALTER kind TYPE order_kind, ALTER tif TYPE order_tif,
    ALTER status TYPE order_status, ALTER price TYPE units, ALTER quantity TYPE units, ALTER value TYPE positive_units,
    ALTER filled TYPE units, ALTER filled_value TYPE units, ALTER fee TYPE units, ALTER stop TYPE positive_units;
ALTER TABLE trade
    DROP CONSTRAINT trade_buy_fee_check, DROP CONSTRAINT trade_price_check, DROP CONSTRAINT trade_quantity_check,
    DROP CONSTRAINT trade_sell_fee_check, DROP CONSTRAINT trade_taker_check, DROP CONSTRAINT trade_value_check,
    ALTER price TYPE positive_units, ALTER quantity TYPE positive_units, ALTER value TYPE positive_units, ALTER taker TYPE order_side,
    ALTER buy_fee TYPE units, ALTER sell_fee TYPE units;
