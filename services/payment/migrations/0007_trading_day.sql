-- Stops, batches, and fees by what a person has traded in 30 days.
ALTER TABLE placed_order
    -- Of a stop, the last price that triggers it.
    ADD COLUMN stop    numeric(39,0) CHECK (stop > 0),
    -- It is open beside the book until the last price reaches its stop.
    ADD COLUMN waiting boolean NOT NULL DEFAULT false CHECK (NOT waiting OR stop IS NOT NULL);
-- For the look for stops that a cut cascade has left.
CREATE INDEX placed_order_waiting ON placed_order (market, side, stop) WHERE status = 'open' AND waiting;
-- For the look by a person's own name, finished orders included.
CREATE INDEX placed_order_client ON placed_order (user_id, client_order_id, id DESC) WHERE client_order_id IS NOT NULL;

ALTER TABLE market
    -- By tier, as the engine tells; null until it has, then those of the terms hold.
    ADD COLUMN fees       jsonb,
    -- Of the last trade, an auction's included.
    ADD COLUMN last_price numeric(39,0) CHECK (last_price > 0);
UPDATE market SET last_price = (SELECT t.price FROM trade t WHERE t.market = market.id ORDER BY t.sequence DESC, t.place DESC LIMIT 1);

-- The part of what a movement debited that went to the house as a fee.
ALTER TABLE movement ADD COLUMN fee numeric(39,0) NOT NULL DEFAULT 0 CHECK (fee >= 0);

CREATE TABLE order_batch (
    -- UUIDv7; ids of the batch's commands follow from it.
    id       uuid        PRIMARY KEY,
    user_id  uuid        NOT NULL,
    -- What each item became when the batch was taken: an order's id, a command, or the refusal. Done from this, however often.
    steps    jsonb       NOT NULL,
    asked_at timestamptz NOT NULL
);
COMMENT ON TABLE order_batch IS 'Batches of orders, cancels and amendments, append-only';

CREATE TABLE daily_volume (
    user_id  uuid          NOT NULL,
    market   integer       NOT NULL REFERENCES market (id),
    -- In UTC.
    day      date          NOT NULL,
    -- Of the base asset.
    quantity numeric       NOT NULL CHECK (quantity > 0),
    -- Of the quote asset.
    value    numeric       NOT NULL CHECK (value > 0),
    PRIMARY KEY (user_id, market, day)
);
CREATE INDEX daily_volume_day ON daily_volume (day);
COMMENT ON TABLE daily_volume IS 'What each person traded, by market and day; the sums of table trade';
INSERT INTO daily_volume (user_id, market, day, quantity, value)
SELECT person, market, (at AT TIME ZONE 'UTC')::date, sum(quantity), sum(value)
  FROM (SELECT buyer AS person, market, at, quantity, value FROM trade
        UNION ALL SELECT seller, market, at, quantity, value FROM trade) AS side
 GROUP BY 1, 2, 3;

CREATE TABLE fee_schedule (
    version bigint        GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Trades in markets of this asset count, by how much of it changed hands.
    asset   integer       NOT NULL REFERENCES asset (id),
    -- Growing: the least volume for tier 1, for tier 2 and so on.
    volumes numeric(39,0)[] NOT NULL CHECK (cardinality(volumes) <= 63),
    staff   uuid          NOT NULL,
    reason  text          NOT NULL,
    set_at  timestamptz   NOT NULL
);
COMMENT ON TABLE fee_schedule IS 'Which 30-day volume gives which fee tier; the newest version holds';

CREATE TABLE fee_tier (
    user_id uuid        PRIMARY KEY,
    tier    smallint    NOT NULL CHECK (tier BETWEEN 0 AND 63),
    set_at  timestamptz NOT NULL
);
COMMENT ON TABLE fee_tier IS 'The tier that the engine was last told of a person; nobody else has one above 0';
